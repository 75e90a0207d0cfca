"""Countries: names and codes as people and providers write them, converted to ISO 3166-1 alpha-2.

The standard's own names come from pycountry. This module adds other English names: those of Unicode CLDR, of the World
Bank, and of older editions of the standard.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Final

__all__ = ["country_code"]

#: By code, further names; XK is in use, although not part of the standard.
_ALSO: Final = """
AE UAE|BA Bosnia|BN Brunei|BQ Caribbean Netherlands|BY Byelorussia|CC Cocos Islands
CD Congo DRC/Zaire/Zaire Republic/Congo Democratic Republic|CD DR Congo/Congo Kinshasa/DRC
CG Congo Brazzaville/Congo Republic|CI Ivory Coast|CV Cape Verde|CZ Czech Republic|EG Egypt Arab Republic
FK Falkland Islands/Falkland Islands Islas Malvinas|FM Micronesia
GB UK/Great Britain/England/Scotland/Wales/Northern Ireland|GS South Georgia|HK Hong Kong China
HK Hong Kong SAR/Hong Kong SAR China|HM Heard and McDonald Islands|IE Republic of Ireland/Eire|IO Chagos Archipelago
KG Kyrgyz Republic|KP Korea North/Korea DPR|KR Korea/Korea South|LA Lao PDR|LY Libyan Arab Jamahiriya|MF Saint Martin
MK Macedonia FYROM|MK Macedonia/Macedonia the former Yugoslav Republic of/FYROM/Former Yugoslav Republic of Macedonia
MM Burma/Myanmar Burma/Burma Socialist Republic Union
MO Macau/Macao SAR/Macao SAR China/Macao China/Macau SAR/Macau SAR China|NL Holland|NZ Aotearoa New Zealand
PM Saint Pierre et Miquelon|PN Pitcairn Islands|PS Palestine/Palestinian Territory
PS Palestinian Territories/Palestinian Territory Occupied/Occupied Palestinian Territory/West Bank and Gaza
RU Russia/Russia Russian Federation|SH Saint Helena|SJ Svalbard|SK Slovak Republic|SX Sint Maarten|SZ Swaziland
TF French Southern and Antarctic Lands|TL East Timor|TR Turkey|UM US Outlying Islands|US America
VA Vatican City/Holy See/Vatican|VC Saint Vincent|VC Saint Vincent and Grenadines|VE Venezuela RB|VI US Virgin Islands
WF Wallis and Futuna Islands|XK XK/XKX/Kosovo
"""

#: Words that names may have or lack.
_SMALL: Final = frozenset({"and", "et", "of", "the"})
_SHORT: Final = {
    "dem": "democratic", "fed": "federated", "is": "islands", "peoples": "people", "rep": "republic", "st": "saint",
    "sts": "states",
}  # fmt: skip
_words = re.compile(r"\w+").findall


def country_code(name: str | None) -> str | None:
    """Return a country's two-letter code from its English name, or its two- or three-letter code; None if unknown."""
    return _codes().get(_folded(name)) if name else None


def _folded(name: str) -> tuple[str, ...]:
    """A name's words, sorted, without accents, case and marks: the same for an inverted name."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    marks = {".", "'", "\u2019", "\u02bc", "`"}
    words = _words("".join(sign for sign in plain if sign not in marks and not unicodedata.combining(sign)))
    if len(words) > 1:
        words = [_SHORT.get(word, word) for word in words if word not in _SMALL]
    return tuple(sorted(words))


@cache
def _codes() -> dict[tuple[str, ...], str]:
    import pycountry  # noqa: PLC0415 - slow to import, and needed for postal addresses only

    codes = {
        _folded(text): country.alpha_2
        for country in pycountry.countries
        for name in ("alpha_2", "alpha_3", "name", "official_name", "common_name")
        if (text := getattr(country, name, None))
    }
    also = ((entry[:2], entry[3:]) for entry in _ALSO.strip().replace("\n", "|").split("|"))
    return codes | {_folded(name): code for code, names in also for name in names.split("/")}
