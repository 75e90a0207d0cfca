"""Addresses: how they are standardised, and a verifier that answers from a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

AddressStatus = Literal["verified", "corrected", "failed"]
ADDRESS = ("addressLine1", "addressLine2", "city", "provinceOrState", "postalOrZip", "countryCode")
MAGIC: dict[str, AddressStatus] = {"test failed": "failed", "test corrected": "corrected"}
"""Descriptions that decide the status with a test key (PostGrid reference, test mode)."""

COMPLAINTS: dict[AddressStatus, str] = {
    "failed": "The address could not be found.",
    "corrected": "The address was corrected.",
}


class Verdict(NamedTuple):
    """What the verifier says of an address."""

    status: AddressStatus
    errors: str | None


def capitals(text: str) -> str:
    """Return a string in capitals, without needless blanks."""
    return " ".join(text.split()).upper()


def standardised(sent: Mapping[str, Any], *, merge_unit: bool = False) -> dict[str, str]:
    """Return the address of a contact as PostGrid keeps it; blank fields are omitted."""
    kept = {name: capitals(sent[name]) for name in ADDRESS if sent.get(name)}
    kept = {name: text for name, text in kept.items() if text}
    postal = kept.get("postalOrZip", "").replace(" ", "")
    if kept.get("countryCode") == "CA" and len(postal) == 6:
        kept["postalOrZip"] = f"{postal[:3]} {postal[3:]}"
    if merge_unit and "addressLine2" in kept:
        kept["addressLine1"] += " " + kept.pop("addressLine2")
    return kept


class Verifier:
    """Verifies addresses. Live ones are looked up in a table that tests fill; what it does not hold is verified."""

    def __init__(self) -> None:
        self._table: dict[str, Verdict] = {}

    def clear(self) -> None:
        """Forget the table."""
        self._table.clear()

    def teach(self, line: str, status: AddressStatus, errors: str | None = None) -> None:
        """Set the result for addresses with a first line, in any case."""
        self._table[capitals(line)] = Verdict(status, errors or COMPLAINTS.get(status))

    def verify(self, fields: Mapping[str, Any], *, live: bool) -> Verdict:
        """Return the result for a contact's address."""
        if fields.get("forceVerifiedStatus") or fields.get("skipVerification"):
            return Verdict("verified", None)
        if live:
            return self._table.get(capitals(str(fields.get("addressLine1", ""))), Verdict("verified", None))
        status = MAGIC.get(str(fields.get("description", "")), "verified")
        return Verdict(status, COMPLAINTS["failed"] if status == "failed" else None)
