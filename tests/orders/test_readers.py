import hashlib
import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile

from shipping.orders.errors import OrderFileError
from shipping.orders.readers import TextSource
from shipping.orders.sources import digest_of
from shipping.orders.tables import open_table, read_records

GOOD = "Name,Street,City,State,Zip,Weight\nJane,1 Main St,Boston,MA,02110,12\n"
HEADER = ["Name", "Street", "City", "State", "Zip", "Weight"]


def read(content: bytes | str) -> list[tuple[int, int, list[str]]]:
    file = io.BytesIO(content.encode() if isinstance(content, str) else content)
    table = open_table(file)
    return [(record.number, record.line, record.cells) for record in read_records(file, table)]


def refusal(content: bytes | str) -> str:
    with pytest.raises(OrderFileError) as refused:
        read(content)
    return str(refused.value)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_it_reads_every_sane_delimiter_and_line_end(delimiter: str, end: str) -> None:
    # The decoys are other delimiters inside the data, more of them than of the real one.
    cells = ["Jane", '"1; Main, St | 2;;;;;;;,,,,,,,||||||\t\t\t\t\t\t"', "Boston", "MA", "02110", "12"]
    content = delimiter.join(HEADER) + end + delimiter.join(cells) + end
    [(number, line, found)] = read(content)
    assert (number, line) == (1, 2)
    assert found == ["Jane", cells[1].strip('"'), "Boston", "MA", "02110", "12"]


def test_the_header_decides_on_the_delimiter_even_when_its_names_hold_others() -> None:
    header = '"Name";"Street";"City";"State, Province";"Zip";"Weight (oz)";"Notes, a, b, c, d, e, f, g, h"\n'
    [(_number, _line, cells)] = read(header + "Jane;1 Main St;Boston;MA;02110;12;x\n")
    assert len(cells) == 7


def test_the_hint_that_excel_puts_in_front_is_no_header() -> None:
    [(number, line, cells)] = read("sep=;\r\nName;Street;City;State;Zip;Weight\r\nJane;1 St;Boston;MA;02110;12\r\n")
    assert (number, line, cells[0]) == (1, 3, "Jane")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_needs_no_notice(encoding: str) -> None:
    content = GOOD.replace("Jane", "Søren 山田 שלום 🎉").encode(encoding)
    table = open_table(io.BytesIO(content))
    assert table.notices == ()
    assert table.layout.headers == tuple(HEADER)
    assert read(content)[0][2][0] == "Søren 山田 שלום 🎉"


def test_windows_1252_is_read_with_a_notice_even_when_its_first_sign_comes_late() -> None:
    orders = "Jane,1 Main St,Boston,MA,02110,12\n" * 20_000
    content = (GOOD + orders + "Zoë,1 Main St,Boston,MA,02110,12\n").encode("cp1252")
    table = open_table(io.BytesIO(content))
    assert len(content) > 500_000
    [notice] = table.notices
    assert "line 20003" in notice
    assert "Windows-1252" in notice
    assert read(content)[-1][2][0] == "Zoë"


def test_a_file_cut_within_a_character_is_not_taken_for_utf_8() -> None:
    table = open_table(io.BytesIO((GOOD + "Zoë").encode()[:-1]))
    assert isinstance(table.source, TextSource)
    assert table.source.encoding == "cp1252"


def test_a_byte_that_no_encoding_knows_is_refused_with_its_line() -> None:
    assert "neither UTF-8 nor Windows-1252 (line 3" in refusal(GOOD.encode() + b"Jane\x81,1,B,MA,02110,12\n\xff")


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "The file is empty."),
        (b"\n\n  \r\n,,,\n", "The file is empty."),
        (b"\xef\xbb\xbf", "The file is empty."),
        (b"PK\x03\x04" + b"\0" * 50, "The workbook can’t be read; it may be damaged"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 50, "an old Excel workbook"),
        (b"%PDF-1.7 ...", "This is a PDF"),
        (b"Name,Street\n\0\0\0", "NUL bytes"),
        ("Name,Street\n\0".encode("utf-16"), "NUL bytes"),
        (GOOD.encode("utf-32"), "NUL bytes"),
        (GOOD.encode("utf-16")[:-1], "UTF-16 but is damaged"),
        (b"Dear all,\nplease send these parcels.\n", "None of the columns"),
        (b"Hello\nWorld\n", "This is not a table"),
        (b"{}", "This is not a table"),
    ],
)
def test_what_is_no_table_is_refused_with_a_clear_sentence(content: bytes, part: str) -> None:
    assert part in refusal(content)


def test_a_quotation_mark_that_is_never_closed_is_refused_with_its_line() -> None:
    assert "opened in line 3 is never closed" in refusal(GOOD + '"Jane,1 Main St,Boston,MA,02110,12\n')


def test_a_quotation_mark_that_swallows_a_large_file_is_refused_with_its_line() -> None:
    orders = "Jane,1 Main St,Boston,MA,02110,12\n" * 10_000
    message = refusal(GOOD + '"Jane,1 Main St,Boston,MA,02110,12\n' + orders)
    assert "begins in line 3" in message
    assert "never closed" in message


def test_quotation_marks_that_do_not_match_are_refused_with_their_line() -> None:
    assert "begins in line 3 don't match" in refusal(GOOD + '"The "Best" Shop",1 St,Boston,MA,02110,12\n')


def test_quotation_marks_within_a_cell_are_text() -> None:
    rows = read(GOOD + 'The "Best" Shop,"5\' 10"" St", "Boston",MA,02110,12\n')
    assert rows[1][2][:3] == ['The "Best" Shop', "5' 10\" St", "Boston"]


def test_a_cell_of_ten_megabytes_is_refused() -> None:
    assert "Line 3 has more than 1,000,000 characters" in refusal(GOOD + "x" * 10_000_000 + ",1 St,Boston\n")
    assert "more than 131,072 characters" in refusal(GOOD + "x" * 200_000 + ",1 St,Boston,MA,02110,12\n")
    assert "more than 131,072 characters" in refusal(GOOD + '"' + "x\n" * 5_000_000 + '",1 St,Boston,MA,02110,12\n')


def test_rows_count_orders_and_lines_count_lines() -> None:
    content = "\n" + GOOD + '\n  \n,,,,,\n"Jane\nDoe",1 Main St,Boston,MA,02110,12\n\nJim,1 Main St,Boston,MA,02110,12'
    assert [(number, line) for number, line, _cells in read(content)] == [(1, 3), (2, 7), (3, 10)]


def test_a_header_without_names_gets_some_and_loses_empty_ends() -> None:
    table = open_table(io.BytesIO(b" Name ,Street,City,State,Zip,,Weight,,\n"))
    assert table.layout.headers == ("Name", "Street", "City", "State", "Zip", "Column 6", "Weight")


def test_too_many_bytes_are_refused(settings: Any) -> None:
    settings.IMPORT_MAX_BYTES = len(GOOD)
    assert len(read(GOOD)) == 1
    settings.IMPORT_MAX_BYTES = len(GOOD) - 1
    assert "larger than" in refusal(GOOD)


def test_too_many_orders_are_refused(settings: Any) -> None:
    settings.IMPORT_MAX_ROWS = 1
    assert len(read(GOOD)) == 1
    assert "more than 1 orders" in refusal(GOOD + "Jim,1 Main St,Boston,MA,02110,12\n")


def test_the_digest_is_the_sha_256_of_the_bytes() -> None:
    file = io.BytesIO(GOOD.encode())
    assert open_table(file).digest == digest_of(file) == hashlib.sha256(GOOD.encode()).hexdigest()


def test_an_upload_is_read_like_a_file_and_left_open() -> None:
    with TemporaryUploadedFile("orders.csv", "text/csv", len(GOOD), None) as large:
        large.write(GOOD.encode())
        for upload in (SimpleUploadedFile("orders.csv", GOOD.encode()), large):
            for _again in range(2):
                assert len(list(read_records(upload, open_table(upload)))) == 1
                assert not upload.closed
