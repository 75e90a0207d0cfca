"""Countries: names and codes as people and providers write them, read into ISO 3166-1 alpha-2.

The standard itself is pycountry's; here is only what people write and the standard does not have.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Final

__all__ = ["country_code"]

#: By code, further names; XK is no part of the standard, but in use.
_ALSO: Final = """
AE UAE|BA Bosnia|BN Brunei|BQ Caribbean Netherlands|BS The Bahamas|CD Democratic Republic of the Congo/DR Congo
CI Ivory Coast|CV Cape Verde|FK Falkland Islands|FM Micronesia
GB UK/Great Britain/England/Scotland/Wales/Northern Ireland
GM The Gambia|KR Republic of Korea/Korea|MF Saint Martin|MK Macedonia|MM Burma|MO Macau|NL The Netherlands/Holland
PS Palestine/Palestinian Territory|RU Russia|SH Saint Helena|SX Sint Maarten|SZ Swaziland|TL East Timor|TR Turkey
US America|VA Vatican City/Holy See|VI US Virgin Islands|XK XK/Kosovo
"""


def country_code(name: str | None) -> str | None:
    """The two letters of a country given by its English name, or by two or three letters; None if it is not known."""
    return _codes().get(_folded(name)) if name else None


def _folded(name: str) -> str:
    """A name without accents, dots, case and outer space, and with `St` and `&` written out."""
    plain = unicodedata.normalize("NFKD", name).replace("\u2019", "'").casefold()
    words = "".join(one for one in plain if not unicodedata.combining(one) and one != ".").replace("&", " and ").split()
    return " ".join("saint" if word == "st" else word for word in words)


@cache
def _codes() -> dict[str, str]:
    import pycountry  # noqa: PLC0415 - takes a while, and only those who write letters need it

    found = {
        _folded(text): country.alpha_2
        for country in pycountry.countries
        for name in ("alpha_2", "alpha_3", "name", "official_name", "common_name")
        if (text := getattr(country, name, None))
    }
    also = ((entry[:2], entry[3:]) for entry in _ALSO.strip().replace("\n", "|").split("|"))
    return found | {_folded(name): code for code, names in also for name in names.split("/")}
