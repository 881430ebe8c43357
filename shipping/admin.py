"""The admin: everything can be looked at, nothing edited or deleted; jobs can be cancelled, many at once."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ERROR_FLAG, ChangeList
from django.contrib.auth.models import User
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from shipping import bulk
from shipping.admin_lists import BoundedPaginator, RowStatusFilter, labels_sought, rows_sought
from shipping.conditions import CONDITION_NAMES
from shipping.liveness import conditions
from shipping.models import Event, Job, Label, Orphan, Row, Run, Sender
from shipping.models.job import JobQuerySet
from shipping.reads import Facts
from shipping.services import JobService
from shipping.states import RowStatus
from shipping.templatetags.money import money

JOBS_NAMED = 50


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """Looking only: the books are written by workers and by people's commands, never by a form over a table."""

    show_full_result_count = False
    # A page of them is made in well under 100 ms.
    list_per_page = 25
    list_max_show_all = 40

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Numbers in the address that no column can hold are answered as Django answers other bad filters."""
        try:
            return super().changelist_view(request, extra_context)
        except OverflowError:
            return redirect(f"{request.path}?{ERROR_FLAG}=1")

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:  # noqa: ARG002 (Django's signature)
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002 (Django's signature)
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002 (Django's signature)
        return False


class JobChangeList(ChangeList):
    """Knows how each job on the page stands, in a fixed number of queries."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        standing = conditions(self.result_list)
        for job in self.result_list:
            job.standing = str(CONDITION_NAMES[standing[job.pk]])


class JobAdmin(ReadOnlyAdmin):
    """Jobs, with *cancel*. (`recovery.admin` adds what is about interrupted ones.)"""

    list_display = ("name", "code", "standing", "progress", "failed_rows", "spent", "carrier", "created_at")
    list_filter: ClassVar[Any] = ("status", "carrier", "created_at")
    list_select_related = False
    search_fields = ("name", "code", "file_name")
    search_help_text = gettext_lazy("Name, code or file name of a job")
    ordering = ("-pk",)
    actions: Any = ("cancel_jobs",)
    fields = (
        ("name", "code"),
        "links",
        "status",
        ("error_code", "error_row_number"),
        "error_message",
        ("total_rows", "processed_rows", "successful_rows", "failed_rows"),
        "spent",
        ("carrier", "sender", "stop_on_error"),
        ("file_name", "import_complete"),
        ("created_by", "created_at", "started_at", "ended_at"),
        ("epoch", "sweep"),
    )
    readonly_fields = ("code", "links", "spent", "created_at")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:  # noqa: ARG002 (Django's signature)
        return JobChangeList

    @admin.display(description=gettext_lazy("How it stands"), ordering="status")
    def standing(self, job: Job) -> str:
        return str(getattr(job, "standing", job.get_status_display()))

    @admin.display(description=gettext_lazy("Bought"))
    def progress(self, job: Job) -> str:
        return _("%(bought)s of %(total)s") % {"bought": job.successful_rows, "total": job.total_rows}

    @admin.display(description=gettext_lazy("Spent"), ordering="cost_cents")
    def spent(self, job: Job) -> str:
        return money(job.spent_cents, job.currency)

    @admin.display(description=gettext_lazy("More"))
    def links(self, job: Job) -> str:
        page = format_html('<a href="{}">{}</a>', reverse("shipping:job", args=[job.pk]), _("The job's page"))
        lists = (
            (reverse(f"admin:shipping_{model}_changelist"), job.pk, name)
            for model, name in (
                ("row", _("Rows")),
                ("label", _("Labels")),
                ("run", _("Runs")),
                ("event", _("Events")),
                ("orphan", _("Charges that no row owns")),
            )
        )
        return page + format_html_join("", ' · <a href="{}?job__exact={}">{}</a>', lists)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("shipping.cancel_job")

    @admin.action(description=gettext_lazy("Cancel the selected jobs…"), permissions=["cancel"])
    def cancel_jobs(self, request: HttpRequest, queryset: JobQuerySet) -> HttpResponseBase | None:
        """Stop the selected jobs for good, after a confirmation."""
        return self.confirm_or_apply(
            request,
            queryset,
            action="cancel_jobs",
            command=cancel_job,
            fitting=queryset.open(),
            title=_("Cancel the selected jobs?"),
            button=_("Cancel the jobs"),
            consequence=_(
                "No further row of these jobs will be bought. What was bought stays bought; purchases already sent may"
                " still arrive and are recorded. A cancelled job can not be carried on."
            ),
        )

    def confirm_or_apply(
        self,
        request: HttpRequest,
        queryset: QuerySet[Job],
        *,
        action: str,
        command: bulk.Command,
        fitting: QuerySet[Job],
        will_buy: bool = False,
        **wording: str,
    ) -> HttpResponseBase | None:
        """Show what is selected, or command it once that was confirmed and is still as it was shown.

        `fitting` are those of the selected jobs that the command suits at this moment. With `will_buy` it is told
        what going on may cost, else what was spent.
        """
        result = bulk.Result.read(request.POST.get("progress", ""))
        selection = bulk.select(queryset).after(result.after)
        sent = request.POST.get("fingerprint")
        if sent == selection.fingerprint and isinstance(request.user, User):
            reason = "".join(filter(str.isprintable, request.POST.get("reason", "")))[:500].strip()
            bulk.apply(selection, command, result, actor=request.user, reason=reason)
            if not result.left:
                self._report(request, result)
                return None
            selection = selection.after(result.after)
            context = {**self._form(request, selection, action, wording), "result": result, "reason": reason}
            return TemplateResponse(request, "admin/shipping/bulk_progress.html", context)
        queryset, fitting = queryset.filter(pk__gt=result.after), fitting.filter(pk__gt=result.after)
        sums = bulk.sums(fitting)
        context = {
            **self._form(request, selection, action, wording),
            "moved": sent is not None,
            "result": result,
            "selected": len(selection.jobs),
            "fitting": fitting.count(),
            "remaining_rows": sum(each.remaining_rows for each in sums),
            "sums": sums,
            "will_buy": will_buy,
            "lines": bulk.lines(list(queryset.order_by("pk")[:JOBS_NAMED]), fitting),
            "unnamed": max(0, len(selection.jobs) - JOBS_NAMED),
        }
        return TemplateResponse(request, "admin/shipping/bulk_confirm.html", context)

    def _form(
        self, request: HttpRequest, selection: bulk.Selection, action: str, wording: dict[str, str]
    ) -> dict[str, Any]:
        """What the form of a confirmation carries, so that the same selection is found again."""
        across = request.POST.get("select_across") == "1"
        return {
            **self.admin_site.each_context(request),
            **wording,
            "opts": self.opts,
            "action": action,
            "fingerprint": selection.fingerprint,
            "checkbox": ACTION_CHECKBOX_NAME,
            # All that match the filters are found again by the same filters; Django wants one id all the same.
            "across": across,
            "keys": list(selection.jobs)[:1] if across else list(selection.jobs),
        }

    def _report(self, request: HttpRequest, result: bulk.Result) -> None:
        done = ngettext("Done for %(count)s job.", "Done for %(count)s jobs.", result.done) % {"count": result.done}
        self.message_user(request, done, messages.SUCCESS if result.done else messages.WARNING)
        if result.skipped:
            skipped = ngettext("%(count)s job was skipped", "%(count)s jobs were skipped", result.skipped_count) % {
                "count": result.skipped_count
            }
            self.message_user(request, f"{skipped}: {'; '.join(result.reasons())}.", messages.WARNING)


def cancel_job(job: Job, actor: User, reason: str, expected: Facts) -> None:
    """Cancel one job of many. Raises Refused."""
    JobService().cancel(job.pk, actor=actor, reason=reason, expected=expected)


admin.site.register(Job, JobAdmin)


class OfJobAdmin(ReadOnlyAdmin):
    """Things of jobs, by job (`?job__exact=`), never counted as a whole."""

    list_select_related: ClassVar[Any] = ("job",)
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup in ("job__exact", "job__id__exact") or super().lookup_allowed(lookup, value, request)


@admin.register(Row)
class RowAdmin(OfJobAdmin):
    """Rows: what was in the file, and how each stands."""

    list_display = ("number", "job", "recipient", "order_reference", "status", "attempt", "label", "error_message")
    list_select_related = ("job", "label")
    list_filter: ClassVar[Any] = (("status", RowStatusFilter),)
    # Says that there is a search; what it looks for stands below.
    search_fields = ("order_reference",)
    search_help_text = gettext_lazy("An order’s reference; in the list of one job, a number is that of a row")
    ordering = ("job_id", "number")

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        # Rows in flight are few and found one by one; in the order of the numbers all rows would be gone through.
        return ("pk",) if request.GET.get("status__exact") == RowStatus.in_flight else self.ordering

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Row], search_term: str) -> Any:
        of_one_job = bool({"job__exact", "job__id__exact"} & set(request.GET))
        sought = search_term.strip()
        return (rows_sought(queryset, sought, of_one_job=of_one_job) if sought else queryset), False


@admin.register(Event)
class EventAdmin(OfJobAdmin):
    """What happened, who did it and why."""

    list_display = ("at", "job", "kind", "row", "actor", "details")
    list_select_related = ("job", "row", "actor")
    list_filter = ("kind",)
    ordering = ("-pk",)


@admin.register(Label)
class LabelAdmin(OfJobAdmin):
    """Labels that were paid for."""

    list_display = (
        "tracking_number",
        "job",
        "row",
        "attempt",
        "carrier",
        "service",
        "cost",
        "bought_at",
        "voided_at",
        "refund_state",
    )
    list_select_related = ("job", "row")
    # Says that there is a search; what it looks for stands below.
    search_fields = ("tracking_number", "purchase_id")
    search_help_text = gettext_lazy("Tracking number or the carrier's id, in full")
    ordering = ("-pk",)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Label], search_term: str) -> Any:  # noqa: ARG002 (Django's signature)
        sought = search_term.strip()
        return (labels_sought(queryset, sought) if sought else queryset), False

    @admin.display(description=gettext_lazy("Cost"), ordering="cost_cents")
    def cost(self, label: Label) -> str:
        return money(label.cost_cents, label.currency)


@admin.register(Orphan)
class OrphanAdmin(OfJobAdmin):
    """Charges that the carrier's list held and no row owned, and what became of them."""

    list_display = (
        "tracking_number",
        "job",
        "row",
        "reference",
        "cost",
        "bought_at",
        "found_at",
        "outcome",
        "settled_at",
    )
    list_select_related = ("job", "row")
    list_filter = ("outcome",)
    search_fields = ("=tracking_number", "=purchase_id", "=reference")
    search_help_text = gettext_lazy("Tracking number, reference or the carrier's id, in full")
    ordering = ("-pk",)

    @admin.display(description=gettext_lazy("Cost"), ordering="cost_cents")
    def cost(self, orphan: Orphan) -> str:
        return money(orphan.cost_cents, orphan.currency)


@admin.register(Run)
class RunAdmin(OfJobAdmin):
    """Workers' turns at jobs."""

    list_display = ("pk", "job", "epoch", "turn", "issued_at", "started_at", "beat_at", "ended_at", "end_reason", "pid")
    list_filter = ("end_reason",)
    ordering = ("-pk",)


@admin.register(Sender)
class SenderAdmin(ReadOnlyAdmin):
    """Return addresses; `manage.py set_sender` sets a new one."""

    list_display = ("name", "company", "street1", "city", "state", "zip", "country", "created_at")
    ordering = ("-pk",)
