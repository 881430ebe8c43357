"""The tasks that a task engine carries: tickets for runs, files and comparisons, and the housekeeping for engines with
a schedule.
"""

try:
    from django.tasks import task
except ImportError:  # Django 5.2: the forerunner of what Django 6 has built in.
    from django_tasks import task  # type: ignore[no-redef,unused-ignore]

from django.conf import settings

from shipping.comparing import work as comparing
from shipping.engine import process
from shipping.engine.housekeeping import Housekeeper
from shipping.engine.wire import process_wire
from shipping.orders import upload_work

# Queues, for engines that know no priorities: their workers look into the first before the second.
FILES, RUNS = settings.TASK_QUEUES
# Checking a file takes seconds and somebody waits for it; a run takes minutes.
FILES_FIRST = 50
# Somebody waits for it, too, and decides nothing before; a comparison may take longer than a file.
COMPARISONS_NEXT = 40
# A job that nobody is at goes before the further turns of those that somebody is at, however many these are.
FIRST_RUNS_NEXT = 10


@task(queue_name=RUNS)
def ship(run_id: int) -> str:
    """Work a run. The ticket says nothing but which; whether it may start is in the books."""
    return process.work(run_id)


# The same ticket, before others: for the first run that a choice issues.
ship_first = ship.using(priority=FIRST_RUNS_NEXT, queue_name=FILES)


@task(priority=FILES_FIRST, queue_name=FILES)
def work_upload(upload_id: int) -> str:
    """Read, check or import an uploaded file, whichever comes next; which it is, the books say."""
    return upload_work.work(upload_id, process.stopping.is_set)


@task(priority=COMPARISONS_NEXT, queue_name=FILES)
def compare_with_carrier(comparison_id: int) -> str:
    """Compare a job with the carrier's own list, if that is still ordered and nobody is at it."""
    return comparing.compare(comparison_id, process.stopping.is_set)


@task(queue_name=FILES)
def keep_house() -> None:
    """Housekeeping, for engines with a schedule: until there is nothing to do, for half a minute at most."""
    Housekeeper(process_wire()).run(seconds=30.0)
