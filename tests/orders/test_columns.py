from decimal import Decimal

import pytest

from shipping.orders.columns import COLUMNS, Recognised, lay_out, recognise
from shipping.orders.errors import OrderFileError

ALIASES = {
    "reference": ["Order Number", "Order #", "Order ID", "order_no", "Reference", "Ref."],
    "to_name": ["Recipient Name", "Full Name", "Ship To Name", "Name", "Recipient", "TO-NAME", "Recipient’s Name"],
    "to_company": ["Company", "Company Name", "Ship To Company"],
    "to_street1": ["Address Line 1", "Address 1", "Street", "Address", "Shipping Address 1", "Street Address"],
    "to_street2": ["Address Line 2", "Address 2", "Apt/Suite", "Street (line 2)"],
    "to_city": ["City", "Town", "Ship-to City"],
    "to_state": ["State/Province", "State", "Province", "Region", "State / Province (required)"],
    "to_zip": ["Postal Code", "Postcode", "Zip", "Zip Code", "ZIP/Postal Code"],
    "to_country": ["Country", "Country Code", "Country/Region"],
    "to_phone": ["Phone", "Phone Number (optional)", "Telephone"],
    "to_email": ["Email", "E-mail", "Email Address"],
    "service": ["Service", "Service Level", "shipping service"],
}


@pytest.mark.parametrize(("column", "header"), [(column, name) for column, names in ALIASES.items() for name in names])
def test_it_knows_the_names_that_people_use(column: str, header: str) -> None:
    assert recognise(header) == Recognised(column)


@pytest.mark.parametrize("column", COLUMNS)
def test_case_spaces_underscores_and_punctuation_do_not_matter(column: str) -> None:
    spaced = column.replace("_", " - ").upper()
    assert recognise(column) == recognise(f" {spaced}: ") == Recognised(column)


@pytest.mark.parametrize(
    ("header", "column", "factor"),
    [
        ("Weight", "weight", 1),
        ("Weight (oz)", "weight", 1),
        ("weight_oz", "weight", 1),
        ("Weight in ounces", "weight", 1),
        ("Parcel Weight [lb]", "weight", 16),
        ("Weight (LBS)", "weight", 16),
        ("Length [in]", "length", 1),
        ('Height (")', "height", 1),
        ("Package Width, inches", "width", 1),
    ],
)
def test_units_are_read_from_the_header(header: str, column: str, factor: int) -> None:
    assert recognise(header) == Recognised(column, Decimal(factor))


@pytest.mark.parametrize(
    ("header", "amount", "native"),
    [
        ("Weight (kg)", "1", "35.2740"),
        ("Weight kg", "0.5", "17.6370"),
        ("Weight (g)", "100", "3.5274"),
        ("Length (cm)", "25.4", "10.0000"),
        ("height_mm", "254", "10.0000"),
    ],
)
def test_metric_units_are_converted_and_never_read_as_ounces_or_inches(header: str, amount: str, native: str) -> None:
    recognised = recognise(header)
    assert recognised is not None
    assert (Decimal(amount) * recognised.factor).quantize(Decimal("0.0001")) == Decimal(native)


@pytest.mark.parametrize("header", ["Weight (stone)", "Weight (in)", "Length (ft)", "Length (')", "Width (oz)"])
def test_it_refuses_a_unit_that_it_does_not_know(header: str) -> None:
    with pytest.raises(OrderFileError, match=r"the unit .* is not known"):
        recognise(header)


@pytest.mark.parametrize("header", ["Weight Unit", "weight_uom", "Dimension Units"])
def test_it_refuses_units_that_change_from_row_to_row(header: str) -> None:
    with pytest.raises(OrderFileError, match="units row by row"):
        recognise(header)


@pytest.mark.parametrize(
    "header", ["Notes", "Billing Name", "Weightin", "Größe", "Address 3", "Unit", "名前", "", "Zip4"]
)
def test_what_fits_nothing_is_left_alone(header: str) -> None:
    assert recognise(header) is None


def test_a_layout_tells_where_each_column_stands() -> None:
    layout = lay_out(["Notes", "Name", "Street", "City", "State", "Zip", "Weight (lb)", "Gift"])
    assert layout.places["to_name"] == 1
    assert layout.extra == (0, 7)
    assert layout.factors["weight"] == 16
    assert layout.header("to_zip") == "Zip"
    assert layout.header("length") == "length"


def test_two_columns_of_the_same_meaning_are_refused_by_name() -> None:
    with pytest.raises(OrderFileError, match=r"“Weight \(lb\)” and “Weight \(oz\)” both mean weight"):
        lay_out(["Name", "Street", "City", "State", "Zip", "Weight (lb)", "Weight (oz)"])


def test_two_unknown_columns_of_the_same_name_are_refused() -> None:
    with pytest.raises(OrderFileError, match="Two columns are called “Note”"):
        lay_out(["Name", "Street", "City", "State", "Zip", "Weight", "Note", "Note"])


def test_all_missing_columns_are_named_at_once() -> None:
    with pytest.raises(OrderFileError) as refused:
        lay_out(["City", "Notes"])
    assert str(refused.value) == "Missing columns: to_name (or to_company), to_street1, to_state, to_zip, weight."


def test_all_that_is_wrong_with_a_header_is_told_at_once() -> None:
    with pytest.raises(OrderFileError) as refused:
        lay_out(["Name", "Full Name", "City", "Length (ft)"])
    for part in ("both mean to_name", "the unit “ft”", "Missing columns: to_street1, to_state, to_zip, weight"):
        assert part in str(refused.value)


def test_state_and_zip_may_be_missing_where_each_order_says_its_country() -> None:
    assert "to_zip" not in lay_out(["Company", "Street", "City", "Country", "Weight"]).places


def test_a_file_without_a_header_is_told_so() -> None:
    with pytest.raises(OrderFileError, match="The first line must hold the column names"):
        lay_out(["Jane Doe", "1 Main Street", "Boston", "MA", "02110", "12"])
