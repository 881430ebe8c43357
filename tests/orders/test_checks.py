from collections.abc import Sequence
from contextlib import closing

import pytest

from shipping.orders.checks import CheckedRow, RowChecker
from shipping.orders.errors import RowError
from shipping.orders.tables import open_table, read_records
from tests.orders.conftest import HEADER, order_file


def check(*orders: dict[str, str], columns: Sequence[str] = HEADER) -> list[CheckedRow]:
    file = order_file(*orders, columns=columns)
    table = open_table(file)
    with closing(RowChecker(table.layout)) as checker:
        return [checker.check(record) for record in read_records(file, table)]


def problems(**order: str) -> dict[str, str]:
    """What is wrong with one order, by column."""
    [row] = check(order)
    return {error.column: error.message for error in row.errors}


def accepted(**order: str) -> dict[str, str]:
    [row] = check(order)
    assert row.errors == ()
    return dict(row.order)


def test_a_good_order_is_kept_with_canonical_columns_and_without_empty_ones() -> None:
    assert accepted(reference="A-1", to_phone=" +1 555 0180 ", to_street2="  ", service="Priority") == {
        "reference": "A-1",
        "to_name": "Søren de la Cruz",
        "to_street1": "1745 T Street Southeast",
        "to_city": "Washington",
        "to_state": "DC",
        "to_zip": "20020",
        "to_country": "US",
        "to_phone": "+1 555 0180",
        "weight": "12",
        "service": "Priority",
    }


def test_orders_that_come_back_from_our_results_lose_the_mark_against_formulas() -> None:
    order = accepted(to_phone="'+1 555 0180", to_name="'t Hooft")
    assert (order["to_phone"], order["to_name"]) == ("+1 555 0180", "'t Hooft")


@pytest.mark.parametrize("column", ["to_name", "to_street1", "to_city", "to_state", "to_zip", "weight"])
def test_an_empty_required_field_is_an_error_in_its_column(column: str) -> None:
    assert list(problems(**{column: "  "})) == [column]
    assert "needed" in problems(**{column: ""})[column]


def test_a_company_will_do_for_a_name() -> None:
    [row] = check({"to_name": "", "to_company": "Acme, Inc."})
    assert row.errors == ()
    assert row.recipient == "Acme, Inc."


def test_a_missing_name_is_an_error_of_the_company_where_there_is_no_name_column() -> None:
    columns = [name for name in HEADER if name != "to_name"]
    [row] = check({"to_company": ""}, columns=columns)
    assert [error.column for error in row.errors] == ["to_company"]


def test_an_empty_country_is_the_united_states() -> None:
    assert accepted(to_country="")["to_country"] == "US"


@pytest.mark.parametrize("country", ["usa", "United States", "U.S.A."])
def test_a_country_is_normalised(country: str) -> None:
    assert accepted(to_country=country)["to_country"] == "US"


def test_an_unknown_country_is_the_only_error_about_the_place() -> None:
    assert list(problems(to_country="Atlantis", to_state="XX", to_zip="1")) == ["to_country"]


@pytest.mark.parametrize("state", ["XX", "D", "ON", "Distrikt"])
def test_an_unknown_state_is_an_error(state: str) -> None:
    assert "no US state" in problems(to_state=state)["to_state"]


def test_a_state_is_normalised() -> None:
    assert accepted(to_state="District of Columbia")["to_state"] == "DC"


def test_a_territory_is_a_state_of_the_united_states() -> None:
    order = accepted(to_country="PR", to_state="", to_zip="00901")
    assert (order["to_country"], order["to_state"]) == ("US", "PR")


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("01027", "01027"),
        ("01027-1234", "01027-1234"),
        ("010271234", "01027-1234"),
        ("01027 1234", "01027-1234"),
        (" 01027\u00a0", "01027"),
        ('="01027"', "01027"),
    ],
)
def test_a_zip_code_has_five_or_nine_digits(written: str, kept: str) -> None:
    assert accepted(to_zip=written)["to_zip"] == kept


@pytest.mark.parametrize(
    ("written", "right"),
    [("1027", "01027"), ("501", "00501"), ("1027-1234", "01027-1234"), ("10271234", "01027-1234")],
)
def test_a_zip_code_that_lost_its_leading_zero_is_an_error_that_says_so(written: str, right: str) -> None:
    message = problems(to_zip=written)["to_zip"]
    assert "dropped a leading zero" in message
    assert f"then it is {right}." in message


@pytest.mark.parametrize("code", ["ABCDE", "123456", "20020.0", "2002O", "٢٠٠٢٠", "12", "-", "00000-"])
def test_any_other_zip_code_is_an_error(code: str) -> None:
    assert "5 digits" in problems(to_zip=code)["to_zip"]


def test_canada_has_provinces_and_postal_codes() -> None:
    order = accepted(to_country="Canada", to_state="Ontario", to_zip="k1a0b1")
    assert (order["to_country"], order["to_state"], order["to_zip"]) == ("CA", "ON", "K1A 0B1")
    wrong = problems(to_country="CA", to_state="NY", to_zip="20020")
    assert "no Canadian province" in wrong["to_state"]
    assert "K1A 0B1" in wrong["to_zip"]
    assert list(problems(to_country="CA", to_state="", to_zip="")) == ["to_state", "to_zip"]


def test_other_countries_need_neither_state_nor_zip() -> None:
    order = accepted(to_country="Hong Kong", to_state="", to_zip="")
    assert order["to_country"] == "HK"
    assert accepted(to_country="GB", to_state="Kent", to_zip="CT1 2EH")["to_zip"] == "CT1 2EH"


@pytest.mark.parametrize(
    "weight",
    ["0", "0.00", "-1", "nan", "NaN", "inf", "-inf", "1e3", "abc", "1.2.3", "٣", "½", "+1", "1_0", ".", "999999999"],
)
def test_a_weight_that_is_no_positive_number_is_an_error(weight: str) -> None:
    assert list(problems(weight=weight)) == ["weight"]


@pytest.mark.parametrize(
    ("weight", "part"),
    [("1,5", "decimal point"), ("1,234.5", "thousands"), ("1,234", "thousands"), ("12 oz", "unit"), ("2lbs", "unit")],
)
def test_an_almost_number_is_an_error_that_tells_how_to_write_it(weight: str, part: str) -> None:
    assert part in problems(weight=weight)["weight"]


@pytest.mark.parametrize(("written", "kept"), [("12", "12"), ("12.50", "12.5"), (".5", "0.5"), ("007.", "7")])
def test_a_number_is_kept_in_its_plain_form(written: str, kept: str) -> None:
    assert accepted(weight=written)["weight"] == kept


def test_other_units_become_ounces_and_inches() -> None:
    columns = [name for name in HEADER if name != "weight"]
    order = {"Weight (kg)": "1.5", "Length (cm)": "25.4", "Width (mm)": "254", "Height (in)": "3"}
    [row] = check(order, columns=columns)
    assert row.errors == ()
    found = {name: row.order[name] for name in ("weight", "length", "width", "height")}
    assert found == {"weight": "52.9109", "length": "10", "width": "10", "height": "3"}


def test_sizes_are_given_all_or_not_at_all() -> None:
    assert accepted(length="1", width="2.5", height="3")["width"] == "2.5"
    wrong = problems(length="1", width="2", height="")
    assert list(wrong) == ["height"]
    assert "length and width" in wrong["height"]
    assert list(problems(length="1")) == ["width", "height"]
    assert list(problems(length="0", width="1", height="x")) == ["length", "height"]


def test_a_reference_that_comes_twice_is_an_error_that_names_the_first() -> None:
    rows = check({"reference": "A"}, {"reference": ""}, {"reference": "B"}, {"reference": ""}, {"reference": " A "})
    assert [len(row.errors) for row in rows] == [0, 0, 0, 0, 1]
    assert "Row 1 has the same reference" in rows[4].errors[0].message


def test_all_errors_of_a_row_come_at_once_with_row_line_column_and_value() -> None:
    columns = ["Name", "Street", "City", "State", "Postal Code", "Weight (oz)"]
    values = {"Name": "", "Street": "1 St", "City": "", "State": "XX", "Postal Code": "1027", "Weight (oz)": "-1"}
    good = {"Name": "J", "Street": "1 St", "City": "B", "State": "MA", "Postal Code": "01027", "Weight (oz)": "1"}
    _first, second = check(good, values, columns=columns)
    where = [(error.row, error.line, error.column, error.value) for error in second.errors]
    assert sorted(where) == [
        (2, 3, "City", ""),
        (2, 3, "Name", ""),
        (2, 3, "Postal Code", "1027"),
        (2, 3, "State", "XX"),
        (2, 3, "Weight (oz)", "-1"),
    ]


def test_too_many_and_too_few_cells_are_an_error_of_the_row() -> None:
    file = order_file({})
    content = file.read().decode()
    for line, wrong in ((content.splitlines()[1] + ",x", 9), ("a,b,c", 3)):
        file.seek(0)
        file.truncate()
        file.write((content.splitlines()[0] + "\n" + line + "\n").encode())
        table = open_table(file)
        with closing(RowChecker(table.layout)) as checker:
            [row] = [checker.check(record) for record in read_records(file, table)]
        assert f"The row has {wrong} cells, the header 8." in row.errors[0].message


def test_empty_cells_behind_the_last_column_are_no_harm() -> None:
    file = order_file({})
    content = file.read().decode().rstrip() + ",,,\r\n"
    file.seek(0)
    file.write(content.encode())
    table = open_table(file)
    with closing(RowChecker(table.layout)) as checker:
        assert [checker.check(record).errors for record in read_records(file, table)] == [()]


@pytest.mark.parametrize(
    ("column", "longest"), [("to_name", 100), ("to_company", 100), ("to_street1", 100), ("reference", 100)]
)
def test_a_value_that_is_too_long_is_an_error(column: str, longest: int) -> None:
    assert accepted(**{column: "x" * longest})[column] == "x" * longest
    assert f"at most {longest}" in problems(**{column: "x" * (longest + 1)})[column]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("Jane\nDoe", "line break"),
        ("Jane\u2028Doe", "line break"),
        ("Jane\x07Doe", "control character (U+0007)"),
        ("Jane\x1b[31mDoe", "control character (U+001B)"),
        ("Jane\u202eeoD", "writing direction (U+202E)"),
    ],
)
def test_characters_that_a_label_cannot_print_are_an_error(name: str, part: str) -> None:
    assert part in problems(to_name=name)["to_name"]


@pytest.mark.parametrize(
    "name",
    ["山田太郎", "محمد علي", "שלום", "Zoë 🎉👩‍👧", "می‌خواهم", "Łukasz Żółć", '=HYPERLINK("http://x")', "@cmd|' /C'!A0"],
)
def test_any_script_and_any_printable_text_may_be_a_name(name: str) -> None:
    [row] = check({"to_name": name})
    assert row.errors == ()
    assert row.recipient == name


def test_invisible_marks_around_a_value_are_taken_away() -> None:
    assert accepted(to_phone="\u202a+1 555 0180\u202c")["to_phone"] == "+1 555 0180"


def test_columns_that_fit_nothing_are_kept_as_they_came() -> None:
    [row] = check({"Gift Note": ' =SUM(A1)\n"x"', "Colour": ""})
    assert row.errors == ()
    assert row.extra == {"Gift Note": ' =SUM(A1)\n"x"', "Colour": ""}


def test_a_row_of_too_much_text_is_an_error() -> None:
    [row] = check({"Gift Note": "x" * 70_000})
    assert "at most 65,536" in row.errors[0].message


def test_an_error_reads_as_one_line_without_terminal_codes() -> None:
    [row] = check({"to_name": "a\x1b[31m\n" + "x" * 200})
    text = str(row.errors[0])
    assert text.startswith("Row 1 (line 2), to_name “a�[31m�xxx")
    assert text.isprintable()
    assert len(row.errors[0].value) == 80
    assert str(RowError(row=3, line=4, column="", message="Wrong.")) == "Row 3 (line 4): Wrong."
