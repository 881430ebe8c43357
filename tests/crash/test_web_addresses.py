"""No POST of the site is left out: what the URL patterns and the admin know is what the scenes kill."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client, RequestFactory
from django.urls import reverse

from shipping.models import Job, Label, Upload
from shipping.views.help_pages import TOPICS
from tests.crash.web_boundaries import DJANGOS_OWN_ACTIONS, DJANGOS_OWN_FORMS, HARMLESS, SCENES
from tests.crash.web_scenes import Leaves
from tests.support.addresses import patterns
from tests.support.states import make_jobs, make_uploads
from tests.views.conftest import browser_of


def test_every_address_dies_in_its_post_or_is_harmless() -> None:
    killed = {scene.address for scene in SCENES if not scene.address.startswith("admin:")}
    assert killed | set(HARMLESS) == set(patterns())
    assert not killed & set(HARMLESS)


def test_every_scene_dies_before_anything_is_done_and_after_all_is() -> None:
    for scene in SCENES:
        left = [death.leaves for death in scene.deaths]
        assert Leaves.all in left, scene
        assert Leaves.nothing in left or scene.name == "upload a file that ships at once", scene
        names = [str(death.boundary) for death in scene.deaths]
        assert len(set(names)) == len(names), scene


@pytest.mark.django_db
def test_a_post_to_a_harmless_address_changes_nothing(clerk: User) -> None:
    jobs = make_jobs(clerk)
    make_uploads(clerk)
    examples = {
        "job_id": jobs["interrupted"].pk,
        "number": 1,
        "label_id": Label.objects.latest("pk").pk,
        "upload_id": Upload.objects.latest("pk").pk,
        "slug": next(iter(TOPICS)),
    }
    browser = Client(raise_request_exception=False)
    before = _books()
    for name in HARMLESS:
        if name in ("login", "logout"):
            continue
        browser = browser_of(clerk)
        arguments = {each: value for each, value in examples.items() if f":{each}>" in patterns()[name]}
        answer = browser.post(reverse(name, kwargs=arguments))
        assert answer.getvalue() or answer.status_code in (302, 404), name
        assert answer.status_code < 500, name
    assert _books() == before


def _books() -> dict[str, list[Any]]:
    models = [each for each in apps.get_models() if each is not Session and each is not User]
    return {each._meta.label: list(each._base_manager.order_by("pk").values()) for each in models if each._meta.managed}


@pytest.mark.django_db
def test_every_action_of_the_admin_dies_between_two_of_its_jobs() -> None:
    request = RequestFactory().get("/admin/")
    request.user = User.objects.create_superuser("root", password="root")
    killed = {scene.address for scene in SCENES if scene.address.startswith("admin:")}
    offered = {
        f"admin:{action}"
        for model, its_admin in admin.site._registry.items()
        if model._meta.label_lower not in DJANGOS_OWN_FORMS
        for action in its_admin.get_actions(request)
        if action not in DJANGOS_OWN_ACTIONS or its_admin.has_delete_permission(request)
    }
    assert offered == killed


@pytest.mark.django_db
def test_the_admin_changes_nothing_by_its_forms_but_users_and_groups() -> None:
    request = RequestFactory().get("/admin/")
    request.user = User.objects.create_superuser("root", password="root")
    changing = {
        model._meta.label_lower
        for model, its_admin in admin.site._registry.items()
        if its_admin.has_add_permission(request)
        or its_admin.has_change_permission(request)
        or its_admin.has_delete_permission(request)
    }
    assert changing == DJANGOS_OWN_FORMS
    assert Job._meta.label_lower not in changing
