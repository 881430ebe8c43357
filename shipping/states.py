"""The states of jobs, rows, uploads and comparisons and every move between them. No models here.

Each table is the whole state machine: what is not an edge is refused. The comment on an edge says when it
happens.
"""

from collections.abc import Mapping

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class JobStatus(TextChoices):
    pending = "pending", _("Not started")
    running = "running", _("Running")
    paused = "paused", _("Paused")
    completed = "completed", _("Completed")
    failed = "failed", _("Failed")
    cancelled = "cancelled", _("Cancelled")


class RowStatus(TextChoices):
    pending = "pending", _("Waiting")
    in_flight = "in_flight", _("Being bought")
    completed = "completed", _("Bought")
    failed = "failed", _("Failed")
    needs_review = "needs_review", _("Needs review")
    skipped = "skipped", _("Skipped")


JOB_TRANSITIONS: Mapping[JobStatus, frozenset[JobStatus]] = {
    JobStatus.pending: frozenset(
        {
            JobStatus.running,  # a person starts it
            JobStatus.cancelled,  # a person cancels it before it started
        }
    ),
    JobStatus.running: frozenset(
        {
            JobStatus.paused,  # a person pauses it
            JobStatus.completed,  # its last open row is settled
            JobStatus.failed,  # it can't be carried on at all
            JobStatus.cancelled,  # a person cancels it, interrupted or not
        }
    ),
    JobStatus.paused: frozenset(
        {
            JobStatus.running,  # a person resumes it
            JobStatus.cancelled,  # a person cancels it
        }
    ),
    JobStatus.completed: frozenset(),
    JobStatus.failed: frozenset(),
    JobStatus.cancelled: frozenset(),
}

ROW_TRANSITIONS: Mapping[RowStatus, frozenset[RowStatus]] = {
    RowStatus.pending: frozenset(
        {
            RowStatus.in_flight,  # a run claims it
            RowStatus.failed,  # the carrier rejects it when it is prepared
            RowStatus.needs_review,  # one worker after the other died while preparing it; a person decides
            RowStatus.skipped,  # a person leaves it out
            RowStatus.completed,  # a late "bought" arrives
        }
    ),
    RowStatus.in_flight: frozenset(
        {
            RowStatus.completed,  # bought, or adopted
            RowStatus.failed,  # rejected by the carrier
            RowStatus.pending,  # nothing was bought: unavailable, unsent, or "not bought" after the quiet period
            RowStatus.needs_review,  # the carrier could not say, or workers died of it; a person decides
        }
    ),
    RowStatus.completed: frozenset(
        {
            RowStatus.pending,  # a confirmed restart buys it again
        }
    ),
    RowStatus.failed: frozenset(
        {
            RowStatus.pending,  # a person has it tried again
            RowStatus.skipped,  # a person leaves it out
            RowStatus.completed,  # a late "bought" arrives
        }
    ),
    RowStatus.needs_review: frozenset(
        {
            RowStatus.pending,  # it was not bought: by the carrier's final word, or a person's
            RowStatus.skipped,  # a person leaves it out
            RowStatus.completed,  # it was bought: adopted, or recorded by a person
        }
    ),
    RowStatus.skipped: frozenset(
        {
            RowStatus.completed,  # a late "bought" arrives
        }
    ),
}

# Rows in these states have been dealt with; the others are a job's remaining rows.
PROCESSED_ROW_STATUSES = frozenset({RowStatus.completed, RowStatus.failed, RowStatus.skipped})

# Jobs in these states can still be cancelled.
OPEN_JOB_STATUSES = frozenset(status for status, targets in JOB_TRANSITIONS.items() if JobStatus.cancelled in targets)


class UploadStatus(TextChoices):
    received = "received", _("Being read")
    needs_mapping = "needs_mapping", _("Columns to be chosen")
    checking = "checking", _("Being checked")
    has_errors = "has_errors", _("Has errors")
    ready = "ready", _("Ready")
    importing = "importing", _("Being imported")
    imported = "imported", _("Imported")
    failed = "failed", _("Can’t be read")
    discarded = "discarded", _("Discarded")


UPLOAD_TRANSITIONS: Mapping[UploadStatus, frozenset[UploadStatus]] = {
    UploadStatus.received: frozenset(
        {
            UploadStatus.needs_mapping,  # some of its columns have to be chosen by a person
            UploadStatus.checking,  # all columns are known
            UploadStatus.failed,  # it is no table
            UploadStatus.discarded,  # a person throws it away
        }
    ),
    UploadStatus.needs_mapping: frozenset(
        {
            UploadStatus.checking,  # a person has chosen the columns
            UploadStatus.discarded,  # a person throws it away
        }
    ),
    UploadStatus.checking: frozenset(
        {
            UploadStatus.has_errors,  # some of its rows can't be shipped as they are
            UploadStatus.ready,  # nothing is wrong, or only what a person has to look at
            UploadStatus.importing,  # nothing is wrong, and it ships at once
            UploadStatus.failed,  # it can't be read to its end
            UploadStatus.discarded,  # a person throws it away
        }
    ),
    UploadStatus.has_errors: frozenset(
        {
            UploadStatus.checking,  # a person corrected rows, or chose the columns anew
            UploadStatus.importing,  # a person confirms the good rows without the bad
            UploadStatus.discarded,  # a person throws it away
        }
    ),
    UploadStatus.ready: frozenset(
        {
            UploadStatus.checking,  # a person corrected rows, or chose the columns anew
            UploadStatus.importing,  # a person confirms the preview
            UploadStatus.discarded,  # a person throws it away
        }
    ),
    UploadStatus.importing: frozenset(
        {
            UploadStatus.imported,  # every row is in the books
            UploadStatus.ready,  # it was refused before a job was made of it
            UploadStatus.has_errors,  # the same, of the good rows without the bad
            UploadStatus.failed,  # its job was cancelled meanwhile, or its file is not what was checked
        }
    ),
    UploadStatus.imported: frozenset(),
    UploadStatus.failed: frozenset(
        {
            UploadStatus.discarded,  # a person throws it away
        }
    ),
    UploadStatus.discarded: frozenset(),
}

# Uploads in these states are worked on, or wait for somebody who does.
WORKING_UPLOAD_STATUSES = frozenset({UploadStatus.received, UploadStatus.checking, UploadStatus.importing})
# What is known of these can be shipped, corrected or thrown away; and their columns can be said anew.
CHECKED_UPLOAD_STATUSES = frozenset({UploadStatus.has_errors, UploadStatus.ready})
MAPPABLE_UPLOAD_STATUSES = CHECKED_UPLOAD_STATUSES | {UploadStatus.needs_mapping}
# Nothing more is done with these.
FINISHED_UPLOAD_STATUSES = frozenset({UploadStatus.imported, UploadStatus.failed, UploadStatus.discarded})


class ComparisonStatus(TextChoices):
    """How a comparison of a job with the carrier's own list stands."""

    ordered = "ordered", _("Ordered")
    done = "done", _("Compared")
    failed = "failed", _("Could not be compared")


COMPARISON_TRANSITIONS: Mapping[ComparisonStatus, frozenset[ComparisonStatus]] = {
    ComparisonStatus.ordered: frozenset(
        {
            ComparisonStatus.done,  # a worker has compared to the end
            ComparisonStatus.failed,  # the carrier could not be asked to the end, or it was cut off too often
        }
    ),
    ComparisonStatus.done: frozenset(
        {
            ComparisonStatus.ordered,  # a person wants it compared anew
        }
    ),
    ComparisonStatus.failed: frozenset(
        {
            ComparisonStatus.ordered,  # a person wants it tried again
        }
    ),
}


class OrphanOutcome(TextChoices):
    """What became of a charge that no row owned."""

    open = "", _("Open")
    adopted = "adopted", _("Adopted")
    voided = "voided", _("Recorded to be voided")
    recorded = "recorded", _("Its answer came late and was recorded")
    gone = "gone", _("Taken back by the carrier, or listed no more")


class RunEnd(TextChoices):
    handed_over = "handed_over", _("Handed over")
    no_work = "no_work", _("Nothing left to do")
    halted = "halted", _("Halted by an error")
    fenced = "fenced", _("Ended by a person's choice")
    died = "died", _("Its process died")
    never_started = "never_started", _("Never started")


class Sweep(TextChoices):
    """Work on all rows of a job that a choice ordered and the workers carry out in chunks."""

    none = "", _("None")
    restart = "restart", _("Restart")
    retry = "retry", _("Retry failed rows")
    void = "void", _("Void labels")


class VoidRequest(TextChoices):
    none = "", _("None")
    only = "only", _("Void")
    rebuy = "rebuy", _("Void, then buy again")


class RefundState(TextChoices):
    """What the carrier said last about giving a label's money back."""

    none = "", _("Not asked for")
    submitted = "submitted", _("Asked for")
    refunded = "refunded", _("Refunded")
    refused = "refused", _("Refused")


class EventKind(TextChoices):
    created = "created", _("Created")
    started = "started", _("Started")
    paused = "paused", _("Paused")
    resumed = "resumed", _("Resumed")
    restarted = "restarted", _("Restarted")
    cancelled = "cancelled", _("Cancelled")
    halted = "halted", _("Halted")
    completed = "completed", _("Completed")
    failed = "failed", _("Failed")
    sweep_done = "sweep_done", _("All rows visited")
    run_requeued = "run_requeued", _("Run queued again")
    check_requested = "check_requested", _("Carrier to be asked again")
    in_doubt = "in_doubt", _("In doubt")
    adopted = "adopted", _("Label adopted")
    late_label = "late_label", _("Label recorded late")
    not_bought = "not_bought", _("Found not bought")
    unanswered = "unanswered", _("A second charge could not be ruled out")
    set_aside = "set_aside", _("Set aside for review")
    second_charge = "second_charge", _("Charged a second time")
    label_conflict = "label_conflict", _("Label belongs to another row")
    unrecorded_answer = "unrecorded_answer", _("Answer could not be recorded")
    resolved = "resolved", _("Resolved by hand")
    skipped = "skipped", _("Skipped")
    corrected = "corrected", _("Order corrected")
    void_requested = "void_requested", _("Void requested")
    voided = "voided", _("Voided")
    void_refused = "void_refused", _("Void refused")
    void_unanswered = "void_unanswered", _("Void not answered")
    refunded = "refunded", _("Refunded")
    refund_refused = "refund_refused", _("Refund refused later")
    printed = "printed", _("Labels marked as printed")
    unprinted = "unprinted", _("Labels marked as not printed")
    label_file_missing = "label_file_missing", _("Label file missing")
    comparison_ordered = "comparison_ordered", _("Comparison with the carrier’s list ordered")
    compared = "compared", _("Compared with the carrier’s list")
