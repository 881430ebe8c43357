"""The clock that decides: seconds on one line that no client's wall clock can move.

On PostgreSQL it is the server's `clock_timestamp()`. On SQLite it is CLOCK_BOOTTIME, which also counts while
the machine sleeps, lifted by an offset that is kept for each boot: a new boot begins where the newest time in
the books stands, so that nothing recorded before a reboot ever looks later than it.

Times that only people read are ordinary wall-clock datetimes and live in `*_at` columns.
"""

import time
from functools import cache
from pathlib import Path

from django.db import connection, models, transaction

# Later than any moment: a row that was set aside is asked about again only when a person says so, and a file that there
# is not is never fetched.
NEVER = 1e18
BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")


class Boot(models.Model):
    """One boot of the machine that holds the SQLite file, and where on the line it begins."""

    boot_id = models.CharField(max_length=64, unique=True)
    offset = models.FloatField()

    class Meta:
        app_label = "shipping"

    def __str__(self) -> str:
        return f"boot {self.boot_id} at {self.offset:.0f} s"


def local_seconds() -> float:
    """Seconds since this machine booted, suspended time included. For deadlines inside one process."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@cache
def boot_id() -> str:
    """The kernel's name for the current boot. No process outlives it, so it is read once: later on there may be no
    file handle left to read it with.
    """
    return BOOT_ID_FILE.read_text().strip()


def book_now() -> float:
    """The present moment on the books' own line, in seconds."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
            return float(cursor.fetchone()[0])
    return _boot_offset() + local_seconds()


def _boot_offset() -> float:
    this_boot = boot_id()
    with connection.cursor() as cursor:
        # Every transaction asks, so it is asked in the shortest way.
        cursor.execute('SELECT "offset" FROM shipping_boot WHERE boot_id = %s', [this_boot])
        found = cursor.fetchone()
    if found is not None:
        return float(found[0])
    with transaction.atomic():
        boot, _created = Boot.objects.get_or_create(boot_id=this_boot, defaults={"offset": _newest_recorded_time()})
    return boot.offset


def _newest_recorded_time() -> float:
    """The latest moment that the books hold as past (never a deadline, which may lie ahead)."""
    from shipping.models.run import Run
    from shipping.models.worker import Worker

    runs = Run.objects.aggregate(issued=models.Max("issued"), queued=models.Max("queued"), beat=models.Max("beat"))
    workers = Worker.objects.aggregate(beat=models.Max("beat"))
    return max((time for time in (*runs.values(), *workers.values()) if time is not None), default=0.0)
