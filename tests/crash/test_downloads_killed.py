"""The web server dies in the middle of a download: nothing has changed, and asked again it comes whole."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO, StringIO
from typing import Any

import pytest
import requests
from django.contrib.auth.models import User
from pypdf import PdfReader

from shipping.models import Job, Label
from shipping.orders import uploads
from tests.crash import web_jobs
from tests.crash.arming import Boundary, Moment
from tests.crash.web_books import breaches_when_over
from tests.crash.web_boundaries import HARMLESS
from tests.crash.web_scenes import put
from tests.crash.web_stage import Site, Stage
from tests.pages.test_invariants import _everything as everything
from tests.support.altered import Alteration
from tests.torture.person import SECONDS
from tests.views.uploading import bad_file

ROWS = 4
# More than a socket's buffers hold.
LARGE = 12_000_000


@dataclass(frozen=True, slots=True)
class Download:
    """A file and where the server dies that sends it. `whole` looks at all of its bytes."""

    address: str
    boundary: Boundary
    path: Callable[[Job], str]
    whole: Callable[[bytes, Job], None]
    alterations: Sequence[Alteration] = ()

    def __str__(self) -> str:
        return f"{self.address}, {self.boundary}"


def _results(content: bytes, job: Job) -> None:
    lines = list(csv.DictReader(StringIO(content.decode("utf-8-sig"))))
    bought = Label.objects.filter(job=job).order_by("row__number").values_list("tracking_number", flat=True)
    assert [each["tracking_number"] for each in lines] == list(bought)


def _sheet(content: bytes, _job: Job) -> None:
    assert len(PdfReader(BytesIO(content)).pages) == ROWS


def _label(content: bytes, job: Job) -> None:
    with Label.objects.filter(job=job).earliest("pk").file.open("rb") as file:
        assert content == file.read()


def _errors(content: bytes, _job: Job) -> None:
    assert len(list(csv.reader(StringIO(content.decode("utf-8-sig"))))) == 1 + 3


def _sheet_path(job: Job) -> str:
    newest = Label.objects.filter(job=job).latest("pk").pk
    return f"/jobs/{job.pk}/labels/part.pdf?first=1&last={ROWS}&up_to={newest}"


def _label_path(job: Job) -> str:
    return f"/labels/{Label.objects.filter(job=job).earliest('pk').pk}/"


def _errors_path(_job: Job) -> str:
    upload = uploads.receive(bad_file(), actor=None, file_name="orders.csv", carrier="sandbox", name="Spring")
    return f"/uploads/{upload.pk}/errors.csv"


def _sent(name: str, nth: int) -> Boundary:
    return Boundary(name, "waitress.buffers:ReadOnlyFileBasedBuffer.get", Moment.before, nth)


def _made(point: str, nth: int) -> Boundary:
    return Boundary("while it is made", point, Moment.before, nth)


PIECES = [put("shipping.exports.results:ROWS_A_PAGE", 1)]
DOWNLOADS = [
    Download(
        "shipping:results",
        _made("shipping.exports.results:_cells", 3),
        lambda job: f"/jobs/{job.pk}/results.csv",
        _results,
        PIECES,
    ),
    Download("shipping:label_sheet", _made("shipping.exports.label_pdf:_content", 3), _sheet_path, _sheet),
    Download("shipping:label_sheet", _sent("after its head is sent", 1), _sheet_path, _sheet),
    Download("shipping:label", _sent("between two of its blocks", 2), _label_path, _label),
    Download("shipping:upload_errors", _made("shipping.orders.uploads:error_lines", 1), _errors_path, _errors),
]


def test_every_file_that_the_site_makes_is_among_them() -> None:
    files = {name for name, why in HARMLESS.items() if why.startswith("a file")}
    assert {each.address for each in DOWNLOADS} == files


@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
@pytest.mark.parametrize("download", DOWNLOADS, ids=str)
def test_a_download_that_broke_off_changed_nothing_and_comes_whole_the_next_time(
    download: Download, again: bool, stage: Stage, clerk: User
) -> None:
    stage.alterations = download.alterations
    job = _job_with_a_large_label()
    path = download.path(job)
    before = everything()
    for _death in range(1 + again):
        with stage.site(download.boundary) as site:
            with pytest.raises(requests.RequestException):
                _get(site, path)
            assert site.has_died(), stage.nursery.last_words()
        assert everything() == before
    with stage.site() as site:
        download.whole(_get(site, path), job)
    assert everything() == before
    assert not breaches_when_over(job, stage.sandbox.ledger())


def _job_with_a_large_label() -> Job:
    """A job that is over, whose first label is so large that it is sent in several blocks."""
    job = web_jobs.over(ROWS, files=True)
    with Label.objects.filter(job=job).earliest("pk").file.open("ab") as file:
        file.write(b"\n%" + b" " * LARGE)
    return job


def _get(site: Site, path: str) -> bytes:
    """All bytes of a file. Raises RequestException when it breaks off."""
    answer = site.clerk.session.get(f"{site.clerk.url}{path}", timeout=SECONDS)
    assert answer.status_code == requests.codes.ok
    content: Any = answer.content
    return bytes(content)
