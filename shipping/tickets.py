"""What the task queue still holds, as far as the task engine can tell: a ticket that waits its turn is not lost."""

from typing import Any

from django_tasks_db.backend import DatabaseBackend
from django_tasks_db.models import DBTaskResult, DBTaskResultQuerySet


def tickets_wait(task: Any) -> bool:
    """Whether tickets wait for a worker; then one of this task that was not brought yet is not lost."""
    return _waits(task, DBTaskResult.objects.ready())


def ticket_waits(task: Any, *args: int) -> bool:
    """Whether the ticket of this task with these arguments waits for a worker. Where the engine can't tell one ticket
    from another: whether any does.
    """
    tickets = DBTaskResult.objects.ready().filter(task_path=task.module_path)
    return _waits(task, tickets.filter(args_kwargs__args=list(args)))


def _waits(task: Any, in_database: DBTaskResultQuerySet) -> bool:
    backend = task.get_backend()
    if isinstance(backend, DatabaseBackend):
        return in_database.exists()
    # Celery's: a backend of our own. Not named, since without a broker its libraries may be missing.
    return hasattr(backend, "tickets_wait") and bool(backend.tickets_wait(task))
