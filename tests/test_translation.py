"""Every text that people see goes through gettext: tried with a language in which each translated text stands in ⟦…⟧.

What stands outside of them must be data: names, numbers, what a carrier said, and what was written down in the books
as it was said. See docs/translating.md.
"""

import io
import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.humanize.templatetags.humanize import intcomma
from django.test import Client
from django.utils import translation

from shipping.models import Comparison, Event, Job, Label, Orphan, Row, Run, Sender, Upload
from shipping.orders.columns import COLUMNS
from shipping.preferences import TIME_ZONES
from shipping.templatetags.money import money
from shipping.views.help_pages import TOPICS
from tests.orders.conftest import numbered_orders, order_file
from tests.support.addresses import addresses
from tests.support.states import make_jobs
from tests.views.conftest import browser_of, grant, viewer
from tests.views.reading import HTMX
from tests.views.uploading import bad_file, good_file, named, uploaded

__all__ = ["viewer"]

pytestmark = pytest.mark.django_db

# Attributes that a browser shows or reads out.
SPOKEN = {
    "aria-label",
    "title",
    "placeholder",
    "alt",
    "data-stale",
    "data-lost",
    "data-refused",
    "data-failed",
    "data-label",
    "label",
}
# What stands in these is typed or read by programs: commands, column names.
CODE = {"script", "style", "code", "pre"}
NEVER_TRANSLATED = {"Onceship", "UTC", "USD", "CSV", "PDF"}
# Sentences that were written down as they were said.
SAID = ("reason", "message", "tracking_number", "answer", "code")

# Untranslated words: two letters in a row that are not part of a number or a code.
WORD = re.compile(r"(?<![\w])[^\W\d_]{2,}")


# What is filled into a translated sentence is shown outside of its brackets: it must be translated, or data, itself.
TRANSLATED = re.compile("⟦[^⟦⟧]*⟧")
ADDRESS = re.compile(r'(?:href|datetime|id)="[^"]*"')
FILLED_IN = re.compile(r"%\(\w+\)[a-z]|%[sd]")


@pytest.fixture
def pseudo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every translated text comes in brackets."""
    # The object that the functions of django.utils.translation pass their arguments to.
    catalogue = translation._trans  # type: ignore[attr-defined]

    def one(message: str) -> str:
        filled_in = FILLED_IN.sub(lambda place: f"⟧{place[0]}⟦", message)
        return f"⟦{filled_in}⟧" if message else ""

    def plural(singular: str, several: str, number: int) -> str:
        return one(singular if number == 1 else several)

    monkeypatch.setattr(catalogue, "gettext", one)
    monkeypatch.setattr(catalogue, "pgettext", lambda _context, message: one(message))
    monkeypatch.setattr(catalogue, "ngettext", plural)
    monkeypatch.setattr(catalogue, "npgettext", lambda _context, *texts: plural(*texts))


class _Texts(HTMLParser):
    """What a page shows or says."""

    def __init__(self) -> None:
        super().__init__()
        self.code = 0
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.code += tag in CODE
        self.found += [value for name, value in attrs if name in SPOKEN and value]

    def handle_endtag(self, tag: str) -> None:
        self.code = max(0, self.code - (tag in CODE))

    def handle_data(self, data: str) -> None:
        if not self.code:
            self.found.append(data)


def untranslated(page: str, data: re.Pattern[str]) -> list[str]:
    """The texts of a page in which there are words that are neither translated nor data."""
    # A translated text may hold tags, whose addresses are filled in, and other translated texts.
    page = ADDRESS.sub("", page)
    while (left := TRANSLATED.sub(" ", page)) != page:
        page = left
    assert "⟦" not in page, "a translated text was cut off"
    texts = _Texts()
    texts.feed(page)
    bare = (" ".join(data.sub(" ", text).split()) for text in texts.found)
    return [text for text in bare if WORD.search(text)]


def _data(*more: str) -> re.Pattern[str]:
    """All that the books hold as it came or was said, and `more`, the longest first."""
    values = {text for text in (*_values(), *more) if text and WORD.search(text)}
    words = "|".join(re.escape(" ".join(text.split())) for text in sorted(values, key=len, reverse=True))
    return re.compile(rf"(?<!\w)(?:{words})(?!\w)")


def _values() -> Iterator[str]:
    yield from NEVER_TRANSLATED
    for job in Job.objects.all():
        yield from (job.name, job.code, job.carrier, job.file_name, job.error_code, job.error_message)
        yield from (job.reference(number, attempt) for number in range(1, 51) for attempt in (1, 2))
    for row in Row.objects.all():
        yield from (row.recipient, row.order_reference, row.handle or "", row.error_code, row.error_message, row.answer)
        yield from _strings(row.order)
        yield from _strings(row.extra)
    for label in Label.objects.all():
        yield from (label.tracking_number, label.carrier, label.service, label.purchase_id)
        yield money(label.cost_cents, label.currency)
    for orphan in Orphan.objects.all():
        yield from (orphan.tracking_number, orphan.purchase_id, money(orphan.cost_cents, orphan.currency))
    yield from (comparison.problem for comparison in Comparison.objects.all())
    for event in Event.objects.all():
        yield from _strings([event.details[key] for key in SAID if key in event.details])
    for sender in Sender.objects.all():
        yield from _strings(list(sender.__dict__.values()))
    for upload in Upload.objects.all():
        yield from (upload.name, upload.file_name, upload.carrier)
        yield from _strings([upload.headers, upload.sample])
    yield from (run.host for run in Run.objects.all())
    yield from (user.get_username() for user in User.objects.all())


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _strings(list(value.values()))
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)


@pytest.fixture
def examples(clerk: User, pseudo: None) -> dict[str, list[Any]]:
    """What each argument of an address can be; the uploads were checked in the pseudo-language."""
    jobs = make_jobs(clerk)
    client = browser_of(grant(clerk, "change_job"))
    files = [good_file(), bad_file(), named(io.BytesIO(b"Who,Where\nAnn Lee,Denver\n"))]
    return {
        "job_id": [job.pk for job in jobs.values()],
        "number": [1, 4, 5, 7, 9],
        "orphan_id": list(Orphan.objects.order_by("pk").values_list("pk", flat=True)),
        "label_id": list(Label.objects.order_by("pk").values_list("pk", flat=True)[:1]),
        "slug": list(TOPICS),
        "upload_id": [uploaded(client, file).pk for file in files],
    }


def _find(client: Client, paths: Iterable[str], *, typed: Iterable[str] = (), **options: Any) -> list[str]:
    """What is not translated on these pages, once each with the first page that shows it. `typed` by the person."""
    data = _data(*typed)
    found: dict[str, str] = {}
    read = 0
    for path in paths:
        response = client.get(path, follow=True, **options)
        if response.streaming or not response.headers.get("Content-Type", "").startswith("text/html"):
            continue
        read += 1
        for each in untranslated(response.content.decode(), data):
            found.setdefault(each, f"{path}: {each}")
    assert read
    return list(found.values())


def test_a_page_with_a_bare_word_is_found_out() -> None:
    data = re.compile(r"(?<!\w)(?:Ann Lee)(?!\w)")

    assert (
        untranslated('<p title="⟦x⟧">⟦Row 1: Ann Lee <b>is</b> bought⟧ Ann Lee $3.00 <code>run</code></p>', data) == []
    )
    assert untranslated("<p>⟦Row⟧\nis bought</p>", data) == ["is bought"]
    assert untranslated('<p aria-label="Close">⟦Row⟧</p>', data) == ["Close"]
    assert untranslated("<p>⟦Row⟧ running</p>", data) == ["running"]
    with pytest.raises(AssertionError, match="cut off"):
        untranslated("<p>⟦Row", data)


def test_every_page_is_wholly_translated_for_a_clerk(clerk: User, examples: dict[str, list[Any]], pseudo: None) -> None:
    client = browser_of(grant(clerk, "change_job"))

    few = {**examples, "job_id": examples["job_id"][:4]}
    others = [f"/{place}/{job}/" for place in ("jobs", "recovery") for job in examples["job_id"][4:]]

    assert _find(client, [*(path for path in addresses(few) if path != "/preferences/"), *others]) == []


def test_parts_that_htmx_fetches_are_wholly_translated(
    clerk: User, examples: dict[str, list[Any]], pseudo: None
) -> None:
    client = browser_of(grant(clerk, "change_job"))
    short = {**examples, "slug": ["stuck"], "job_id": examples["job_id"][:2]}

    assert _find(client, (path for path in addresses(short) if path != "/preferences/"), headers=HTMX) == []


def test_what_is_found_in_files_of_orders_is_wholly_translated(
    clerk: User, examples: dict[str, list[Any]], pseudo: None
) -> None:
    client = browser_of(grant(clerk, "change_job"))
    orders = numbered_orders(6)
    orders[1] |= {"to_state": "ZZ", "to_name": ""}
    orders[2] |= {"weight": "1,5", "length": "8"}
    orders[3] |= {"to_zip": "02134", "service": "Nonsense"}
    orders[4] |= {"to_city": "A" * 200, "to_country": "Atlantis"}
    orders[5] = {**orders[0], "reference": "other", "weight": "99999"}
    uploads = [*examples["upload_id"], uploaded(client, named(order_file(*orders))).pk]
    typed = {*COLUMNS, "MA", *(value for order in orders for value in order.values())}

    found = _find(client, [f"/uploads/{pk}/{part}" for pk in uploads for part in ("", "columns/")], typed=typed)

    assert found == []


def test_pages_tell_those_without_rights_in_their_language(
    viewer: User, outsider: User, examples: dict[str, list[Any]], pseudo: None
) -> None:
    short = {**examples, "slug": ["stuck"], "job_id": examples["job_id"][:2], "number": [1]}
    paths = [path for path in addresses(short) if path != "/preferences/"]

    assert _find(browser_of(viewer), paths) == []
    assert _find(browser_of(outsider), paths[:3]) == []
    assert _find(Client(), ["/login/", "/", "/nowhere/"]) == []


def test_lists_and_searches_are_wholly_translated(clerk: User, examples: dict[str, list[Any]], pseudo: None) -> None:
    client = browser_of(grant(clerk, "change_job"))
    job = examples["job_id"][0]
    questions = ("recipient", "order", "9400", "a", "nobody", "autumn", "0001")
    searches = [f"/search/?q={question}" for question in questions]
    lists = [f"/?status={status}" for status in ("running", "failed", "nonsense")]
    rows = [f"/jobs/{job}/?status={status}" for status in ("failed", "skipped", "pending")]

    assert _find(client, [*searches, *lists, *rows], typed=questions) == []


def test_the_names_of_time_zones_are_all_that_is_not_translated_in_the_preferences(clerk: User, pseudo: None) -> None:
    page = browser_of(grant(clerk, "change_job")).get("/preferences/").content.decode()
    places = {part.replace("_", " ") for zone in TIME_ZONES for part in (zone, *zone.split("/"))}

    left = untranslated(page, _data())

    assert left
    assert {place for each in left for place in each.split(", ")} <= places


def test_what_commands_answer_is_wholly_translated(clerk: User, examples: dict[str, list[Any]], pseudo: None) -> None:
    client = browser_of(grant(clerk, "change_job"))
    data = _data()
    jobs = [each for place, each in enumerate(examples["job_id"]) if place != 2]  # not the long one
    told: list[tuple[str, dict[str, str]]] = [
        (f"/jobs/{job}/{command}/", {}) for command in ("start", "pause", "check", "cancel", "void") for job in jobs[:6]
    ]
    told += [
        (f"/recovery/{job}/{command}/", {"confirmation": "old"})
        for command in ("resume", "restart", "cancel", "check", "comparison")
        for job in jobs[:2]
    ]
    told.append(("/preferences/", {"time_zone": "Mars/Olympus"}))
    told.append(("/login/", {"username": "clerk", "password": "wrong"}))

    found = []
    for path, sent in told:
        response = client.post(path, sent, follow=True)
        assert response.status_code < 500
        if path != "/preferences/":
            found += [f"{path}: {each}" for each in untranslated(response.content.decode(), data)]

    assert found == []


@pytest.mark.parametrize(
    ("language", "amount", "number"), [("en", "$12,345.60", "1,234,567"), ("de", "$12.345,60", "1.234.567")]
)
def test_money_and_numbers_are_written_as_the_language_has_it(language: str, amount: str, number: str) -> None:
    with translation.override(language):
        assert money(1_234_560) == amount
        assert intcomma(1_234_567) == number
