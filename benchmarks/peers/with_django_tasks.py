"""django-tasks-db: a task for each row on PostgreSQL, its return value kept. Its worker takes one task at a time; a
task whose worker died stays "running" for good.
"""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.peers.django_settings")


def main(command: str, rows: int) -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django_tasks_db.models import DBTaskResult

    from benchmarks.peers.django_tasks import ship
    from benchmarks.peers.telling import references, tell

    if command == "prepare":
        call_command("migrate", verbosity=0)
    elif command == "enqueue":
        for each in references(rows):
            ship.enqueue(each)
    elif command == "work":
        call_command("db_worker", interval=0.1, verbosity=0, startup_delay=False)
    else:
        done = DBTaskResult.objects.successful().values_list("args_kwargs", flat=True)
        tell([each["args"][0] for each in done])
