"""Two imports of one file that look for an earlier one at the very same moment."""

import threading
from contextlib import suppress
from typing import Any

import pytest
from django.db import connection

from shipping.models import Job
from shipping.orders import earlier, importer
from shipping.orders.checking import check_file
from shipping.orders.importer import DuplicateRefused, import_file
from tests.factories import make_sender
from tests.orders.conftest import numbered_orders, order_file


@pytest.mark.django_db(transaction=True)
def test_two_imports_that_begin_at_the_same_moment_make_one_job(monkeypatch: pytest.MonkeyPatch) -> None:
    make_sender()
    # Whoever has looked waits for the other to have looked too, which must be impossible.
    both_have_looked = threading.Barrier(2, timeout=1.0)
    look = earlier.unfinished_import

    def look_and_wait(*digest: str, **options: Any) -> Job | None:
        found = look(*digest, **options)
        with suppress(threading.BrokenBarrierError):
            both_have_looked.wait()
        return found

    monkeypatch.setattr(importer, "unfinished_import", look_and_wait)
    jobs: list[Job] = []

    def import_once() -> None:
        # The later one finishes the job of the first, or finds it complete.
        try:
            file = order_file(*numbered_orders(3))
            report = check_file(file, file_name="orders.csv")
            jobs.append(import_file(file, report, name="Spring", carrier="sandbox"))
        except DuplicateRefused as refused:
            jobs.append(Job.objects.get(pk=int(str(refused).partition("job ")[2].split()[0])))
        finally:
            connection.close()

    threads = [threading.Thread(target=import_once) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30.0)
    assert both_have_looked.broken
    assert len(jobs) == 2
    job = Job.objects.get()
    assert jobs == [job, job]
    assert job.import_complete
    assert list(job.rows.order_by("number").values_list("number", flat=True)) == [1, 2, 3]
