"""What pages say about one label: how its void or refund stands, and until when it may be voided."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from shipping.models import Label, Row
from shipping.states import RefundState, RowStatus
from shipping.voids import void_until


@dataclass(frozen=True, slots=True)
class LabelLine:
    """A label with the sentences about it. `is_current`: its row's own, not one that was replaced or bought twice."""

    label: Label
    is_current: bool
    said: str
    void_until: datetime | None

    @property
    def state(self) -> str:
        """One word for its badge: paid, void_owed, voided or refused."""
        if self.label.voided_at is not None:
            return "voided"
        if self.label.is_void_owed:
            return "void_owed"
        return "refused" if self.label.refund_state == RefundState.refused else "paid"

    @property
    def may_be_voided(self) -> bool:
        """Whether a void can be ordered (the carrier may refuse it)."""
        return self.state in ("paid", "refused")

    @property
    def is_late(self) -> bool:
        """Whether the time in which the carrier takes it back is over."""
        return self.void_until is not None and self.void_until < timezone.now()


def label_line(label: Label, row: Row) -> LabelLine:
    """The line of a label of `row`; no query."""
    is_current = row.status == RowStatus.completed and row.label_id == label.pk
    return LabelLine(label=label, is_current=is_current, said=_said(label), void_until=void_until(label))


def _said(label: Label) -> str:
    if label.voided_at is not None:
        return _voided(label)
    if label.is_void_owed:
        said = _("The void is ordered; the carrier has not confirmed it yet.")
        return f"{said} {label.void_answer}".strip() if label.void_failures else said
    if label.refund_state == RefundState.refused:
        said = _("The carrier refused the refund on %(day)s: the label is paid for.") % {"day": _day(label.refund_at)}
        return f"{said} {label.void_answer}".strip()
    return ""


def _voided(label: Label) -> str:
    if label.refund_state == RefundState.refunded:
        return _("Voided; the carrier refunded it on %(day)s.") % {"day": _day(label.refund_at)}
    return _("Voided on %(day)s. The refund is asked for; the carrier decides within days or weeks.") % {
        "day": _day(label.voided_at)
    }


def _day(moment: datetime | None) -> str:
    return date_format(timezone.localtime(moment), "j M Y") if moment is not None else "?"
