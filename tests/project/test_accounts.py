"""Clerks and admin staff."""

from io import StringIO

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from shipping.project.accounts import CLERK_PERMISSIONS, CLERKS, AccountExists, add_user

pytestmark = pytest.mark.django_db


def test_a_clerk_can_sign_in_and_has_the_rights_of_the_work_and_no_others() -> None:
    password = add_user("clerk")
    clerk = authenticate(username="clerk", password=password)
    assert isinstance(clerk, User)
    assert clerk.get_all_permissions() == {f"shipping.{codename}" for codename in CLERK_PERMISSIONS}
    assert not clerk.is_staff


def test_an_admin_may_do_everything() -> None:
    password = add_user("admin", admin=True)
    admin = authenticate(username="admin", password=password)
    assert isinstance(admin, User)
    assert admin.is_staff
    assert admin.is_superuser


def test_passwords_are_never_the_same() -> None:
    assert add_user("one") != add_user("two")


def test_a_name_that_is_taken_is_refused() -> None:
    add_user("clerk")
    with pytest.raises(AccountExists, match="There is a user named clerk already"):
        add_user("clerk", admin=True)
    assert User.objects.filter(is_superuser=True).count() == 0


def test_a_name_that_is_no_name_is_refused_and_leaves_nothing() -> None:
    with pytest.raises(ValidationError):
        add_user("two words")
    assert not User.objects.exists()


def test_permissions_that_the_group_was_given_by_hand_stay() -> None:
    add_user("first")
    group = Group.objects.get(name=CLERKS)
    extra = group.permissions.model.objects.get(codename="view_sender")
    group.permissions.add(extra)
    add_user("second")
    assert extra in group.permissions.all()


def test_the_command_prints_the_password_alone() -> None:
    output = StringIO()
    call_command("add_user", "clerk", stdout=output)
    assert authenticate(username="clerk", password=output.getvalue().strip()) is not None


def test_the_command_refuses_a_name_that_is_taken() -> None:
    add_user("clerk")
    with pytest.raises(CommandError, match="already"):
        call_command("add_user", "clerk")
