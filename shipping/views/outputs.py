"""What can be taken from a job, in numbers, for its page: each counted only as far as it is said."""

from dataclasses import dataclass

from shipping.models import Job, Label, Orphan

# Beyond this, the page says "more than".
COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class Outputs:
    """Bought rows' labels, those not marked as printed, refunds that the carrier has not decided, and charges that no
    row owns.
    """

    labels: int
    unprinted: int
    refunds: int
    any_label: bool
    orphans: int
    counted: int = COUNTED

    @property
    def many_unprinted(self) -> bool:
        return self.unprinted > COUNTED

    @property
    def many_refunds(self) -> bool:
        return self.refunds > COUNTED


def outputs_of(job: Job) -> Outputs:
    """The numbers, in four quick queries whatever the size of the job."""
    unprinted = Label.objects.current().not_printed().filter(job=job)
    refunds = Label.objects.refund_open().filter(job=job)
    return Outputs(
        labels=job.successful_rows,
        unprinted=unprinted.order_by()[: COUNTED + 1].count(),
        refunds=refunds.order_by()[: COUNTED + 1].count(),
        any_label=Label.objects.filter(job=job).exists(),
        orphans=Orphan.objects.open().filter(job=job).count(),
    )
