"""Which address of a contact is used, and how it is set for the country it goes to (MPDX reference, Address Block)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailing_sandbox.mpdx.records import Address, Contact

COUNTRIES = {
    "united states": "US", "united states of america": "US", "usa": "US", "canada": "CA", "australia": "AU",
    "china": "CN", "india": "IN", "brazil": "BR", "belarus": "BY", "mexico": "MX", "slovakia": "SK", "italy": "IT",
    "israel": "IL", "denmark": "DK", "finland": "FI", "france": "FR", "germany": "DE", "greece": "GR", "norway": "NO",
    "spain": "ES", "sweden": "SE", "turkey": "TR", "cyprus": "CY", "portugal": "PT", "north macedonia": "MK",
    "bosnia and herzegovina": "BA", "kuwait": "KW", "syria": "SY", "oman": "OM", "estonia": "EE", "luxembourg": "LU",
    "belgium": "BE", "iceland": "IS", "switzerland": "CH", "austria": "AT", "moldova": "MD", "montenegro": "ME",
    "serbia": "RS", "bulgaria": "BG", "georgia": "GE", "poland": "PL", "armenia": "AM", "croatia": "HR",
    "romania": "RO", "azerbaijan": "AZ", "ecuador": "EC", "netherlands": "NL", "united kingdom": "GB", "russia": "RU",
    "ukraine": "UA", "jordan": "JO", "lebanon": "LB", "iran": "IR", "saudi arabia": "SA", "new zealand": "NZ",
    "ireland": "IE", "hong kong": "HK", "iraq": "IQ", "yemen": "YE", "qatar": "QA", "albania": "AL",
    "united arab emirates": "AE", "japan": "JP", "egypt": "EG", "south africa": "ZA", "isle of man": "IM",
    "kazakhstan": "KZ", "hungary": "HU", "latvia": "LV", "lithuania": "LT", "slovenia": "SI", "czech republic": "CZ",
    "kenya": "KE", "nigeria": "NG", "philippines": "PH", "south korea": "KR", "thailand": "TH",
}  # fmt: skip
CODES = frozenset(COUNTRIES.values())

DOMESTIC = "{c} {r}  {p}"
STYLES = {
    "CN IN": "{c}, {r}  {p}",
    "BR BY": "{p} {c}-{r}",
    "MX SK": "{p} {c}, {r}",
    "IT": "{p} {c} {r}",
    "IL DK FI FR DE GR NO ES SE TR CY PT MK BA KW SY OM EE LU BE IS CH AT MD ME RS BG GE PL AM HR RO AZ EC": "{p} {c}",
    "NL": "{p}  {c}",
    "GB RU UA JO LB IR SA NZ": "{c}  {p}",
    "IE": "{c}, {r}\n{p}",
    "HK IQ YE QA AL": "{c}",
    "AE": "{p}\n{c}",
    "JP": "{c}, {r}\n{p}",
    "EG ZA IM KZ HU": "{c}\n{p}",
    "LV": "{c}, LV-{p}",
    "LT": "LT-{p} {c}",
    "SI": "SI-{p} {c}",
    "CZ": "{p} {r}\n{c}",
}
CITY_LINES = {code: style for codes, style in STYLES.items() for code in codes.split()}


def mailing_address(contact: Contact) -> Address | None:
    """Return the primary mailing address, else the first one; never a historic one."""
    current = [address for address in contact.addresses if not address.historic]
    return next((address for address in current if address.primary_mailing_address), next(iter(current), None))


def country_code(name: str | None) -> str | None:
    """Return the ISO code of an English name or of a code."""
    known = COUNTRIES.get((name or "").strip().lower())
    return known or ((name or "").upper() if (name or "").upper() in CODES else None)


def street(address: Address | None) -> str | None:
    """Return the street as exports write it."""
    if address is None or address.street is None:
        return None
    return address.street.replace("\r\n", "\n").strip()


def country_cell(address: Address | None, home: str | None) -> str | None:
    """Return the country; an empty text where it is that of the account list."""
    if address is None or address.country is None:
        return None
    return "" if address.country == home else address.country


def block(addressee: str, address: Address | None, home: str | None) -> str:
    """Return the lines of an envelope."""
    parts = dict.fromkeys("crp", "")
    code = None
    lines = [addressee]
    if address is not None:
        parts = {"c": address.city or "", "r": address.state or "", "p": address.postal_code or ""}
        code = country_code(address.country)
        lines += re.split("\n", street(address) or "")
    lines += CITY_LINES.get(code or "", DOMESTIC).format(**parts).split("\n")
    if address is not None and code is not None and code != (country_code(home) or "US"):
        lines.append((address.country or "").upper() if len(address.country or "") > 2 else code)
    return "\n".join(line for line in lines if line)
