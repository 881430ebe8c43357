"""The people who use the site: clerks, who belong to a group with the rights of their work, and admin staff."""

import secrets

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import transaction

CLERKS = "Clerks"
CLERK_PERMISSIONS = (
    "view_job",
    "add_job",
    "change_job",
    "resume_job",
    "restart_job",
    "cancel_job",
    "resolve_job",
    "void_job",
)


class AccountExists(ValueError):
    """There is a user of that name already."""


def clerks_group() -> Group:
    """The group of clerks, with at least the permissions of their work. Others that it was given stay."""
    group, _created = Group.objects.get_or_create(name=CLERKS)
    permissions = Permission.objects.filter(content_type__app_label="shipping", codename__in=CLERK_PERMISSIONS)
    group.permissions.add(*permissions)
    return group


@transaction.atomic
def add_user(name: str, *, admin: bool = False) -> str:
    """Make a clerk, or with `admin` somebody who may do everything, and return the new password.

    The password is random and kept only as a hash: whoever calls shows it, once. Raises AccountExists, and
    django.core.exceptions.ValidationError for a name that can't be one.
    """
    users = get_user_model().objects
    if users.filter(username=name).exists():
        raise AccountExists(f"There is a user named {name} already.")
    password = secrets.token_urlsafe(12)
    user = get_user_model()(username=name, is_staff=admin, is_superuser=admin)
    user.set_password(password)
    user.full_clean()
    user.save()
    if not admin:
        user.groups.add(clerks_group())
    return password
