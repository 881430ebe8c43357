"""The door of every page: who may enter it, and how htmx is told that the session has expired."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, resolve_url
from django.utils.cache import add_never_cache_headers, patch_vary_headers
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from shipping.models import Job
from shipping.services import JobService

VIEW = "shipping.view_job"
CHANGE = "shipping.change_job"

# So many of those who hold a right are named to a person who lacks it.
HOLDERS_NAMED = 5

# Rights in the words of the person who lacks them; keys are Django's names.
RIGHTS: dict[str, str | Promise] = {
    "shipping.view_job": gettext_lazy("Can view jobs"),
    "shipping.change_job": gettext_lazy("Can upload orders, start and pause jobs"),
    "shipping.resume_job": gettext_lazy("Can resume an interrupted job"),
    "shipping.restart_job": gettext_lazy("Can restart an interrupted job and buy its labels again"),
    "shipping.cancel_job": gettext_lazy("Can cancel a job"),
    "shipping.resolve_job": gettext_lazy("Can decide rows in review"),
    "shipping.void_job": gettext_lazy("Can void labels"),
}

Parameters = ParamSpec("Parameters")


class PageRequest(HttpRequest):
    """A request that came through `page`: somebody is signed in, and django-htmx has looked at it."""

    htmx: HtmxDetails
    user: User


def page(
    permission: str | None = VIEW,
) -> Callable[
    [Callable[Concatenate[PageRequest, Parameters], HttpResponseBase]],
    Callable[Concatenate[HttpRequest, Parameters], HttpResponseBase],
]:
    """Let only people in who may view jobs and hold `permission`; others are sent to sign in, or get a 403. Without
    a permission, whoever is signed in may enter.

    Takes the place of LoginRequiredMiddleware for its view, which knows nothing of htmx: a redirect would put the
    sign-in page into whatever part of the page was to be swapped.
    """

    def decorate(
        view: Callable[Concatenate[PageRequest, Parameters], HttpResponseBase],
    ) -> Callable[Concatenate[HttpRequest, Parameters], HttpResponseBase]:
        @login_not_required
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> HttpResponseBase:
            if request.user.is_authenticated:
                if permission is not None:
                    require_right(request.user, VIEW)
                    require_right(request.user, permission)
                response = view(cast("PageRequest", request), *args, **kwargs)
            else:
                response = _sign_in(cast("PageRequest", request))
            patch_vary_headers(response, ["HX-Request"])
            if not response.has_header("Cache-Control"):
                add_never_cache_headers(response)
            return response

        return guarded

    return decorate


def require_right(user: User | AnonymousUser, permission: str) -> None:
    """Raises PermissionDenied, in plain words, for a person who lacks a right."""
    if not user.has_perm(permission):
        raise PermissionDenied(_("This needs the right “%(right)s”.") % {"right": right_name(permission)})


def right_name(permission: str) -> str:
    """A right in plain words."""
    return str(RIGHTS.get(permission, permission))


@dataclass(frozen=True, slots=True)
class Holders:
    """Some of the people who hold a right, by name, and whether there are more."""

    names: list[str]
    more: bool


def who_may(permission: str) -> Holders:
    """The first few people who hold a right, themselves, through a group or as administrators; one query."""
    holders = User.objects.with_perm(permission, backend="django.contrib.auth.backends.ModelBackend")
    found = list(holders.order_by("username")[: HOLDERS_NAMED + 1])
    names = [user.get_full_name() or user.get_username() for user in found[:HOLDERS_NAMED]]
    return Holders(names=names, more=len(found) > HOLDERS_NAMED)


def rights(request: PageRequest, permission: str = CHANGE) -> dict[str, Any]:
    """For the page of somebody who may only look: what they lack, and who has it. Empty, and free, for others."""
    if request.user.has_perm(permission):
        return {}
    return {"right": right_name(permission), "holders": who_may(permission)}


def _sign_in(request: PageRequest) -> HttpResponse:
    """To the sign-in page, and from there back to the page that was open."""
    if not request.htmx:
        return redirect_to_login(request.get_full_path())
    back = request.htmx.current_url_abs_path or resolve_url(settings.LOGIN_REDIRECT_URL)
    return HttpResponseClientRedirect(redirect_to_login(back).url)


def wants_fragment(request: PageRequest) -> bool:
    """Whether htmx asks for a part of the page (going back in its history asks for all of it)."""
    return bool(request.htmx) and not request.htmx.boosted and not request.htmx.history_restore_request


def go_to(request: PageRequest, to: str, *args: Any) -> HttpResponse:
    """Send the browser to another page, whether htmx asked or a plain form."""
    url = resolve_url(to, *args)
    return HttpResponseClientRedirect(url) if request.htmx else redirect(url)


def to_job(request: PageRequest, job_id: int) -> HttpResponse:
    """Send the browser to a job's page."""
    return go_to(request, "shipping:job", job_id)


def job_or_404(job_id: int) -> Job:
    """The job. Raises Http404."""
    job = JobService().get_job(job_id)
    if job is None:
        raise Http404(_("There is no job %(job_id)s.") % {"job_id": job_id})
    return job


def whole_number(request: HttpRequest, name: str) -> int | None:
    """A whole number from the query string; None for anything else."""
    return read_number(request.GET.get(name, ""))


def read_number(text: str) -> int | None:
    """A whole number, from 0 on, that fits a database column; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None
