"""CSV files of imports: which columns mean what, and which rows are people that mail can reach."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from mailing_sandbox.postgrid.countries import COUNTRIES

if TYPE_CHECKING:
    from collections.abc import Iterator

FIELDS = (
    "description", "firstName", "lastName", "email", "phoneNumber", "companyName", "addressLine1", "addressLine2",
    "jobTitle", "city", "postalOrZip", "provinceOrState", "countryCode",
)  # fmt: skip
"""What an address mapping may name."""


class Mappings(msgspec.Struct, frozen=True):
    """Fields and the columns that hold them; None where a mapping was not given."""

    receiver: dict[str, str]
    receiver_variables: dict[str, str] | None = None
    sender: dict[str, str] | None = None
    sender_variables: dict[str, str] | None = None

    def shown(self) -> dict[str, dict[str, str]]:
        """Return the mappings that were given, as requests and answers call them."""
        found = {
            "receiverAddressMapping": self.receiver,
            "receiverMergeVariableMapping": self.receiver_variables,
            "senderAddressMapping": self.sender,
            "senderMergeVariableMapping": self.sender_variables,
        }
        return {name: mapping for name, mapping in found.items() if mapping is not None}


class Row(NamedTuple):
    """One row: its number in the file (the header is 1), its contacts, and what is wrong with it."""

    number: int
    receiver: dict[str, str]
    sender: dict[str, str] | None
    variables: dict[str, str]
    fault: str | None


def rows(content: bytes, mappings: Mappings) -> Iterator[Row]:
    """Read a file. A column that it does not have is empty in every row; csv.Error when it is no CSV."""
    reader = csv.reader(io.StringIO(content.decode("utf-8-sig", "replace"), newline=""), strict=True)
    header = next(reader, [])
    places = {title: place for place, title in reversed(list(enumerate(header)))}
    receiver = columns(mappings.receiver, places)
    sender = None if mappings.sender is None else columns(mappings.sender, places)
    variables = columns(mappings.receiver_variables or {}, places)
    for number, cells in enumerate(reader, 2):
        if not any(cells):
            continue
        person = picked(receiver, cells)
        other = None if sender is None else picked(sender, cells)
        fault = fault_of(person)
        if fault is None and other is not None and (wrong := fault_of(other)) is not None:
            fault = f"sender: {wrong}"
        yield Row(number, person, other, picked(variables, cells), fault)


def columns(mapping: dict[str, str], places: dict[str, int]) -> list[tuple[str, int]]:
    """Return each field with the position of its column, where the file has it."""
    return [(name, places[title]) for name, title in mapping.items() if title in places]


def picked(wanted: list[tuple[str, int]], cells: list[str]) -> dict[str, str]:
    """Return the cells that are not blank, by field."""
    return {name: text for name, place in wanted if place < len(cells) and (text := cells[place].strip())}


def fault_of(person: dict[str, Any]) -> str | None:
    """Return why a person cannot be mailed, None when nothing speaks against it."""
    if "addressLine1" not in person:
        return "no address line 1"
    if person.get("countryCode", "").upper() not in COUNTRIES:
        return "no two-letter country code"
    if "firstName" not in person and "companyName" not in person:
        return "neither first name nor company name"
    return None
