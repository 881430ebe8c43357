"""Rows as the table of a job's page shows them: fifty at a time, so their words are made here, once for all of them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.contrib.humanize.templatetags.humanize import intcomma
from django.urls import reverse
from django.utils.translation import gettext as _

from shipping.conditions import ROW_NAMES
from shipping.models import Job, Label, Row
from shipping.states import RowStatus, VoidRequest
from shipping.templatetags.money import money


@dataclass(frozen=True, slots=True)
class LabelCells:
    """What the table says of a row's label."""

    address: str
    tracking_number: str
    about: str
    cost: str
    choose: str


@dataclass(frozen=True, slots=True)
class RowLine:
    """A line of the table. `number` is written for a machine, `shown_number` for people; `look` names the badge."""

    number: str
    shown_number: str
    address: str
    recipient: str
    order_reference: str
    look: str
    word: str
    error_message: str
    label: LabelCells | None


def row_lines(job: Job, rows: Iterable[Row], live_runs: Collection[int]) -> list[RowLine]:
    """Lines for rows that were read with their labels; makes no query. `live_runs`: the job's live runs."""
    words = {state: str(name) for state, name in ROW_NAMES.items()}
    choose, voided, on_its_way = _("Choose row %(number)s"), _("voided"), _("void on its way")

    def label_cells(label: Label, shown_number: str) -> LabelCells:
        state = voided if label.voided_at else on_its_way if label.void_requested != VoidRequest.none else ""
        about = f"{label.carrier} {label.service}"
        return LabelCells(
            address=reverse("shipping:label", args=[label.pk]),
            tracking_number=label.tracking_number,
            about=f"{about} · {state}" if state else about,
            cost=money(label.cost_cents, label.currency),
            choose=choose % {"number": shown_number},
        )

    def line(row: Row) -> RowLine:
        doubt = row.status == RowStatus.in_flight and row.run_id not in live_runs
        state, shown_number = "in_doubt" if doubt else row.status, str(intcomma(row.number))
        return RowLine(
            number=str(row.number),
            shown_number=shown_number,
            address=reverse("shipping:row", args=[job.pk, row.number]),
            recipient=row.recipient,
            order_reference=row.order_reference,
            look=f"row-{state}",
            word=words[state],
            error_message=row.error_message,
            label=None if row.label is None else label_cells(row.label, shown_number),
        )

    return [line(row) for row in rows]
