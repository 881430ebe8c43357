import pytest
from django.contrib.auth.models import User

from shipping.models import Upload
from shipping.orders import mapping
from shipping.orders.columns import OFFERED_UNITS, lay_out, meaning_of, recognise, target_of, told_apart
from shipping.orders.errors import OrderFileError

HEADERS = ["Kunde", "Strasse", "Ort", "State", "Zip", "Gewicht", "Note"]
CHOSEN = {
    "Kunde": "to_name",
    "Strasse": "to_street1",
    "Ort": "to_city",
    "State": "to_state",
    "Zip": "to_zip",
    "Gewicht": "weight:kg",
    "Note": "",
}


def test_a_mapping_says_what_columns_mean_and_in_which_unit() -> None:
    layout = lay_out(HEADERS, CHOSEN)
    assert layout.places == {"to_name": 0, "to_street1": 1, "to_city": 2, "to_state": 3, "to_zip": 4, "weight": 5}
    assert float(layout.factors["weight"]) == pytest.approx(1000 / 28.349523125)
    assert layout.extra == (6,)


def test_every_choice_of_the_form_has_a_meaning_and_comes_back_as_itself() -> None:
    targets = [target for target, label in mapping.choices() if target]
    assert len(targets) == len(set(targets))
    for target in targets:
        meaning = meaning_of(target)
        assert meaning is not None
        assert target_of(meaning) == target
    assert {f"weight:{unit}" for unit in OFFERED_UNITS["weight"]} < set(targets)


@pytest.mark.parametrize("target", ["to_nme", "weight:stone", "to_name:kg", ":", "extra"])
def test_a_target_that_there_is_not_is_refused(target: str) -> None:
    with pytest.raises(OrderFileError, match="There is no column"):
        lay_out(HEADERS, CHOSEN | {"Note": target})


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"Gewicht": ""}, "Missing column: “Weight”."),
        (
            {"Kunde": "", "Zip": ""},
            "Missing columns: “Recipient’s name” (or “Recipient’s company”), “ZIP or",
        ),
        ({"Note": "to_name"}, "“Kunde” and “Note” both mean “Recipient’s name”; choose it for one of them only."),
        (dict.fromkeys(HEADERS, ""), "(or “Recipient’s company”), “Street”"),
    ],
)
def test_a_mapping_that_can_not_be_used_says_what_is_wrong(changes: dict[str, str], part: str) -> None:
    assert part in mapping.problems(HEADERS, CHOSEN | changes)
    assert mapping.problems(HEADERS, CHOSEN) == ""


def test_headers_that_come_twice_are_told_apart() -> None:
    assert told_apart(["Note", "Note", "Note (2)", "Note"]) == ["Note", "Note (2)", "Note (2) (2)", "Note (3)"]


def test_names_preset_what_they_tell_and_leave_the_rest_to_a_person() -> None:
    found = {
        each.header: each for each in mapping.presets(["Name", "Recipient Name", "Weight (lb)", "Weight (st)", "X"])
    }
    assert (found["Name"].target, found["Name"].recognised) == ("to_name", True)
    assert found["Recipient Name"].target == ""
    assert found["Recipient Name"].note == "“Name” is taken for this already."
    assert found["Weight (lb)"].target == "weight:lb"
    assert "the unit “st” is not known" in found["Weight (st)"].note
    assert (found["X"].target, found["X"].recognised, found["X"].note) == ("", False, "")


def test_a_weight_whose_unit_stands_in_another_column_is_never_guessed() -> None:
    found = {each.header: each for each in mapping.presets(["Weight", "Weight Unit", "Length (cm)"])}
    assert found["Weight"].target == ""
    assert "Choose the unit" in found["Weight"].note
    assert found["Length (cm)"].target == "length:cm"


def test_what_was_chosen_is_remembered_for_files_that_look_alike(clerk: User) -> None:
    assert mapping.settled(HEADERS) is None
    mapping.remember(HEADERS, CHOSEN, actor=clerk)
    alike = ["KUNDE", "Straße", " ort", "state", "ZIP", "Gewicht", "note"]
    assert mapping.settled(alike) == dict(zip(alike, CHOSEN.values(), strict=True))
    assert mapping.settled([*HEADERS, "More"]) is None
    assert mapping.settled(list(reversed(HEADERS))) is None
    mapping.remember(HEADERS, CHOSEN | {"Gewicht": "weight:g"}, actor=None)
    assert (mapping.settled(HEADERS) or {})["Gewicht"] == "weight:g", "the last choice wins"


def test_results_that_are_uploaded_again_are_suggested_as_their_file_was_and_confirmed_by_a_person(clerk: User) -> None:
    mapping.remember(HEADERS, CHOSEN, actor=clerk)
    results = [*HEADERS, "tracking_number", "carrier", "cost", "status", "Weight (oz)"]

    suggested = {each.header: each.target for each in mapping.suggestions(Upload(headers=results, sample=[]))}

    assert suggested == CHOSEN | dict.fromkeys(results[len(HEADERS) :], "")
    assert mapping.settled(results) is None, "else rows that have labels would be shipped once more without a look"


def test_a_unit_that_was_chosen_beside_a_column_of_units_is_asked_for_again(clerk: User) -> None:
    headers = [*HEADERS, "Weight Unit"]
    mapping.remember(headers, CHOSEN | {"Gewicht": "weight:lb", "Weight Unit": ""}, actor=clerk)
    assert mapping.settled(headers) is None, "this file's orders may be in another unit"
    offered = {each.header: each for each in mapping.suggestions(Upload(headers=headers))}
    assert offered["Gewicht"].target == "weight:lb"
    assert "gives units row by row" in offered["Weight Unit"].note


def test_headers_that_all_tell_need_nobody(db: None) -> None:
    headers = ["Name", "Street", "City", "State", "Zip", "Weight"]
    settled = mapping.settled(headers)
    assert settled is not None
    assert lay_out(headers, settled) == lay_out(headers)
    assert mapping.settled([*headers, "Gift Note"]) is None


def test_suggestions_show_samples_and_prefer_what_was_chosen(db: None) -> None:
    upload = Upload(headers=HEADERS, sample=[["Ada", "Main St"], ["Bo"]])
    first = mapping.suggestions(upload)
    assert [(each.target, each.samples) for each in first[:2]] == [("", ("Ada", "Bo")), ("", ("Main St", ""))]
    assert first[4].target == "to_zip"
    mapping.remember(HEADERS, CHOSEN, actor=None)
    assert [each.target for each in mapping.suggestions(upload)] == list(CHOSEN.values())
    upload.mapping = CHOSEN | {"Note": "reference"}
    assert mapping.suggestions(upload)[-1].target == "reference"


def test_the_units_that_are_offered_are_those_that_headers_may_name() -> None:
    for column, units in OFFERED_UNITS.items():
        for unit in units:
            assert recognise(f"{column} ({unit})") == meaning_of(f"{column}:{unit}")
