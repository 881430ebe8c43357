"""The one door through which browser, admin and terminal choose what becomes of an interrupted job."""

from typing import Any

from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from recovery.confirmation import RecoveryChoice, confirmed_facts
from recovery.plan import plan_restart
from recovery.prompt import NO_WORKER
from shipping.models import Job
from shipping.reads import Facts
from shipping.refusals import require_interrupted
from shipping.services import JobService, Refused, UnknownJob


class UnknownChoice(Refused):
    """There is no such choice, or it has no such option."""


def handle_recovery_choice(
    choice: RecoveryChoice | str,
    job_id: int,
    job_service: JobService,
    *,
    actor: User | None = None,
    confirmation: str | None = None,
    reason: str = "",
    void_first: bool = False,
    retry_failed: bool = False,
    skip_failed_row: bool = False,
) -> dict[str, Any]:
    """Resume, restart or cancel an interrupted job; returns plain values, `action`, `job_id` and `message` among them.

    `confirmation` is that of the plan shown. A restart without one changes nothing: it returns
    `requires_confirmation`, the warning, the costs and the confirmation to send back. Resume and cancel need none, and
    compare the facts when they are given one. `void_first` belongs to restart, `retry_failed` and `skip_failed_row`
    to resume.

    Raises UnknownChoice, UnknownJob, NotInterrupted, BadConfirmation, FactsMoved or Refused, all of them ValueError;
    then nothing was changed.
    """
    chosen = _parse(choice)
    _refuse_foreign_options(chosen, void_first=void_first, retry_failed=retry_failed, skip_failed_row=skip_failed_row)
    job = job_service.get_job(job_id)
    if job is None:
        raise UnknownJob(_("There is no job %(job_id)s.") % {"job_id": job_id})
    expected = confirmed_facts(chosen, job.pk, confirmation) if confirmation else None
    if chosen is RecoveryChoice.resume:
        return _resume(
            job,
            job_service,
            actor=actor,
            reason=reason,
            expected=expected,
            retry_failed=retry_failed,
            skip_failed_row=skip_failed_row,
        )
    if chosen is RecoveryChoice.cancel:
        return _cancel(job, job_service, actor=actor, reason=reason, expected=expected)
    if expected is None:
        return _ask_to_confirm(job, job_service)
    return _restart(job, job_service, actor=actor, reason=reason, expected=expected, void_first=void_first)


def _parse(choice: RecoveryChoice | str) -> RecoveryChoice:
    try:
        return RecoveryChoice(choice)
    except ValueError:
        raise UnknownChoice(
            _("There is no choice %(choice)s; there is %(choices)s.")
            % {"choice": repr(str(choice)), "choices": ", ".join(RecoveryChoice.values)}
        ) from None


def _refuse_foreign_options(
    choice: RecoveryChoice, *, void_first: bool, retry_failed: bool, skip_failed_row: bool
) -> None:
    if void_first and choice is not RecoveryChoice.restart:
        raise UnknownChoice(_("Only a restart can void the old labels first."))
    if (retry_failed or skip_failed_row) and choice is not RecoveryChoice.resume:
        raise UnknownChoice(_("Only a resume can be told to retry the failed rows or to skip the failed row."))


def _resume(
    job: Job,
    job_service: JobService,
    *,
    actor: User | None,
    reason: str,
    expected: Facts | None,
    retry_failed: bool,
    skip_failed_row: bool,
) -> dict[str, Any]:
    outcome = job_service.resume(
        job.pk,
        actor=actor,
        reason=reason,
        expected=expected,
        retry_failed=retry_failed,
        skip_failed_row=skip_failed_row,
    )
    job = outcome.job
    sentences = [
        ngettext(
            "Resuming “%(name)s”: %(count)s row to go.",
            "Resuming “%(name)s”: %(count)s rows to go.",
            job.remaining_rows,
        )
        % {"name": job.name, "count": job.remaining_rows},
        *_asked_first(outcome.in_flight_rows),
    ]
    if retry_failed:
        sentences.append(_("All failed rows are tried again."))
    return _answer(RecoveryChoice.resume, job, outcome.in_flight_rows, sentences, job_service)


def _ask_to_confirm(job: Job, job_service: JobService) -> dict[str, Any]:
    require_interrupted(job)
    plan = plan_restart(job, job_service)
    return {
        "action": RecoveryChoice.restart.value,
        "job_id": job.pk,
        "requires_confirmation": True,
        "completed_rows_with_tracking": plan.labelled_rows,
        "warning": plan.warning,
        "cost_cents": plan.labelled_cents,
        "again_cents": plan.again_cents,
        "currency": plan.currency,
        "plan": plan.sentences(),
        "first_rows": [str(row) for row in plan.first_rows],
        "confirmation": plan.confirmation,
    }


def _restart(
    job: Job, job_service: JobService, *, actor: User | None, reason: str, expected: Facts, void_first: bool
) -> dict[str, Any]:
    outcome = job_service.restart(job.pk, expected=expected, actor=actor, reason=reason, void_first=void_first)
    job = outcome.job
    sentences = [
        ngettext(
            "Restarting “%(name)s”: %(count)s label will be bought again.",
            "Restarting “%(name)s”: %(count)s labels will be bought again.",
            expected.labelled_rows,
        )
        % {"name": job.name, "count": expected.labelled_rows}
    ]
    if void_first:
        sentences.append(_("Each is voided before; one whose void is refused is not bought again."))
    sentences += _asked_first(outcome.in_flight_rows)
    answer = _answer(RecoveryChoice.restart, job, outcome.in_flight_rows, sentences, job_service)
    return {**answer, "requires_confirmation": False, "completed_rows_with_tracking": expected.labelled_rows}


def _cancel(
    job: Job, job_service: JobService, *, actor: User | None, reason: str, expected: Facts | None
) -> dict[str, Any]:
    outcome = job_service.cancel(job.pk, actor=actor, reason=reason, expected=expected, only_interrupted=True)
    job = outcome.job
    sentences = [_("“%(name)s” is cancelled: no further rows will be processed.") % {"name": job.name}]
    if outcome.in_flight_rows:
        sentences.append(
            ngettext(
                "The carrier is still asked about %(count)s row already sent; %(count)s label may still arrive and will"
                " be shown.",
                "The carrier is still asked about %(count)s rows already sent; %(count)s labels may still arrive and"
                " will be shown.",
                outcome.in_flight_rows,
            )
            % {"count": outcome.in_flight_rows}
        )
    if job.successful_rows:
        sentences.append(
            ngettext(
                "%(count)s label already bought can be voided.",
                "%(count)s labels already bought can be voided.",
                job.successful_rows,
            )
            % {"count": job.successful_rows}
        )
    return _answer(RecoveryChoice.cancel, job, outcome.in_flight_rows, sentences, job_service)


def _asked_first(in_flight_rows: int) -> list[str]:
    """What happens to rows in doubt before the work goes on; nothing to say without any."""
    if not in_flight_rows:
        return []
    return [
        ngettext(
            "The carrier is asked first about %(count)s row in doubt.",
            "The carrier is asked first about %(count)s rows in doubt.",
            in_flight_rows,
        )
        % {"count": in_flight_rows}
    ]


def _answer(
    choice: RecoveryChoice, job: Job, in_flight_rows: int, sentences: list[str], job_service: JobService
) -> dict[str, Any]:
    work_to_do = choice is not RecoveryChoice.cancel or in_flight_rows
    if work_to_do and not job_service.worker_alive():
        sentences = [*sentences, _(NO_WORKER)]
    return {
        "action": choice.value,
        "job_id": job.pk,
        "status": str(job.status),
        "message": " ".join(sentences),
        "in_flight_rows": in_flight_rows,
    }
