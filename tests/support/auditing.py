"""`manage.py audit_books` as a test runs it."""

import io
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from django.core.management import CommandError, call_command

from shipping.audit.findings import DIFFERENCES
from shipping.models import Job


@dataclass(frozen=True, slots=True)
class Audited:
    """The command's exit code and what it printed with `--json`, without the sum."""

    code: int
    findings: list[dict[str, Any]] = field(default_factory=list)

    @property
    def differences(self) -> Counter[str]:
        """How often each kind of difference was found."""
        return Counter(each["kind"] for each in self.findings if each["kind"] in DIFFERENCES)


def audit(job: Job) -> Audited:
    """Compare one job's books with the carrier's list, asking each question once."""
    out = io.StringIO()
    code = 0
    try:
        call_command("audit_books", str(job.pk), "--json", "--patience", "0", stdout=out)
    except CommandError as error:
        code = error.returncode
    *findings, _sum = [json.loads(line) for line in out.getvalue().splitlines()]
    return Audited(code, findings)
