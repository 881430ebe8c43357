"""Which labels are printed together, the PDF they make, and the marks of what was printed."""

import struct
import zlib
from io import BytesIO

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.utils import timezone
from pypdf import PdfReader, PdfWriter

from shipping.exports import label_sheets
from shipping.exports.label_pdf import LabelPdf, make_label_pdf
from shipping.exports.label_sheets import Choice, newest_label, sheet_rows, sheets
from shipping.exports.printing import mark_printed, mark_unprinted
from shipping.exports.row_ranges import RowRanges
from shipping.models import Job, Label
from shipping.services import JobService
from shipping.states import EventKind, JobStatus, RowStatus
from tests.exports.files import keep, label_of, make_labelled_job, pdf, png, texts
from tests.factories import claim_row, complete_row, make_interrupted_job, row_of

pytestmark = pytest.mark.django_db


def choice(job: Job, rows: str = "", *, unprinted: bool = False) -> Choice:
    return Choice(up_to=newest_label(job), rows=RowRanges.parse(rows) if rows else None, unprinted=unprinted)


def make_pdf(job: Job, chosen: Choice | None = None) -> LabelPdf:
    return make_label_pdf(job, sheet_rows(job, chosen or choice(job), first=1, last=10_000))


def pages(made: LabelPdf) -> list[str]:
    with made.file as file:
        return texts(file.read())


def tracking(job: Job, *numbers: int) -> list[str]:
    return [label_of(job, number).tracking_number for number in numbers]


def test_the_labels_come_in_row_order_whatever_the_order_of_purchase() -> None:
    job = make_labelled_job(4, bought=0)
    for number in (3, 1, 4):
        keep(complete_row(row_of(job, number)))
    assert pages(make_pdf(job)) == tracking(job, 1, 3, 4)


def test_a_job_of_any_status_gives_what_it_has_so_far() -> None:
    job = make_interrupted_job(4, completed=2)
    for number in (1, 2):
        keep(label_of(job, number))
    claim_row(row_of(job, 3))
    assert pages(make_pdf(job)) == tracking(job, 1, 2)
    JobService().cancel(job.pk)
    assert pages(make_pdf(job)) == tracking(job, 1, 2)


def test_voided_and_replaced_labels_are_not_printed() -> None:
    job = make_labelled_job(3)
    Label.objects.filter(pk=label_of(job, 1).pk).update(voided_at=timezone.now())
    replaced = row_of(job, 2)
    replaced.status, replaced.attempt, replaced.handle, replaced.label = RowStatus.pending, 2, None, None
    replaced.save()
    Job.objects.filter(pk=job.pk).update(successful_rows=2, processed_rows=2)
    keep(complete_row(replaced))
    assert pages(make_pdf(job)) == tracking(job, 2, 3)
    assert label_of(job, 2).attempt == 2


def test_a_part_has_at_most_its_number_of_labels_and_the_parts_follow_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(label_sheets, "SHEET_LABELS", 2)
    monkeypatch.setattr(label_sheets, "SHEETS_ON_A_PAGE", 2)
    job = make_labelled_job(7)
    found, more = sheets(job, choice(job))
    assert [(sheet.first, sheet.last, sheet.labels) for sheet in found] == [(1, 2, 2), (3, 4, 2)]
    assert more
    found, more = sheets(job, choice(job), after=4)
    assert [(sheet.first, sheet.last, sheet.labels) for sheet in found] == [(5, 6, 2), (7, 7, 1)]
    assert not more


def test_a_part_that_grew_says_where_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shipping.exports.label_pdf.SHEET_LABELS", 2)
    job = make_labelled_job(3)
    *labels, closing = pages(make_pdf(job))
    assert labels == tracking(job, 1, 2)
    assert "It goes on with row 3 in the next part." in closing


def test_only_the_chosen_rows_are_in_it() -> None:
    job = make_labelled_job(6)
    assert pages(make_pdf(job, choice(job, "2-3, 6"))) == tracking(job, 2, 3, 6)


def test_a_label_bought_after_the_page_was_shown_is_neither_printed_nor_marked() -> None:
    job = make_labelled_job(4, bought=2)
    shown = choice(job)
    keep(complete_row(row_of(job, 3)))
    assert pages(make_pdf(job, shown)) == tracking(job, 1, 2)
    assert mark_printed(job, shown, first=1, last=4).labels == 2
    assert label_of(job, 3).printed_at is None


def test_files_that_are_missing_lost_broken_or_of_another_kind_are_left_out_and_said() -> None:
    job = make_labelled_job(7, bought=7)
    Label.objects.filter(pk=label_of(job, 1).pk).update(file="")
    default_storage.delete(str(label_of(job, 2).file))
    keep(label_of(job, 3), b"%PDF-1.4 and then nothing that is one")
    keep(label_of(job, 4), b"^XA^XZ", ".zpl")
    keep(label_of(job, 5), b"\x89PNG\r\n\x1a\n broken", ".png")
    made = make_pdf(job)
    assert made.labels == 2
    assert [each.number for each in made.left_out] == [1, 2, 3, 4, 5]
    *labels, closing = pages(made)
    assert labels == tracking(job, 6, 7)
    for line in (
        "This is not a label.",
        "2 labels come before this page.",
        "Row 1: its file is not here yet",
        "Row 2: its file was lost",
        "Row 3: its file can't be read",
        "Row 4: its file is no PDF or PNG",
        "Row 5: its file can't be read",
    ):
        assert line in closing


def test_a_damaged_label_spoils_no_other() -> None:
    job = make_labelled_job(3)
    whole = pdf("broken inside", pages=1)
    keep(label_of(job, 2), whole.replace(b"/Contents", b"/Contents 99 0 R /Kids [1 0 R] /X")[: len(whole) - 40])
    made = make_pdf(job)
    said = pages(made)
    assert said[0] == tracking(job, 1)[0]
    assert tracking(job, 3)[0] in said


def locked_pdf() -> bytes:
    """A PDF that says it is locked with AES, for which pypdf needs a library that is not installed."""
    output = BytesIO()
    with PdfWriter(clone_from=BytesIO(pdf("locked"))) as writer:
        writer.encrypt("", "owner", algorithm="RC4-128")
        writer.write(output)
    aes = b"/V 4 /CF << /StdCF << /CFM /AESV2 /AuthEvent /DocOpen /Length 16 >> >> /StmF /StdCF /StrF /StdCF"
    return output.getvalue().replace(b"/V 2", aes).replace(b"/R 3", b"/R 4")


def huge_png() -> bytes:
    """A small file of a picture that would need gigabytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    size = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "suffix"),
    [
        (locked_pdf(), ".pdf"),
        (huge_png(), ".png"),
        # A page that says not what it is: read without complaint, and refused when it is put beside others.
        (pdf("odd").replace(b"/Type /Page\n", b"\n"), ".pdf"),
    ],
    ids=["locked", "huge", "odd"],
)
def test_a_label_that_cannot_be_opened_at_all_spoils_no_other(content: bytes, suffix: str) -> None:
    job = make_labelled_job(2)
    keep(label_of(job, 1), content, suffix)
    made = make_pdf(job)
    assert (made.labels, [each.number for each in made.left_out]) == (1, [1])
    made.file.close()


def test_images_stand_on_a_page_of_their_own_and_labels_of_many_pages_stay_whole() -> None:
    job = make_labelled_job(3)
    keep(label_of(job, 1), png(), ".png")
    keep(label_of(job, 2), pdf("two pages", pages=2))
    made = make_pdf(job)
    with made.file as file:
        content = file.read()
    assert texts(content) == ["", "two pages", "two pages", *tracking(job, 3)]
    box = PdfReader(BytesIO(content)).pages[0].mediabox
    assert (float(box.width), float(box.height)) == (288.0, 432.0)
    assert (made.labels, made.left_out) == (3, [])


def test_the_same_part_is_the_same_again() -> None:
    job = make_labelled_job(3)
    shown = choice(job)
    assert pages(make_pdf(job, shown)) == pages(make_pdf(job, shown))


def test_marking_is_one_event_and_leaves_nothing_to_print(clerk: User) -> None:
    job = make_labelled_job(3)
    marked = mark_printed(job, choice(job), first=1, last=3, actor=clerk)
    assert (marked.labels, marked.left_out) == (3, 0)
    event = job.events.get(kind=EventKind.printed)
    assert (event.actor, event.details["labels"], event.details["rows"]) == (clerk, 3, "1-3")
    assert sheets(job, choice(job, unprinted=True)) == ([], False)
    assert mark_printed(job, choice(job), first=1, last=3, actor=clerk).labels == 0
    assert job.events.filter(kind=EventKind.printed).count() == 1


def test_what_was_not_in_the_pdf_is_not_marked_and_a_lost_file_is_fetched_again() -> None:
    job = make_labelled_job(4)
    Label.objects.filter(pk=label_of(job, 1).pk).update(file="")
    default_storage.delete(str(label_of(job, 2).file))
    keep(label_of(job, 3), b"^XA^XZ", ".zpl")
    marked = mark_printed(job, choice(job), first=1, last=4)
    assert (marked.labels, marked.left_out) == (1, 3)
    assert [label_of(job, number).printed_at is not None for number in (1, 2, 3, 4)] == [False, False, False, True]
    assert Label.objects.file_missing().filter(pk=label_of(job, 2).pk).exists()
    assert job.events.filter(kind=EventKind.label_file_missing).count() == 1


def test_one_row_alone_may_have_been_printed_from_a_file_of_any_kind() -> None:
    job = make_labelled_job(2)
    keep(label_of(job, 2), b"^XA^XZ", ".zpl")
    assert mark_printed(job, choice(job), first=2, last=2).labels == 1


def test_a_mark_can_be_taken_off_again(clerk: User) -> None:
    job = make_labelled_job(3)
    mark_printed(job, choice(job), first=1, last=3)
    assert mark_unprinted(job, choice(job, "2"), first=1, last=3, actor=clerk) == 1
    assert job.events.get(kind=EventKind.unprinted).actor == clerk
    ((sheet,), _more) = sheets(job, choice(job, unprinted=True))
    assert (sheet.first, sheet.last) == (2, 2)


def test_unprinted_labels_are_found_behind_many_printed_ones() -> None:
    job = make_labelled_job(6)
    mark_printed(job, choice(job, "1-4"), first=1, last=6)
    ((sheet,), _more) = sheets(job, choice(job, unprinted=True))
    assert (sheet.first, sheet.last, sheet.labels) == (5, 6, 2)


def test_a_label_voided_after_the_page_was_shown_is_not_marked() -> None:
    job = make_labelled_job(2, status=JobStatus.running)
    shown = choice(job)
    Label.objects.filter(pk=label_of(job, 1).pk).update(voided_at=timezone.now())
    assert mark_printed(job, shown, first=1, last=2).labels == 1
    assert label_of(job, 1).printed_at is None
