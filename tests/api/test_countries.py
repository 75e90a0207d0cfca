"""Countries as people write them: whole lists of their names, in any order of words."""

from __future__ import annotations

from pathlib import Path

import pycountry
import pytest

from mailing_api.countries import country_code

#: Code and English name of each country in Unicode CLDR 47, as Babel 2.19 has them.
CLDR = [tuple(line.split(" ", 1)) for line in Path(__file__).with_name("cldr_territories.txt").read_text().splitlines()]
ISO = [
    (country.alpha_2, text)
    for country in pycountry.countries
    for name in ("alpha_2", "alpha_3", "name", "official_name", "common_name")
    if (text := getattr(country, name, None))
]


def test_the_list_of_cldr_is_whole():
    assert {code for code, _ in CLDR} == {country.alpha_2 for country in pycountry.countries} | {"XK"}


@pytest.mark.parametrize("names", [CLDR, ISO], ids=["Unicode CLDR", "ISO 3166-1"])
def test_every_english_name_is_known_however_it_is_written(names):
    for code, name in names:
        forms = {
            name, name.upper(), name.lower(), f"  {name} ", name.replace("&", "and"), name.replace(" and ", " & "),
            name.replace("St. ", "Saint "), name.replace("St. ", "St "), name.replace("\u2019", "'"),
        }  # fmt: skip
        assert {country_code(form) for form in forms} == {code}, name


def test_an_inverted_name_is_the_same_country():
    for code, name in ISO:
        first, comma, last = name.partition(", ")
        if comma:
            assert country_code(f"{last} {first}") == country_code(f"{first} ({last})") == code, name


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Korea, South", "KR"),
        ("Korea (North)", "KP"),
        ("Korea, Rep.", "KR"),
        ("Korea, Dem. People's Rep.", "KP"),
        ("Congo, Dem. Rep.", "CD"),
        ("Congo, Rep.", "CG"),
        ("Congo (Kinshasa)", "CD"),
        ("Democratic Republic of the Congo", "CD"),
        ("Republic of the Congo", "CG"),
        ("Zaire", "CD"),
        ("Gambia, The", "GM"),
        ("Bahamas (the)", "BS"),
        ("Netherlands (the)", "NL"),
        ("Egypt, Arab Rep.", "EG"),
        ("Micronesia, Fed. Sts.", "FM"),
        ("Virgin Islands (U.S.)", "VI"),
        ("British Virgin Islands", "VG"),
        ("Hong Kong SAR, China", "HK"),
        ("Macedonia, the former Yugoslav Republic of", "MK"),
        ("Libyan Arab Jamahiriya", "LY"),
        ("Palestinian Territory, Occupied", "PS"),
        ("Slovak Republic", "SK"),
        ("U.S.A.", "US"),
        ("St. Vincent & Grenadines", "VC"),
        ("Cote D'Ivoire", "CI"),
        ("Guinea", "GN"),
        ("Guinea-Bissau", "GW"),
        ("Dominica", "DM"),
        ("Dominican Rep.", "DO"),
        ("ST", "ST"),
        ("is", "IS"),
        ("Netherlands Antilles", None),
        ("Yugoslavia", None),
        ("Atlantis", None),
        ("the", None),
        ("of the", None),
        ("-", None),
        ("", None),
        (None, None),
    ],
)
def test_older_and_shorter_names(name, code):
    assert country_code(name) == code
