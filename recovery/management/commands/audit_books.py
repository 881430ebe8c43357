"""`manage.py audit_books`: compare the books with the carrier's own list."""

import json
from argparse import ArgumentTypeError
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from recovery.wording import one_line
from shipping.audit.carrier_list import CouldNotCheck
from shipping.audit.compare import Audit
from shipping.audit.findings import DIFFERENCES, MERELY_COUNTED, Finding, Kind
from shipping.carriers.registry import UnknownCarrier, carrier_names
from shipping.models import Job
from shipping.templatetags.money import money

DIFFER, NOT_CHECKED = 1, 2


def moment(text: str) -> datetime:
    """A date (its beginning in the current time zone) or a date and time."""
    try:
        day = parse_date(text)
        at = datetime.combine(day, time()) if day is not None else parse_datetime(text)
    except ValueError:
        at = None
    if at is None:
        raise ArgumentTypeError(f"{text!r} is no date such as 2026-01-31, nor a date and time")
    return at if timezone.is_aware(at) else timezone.make_aware(at)


def seconds(text: str) -> float:
    """A number of seconds, zero or more."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise ArgumentTypeError(f"{text!r} is no number of seconds")
    return number


class Command(BaseCommand):
    help = (
        "Compare the labels in the books with the carrier's own list of purchases, and say what to do where they"
        " differ. Changes nothing, here or at the carrier. Exit code 0: they agree; 1: they differ; 2: it could not be"
        " found out."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", nargs="?", metavar="JOB", type=int, help="a job's id (default: all jobs)")
        parser.add_argument("--carrier", help="a carrier of the settings (default: those that the jobs were made for)")
        parser.add_argument(
            "--since",
            metavar="DATE",
            type=moment,
            help="compare only what was prepared at the carrier, and bought, since this date (default: since the first"
            " job). A job's shipments are prepared after it was made, so give a date before the job.",
        )
        parser.add_argument("--all", action="store_true", help="list what is merely counted otherwise, too")
        parser.add_argument("--json", action="store_true", help="a JSON object a line; the last one sums up")
        parser.add_argument(
            "--patience",
            metavar="SECONDS",
            type=seconds,
            default=60.0,
            help="for how long the carrier is asked again when it does not answer (default: %(default)g)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.as_json, self.show_all = options["json"], options["all"]
        counts: Counter[Kind] = Counter()
        problems: list[str] = []
        try:
            for audit in self._audits(options):
                problems += self._compare(audit)
                counts += audit.counts
        except DatabaseError as error:
            problems.append(f"The database did not answer ({error}).")
        if counts[Kind.unreadable]:
            problems.append(f"Entries of the carrier that could not be read: {counts[Kind.unreadable]:,}.")
        differ = sum(counts[kind] for kind in DIFFERENCES)
        if problems:
            found = f" Differences found so far: {differ:,}." if differ else ""
            raise CommandError(f"Could not be found out: {' '.join(problems)}{found}", returncode=NOT_CHECKED)
        if differ:
            raise CommandError(f"The books and the carrier's list differ. Differences: {differ:,}.", returncode=DIFFER)

    def _audits(self, options: dict[str, Any]) -> Iterable[Audit]:
        job, carrier = None, options["carrier"]
        if options["job"] is not None:
            job = Job.objects.filter(pk=options["job"]).first() if abs(options["job"]) < 2**63 else None
            if job is None:
                raise CommandError(f"There is no job {options['job']}.", returncode=NOT_CHECKED)
            if carrier not in (None, job.carrier):
                raise CommandError(f"Job {job.pk} is for {job.carrier}, not for {carrier}.", returncode=NOT_CHECKED)
            carrier = job.carrier
        if carrier is not None and job is None and carrier not in carrier_names():
            known = ", ".join(carrier_names())
            raise CommandError(f"No carrier named {carrier!r} is configured; there is {known}.", returncode=NOT_CHECKED)
        used = Job.objects.order_by("carrier").values_list("carrier", flat=True).distinct()
        accounts = [carrier] if carrier is not None else list(used) or [settings.DEFAULT_CARRIER]
        return [
            Audit.of(account, job=job, since=options["since"], patience=options["patience"]) for account in accounts
        ]

    def _compare(self, audit: Audit) -> list[str]:
        """Print what one comparison finds, and its sum; returns why it could not be made to the end."""
        problems: list[str] = []
        try:
            for finding in audit.findings():
                if self.show_all or finding.kind not in MERELY_COUNTED:
                    self._tell(finding)
        except (CouldNotCheck, UnknownCarrier) as error:
            problems.append(f"{audit.account}: {error}")
        self._sum_up(audit, problems)
        return problems

    def _tell(self, finding: Finding) -> None:
        if self.as_json:
            self.stdout.write(json.dumps(asdict(finding), default=datetime.isoformat))
            return
        cost = "?" if finding.cost_cents is None else money(finding.cost_cents, finding.currency)
        about = f"{finding.purchase_id} {finding.reference or '-'} {finding.tracking_number or '-'} {cost}"
        self.stdout.write(one_line(f"{finding.kind.value}: {about}: {finding.fact} {finding.advice}"))

    def _sum_up(self, audit: Audit, problems: list[str]) -> None:
        differ = sum(audit.counts[kind] for kind in DIFFERENCES)
        checked = not problems and not audit.counts[Kind.unreadable]
        if self.as_json:
            summary = {
                "carrier": audit.account,
                "job": audit.job.pk if audit.job is not None else None,
                "since": audit.since.isoformat(),
                "agrees": False if differ else (True if checked else None),
                "checked_to_the_end": checked,
                "listed": audit.listed,
                "labels": audit.labels,
                "counts": {kind.value: audit.counts[kind] for kind in Kind},
                "problems": problems,
            }
            self.stdout.write(json.dumps({"summary": summary}))
            return
        counted = "".join(f"; {kind.value}: {audit.counts[kind]:,}" for kind in Kind if audit.counts[kind])
        verdict = "differ" if differ else ("agree" if checked else "could not be compared to the end")
        since = timezone.localtime(audit.since).isoformat(timespec="minutes")
        self.stdout.write(
            f"{audit.account} since {since}: {audit.listed:,} purchases listed, {audit.labels:,} labels in the books;"
            f" they {verdict}{counted}."
        )
