"""The task of `with_django_tasks`."""

from django_tasks import task

from benchmarks.client import buy


@task()
def ship(reference: str) -> str:
    return str(buy(reference)["tracking_number"])
