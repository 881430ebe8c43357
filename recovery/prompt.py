"""The facts about an interrupted job as text, for terminals and mails. In English whatever the language of the pages:
scripts read these lines.
"""

from collections.abc import Iterator

from django.utils.translation import gettext_noop

from recovery.facts import InterruptedJobInfo
from recovery.wording import count, one_line
from shipping.templatetags.money import money

NO_WORKER = gettext_noop("No worker is running: nothing goes on until one is started (manage.py worker).")


def get_recovery_prompt(info: InterruptedJobInfo) -> str:
    """What happened, what is certain, what is not, and what can be chosen, in lines without markup."""
    return "\n".join([*_facts(info), "", *_options(info)])


def _facts(info: InterruptedJobInfo) -> Iterator[str]:
    yield f"Job '{one_line(info.job_name)}' was interrupted at row {info.completed_rows}/{info.total_rows}."
    if info.last_row_number is not None and info.last_tracking_number:
        recipient = f"{one_line(info.last_recipient)}, " if info.last_recipient else ""
        tracking = f"tracking: {one_line(info.last_tracking_number)}"
        yield f"Last completed: Row {info.last_row_number} ({recipient}{tracking})"
    yield f"Remaining: {info.remaining_rows} rows"
    if info.restart_rows:
        yield f"A restart was under way: up to {count(info.restart_rows, 'row')} still to be bought again."
    if info.cost:
        yield f"Spent so far: {money(info.cost, info.currency)}"
    if info.error_code or info.error_message:
        parts = (one_line(part) for part in (info.error_code, info.error_message) if part)
        yield f"Last error: {': '.join(parts)}"
        yield "Resume will retry from the failed row."
    if info.failed_rows:
        yield f"Failed: {count(info.failed_rows, 'row')}, for which nothing was bought."
    if info.in_flight_count:
        yield (
            f"In doubt: {count(info.in_flight_count, 'row')} whose label may or may not have been bought;"
            " the carrier is asked before anything is sent again."
        )
    if info.needs_review_count:
        yield (
            f"In review: {count(info.needs_review_count, 'row')} that the carrier could not tell about;"
            " a person has to decide."
        )
    if info.orphan_count:
        yield (
            f"Charges that no row owns: {info.orphan_count}, for {money(info.orphan_cents, info.currency)};"
            f" look at them before you choose: manage.py orphans {info.job_id}"
        )
    if not info.worker_alive:
        yield NO_WORKER


def _options(info: InterruptedJobInfo) -> Iterator[str]:
    if info.restart_rows:
        yield "[resume]  Carry the restart on: the rows that it named are bought again, then the remaining ones."
    else:
        yield "[resume]  Go on with the remaining rows; what is already bought is not bought again."
    again = f"{count(info.completed_rows, 'label')} that {'was' if info.completed_rows == 1 else 'were'} already bought"
    duplicates = f" WARNING: this creates duplicates of {again}." if info.completed_rows else ""
    yield f"[restart] Begin again from row 1.{duplicates}"
    yield "[cancel]  Stop for good: no further rows will be processed; what was bought stays bought."
