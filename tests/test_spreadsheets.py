import pytest

from shipping.spreadsheets import plain_text, safe_cell


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+cmd|x",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\nx",
        " =1",
        "＝1",
        "＋1x",
        "－1x",
        "＠x",
        "\u00a0=1",
        "+1 555",
    ],
)
def test_what_a_spreadsheet_may_take_for_a_formula_gets_an_apostrophe(text: str) -> None:
    assert safe_cell(text) == f"'{text}"
    assert plain_text(safe_cell(text)) == text


@pytest.mark.parametrize("text", ["", "Ada", "12", "-12.5", "+4155550100", "02134", "a=b", "9400111899223197428490"])
def test_other_text_and_plain_numbers_stay_as_they_are(text: str) -> None:
    assert safe_cell(text) == text


@pytest.mark.parametrize("text", ["'t Hooft", "'", "''", "'12", "O'Neil", "'+12"])
def test_an_apostrophe_of_ones_own_is_no_mark(text: str) -> None:
    assert plain_text(text) == text
