"""One box that finds a job, an order reference, a recipient or a tracking number, quickly in however many rows."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from shipping.models import Job, Label, Row
from shipping.models.search_key import name_key, reference_key, reversed_key, search_keys, surname_key
from shipping.rows import buy_again
from shipping.search import HITS, Place, search
from shipping.states import JobStatus, VoidRequest
from tests.factories import claim_row, complete_row, make_job, make_sender
from tests.views.conftest import browser_of
from tests.views.reading import tags, text, title

pytestmark = pytest.mark.django_db


def add_row(job: Job, recipient: str, reference: str = "") -> Row:
    """One more order of the job."""
    number = job.rows.count() + 1
    Job.objects.filter(pk=job.pk).update(total_rows=number)
    return Row.objects.create(
        job=job, number=number, recipient=recipient, order_reference=reference, order={"weight": "1"}, account="sandbox"
    )


def found(question: str) -> dict[str, list[str]]:
    """What is found, as the words that tell it, by the place where it was found."""
    return {hits.place.value: [_words(each) for each in hits.records] for hits in search(question).found}


def _words(record: Any) -> str:
    if isinstance(record, Row):
        return record.recipient
    return record.tracking_number if isinstance(record, Label) else str(record.name)


@pytest.fixture
def job() -> Job:
    return make_job(0, name="Autumn orders")


# --- What is found ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "question", ["zoë", "ZOE", "zoe obr", "Zoë O'Brien", "obrien", "O’Brien, Zoe", "  obrien   zo "]
)
def test_a_recipient_is_found_by_the_start_of_the_first_or_the_last_name(job: Job, question: str) -> None:
    add_row(job, "Zoë O'Brien")
    add_row(job, "Adam Zott")

    assert [name for names in found(question).values() for name in names] == ["Zoë O'Brien"]


@pytest.mark.parametrize("question", ["brien", "oe", "zoe smith"])
def test_the_middle_of_a_name_is_not_its_start(job: Job, question: str) -> None:
    add_row(job, "Zoë O'Brien")

    assert found(question) == {}


def test_what_stands_after_a_last_name_does_not_hide_it(job: Job) -> None:
    add_row(job, "Martin Luther King Jr.")

    assert found("king") == {"surnames": ["Martin Luther King Jr."]}


@pytest.mark.parametrize("question", ["#SO-1001", "so-1001", "SO 1001", "so10"])
def test_an_order_reference_is_found_however_it_is_punctuated(job: Job, question: str) -> None:
    add_row(job, "Ann Lee", "#SO-1001")

    assert found(question) == {"references": ["Ann Lee"]}


@pytest.mark.parametrize(
    ("question", "place"),
    [
        ("9400 1000 0000 0000 0012 34", Place.tracking),
        ("940010", Place.tracking),
        ("1z999aa10123456784", Place.tracking),
        ("1234", Place.tracking_ends),
        ("6784", Place.tracking_ends),
    ],
)
def test_a_tracking_number_is_found_whole_by_its_beginning_and_by_its_last_digits(
    job: Job, question: str, place: Place
) -> None:
    complete_row(add_row(job, "Ann Lee"), tracking_number="9400100000000000001234")
    complete_row(add_row(job, "Bob Lee"), tracking_number="1Z999AA10123456784")

    places = found(question)

    assert list(places) == [place.value]
    assert len(places[place.value]) == 1


def test_the_whole_number_is_found_once_and_before_everything_else(job: Job) -> None:
    complete_row(add_row(job, "Ann Lee"), tracking_number="9400100000000000001234")
    add_row(job, "9400100000000000001234 Lee")

    answer = search("9400100000000000001234")

    assert [hits.place for hits in answer.found] == [Place.tracking, Place.names]
    assert [hits.exact for hits in answer.found] == [True, False]


@pytest.mark.parametrize("asked", ["code", "lower", "id", "start", "word"])
def test_a_job_is_found_by_its_code_its_number_and_its_name(job: Job, asked: str) -> None:
    make_job(0, name="Spring catalogue", sender=job.sender)
    question = {
        "code": job.code,
        "lower": job.code.lower(),
        "id": str(job.pk),
        "start": "autu",
        "word": "ORDERS",
    }[asked]

    assert found(question)["jobs"] == ["Autumn orders"]


@pytest.mark.parametrize("form", ["{}-000002-1", "{}-2", "{} 2", "{}-000002-7"])
def test_our_own_reference_for_an_attempt_leads_to_its_row(job: Job, form: str) -> None:
    add_row(job, "Ann Lee")
    add_row(job, "Bob Lee")

    assert found(form.format(job.code.lower())) == {"row": ["Bob Lee"]}


def test_a_row_with_a_new_recipient_is_found_under_the_new_name_only(job: Job) -> None:
    row = add_row(job, "Ann Lee", "A-1")
    row.recipient = "Ruth Moss"
    row.save()
    assert found("moss") == {"surnames": ["Ruth Moss"]}
    assert found("lee") == {}

    Row.objects.filter(pk=row.pk).update(recipient="Ann Lee", **search_keys(recipient="Ann Lee", order_reference="A-1"))
    assert found("lee") == {"surnames": ["Ann Lee"]}


@pytest.mark.parametrize(
    ("make", "value", "key"),
    [
        (name_key, "Zoë O'Brien-Smith", "zoe obrien smith"),
        (name_key, "  ", ""),
        (name_key, "ΟΔΥΣΣΕΥΣ", "οδυσσευσ"),
        (name_key, "Straße", "strasse"),
        (name_key, "x" * 100, "x" * 50),
        (surname_key, "Zoë van Dyke Jr.", "dyke zoe van"),
        (surname_key, "Acme", ""),
        (surname_key, "Jr.", ""),
        (reference_key, "#SO-1001 / b", "so1001b"),
        (reversed_key, "9400 12ab", "ba210049"),
    ],
)
def test_keys_are_what_people_type(make: Callable[[str], str], value: str, key: str) -> None:
    assert make(value) == key


def test_records_from_before_there_were_keys_get_theirs(job: Job) -> None:
    complete_row(add_row(job, "Ann Lee", "SO-1"), tracking_number="94001111")
    Job.objects.update(name_key="")
    Row.objects.update(name_key="", surname_key="", reference_key="")
    Label.objects.update(tracking_key="", tracking_end_key="")
    assert found("lee") == found("so1") == found("94001111") == {}

    import_module("shipping.migrations.0008_fill_search_keys").fill(apps, None)

    assert found("lee") == {"surnames": ["Ann Lee"]}
    assert found("so1") == {"references": ["Ann Lee"]}
    assert found("94001111") == {"tracking": ["94001111"]}
    assert found("1111") == {"tracking_ends": ["94001111"]}
    assert found("autumn") == {"jobs": ["Autumn orders"]}


# --- Pages -----------------------------------------------------------------------------------------------


def test_one_page_shows_twenty_and_the_next_goes_on_where_it_ended(browser: Client, job: Job) -> None:
    for number in range(45):
        add_row(job, f"Ann Lee {number // 3:02}")

    seen: list[str] = []
    address = "/search/?q=ann"
    for size in (HITS, HITS, 5):
        page = browser.get(address)
        group = next(each for each in page.context["groups"] if each["name"] == "names")
        seen += [row.recipient for row in group["records"]]
        assert len(group["records"]) == size
        address = group["more"]

    assert address == ""
    assert seen == sorted(seen)
    assert len(seen) == 45


def test_equal_names_are_paged_without_leaving_one_out(browser: Client, job: Job) -> None:
    rows = [add_row(job, "Ann Lee").pk for _number in range(HITS * 2 + 1)]

    seen: list[int] = []
    after = None
    for _page in range(3):
        (hits,) = search("ann", place=Place.names, after=after).found
        seen += [row.pk for row in hits.records]
        after = hits.next_after

    assert seen == rows
    assert after is None


def test_many_jobs_of_one_name_are_paged(browser: Client) -> None:
    sender = make_sender()
    jobs = [make_job(0, name="Autumn orders", sender=sender).pk for _number in range(HITS + 3)]

    first = search("autumn").found[0]
    second = search("autumn", place=Place.jobs, after=first.next_after).found[0]

    assert [job.pk for job in (*first.records, *second.records)] == jobs


def test_the_page_tells_job_row_recipient_status_and_tracking(browser: Client, job: Job) -> None:
    complete_row(add_row(job, "Ann Lee", "SO-1"), tracking_number="940012345")
    claim_row(add_row(job, "Ann Moss", "SO-2"))

    page = text(browser.get("/search/?q=ann"))

    assert "Recipients whose name begins like this" in page
    for words in ("Ann Lee", "SO-1", "Bought", "940012345", "Autumn orders, row 1"):
        assert words in page
    for words in ("Ann Moss", "SO-2", "In doubt", "Autumn orders, row 2"):
        assert words in page


def test_labels_that_were_voided_or_replaced_are_found_and_say_so(browser: Client, job: Job) -> None:
    voided = complete_row(add_row(job, "Ann Lee"), tracking_number="94001111")
    on_its_way = complete_row(add_row(job, "Bob Lee"), tracking_number="94002222")
    old = complete_row(add_row(job, "Cid Lee"), tracking_number="94003333")
    Label.objects.filter(pk=voided.pk).update(voided_at=timezone.now())
    Label.objects.filter(pk=on_its_way.pk).update(void_requested=VoidRequest.only)
    row = Row.objects.get(pk=old.row_id)
    with transaction.atomic():
        books = Job.objects.lock(job.pk)
        buy_again(books, row, old)
        books.save()
    complete_row(row, tracking_number="94004444")

    assert "Voided on " in text(browser.get("/search/?q=94001111"))
    assert "Void ordered" in text(browser.get("/search/?q=94002222"))
    assert "Not the row’s own label any more: replaced, or bought twice." in text(browser.get("/search/?q=94003333"))
    whole = text(browser.get("/search/?q=94004444"))
    assert "Not the row’s own label any more" not in whole
    assert "Paid for" in whole
    assert "Cid Lee" in whole


def test_one_exact_hit_is_shown_and_not_jumped_to(browser: Client, job: Job) -> None:
    complete_row(add_row(job, "Ann Lee"), tracking_number="94001111")

    page = browser.get("/search/?q=94001111")

    assert page.status_code == 200
    assert "94001111" in text(page)


# --- States and odd questions ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("", "Look for"),
        ("a", "Please type at least two letters, or a number."),
        ("'", "Please type at least two letters, or a number."),
        ("%", "Please type at least two letters, or a number."),
        ("nobody", "Nothing found for “nobody”"),
    ],
)
def test_nothing_too_little_and_no_hit_are_told_apart(browser: Client, job: Job, question: str, answer: str) -> None:
    add_row(job, "Ann Lee")
    page = browser.get("/search/", {"q": question})

    assert page.status_code == 200
    assert answer in text(page)
    assert not tags(page, "table")


ODD = [
    "an%",
    "a_n",
    "an\x00n",
    "an'n\"--",
    "\\an",
    "%00an",
    "x" * 10_000,
    "9" * 10_000,
    "<b>an</b>",
    "📦",
    "\ud800an",
    "٣٤",
]
GOING_ON = ["", "&in=names&after=1", "&in=nowhere&after=1", "&in=jobs&after=x", "&in=row&after=9"]


@pytest.mark.parametrize("question", ODD)
@pytest.mark.parametrize("rest", GOING_ON)
def test_odd_questions_are_answered_calmly(browser: Client, job: Job, question: str, rest: str) -> None:
    add_row(job, "Bob Lee")
    encoded = question.encode("utf-8", "surrogatepass")
    address = "/search/?q=" + "".join(f"%{byte:02X}" for byte in encoded) + rest

    page = browser.get(address)

    assert page.status_code == 200
    assert len(tags(page, "h1")) == 1
    assert not tags(page, "b")


def test_signs_that_databases_take_for_wildcards_stand_for_nothing(job: Job) -> None:
    add_row(job, "Ann Lee")

    assert found("%nn") == {}
    assert found("_nn") == {}


def test_a_job_that_pages_find_in_its_condition_is_shown_with_it(browser: Client) -> None:
    make_job(2, name="Winter parcels", status=JobStatus.paused)

    page = browser.get("/search/?q=winter")

    assert "Paused" in text(page)
    assert title(page) == "Search: winter · Onceship"


# --- Who may look ----------------------------------------------------------------------------------------


def test_somebody_who_may_not_view_jobs_finds_nothing(outsider: User) -> None:
    assert browser_of(outsider).get("/search/?q=ann").status_code == 403
    assert Client().get("/search/?q=ann")["Location"] == "/login/?next=/search/%3Fq%3Dann"


# --- What it costs ---------------------------------------------------------------------------------------


def test_the_number_of_queries_does_not_grow_with_what_is_found(browser: Client, job: Job) -> None:
    spent = []
    for rows in (1, 40):
        for _row in range(rows):
            row = add_row(job, "12 Ann Lee", f"12-{job.rows.count()}")
            complete_row(row, tracking_number=f"12{row.number}")
        browser.get("/search/?q=12")
        with CaptureQueriesContext(connection) as asked:
            page = browser.get("/search/?q=12")
        assert {"references", "names", "tracking"} <= {group["name"] for group in page.context["groups"]}
        spent.append(len(asked))

    assert spent[0] == spent[1]


INDEXES = {
    "row_by_name": "name_key",
    "row_by_surname": "surname_key",
    "row_by_reference": "reference_key",
    "label_by_tracking": "tracking_key",
    "label_by_tracking_end": "tracking_end_key",
    "job_by_name": "name_key",
}


@pytest.mark.parametrize("after", [None, 5])
@pytest.mark.parametrize("place", [Place.names, Place.surnames, Place.references, Place.tracking, Place.tracking_ends])
def test_every_look_up_reads_a_range_of_an_index_in_its_order(job: Job, place: Place, after: int | None) -> None:
    """Else it would slow down with the rows: by reading all of them, or by sorting all that fit."""
    for number in range(10):
        complete_row(add_row(job, f"Ann Lee {number}", f"lee{number}"), tracking_number=f"lee{number}eel")
    statements: list[tuple[str, Any]] = []

    def keep(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        statements.append((sql, parameters))
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(keep):
        search("leel", place=place, after=after)

    (index,) = {
        Place.names: ["row_by_name"],
        Place.surnames: ["row_by_surname"],
        Place.references: ["row_by_reference"],
        Place.tracking: ["label_by_tracking"],
        Place.tracking_ends: ["label_by_tracking_end"],
    }[place]
    ordered = [each for each in statements if "ORDER BY" in each[0] and "LIMIT 21" in each[0]]
    assert len(ordered) == 1
    plan = _plan(*ordered[0])
    assert index in plan
    if connection.vendor == "sqlite":
        assert f"SEARCH shipping_{'label' if 'label' in index else 'row'} USING INDEX {index} (" in plan
        assert "TEMP B-TREE" not in plan
        assert "SCAN" not in plan
    else:
        assert f"Index Scan using {index}" in plan
        assert f"Index Cond: ((({INDEXES[index]})::text >=" in plan or f"Index Cond: (({INDEXES[index]}" in plan
        assert "Sort" not in plan


def _plan(sql: str, parameters: Any) -> str:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)
            return "\n".join(str(line[3]) for line in cursor.fetchall())
        # A handful of rows is read quicker than an index; what matters is whether it could be used.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute("SET LOCAL enable_incremental_sort = off")
        cursor.execute(f"EXPLAIN {sql}", parameters)
        return "\n".join(str(line[0]) for line in cursor.fetchall())
