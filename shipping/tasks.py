"""The tasks that a task engine carries: a ticket for a run, and the housekeeping for engines with a schedule."""

try:
    from django.tasks import task
except ImportError:  # Django 5.2: the forerunner of what Django 6 has built in.
    from django_tasks import task  # type: ignore[no-redef,unused-ignore]

from shipping.engine import process
from shipping.engine.housekeeping import Housekeeper
from shipping.engine.wire import process_wire


@task()
def ship(run_id: int) -> str:
    """Work a run. The ticket says nothing but which; whether it may start is in the books."""
    return process.work(run_id)


@task()
def keep_house() -> None:
    """Housekeeping, for engines with a schedule: until there is nothing to do, for half a minute at most."""
    Housekeeper(process_wire()).run(seconds=30.0)
