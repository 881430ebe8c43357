import pytest

from shipping.orders.places import COUNTRIES, country_code, state_code


def test_all_codes_of_iso_3166_1_are_there() -> None:
    assert len(COUNTRIES) == len(set(COUNTRIES.values())) == 249
    assert all(country_code(alpha2) == alpha2 for alpha2 in COUNTRIES)
    assert all(country_code(alpha3) == alpha2 for alpha2, alpha3 in COUNTRIES.items())


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("us", "US"),
        ("USA", "US"),
        ("U.S.", "US"),
        ("United States", "US"),
        ("united states of america", "US"),
        ("UK", "GB"),
        ("Türkiye", "TR"),
        ("Cote d’Ivoire", "CI"),
        ("DEU", "DE"),
    ],
)
def test_it_knows_a_country_as_people_write_it(written: str, code: str) -> None:
    assert country_code(written) == code


@pytest.mark.parametrize("written", ["", "XX", "Atlantis", "中国", "1"])
def test_it_knows_no_other_country(written: str) -> None:
    assert country_code(written) is None


@pytest.mark.parametrize(
    ("country", "written", "code"),
    [
        ("US", "dc", "DC"),
        ("US", "New  York", "NY"),
        ("US", "D.C.", "DC"),
        ("US", "PR", "PR"),
        ("US", "guam", "GU"),
        ("US", "AE", "AE"),
        ("CA", "Québec", "QC"),
        ("CA", "on", "ON"),
    ],
)
def test_it_knows_states_by_code_and_name(country: str, written: str, code: str) -> None:
    assert state_code(country, written) == code


@pytest.mark.parametrize(("country", "written"), [("US", "XX"), ("US", "ON"), ("CA", "NY"), ("US", ""), ("GB", "Kent")])
def test_it_knows_no_other_state(country: str, written: str) -> None:
    assert state_code(country, written) is None


def test_each_part_of_the_united_states_that_gets_mail_is_there() -> None:
    states = (
        "ALAKAZARCACOCTDEFLGAHIIDILINIAKSKYLAMEMDMAMIMNMSMOMTNENVNHNJNMNYNCNDOHOKORPARISCSDTNTXUTVTVAWAWVWIWY"
        "DCPRVIGUASMPAAAEAP"
    )
    codes = [states[place : place + 2] for place in range(0, len(states), 2)]
    assert len(codes) == 59
    assert [state_code("US", code) for code in codes] == codes
