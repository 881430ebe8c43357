"""`make run`: serves one's own data, kept under var/, with a carrier sandbox, a web server and one worker."""

import argparse
import os
import sys
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
from shipping.project.supervisor import SiteError, Supervisor

# A worker settles its purchases in the air before it ends; each has the default 20 seconds, and the books need some.
GRACE_SECONDS = 30


def main() -> int:
    """Serve until somebody ends it, or until one of the processes ends; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m shipping.project.run", description=__doc__)
    parser.add_argument("--directory", type=Path, default=BASE_DIR / "var", help="kept from one run to the next")
    directory: Path = parser.parse_args().directory.resolve()
    return serve(lambda: _run(directory))


def _run(directory: Path) -> int:
    port, sandbox_port = ports()
    with (
        lock(directory),
        Supervisor(working_directory=BASE_DIR, logs=directory / "logs", grace_seconds=GRACE_SECONDS) as supervisor,
    ):
        site = LocalSite(directory=directory, port=port, sandbox_port=sandbox_port)
        # What is exported wins: another database, a key of one's own.
        variables = {name: os.environ.get(name, value) for name, value in site.variables().items()}
        set_up_django(variables)
        site.write_environment_file({**_exported_settings(), **variables})
        prepare_database_and_static_files()
        _greet_first_time(directory)
        supervisor.pause(0)
        site.start_sandbox(supervisor)
        site.start_web(supervisor)
        site.start_worker(supervisor)
        say(f"Ready: {site.url}")
        while True:
            supervisor.pause(1)
            for child in supervisor.take_ended():
                raise SiteError(child.how_it_ended())


def _exported_settings() -> dict[str, str]:
    """The settings that were exported, for the file that a second terminal reads; a live carrier key stays out."""
    from shipping.project.settings import env

    return {name: os.environ[name] for name in env.dump() if name in os.environ and name != "EASYPOST_API_KEY"}


def _greet_first_time(directory: Path) -> None:
    """Make the users `clerk` and `admin` when there is nobody yet, and say how to set the sender when there is none."""
    from django.contrib.auth import get_user_model

    from shipping.models import Sender
    from shipping.project.accounts import add_user

    if not get_user_model().objects.exists():
        say("Two users were made; their passwords are shown this once:")
        for name, admin in (("clerk", False), ("admin", True)):
            say(f"  {name} / {add_user(name, admin=admin)}")
    if Sender.objects.current() is None:
        say(f"There is no sender yet: read {directory / 'env'} into a shell, then use `manage.py set_sender`.")


if __name__ == "__main__":
    sys.exit(main())
