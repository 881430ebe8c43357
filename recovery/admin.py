"""Jobs in the admin, with the filter for interrupted ones and *resume* for many. Restart is not offered in bulk."""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from recovery.choices import handle_recovery_choice
from recovery.confirmation import RecoveryChoice, confirm
from shipping.admin import JobAdmin
from shipping.models import Job
from shipping.reads import Facts
from shipping.services import JobService


class InterruptedFilter(admin.SimpleListFilter):
    """Only interrupted jobs, or only the others."""

    title = gettext_lazy("interrupted")
    parameter_name = "interrupted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002 (Django's signature)
        return [("yes", _("Interrupted")), ("no", _("Not interrupted"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:  # noqa: ARG002 (Django's signature)
        interrupted = JobService().interrupted_jobs().order_by().values("pk")
        if self.value() == "yes":
            return queryset.filter(pk__in=interrupted)
        if self.value() == "no":
            return queryset.exclude(pk__in=interrupted)
        return queryset


class RecoveryJobAdmin(JobAdmin):
    """Jobs with what can be done about many interrupted ones at once."""

    list_filter: ClassVar[Any] = (InterruptedFilter, *JobAdmin.list_filter)
    actions: Any = ("resume_jobs", *JobAdmin.actions)

    def has_resume_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("shipping.resume_job")

    @admin.action(description=gettext_lazy("Resume the selected interrupted jobs…"), permissions=["resume"])
    def resume_jobs(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponseBase | None:
        """Carry the selected interrupted jobs on, after a confirmation."""
        return self.confirm_or_apply(
            request,
            queryset,
            action="resume_jobs",
            command=resume_job,
            fitting=queryset.filter(pk__in=JobService().interrupted_jobs().order_by().values("pk")),
            will_buy=True,
            title=_("Resume the selected jobs?"),
            button=_("Resume the jobs"),
            consequence=_(
                "Those that are interrupted go on with their remaining rows, which costs money. What is already bought"
                " is not bought again, and the carrier is asked about rows in doubt first. Where an error stopped a"
                " job, that row is tried again."
            ),
        )


def resume_job(job: Job, actor: User, reason: str, expected: Facts) -> None:
    """Resume one job of many. Raises Refused."""
    handle_recovery_choice(
        RecoveryChoice.resume,
        job.pk,
        JobService(),
        actor=actor,
        confirmation=confirm(RecoveryChoice.resume, job.pk, expected),
        reason=reason,
    )


admin.site.unregister(Job)
admin.site.register(Job, RecoveryJobAdmin)
