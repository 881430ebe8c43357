"""`make demo`: ships 200 sample orders, kills the worker in the middle, and serves the job that waits for a decision.

Everything lives in a directory of its own, which each demo begins by emptying, so that one's own data (`make run`)
is never touched; nothing that is exported for a real installation, its database or carrier key above all, is used.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from shipping.project.local import (
    BASE_DIR,
    LocalSite,
    lock,
    ports,
    prepare_database_and_static_files,
    say,
    serve,
    set_up_django,
)
from shipping.project.sample import write_sample_orders
from shipping.project.supervisor import Child, SiteError, Supervisor

ORDERS = 200
KILL_AFTER = 80  # labels bought,
IN_THE_AIR = 3  # and purchases sent and not answered, so that the kill leaves doubts
JOB_NAME = "Spring catalogue"
KEPT_VARIABLES = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH")
# Short waits, so that nobody has to watch a demo wait; they keep the system check's proportions.
SHORT_WAITS = {
    "REQUEST_TIMEOUT_SECONDS": "4",
    "DATABASE_BUSY_SECONDS": "5",
    "LEASE_SECONDS": "15",
    "HEARTBEAT_SECONDS": "2",
    "QUIET_SECONDS": "10",
}
# A carrier takes its time, before the money moves and after: a kill then hits purchases of both kinds.
LATENCY = [
    {"on": ["create"], "action": "delay", "seconds": [0.05, 0.15]},
    {"on": ["buy"], "action": "delay", "when": "before", "seconds": [0.1, 0.4]},
    {"on": ["buy"], "action": "delay", "when": "after", "seconds": [0.1, 0.4]},
]


def main() -> int:
    """Run the demo until somebody ends it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m shipping.project.demo", description=__doc__)
    parser.add_argument("--directory", type=Path, default=BASE_DIR / "var" / "demo", help="emptied at the start")
    directory: Path = parser.parse_args().directory.resolve()
    return serve(lambda: _demo(directory))


def _demo(directory: Path) -> int:
    port, sandbox_port = ports()
    with (
        lock(directory),
        Supervisor(working_directory=BASE_DIR, logs=directory / "logs", grace_seconds=10) as supervisor,
    ):
        _empty(directory)
        site = LocalSite(directory=directory, port=port, sandbox_port=sandbox_port, settings=SHORT_WAITS)
        _forget_other_settings(os.environ)
        variables = site.variables()
        site.write_environment_file(variables)
        set_up_django(variables)
        say("Making a database, users and a sender ...")
        prepare_database_and_static_files()
        passwords = _people_and_sender()
        supervisor.pause(0)
        say("Starting the carrier sandbox, the web server and a worker ...")
        site.start_sandbox(supervisor)
        site.tell_sandbox("/__sandbox/faults", {"faults": LATENCY})
        site.start_web(supervisor)
        first_worker = site.start_worker(supervisor)
        job_id = _import_orders(directory / "sample-orders.csv")
        _ship_and_kill(supervisor, first_worker, job_id)
        say(_how_it_stands(job_id))
        worker = site.start_worker(supervisor)
        _how_it_stands(job_id)
        say(
            f"A new worker is there (pid {worker.pid}); it buys nothing before you decide: {site.url}recovery/{job_id}/"
        )
        say(f"In another terminal: . {_shown(site.environment_file)} && {_shown_python()} manage.py recover {job_id}")
        say(f"Admin: {site.url}admin/ (admin / {passwords['admin']})")
        say(f"Ready: {site.url} (clerk / {passwords['clerk']})")
        while True:
            supervisor.pause(1)
            for child in supervisor.take_ended():
                say(f"{child.how_it_ended()}. Ctrl-C ends the demo.")


def _empty(directory: Path) -> None:
    """Remove what an earlier demo left, and nothing else."""
    for path in directory.glob("*.sqlite3*"):
        path.unlink()
    for name in ("media", "logs"):
        shutil.rmtree(directory / name, ignore_errors=True)
    for name in ("env", "secret_key", "sample-orders.csv"):
        (directory / name).unlink(missing_ok=True)


def _forget_other_settings(environment: "os._Environ[str]") -> None:
    kept = {name: environment[name] for name in KEPT_VARIABLES if name in environment}
    environment.clear()
    environment.update(kept)


def _people_and_sender() -> Mapping[str, str]:
    """The users' passwords by name."""
    from django.core.management import call_command

    from shipping.project.accounts import add_user

    call_command(
        "set_sender",
        name="Hollow Tree Goods",
        street1="1120 NW Couch St",
        city="Portland",
        state="OR",
        zip="97209",
        country="US",
        phone="555-555-0100",
        stdout=StringIO(),
    )
    return {"clerk": add_user("clerk"), "admin": add_user("admin", admin=True)}


def _import_orders(path: Path) -> int:
    """Import and start the sample orders; the id of the job."""
    from django.core.management import call_command

    write_sample_orders(path, ORDERS)
    output = StringIO()
    call_command("import_orders", str(path), name=JOB_NAME, carrier="sandbox", user="clerk", start=True, stdout=output)
    return int(output.getvalue().splitlines()[-1])


def _ship_and_kill(supervisor: Supervisor, worker: Child, job_id: int) -> None:
    """Wait until the worker is well on its way, kill it, and wait until the books say so."""
    from recovery import check_interrupted_jobs
    from shipping.models import Job, Row
    from shipping.services import JobService
    from shipping.states import RowStatus

    def bought() -> int:
        return Job.objects.values_list("successful_rows", flat=True).get(pk=job_id)

    def purchases_in_the_air() -> int:
        return Row.objects.filter(job=job_id, status=RowStatus.in_flight).count()

    say(f"Buying {ORDERS} labels ...")
    supervisor.wait(
        lambda: bought() >= KILL_AFTER and purchases_in_the_air() >= IN_THE_AIR,
        seconds=120,
        what=f"{KILL_AFTER} labels, and purchases in the air",
    )
    supervisor.kill(worker)
    say(f"... {bought()} bought; killed the worker with its purchases in the air (kill -9 {worker.pid}).")
    supervisor.wait(
        lambda: check_interrupted_jobs(JobService()) is not None, seconds=60, what="the job to count as interrupted"
    )


def _how_it_stands(job_id: int) -> str:
    """A line about the interrupted job. Raises SiteError when it is not interrupted (any more)."""
    from recovery import check_interrupted_jobs
    from shipping.services import JobService

    job = check_interrupted_jobs(JobService())
    if job is None or job.job_id != job_id:
        raise SiteError(f"Job {job_id} should wait for a decision, but does not.")
    return (
        f"Interrupted: {job.completed_rows} of {job.total_rows} bought, {job.in_flight_count} in doubt,"
        f" {job.remaining_rows - job.in_flight_count} not begun."
    )


def _shown(path: Path) -> str:
    """A path as one would type it here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _shown_python() -> str:
    return _shown(Path(sys.prefix) / "bin" / "python")


if __name__ == "__main__":
    sys.exit(main())
