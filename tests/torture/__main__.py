"""`python -m tests.torture`: see `--help`, and `make torture`."""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

USERNAME = "clerk"


def main() -> int:
    """Runs what the command line asks for; 0 when every promise held (or every control was caught), else 1."""
    arguments = _arguments()
    # An end from outside still ends every process that was started.
    signal.signal(signal.SIGTERM, lambda *_signal: sys.exit(128 + signal.SIGTERM))
    directory = Path(tempfile.mkdtemp(prefix="onceship-torture-"))
    _set_up(directory)
    try:
        holds = _controls(directory, arguments.seed) if arguments.controls else _torture(directory, arguments)
    except BaseException:
        _say(f"Ended early; books and logs are in {directory}.")
        raise
    if holds:
        shutil.rmtree(directory, ignore_errors=True)
    return 0 if holds else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=sys.modules["tests.torture"].__doc__)
    parser.add_argument("--kills", type=int, default=1000, help="how many processes are killed (1000)")
    parser.add_argument("--seed", type=int, default=1, help="what chance is drawn from (1)")
    parser.add_argument("--batch", type=int, help="play this batch of the seed alone")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no batch after so many minutes")
    parser.add_argument("--controls", action="store_true", help="play broken builds instead; each has to be caught")
    return parser.parse_args()


def _set_up(directory: Path) -> None:
    """A database and files of its own, unless DATABASE_URL names an (empty) one; Django; and a user."""
    from tests.support.by_reference import ADOPTING
    from tests.support.processes import SHORT_WAITS

    os.environ.setdefault("DATABASE_URL", f"sqlite:///{directory / 'books.sqlite3'}")
    os.environ.update(SHORT_WAITS, **ADOPTING, TEST_DIRECTORY=str(directory))
    os.environ["LOG_LEVEL"] = "WARNING"
    from tests.torture.stage import WAITS

    os.environ.update({name: str(value) for name, value in WAITS.items()})
    import django
    from django.core.management import call_command

    django.setup()
    from tests.factories import make_clerk

    call_command("migrate", verbosity=0)
    make_clerk(USERNAME)


def _torture(directory: Path, arguments: argparse.Namespace) -> bool:
    from tests.torture.runner import torture

    ends_at = time.monotonic() + arguments.minutes * 60
    result = torture(
        directory,
        USERNAME,
        kills=arguments.kills,
        seed=arguments.seed,
        only=arguments.batch,
        say=_say,
        stop=lambda: time.monotonic() >= ends_at,
    )
    _say("\n" + result.tally.table() + "\n")
    if result.found is None:
        _say("Every promise held.")
        return True
    for kind, each in result.found.breaches.items():
        for breach in each[:20]:
            _say(f"{kind}: {breach}")
    _keep_books(directory)
    _say(
        f"BROKEN by batch {result.broken}. Again: make torture KILLS={arguments.kills} SEED={arguments.seed} "
        f"BATCH={result.broken} (the same kills, faults and choices; when processes do what is up to the machine)."
    )
    return False


def _keep_books(directory: Path) -> None:
    from django.core.management import call_command

    call_command("dumpdata", "shipping", indent=1, output=str(directory / "books.json"), verbosity=0)
    _say(f"Books (books.json), the carrier's ledger (sandbox.sqlite3) and logs are in {directory}.")


def _controls(directory: Path, seed: int) -> bool:
    from tests.sabotage.builds import BUILDS, what_is_broken
    from tests.torture.runner import CONTROL_SCENES, control

    caught = []
    for name in CONTROL_SCENES:
        place = directory / name
        place.mkdir()
        batches, found = control(place, USERNAME, name, seed=seed)
        kinds = ", ".join(f"{kind} {len(each)}" for kind, each in found.breaches.items())
        _say(f"{name}: {f'caught in batch {batches}: {kinds}' if kinds else 'NOT CAUGHT'}")
        _say(f"    {what_is_broken(BUILDS[name])}")
        caught.append(bool(kinds))
    _say(f"{sum(caught)} of {len(caught)} broken builds were caught.")
    return all(caught)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
