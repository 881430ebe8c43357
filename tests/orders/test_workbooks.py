import datetime as dt
import io
import zipfile
from typing import IO, Any

import pytest

from shipping.orders import workbooks
from shipping.orders.checking import FileReport, check_file
from shipping.orders.errors import OrderFileError
from shipping.orders.tables import Record, open_table, read_records
from tests.orders.conftest import csv_bytes
from tests.orders.workbooks import HEADER, ORDER, order, part_of, sheets, with_part, workbook

# A workbook knows no time zones.
DAY = dt.datetime(2026, 3, 4)  # noqa: DTZ001
MINUTE = dt.datetime(2026, 3, 4, 5, 6)  # noqa: DTZ001
SHEET = "xl/worksheets/sheet1.xml"


def read(file: IO[bytes]) -> list[Record]:
    return list(read_records(file, open_table(file)))


def check(file: IO[bytes]) -> FileReport:
    return check_file(file, file_name="orders.xlsx", allow_duplicate=True)


def refusal(file: IO[bytes]) -> str:
    with pytest.raises(OrderFileError) as refused:
        read(file)
    return str(refused.value)


def test_a_workbook_gives_the_same_orders_as_the_same_table_in_csv() -> None:
    from_workbook = workbook(order(), order(order="R-2", weight=8.5))
    from_text = io.BytesIO(csv_bytes([HEADER, order(), order(order="R-2", weight="8.5")]))
    found = [(record.number, record.line, record.cells) for record in read(from_workbook)]
    assert found == [(record.number, record.line, record.cells) for record in read(from_text)]
    assert found[1][:2] == (2, 3)


def test_what_kind_of_file_it_is_its_content_says() -> None:
    assert check_file(workbook(order()), file_name="orders.csv", allow_duplicate=True).ok
    assert check_file(io.BytesIO(csv_bytes([HEADER, order()])), file_name="orders.xlsx", allow_duplicate=True).ok


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12, "12"),
        (12.0, "12"),
        (8.5, "8.5"),
        (0.1 + 0.2, "0.3"),
        (-3, "-3"),
        (4155550100, "4155550100"),
        (123456789012345, "123456789012345"),
        (0.00001, "0.00001"),
        ("0042", "0042"),
        ((2134, "00000"), "02134"),
        ((21341234, "00000\\-0000"), "02134-1234"),
        ((7, "0.00"), "7"),
        (DAY, "2026-03-04"),
        (MINUTE, "2026-03-04 05:06:00"),
        (True, "TRUE"),
        (None, ""),
    ],
)
def test_a_cell_becomes_the_text_that_people_see(db: None, value: Any, text: str) -> None:
    [record] = read(workbook(order(note=value)))
    assert record.cells[-1] == text
    assert record.problems == {}


@pytest.mark.parametrize(
    ("value", "part"),
    [
        (DAY, "holds a date"),
        (True, "TRUE or FALSE"),
        ("=1+1", "a formula whose result is not in the file"),
        (1234567890123456789, "more digits than a spreadsheet keeps"),
        (1.2345678901234567e18, "more digits than a spreadsheet keeps"),
    ],
)
def test_a_cell_that_is_no_text_is_an_error_where_it_matters(db: None, value: Any, part: str) -> None:
    [error] = check(workbook(order(order=value))).errors
    assert (error.row, error.line, error.column) == (1, 2, "Order #")
    assert part in error.message


@pytest.mark.parametrize(
    ("header", "number_format", "refused"),
    [
        ("Weight", '0.0" lb"', "shows this number with “lb”"),
        ("Weight", "0.0\\ \\l\\b", "shows this number with “lb”"),
        ("Weight", "0%", "shows this number with “%”"),
        ("Weight (kg)", '0.0" lb"', "shows this number with “lb”"),
        ("Weight (lb)", '0.0" lb"', ""),
        ("Weight", '0.0" oz";[Red]-0.0" oz"', ""),
        ("Weight", '0.0" "', ""),
        ("Weight", "#,##0.00", ""),
    ],
)
def test_a_weight_that_the_workbook_shows_in_another_unit_is_never_read_as_ounces(
    db: None, header: str, number_format: str, refused: str
) -> None:
    headers = [header if each == "Weight" else each for each in HEADER]
    report = check(workbook(order(weight=(1.5, number_format)), header=headers))
    assert [error.column for error in report.errors] == ([header] if refused else [])
    assert refused in "".join(error.message for error in report.errors)


def test_a_formula_with_its_result_is_that_result_and_an_error_value_is_an_error(db: None) -> None:
    file = workbook(order(name="NAME", street="STREET"))
    sheet = part_of(file, SHEET)
    sheet = sheet.replace(b't="inlineStr"><is><t>NAME</t></is>', b't="str"><f>A1&amp;"x"</f><v>Ada Nakata</v>')
    sheet = sheet.replace(b't="inlineStr"><is><t>STREET</t></is>', b't="e"><f>1/0</f><v>#DIV/0!</v>')
    assert b"Ada" in sheet
    assert b"#DIV" in sheet
    report = check(with_part(file, SHEET, sheet))
    [error] = report.errors
    assert (error.column, error.value) == ("Street", "#DIV/0!")
    assert "an error of the spreadsheet" in error.message
    assert report.preview[0].row.recipient == "Ada Nakata"


@pytest.mark.parametrize(("number", "zip_code"), [(2134, "02134"), (501, "00501"), (21341234, "02134-1234")])
def test_a_zip_code_that_became_a_number_gets_its_zeros_back_and_a_warning(
    db: None, number: int, zip_code: str
) -> None:
    report = check(workbook(order(zip=number, state="MA" if number != 501 else "NY", city="Boston")))
    assert report.ok
    assert report.preview[0].row.order["to_zip"] == zip_code
    [warning] = report.warnings
    assert (warning.row, warning.column, warning.kind.value) == (1, "Zip", "zip_restored")
    assert f"the number {number}; it was read as ZIP code {zip_code}" in warning.message


def test_text_that_lost_its_zeros_and_numbers_of_other_countries_are_not_repaired(db: None) -> None:
    text, foreign = check(workbook(order(zip="2134"))), check(workbook(order(zip=1067, country="DE", state="")))
    assert [error.column for error in text.errors] == ["Zip"]
    assert foreign.ok
    assert foreign.preview[0].row.order["to_zip"] == "1067"


def test_the_first_visible_sheet_with_anything_in_it_is_read_and_others_are_told() -> None:
    file = sheets({"Old": [["x"]], "Empty": [], "Orders": [HEADER, order()], "More": [HEADER, order()]}, hidden=["Old"])
    table = open_table(file)
    [notice] = table.notices
    assert "Only the sheet “Orders” was read; there is also “More”" in notice
    assert "Old" not in notice
    assert len(list(read_records(file, table))) == 1


def test_blank_rows_have_no_number_and_errors_tell_the_line_of_the_sheet(db: None) -> None:
    report = check(workbook([], order(), ["", " ", None], order(order="R-2", zip="x")))
    [error] = report.errors
    assert (error.row, error.line) == (2, 5)


def test_rows_that_end_early_are_filled_up_and_have_no_error_for_it(db: None) -> None:
    texts = [str(value) for value in order()]
    assert check(workbook(texts[:-1], [*texts[:6], None, "8"])).error_count == 1, "the reference, which comes twice"


def test_missing_and_surplus_cells_are_told_apart(db: None) -> None:
    report = check(workbook(order()[:-1], [*order(order="R-2"), None, None], [*order(order="R-3"), "surplus"]))
    [error] = report.errors
    assert error.row == 3
    assert "has 10 cells, the header 9" in error.message


def test_a_sheet_that_understates_its_size_is_read_whole() -> None:
    file = workbook(order(), order(order="R-2"))
    sheet = part_of(file, SHEET).replace(b"<sheetData>", b'<dimension ref="A1:A1"/><sheetData>')
    assert len(read(with_part(file, SHEET, sheet))) == 2


def test_more_orders_than_a_workbook_may_hold_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "MOST_ORDERS", 3)
    assert len(read(workbook(*[order()] * 3))) == 3
    assert "more than 3 orders. Save it as CSV" in refusal(workbook(*[order()] * 4))


def archive(**parts: bytes) -> IO[bytes]:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as written:
        for name, content in parts.items():
            written.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return file


@pytest.mark.parametrize(
    ("file", "part"),
    [
        (io.BytesIO(b"\xd0\xcf\x11\xe0" + b"\0" * 600), "old Excel workbook (.xls)"),
        (
            io.BytesIO(b"\xd0\xcf\x11\xe0" + b"\0" * 70_000 + "EncryptedPackage".encode("utf-16-le")),
            "protected by a password",
        ),
        (archive(xl__workbook_dot_bin=b""), "binary workbook (.xlsb)"),
        (archive(word__document_dot_xml=b"<a/>"), "an archive, but no Excel workbook"),
        (io.BytesIO(workbook(ORDER).getvalue()[:-40]), "may be damaged"),  # type: ignore[attr-defined]
        (sheets({"Empty": []}), "no visible sheet with anything in it"),
        (with_part(workbook(ORDER), "xl/workbook.xml", b"<workbook"), "may be damaged"),
        (with_part(workbook(ORDER), SHEET, b"<worksheet><sheetData><row"), "may be damaged"),
    ],
)
def test_what_is_no_readable_workbook_is_refused_with_a_clear_sentence(file: IO[bytes], part: str) -> None:
    assert part in refusal(file)


@pytest.mark.parametrize("name", [SHEET, "xl/workbook.xml", "xl/styles.xml", "[Content_Types].xml"])
def test_entities_are_refused_before_they_are_expanded(name: str) -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>'
    assert "declarations that no spreadsheet writes" in refusal(with_part(workbook(order()), name, bomb))


def test_what_swells_beyond_measure_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    swelling = with_part(workbook(order()), "xl/theme/theme1.xml", b"<a>" + b" " * 21_000_000 + b"</a>")
    assert swelling.tell() < 100_000
    assert "too large when it is unpacked" in refusal(swelling)
    monkeypatch.setattr(workbooks, "MOST_CELLS", 8)
    assert "Line 1 of the sheet has more than 8 cells" in refusal(workbook(order()))
    again = workbook(["x"], header=["y"])
    cells = part_of(again, SHEET).replace(b"</row>", b'<c r="A1"/>' * 9 + b"</row>")
    assert "more than 8 cells" in refusal(with_part(again, SHEET, cells))


def test_an_archive_that_names_no_workbook_is_refused_and_not_an_error_of_the_server() -> None:
    types = part_of(workbook(order()), "[Content_Types].xml").replace(b"sheet.main", b"document.main")
    assert "may be damaged" in refusal(with_part(workbook(order()), "[Content_Types].xml", types))


def with_texts(name: str, content: bytes) -> IO[bytes]:
    """A workbook whose texts stand in a part of that name."""
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    types = part_of(workbook(order()), "[Content_Types].xml").replace(
        b"</Types>", f'<Override PartName="/{name}" ContentType="{kind}"/></Types>'.encode()
    )
    return with_part(with_part(workbook(order()), "[Content_Types].xml", types), name, content)


@pytest.mark.parametrize("name", ["xl/texts.dat", "xl/sharedStrings.XML", "xl/media/texts.png"])
def test_no_name_of_a_part_hides_what_it_holds(name: str) -> None:
    text = b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>a</t></si></sst>'
    assert len(read(with_texts(name, text))) == 1
    assert "too large when it is unpacked" in refusal(with_texts(name, text.replace(b"a<", b" " * 2_000_000 + b"<")))
    assert "declarations that no spreadsheet" in refusal(with_texts(name, b'<!DOCTYPE x [<!ENTITY a "b">]>' + text))


def test_a_picture_in_a_workbook_is_passed_over() -> None:
    assert len(read(with_part(workbook(order()), "xl/media/image1.png", b"\x89PNG\r\n\x1a\n" + bytes(100_000)))) == 1


@pytest.mark.parametrize(
    ("before", "filling", "part"),
    [
        (b"<pageMargins", b"<a/>", "too much beside its cells"),
        (b"</c>", b"<a/>", "too much beside its cells"),
        (b'<row r="1"', b'<row r="1"/>', "more than 300 lines"),
    ],
)
def test_a_sheet_that_never_ends_is_given_up(
    monkeypatch: pytest.MonkeyPatch, before: bytes, filling: bytes, part: str
) -> None:
    monkeypatch.setattr(workbooks, "MOST_OTHERS", 300)
    monkeypatch.setattr(workbooks, "MOST_LINES", 300)
    sheet = part_of(workbook(order()), SHEET).replace(b"</sheetData>", b"</sheetData><pageMargins/>")
    assert len(read(workbook(*[order()] * 250))) == 250
    assert part in refusal(with_part(workbook(order()), SHEET, sheet.replace(before, filling * 301 + before, 1)))
