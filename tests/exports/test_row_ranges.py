"""Rows as people name them."""

import pytest

from shipping.exports.row_ranges import BadRange, RowRanges


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("7", ((7, 7),)),
        ("1-50, 77", ((1, 50), (77, 77))),
        ("77;1 – 50,", ((1, 50), (77, 77))),
        ("3, 1-2, 2-4", ((1, 4),)),
        ("1-2,4", ((1, 2), (4, 4))),
    ],
)
def test_ranges_are_read_in_rising_order_and_joined(text: str, ranges: tuple[tuple[int, int], ...]) -> None:
    assert RowRanges.parse(text).ranges == ranges


@pytest.mark.parametrize("text", ["", " , ", "0", "5-3", "1-x", "-3", "1-2-3", "9999999999", "²", "1e3"])
def test_what_names_no_rows_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadRange, match="1-50, 77"):
        RowRanges.parse(text)


def test_so_many_ranges_that_a_query_would_grow_with_them_are_refused() -> None:
    with pytest.raises(BadRange, match="At most 100"):
        RowRanges.parse(",".join(str(2 * number + 1) for number in range(101)))


def test_they_are_written_as_they_may_be_typed_again() -> None:
    assert str(RowRanges.parse("77, 1-50")) == "1-50, 77"
