"""What a check found, in the shape that is kept with an upload and shown on its pages."""

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

from shipping.models import Upload
from shipping.orders.checking import FileReport, PreviewRow
from shipping.orders.checks import CheckedRow
from shipping.orders.columns import SIZE_COLUMNS
from shipping.orders.earlier import earlier_job, told
from shipping.orders.errors import SHOWN_LENGTH, RowError
from shipping.orders.mapping import presets
from shipping.orders.row_warnings import WARNING_LABELS
from shipping.orders.tables import Table
from shipping.spreadsheets import safe_cell


def report_of(report: FileReport) -> dict[str, Any]:
    """A check's findings as plain JSON, of bounded size."""
    headers = frozenset(report.table.layout.headers)
    return {
        "errors": [_error(error, headers) for error in report.errors],
        "error_count": report.error_count,
        "warnings": [
            {
                "row": warning.row,
                "line": warning.line,
                "column": warning.column,
                "kind": warning.kind.value,
                "message": warning.message,
            }
            for warning in report.warnings
        ],
        "warning_count": report.warning_count,
        "warning_kinds": [
            {
                "kind": kind.value,
                "label": str(WARNING_LABELS[kind]),
                "rows": rows,
                "first": list(report.first_by_kind[kind]),
            }
            for kind, rows in sorted(report.rows_by_kind.items(), key=lambda each: -each[1])
        ],
        "notices": [*report.notices, *_notices(report.table)],
        "preview": [_preview_row(each) for each in report.preview],
        "duplicate": duplicate_of(report.digest),
        "sample": [{"row": row.number, "order": dict(row.order)} for row in report.sample],
    }


def duplicate_of(digest: str) -> dict[str, Any]:
    """The newest job that was made from the same file, and a sentence about it; empty when there is none."""
    job = earlier_job(digest)
    return {} if job is None else {"job": job.pk, "text": told(job)}


def preview(upload: Upload) -> list[dict[str, Any]]:
    """The first rows, with what the carrier asked for those that were in an estimate (`cost_cents`, else None), and
    whether it `refused` to name a price.
    """
    costs = upload.estimate.get("costs", {})
    refused = {each["row"] for each in upload.estimate.get("refusals", [])}
    rows = []
    for row in upload.report.get("preview", []):
        cost = costs.get(str(row["row"]), {})
        rows.append(
            row
            | {"cost_cents": cost.get("cents"), "cost_service": cost.get("service"), "refused": row["row"] in refused}
        )
    return rows


def error_lines(upload: Upload) -> Iterator[list[str]]:
    """The errors that were kept as the lines of a table, the header first; safe to open in a spreadsheet."""
    yield ["row", "line", "column", "value", "error"]
    for error in upload.report.get("errors", []):
        yield [
            str(error["row"]),
            str(error["line"]),
            *(safe_cell(error[key]) for key in ("column", "value", "message")),
        ]
    left_out = upload.report.get("error_count", 0) - len(upload.report.get("errors", []))
    if left_out:
        yield ["", "", "", "", f"… and {left_out:,} more errors, which are not listed."]


def _notices(table: Table) -> Iterator[str]:
    layout = table.layout
    if not any(column in layout.places for column in SIZE_COLUMNS):
        yield _("The file has no sizes: the carrier goes by weight alone.")
    by_name = {preset.header: preset.target for preset in presets(layout.headers)}
    if table.mapping is not None and dict(table.mapping) != by_name:
        yield _("The columns are read as they were chosen for this file, or for an earlier one with the same headers.")


def _error(error: RowError, headers: frozenset[str]) -> dict[str, Any]:
    return {
        "row": error.row,
        "line": error.line,
        "column": error.column,
        "value": error.value,
        "cut": len(error.value) == SHOWN_LENGTH and error.value.endswith("…"),
        "message": error.message,
        "fixable": error.column in headers,
    }


def _preview_row(each: PreviewRow) -> dict[str, Any]:
    row: CheckedRow = each.row
    order = row.order
    return {
        "row": row.number,
        "recipient": row.recipient,
        "city": order.get("to_city", ""),
        "state": order.get("to_state", ""),
        "zip": order.get("to_zip", ""),
        "country": order.get("to_country", ""),
        "service": order.get("service", ""),
        "weight": order.get("weight", ""),
        "good": not row.errors,
        "warnings": list(each.warnings),
    }
