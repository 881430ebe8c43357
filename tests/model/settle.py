"""What one answer changes in a row's books. Each function is named like the real one and does what that does."""

from collections.abc import Collection, Iterable

from tests.model.state import NO_ANSWER, NOBODY, UNDER_WAY, Charge, Finding, Letter, Row, RowStatus, Stage


def with_letters(row: Row, letters: Iterable[Letter]) -> Row:
    return row._replace(letters=tuple(sorted(letters)))


def without(row: Row, letter: Letter) -> Row:
    letters = list(row.letters)
    letters.remove(letter)
    return row._replace(letters=tuple(letters))


def answered(row: Row, *, status: RowStatus | None = None) -> Row:
    """Nothing is owed any more (`ANSWERED`), so what is still under way for this claim is nobody's to wait for."""
    letters = tuple(
        sorted(
            letter._replace(current=False, time=row.due if letter.stage in UNDER_WAY else 0)
            if letter.current
            else letter
            for letter in row.letters
        )
    )
    findings = tuple(sorted(finding._replace(current=False) for finding in row.findings))
    return row._replace(
        status=status or row.status, due=0, waits=NOBODY, letters=letters, findings=findings, rebuy=False
    )


def forget(row: Row, *, late_answers: bool) -> Row:
    """Without what can change nothing any more: a "not bought" for a claim that owes no answer (`settle_purchase` and
    `settle_finding` pass over it), a "bought" that the books know already. `late_answers`: the first are kept.
    """
    letters = tuple(
        letter
        for letter in row.letters
        if letter.current
        or letter.stage in UNDER_WAY
        or (letter.stage == Stage.not_bought and late_answers)
        or (letter.stage == Stage.bought and not row.charges[letter.charge].recorded)
    )
    findings = tuple(finding for finding in row.findings if finding.current)
    if letters == row.letters and findings == row.findings:
        return row
    return row._replace(letters=letters, findings=findings)


def settle_bought(row: Row, number: int, *, answers: bool) -> Row:
    """`engine.settle.settle_bought` and `_record_label`."""
    charge = row.charges[number]
    if charge.recorded:
        if not answers:
            return row
        return clear_owed(row) if row.status == RowStatus.completed else set_aside(row)
    charges = (*row.charges[:number], charge._replace(recorded=True), *row.charges[number + 1 :])
    row = row._replace(charges=charges)
    if row.status == RowStatus.completed:
        # A second charge: recorded and shown.
        return clear_owed(row) if answers and row.due else row
    row = row._replace(status=RowStatus.completed)
    return answered(row) if answers else row


def clear_owed(row: Row) -> Row:
    """`engine.settle.clear_owed`: a restart that waited for the answer goes ahead."""
    rebuy = row.rebuy
    row = answered(row)
    return buy_again(row) if rebuy and row.status == RowStatus.completed else row


def settle_not_bought(row: Row) -> Row:
    """`engine.settle.settle_not_bought`."""
    if row.status in (RowStatus.in_flight, RowStatus.needs_review):
        return answered(row, status=RowStatus.pending)
    return clear_owed(row)


def set_aside(row: Row) -> Row:
    """`engine.settle.set_aside`: it still owes its answer; only a person has it asked about again."""
    status = RowStatus.needs_review if row.status == RowStatus.in_flight else row.status
    return row._replace(status=status, waits=NOBODY)


def buy_again(row: Row) -> Row:
    """`shipping.rows.buy_again`: a new attempt, with a handle of its own."""
    return answered(row, status=RowStatus.pending)._replace(
        attempt=row.attempt + 1, permits=row.permits - 1, handle=0, named=False
    )


def settle_rejected(row: Row) -> tuple[Row, bool]:
    """`engine.settle._settle_rejected`: the row, and whether the job halts."""
    if row.status == RowStatus.in_flight:
        return answered(row, status=RowStatus.failed), True
    return settle_not_bought(row), False


def settle_finding(row: Row, finding: Finding, *, ask_a_person: bool) -> Row:
    """`engine.reconcile.settle_finding`. "Could not find out" stands for the last of many (before, it is noted
    and asked again); `ask_a_person`: the carrier's policy for what it does not know after the quiet period.
    """
    quiet_over = finding.current and finding.quiet
    if finding.said >= 0:
        return settle_bought(row, finding.said, answers=quiet_over)
    if finding.current and finding.said == NO_ANSWER:
        if row.status != RowStatus.completed:
            return set_aside(row)
        # With the defaults the last of the questions comes long after the quiet period; an event says that a second
        # charge could not be ruled out.
        return clear_owed(row) if quiet_over else row
    if quiet_over and row.status == RowStatus.completed:
        return clear_owed(row)
    if quiet_over:
        return set_aside(row) if ask_a_person else settle_not_bought(row)
    return row


def charges_of(row: Row, handle: int) -> list[int]:
    """The numbers of the charges under a handle (where handles are not charged once, under a reference)."""
    return [number for number, charge in enumerate(row.charges) if charge.handle == handle]


def charged(row: Row, handle: int, how: int) -> Row:
    return row._replace(charges=(*row.charges, Charge(handle, how)))


def handles_of(row: Row) -> Collection[int]:
    """All handles that were made for the row's present attempt."""
    held = {row.handle, *(charge.handle for charge in row.charges), *(letter.handle for letter in row.letters)}
    return {handle for handle in held if handle // 10 == row.attempt}
