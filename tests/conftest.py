"""The cast of three: the owner of a job, a colleague with the same rights, and an outsider with none."""

import pytest
from django.contrib.auth.models import User

from tests.factories import make_clerk


@pytest.fixture
def clerk(db: None) -> User:
    """The clerk whose job it is; may do everything with jobs."""
    return make_clerk("clerk")


@pytest.fixture
def colleague(db: None) -> User:
    """Another clerk with the same rights."""
    return make_clerk("colleague")


@pytest.fixture
def outsider(db: None) -> User:
    """Somebody who may sign in and has no rights at all."""
    return User.objects.create_user("outsider", password="outsider")
