"""Which column the carrier's words are about."""

import pytest

from recovery.carrier_words import words_by_column


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        (
            "ADDRESS.VERIFY.FAILURE",
            "Unable to verify address; to_address.street1: Address not found.",
            {"": "Unable to verify address", "to_street1": "Address not found."},
        ),
        (
            "ADDRESS.VERIFY.FAILURE",
            "to_address.zip: must have 5 digits; to_address.zip: is not in Colorado; to_address.state: is missing.",
            {"to_zip": "must have 5 digits; is not in Colorado", "to_state": "is missing."},
        ),
        ("PARCEL.PARAMETERS.INVALID", "parcel.weight: must be positive.", {"weight": "must be positive."}),
        ("ADDRESS.INVALID", "zip: no such code.", {"to_zip": "no such code."}),
        ("ADDRESS.INVALID", "from_address.zip: no such code.", {"": "from_address.zip: no such code."}),
        (
            "SERVICE_NOT_OFFERED",
            "The service “Priority; fast” is not offered: none.",
            {"service": "The service “Priority; fast” is not offered: none."},
        ),
        ("NO_RATES", "The carrier offers no service.", {"weight": "The carrier offers no service."}),
        ("ELSE", "Call us at 12:30.", {"": "Call us at 12:30."}),
        ("", "", {}),
    ],
)
def test_the_carriers_words_stand_where_they_belong(code: str, message: str, expected: dict[str, str]) -> None:
    assert words_by_column(code, message) == expected
