"""An audience of Example Mail as a destination."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec

from examplemail.client import ExampleMailClient
from examplemail.steps import ACTIONS, End, Follow, LookUp, ReadResults, Submit
from target_mailing.contacts import values
from target_mailing.contacts.contact import EncodedContact, MappedContact
from target_mailing.contacts.fields import AnyName, Field, Fields
from target_mailing.contacts.row_address import require_valid
from target_mailing.interface.destination import Destination, Step

__all__ = ["Audience"]

#: Equal contacts are equal bytes.
_encode = msgspec.json.Encoder(order="deterministic").encode
_ADDING: Final = frozenset({"addnoforce", "addforce"})
_FIELDS: Final = Fields(
    columns=dict.fromkeys(("name", "first_name", "last_name"), Field(values.text)),
    properties=AnyName(Field(values.json_value)),
)


class Audience(Destination):
    """One audience."""

    actions = ACTIONS
    fields = _FIELDS

    def __init__(self, client: ExampleMailClient, number: str, *, only_oldest: bool) -> None:
        """Take the audience's ID."""
        self._client = client
        self._number = number
        self._only_oldest = only_oldest
        self.name = f"examplemail:{client.account}:{client.workspace}:{number}"

    @property
    def places(self) -> Collection[str]:
        """The audience."""
        return [self._number]

    def encode(self, contact: MappedContact, action: str) -> bytes:
        """A line of a job, but for the contact's ID. Only who is written needs more than an address."""
        found: dict[str, Any] = {"email": contact.email}
        if action in {*_ADDING, ACTIONS.unsubscribe}:
            columns = contact.columns
            parts = [columns[part] for part in ("first_name", "last_name") if columns.get(part)]
            if name := columns.get("name") or " ".join(parts):
                found["full_name"] = name
            if contact.properties:
                found["fields"] = contact.properties
        if action in _ADDING:
            require_valid(contact.email or "")
        return _encode(found)

    def overlay(self, earlier: bytes, later: bytes) -> bytes:
        """What a line does not have stays, so the later one is laid over the earlier."""
        below, above = msgspec.json.decode(earlier), msgspec.json.decode(later)
        fields = {**below.get("fields", {}), **above.get("fields", {})}
        return _encode({**below, **above, **({"fields": fields} if fields else {})})

    def parts(self, action: str, rows: Sequence[EncodedContact]) -> Sequence[tuple[str, Sequence[int]]]:
        """One job."""
        return [("job", range(len(rows)))]

    def steps(self, action: str, route: str) -> Sequence[Step]:
        """Find the contacts, start the job, follow it, read what became of each line."""
        look = LookUp(self._client, self._number, only_oldest=self._only_oldest)
        if action == ACTIONS.ask:
            return (look,)
        return (
            look,
            Submit(self._client, self._number),
            Follow(self._client),
            ReadResults(self._client),
            End(),
        )
