"""What the page of an upload shows: plain values and sentences, made from the upload as it stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.paginator import Page, Paginator
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from shipping.models import Upload
from shipping.orders import mapping
from shipping.states import UploadStatus
from shipping.templatetags.money import money

ERRORS_ON_A_PAGE = 50
# Warnings that are spelled out one by one; beyond them their kinds and row numbers have to do.
WARNINGS_IN_FULL = 50
# A wide file shows only the columns that mean something or hold something, unless all are asked for.
MANY_COLUMNS = 40


def how_it_stands(upload: Upload) -> str:
    """What a check found, or that one goes on; before that, what kept the file from going on."""
    if upload.problem:
        return upload.problem
    if upload.status == UploadStatus.has_errors:
        return ngettext(
            "Checked: %(bad)s of %(rows)s rows has errors.",
            "Checked: %(bad)s of %(rows)s rows have errors.",
            upload.bad_rows,
        ) % {"bad": intcomma(upload.bad_rows), "rows": intcomma(upload.rows)}
    if upload.status == UploadStatus.ready:
        return ngettext(
            "Checked: no errors; %(rows)s row can be shipped.",
            "Checked: no errors; %(rows)s rows can be shipped.",
            upload.rows,
        ) % {"rows": intcomma(upload.rows)}
    return _("“%(name)s” is being worked on; the page shows how far it is.") % {"name": upload.file_name}


# --- Columns ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ColumnLine:
    """A column of the file, what is in it, and what it is taken for. `field` is its name in the form."""

    field: str
    header: str
    target: str
    samples: list[str]
    note: str


@dataclass(frozen=True, slots=True)
class Columns:
    """The form in which columns get their meaning. `problem` is what keeps it from being used as it stands."""

    lines: list[ColumnLine]
    hidden: int
    choices: list[tuple[str, str]]
    problem: str


def columns_of(upload: Upload, *, chosen: Mapping[str, str] | None = None, show_all: bool = False) -> Columns:
    """The columns with what they are taken for: as `chosen` in a form that came back, else as suggested."""
    lines = [
        ColumnLine(
            field=column_field(place),
            header=each.header,
            target=each.target if chosen is None else chosen.get(each.header, ""),
            samples=[sample for sample in each.samples if sample.strip()],
            note=each.note,
        )
        for place, each in enumerate(mapping.suggestions(upload))
    ]
    problem = mapping.problems(upload.headers, {line.header: line.target for line in lines})
    shown = lines
    if len(lines) > MANY_COLUMNS and not show_all:
        shown = [line for line in lines if line.target or line.samples]
    return Columns(lines=shown, hidden=len(lines) - len(shown), choices=mapping.choices(), problem=problem)


def column_field(place: int) -> str:
    """The form's name for the column at a place; headers themselves can hold anything."""
    return f"column-{place}"


def chosen_columns(upload: Upload, sent: Mapping[str, Any]) -> dict[str, str]:
    """What a form says of each header; one that it does not name is kept and not sent."""
    return {header: str(sent.get(column_field(place), "")) for place, header in enumerate(upload.headers)}


# --- Errors ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ErrorLine:
    """One thing wrong, and the field in which it can be put right (empty where it can't be in place)."""

    row: int
    line: int
    column: str
    value: str
    message: str
    cut: bool
    field: str

    @property
    def prefilled(self) -> str:
        """What the field holds at first; a value that was cut for the report would be cut for good."""
        return "" if self.cut else self.value


def error_lines(upload: Upload) -> list[ErrorLine]:
    """The errors that the report kept, in the order of the file."""
    places = {header: place for place, header in enumerate(upload.headers)}
    return [_error_line(error, places) for error in upload.report.get("errors", [])]


def _error_line(error: Mapping[str, Any], places: Mapping[str, int]) -> ErrorLine:
    fixable = error["fixable"] and error["column"] in places
    return ErrorLine(
        row=error["row"],
        line=error["line"],
        column=error["column"],
        value=error["value"],
        message=error["message"],
        cut=error["cut"],
        field=f"cell-{error['row']}-{places[error['column']]}" if fixable else "",
    )


def error_page(upload: Upload, number: str | None) -> Page[ErrorLine]:
    """Some of the errors; a page number that makes no sense shows the nearest that does."""
    return Paginator(error_lines(upload), ERRORS_ON_A_PAGE).get_page(number)


def corrected_cells(upload: Upload, sent: Mapping[str, Any]) -> dict[int, dict[str, str]]:
    """What a form changes, by row and header: only cells that have an error, and only when they were changed."""
    corrections: dict[int, dict[str, str]] = {}
    for error in error_lines(upload):
        value = sent.get(error.field) if error.field else None
        if value is not None and value != error.prefilled:
            corrections.setdefault(error.row, {})[error.column] = str(value)
    return corrections


# --- Prices ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EstimateView:
    """What the carrier's prices for a sample say about all rows, in sentences."""

    headline: str
    sentences: list[str]
    refusals: list[Mapping[str, Any]]
    asked_at: datetime | None
    asked_by: str


def estimate_of(upload: Upload) -> EstimateView | None:
    """The estimate for what would be shipped now; None when nobody has asked."""
    found = upload.estimate
    if not found:
        return None
    return EstimateView(
        headline=estimate_headline(upload),
        sentences=_estimate_sentences(found),
        refusals=found["refusals"],
        asked_at=parse_datetime(found["at"]),
        asked_by=found["by"],
    )


def estimated_total(upload: Upload) -> str:
    """The estimate as an amount with its "about"; empty when there is none."""
    found = upload.estimate
    if not found or found["total_cents"] is None:
        return ""
    return _("about %(total)s") % {"total": money(found["total_cents"], found["currency"])}


def estimate_headline(upload: Upload) -> str:
    """What the labels of all rows may cost together, for an upload whose prices were asked for."""
    found = upload.estimate
    if found["total_cents"] is None:
        return _("The carrier gave no price.")
    total = money(found["total_cents"], found["currency"])
    return ngettext("About %(total)s for %(rows)s row", "About %(total)s for %(rows)s rows", found["rows"]) % {
        "total": total,
        "rows": intcomma(found["rows"]),
    }


def _estimate_sentences(found: Mapping[str, Any]) -> list[str]:
    sentences = []
    if found["total_cents"] is not None:
        sentences = [_where_from(found), *_spread(found)]
    if found["refused"]:
        sentences.append(
            ngettext(
                "The carrier refused %(count)s of the rows that were asked about. It would most likely refuse it when"
                " it is shipped, too.",
                "The carrier refused %(count)s of the rows that were asked about. It would most likely refuse them"
                " when they are shipped, too.",
                found["refused"],
            )
            % {"count": intcomma(found["refused"])}
        )
    if found["unanswered"]:
        sentences.append(
            ngettext(
                "For %(count)s row no answer came in time.",
                "For %(count)s rows no answer came in time.",
                found["unanswered"],
            )
            % {"count": intcomma(found["unanswered"])}
        )
    return [*sentences, found["problem"]] if found["problem"] else sentences


def _where_from(found: Mapping[str, Any]) -> str:
    if found["complete"]:
        return _("An estimate: every row was asked about, but the carrier sets the price of a label when it is bought.")
    return ngettext(
        "An estimate from %(answered)s row out of the whole file, not a price: the carrier sets the price of each"
        " label when it is bought.",
        "An estimate from %(answered)s rows spread over the whole file, not a price: the carrier sets the price of"
        " each label when it is bought.",
        found["answered"],
    ) % {"answered": intcomma(found["answered"])}


def _spread(found: Mapping[str, Any]) -> list[str]:
    amounts = {
        name: money(found[f"{name}_cents"], found["currency"])
        for name in ("low", "high", "average", "cheapest", "dearest")
    }
    sentences = []
    if not found["complete"] and found["low_cents"] != found["high_cents"]:
        sentences.append(_("Likely between %(low)s and %(high)s.") % amounts)
    if found["cheapest_cents"] == found["dearest_cents"]:
        return [*sentences, _("One label costs %(average)s.") % amounts]
    one = _("One label costs from %(cheapest)s to %(dearest)s, %(average)s on average.")
    return [*sentences, one % amounts]
