"""People with the rights that the pages ask for, and their browsers."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client


def grant(user: User, *rights: str) -> User:
    """Give rights by their codenames; returns the user without its cache of them."""
    user.user_permissions.add(*Permission.objects.filter(content_type__app_label="shipping", codename__in=rights))
    return User.objects.get(pk=user.pk)


def browser_of(user: User) -> Client:
    """A browser in which this person has signed in."""
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def browser(clerk: User) -> Client:
    """The browser of the clerk, who may also start and pause jobs."""
    return browser_of(grant(clerk, "change_job"))


@pytest.fixture
def viewer(db: None) -> User:
    """Somebody who may look at jobs and do nothing about them."""
    return grant(User.objects.create_user("viewer", password="viewer"), "view_job")
