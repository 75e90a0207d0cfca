"""The objects of import jobs: rows that are read and written one by one (SES reference, import file formats)."""

from __future__ import annotations

import csv
import io
import random
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec

from mailing_sandbox.ses.records import Contact, Suppression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailing_sandbox.ses.account import Region
    from mailing_sandbox.ses.records import ContactList, Status

PREFERENCE = "topicPreferences."
COLUMNS = ("emailAddress", "unsubscribeAll", "attributesData")
STATUSES = ("OPT_IN", "OPT_OUT")
REASONS = ("BOUNCE", "COMPLAINT")
MARK = b"\xef\xbb\xbf"
SIMULATED = "The record could not be imported"


class Failure(NamedTuple):
    """One record that was not imported; `raw` is its line, `position` counts records from 0."""

    position: int
    raw: str
    email: str
    reason: str


class BadRecord(ValueError):
    """A record cannot be imported."""


class BadObject(Exception):
    """The whole object cannot be imported."""


class Row(NamedTuple):
    """One record read; None means that the member was not given."""

    email: str
    unsubscribed: bool | None = None
    attributes: str | None = None
    preferences: dict[str, Status] | None = None
    reason: str = ""


class Load:
    """The records of one object on their way into a contact list or the suppression list."""

    def __init__(self, region: Region, content: bytes, data_format: str, action: str, name: str | None) -> None:
        self.failures: list[Failure] = []
        self._region = region
        self._action = action
        self._list_name = name
        self._header: list[str] = []
        self._spoiled: set[str | int] = set()
        switches = region.switches
        if content.startswith(MARK) and switches.ses_byte_order_mark == "accepted":
            content = content[len(MARK) :]
        self._json = data_format == "JSON"
        self._records: Sequence[bytes | list[str]] = (
            [line for line in content.split(b"\n") if line.strip()] if self._json else self._cells(content)
        )
        if not self._json and name is not None:
            self._take_header()
        self.total = len(self._records)
        self._order = list(range(self.total))
        if switches.ses_row_order == "shuffled":
            random.Random(self.total).shuffle(self._order)

    def _cells(self, content: bytes) -> list[list[str]]:
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            raise BadObject("The file is not encoded in UTF-8") from error
        if self._region.switches.ses_csv_quoting == "none":
            return [line.split(",") for line in text.splitlines() if line.strip()]
        try:
            return [row for row in csv.reader(io.StringIO(text, newline="")) if row]
        except csv.Error as error:
            raise BadObject("The file is not valid CSV") from error

    def _take_header(self) -> None:
        if not self._records:
            raise BadObject("The file has no header")
        self._header = list(cast("list[str]", self._records[0]))
        self._records = self._records[1:]
        if "emailAddress" not in self._header:
            raise BadObject("The header has no column emailAddress")
        if len({*self._header}) < len(self._header):
            raise BadObject("The header names a column twice")
        for column in self._header:
            if column not in COLUMNS and not column.startswith(PREFERENCE):
                raise BadObject(f"The header has an unknown column: {column}")

    def limit(self) -> int:
        """Return how many records one object may hold, 0: any number."""
        switches = self._region.switches
        if self._list_name is not None:
            return switches.ses_max_contacts_put if self._action == "PUT" else switches.ses_max_contacts_delete
        return switches.ses_max_suppressions_put if self._action == "PUT" else switches.ses_max_suppressions_delete

    def spoil(self, rows: Sequence[str | int]) -> None:
        """Make the records of these addresses or positions fail."""
        self._spoiled.update(row.lower() if isinstance(row, str) else row for row in rows)

    def apply(self, start: int, stop: int) -> None:
        """Import some of the records, keeping the failures. BadObject when the list is gone."""
        region = self._region
        contacts: ContactList | None = None
        if self._list_name is not None:
            contacts = region.contact_list
            if contacts is None or contacts.name != self._list_name:
                raise BadObject(f"ContactList {self._list_name} doesn't exist")
        for position in self._order[start:stop]:
            email = ""
            try:
                row = self._read(self._records[position])
                email = row.email
                self._check(position, row, contacts)
                if contacts is not None:
                    self._write_contact(contacts, row)
                else:
                    self._write_suppression(row)
            except BadRecord as error:
                self.failures.append(Failure(position, self._raw(position), email, str(error)))

    def _raw(self, position: int) -> str:
        record = self._records[position]
        if isinstance(record, bytes):
            return record.decode("utf-8", "replace")
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(record)
        return line.getvalue()

    # reading

    def _read(self, record: bytes | list[str]) -> Row:
        if isinstance(record, bytes):
            return self._from_json(record)
        return self._from_suppression_cells(record) if self._list_name is None else self._from_contact_cells(record)

    def _check(self, position: int, row: Row, contacts: ContactList | None) -> None:
        if self._region.refuses(row.email):
            raise BadRecord(f"Invalid email address: {row.email}")
        if self._spoiled and (position in self._spoiled or row.email.lower() in self._spoiled):
            raise BadRecord(SIMULATED)
        if contacts is None:
            if self._action == "PUT" and row.reason not in REASONS:
                raise BadRecord(f"Invalid reason: {row.reason}")
            return
        for topic, status in (row.preferences or {}).items():
            if topic not in contacts.topics:
                raise BadRecord(f"Unknown topic: {topic}")
            if status not in STATUSES:
                raise BadRecord(f"Invalid subscription status: {status}")
        checked = self._region.switches.ses_attributes_checked
        if checked and row.attributes is not None and not is_object(row.attributes):
            raise BadRecord("attributesData is not a JSON object")

    def _from_json(self, line: bytes) -> Row:
        try:
            record = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadRecord("The line is not valid JSON") from error
        if not isinstance(record, dict):
            raise BadRecord("The line is not a JSON object")
        email = record.get("emailAddress")
        if not isinstance(email, str):
            raise BadRecord("emailAddress is missing or not a string")
        if self._list_name is None:
            return Row(email, reason=str(record.get("reason", "")))
        unsubscribed, attributes = record.get("unsubscribeAll"), record.get("attributesData")
        if not isinstance(unsubscribed, bool | None):
            raise BadRecord("unsubscribeAll is not a boolean")
        if not isinstance(attributes, str | None):
            raise BadRecord("attributesData is not a string")
        return Row(email, unsubscribed, attributes, _preferences(record.get("topicPreferences")))

    def _from_contact_cells(self, cells: list[str]) -> Row:
        if len(cells) != len(self._header):
            raise BadRecord(f"The line has {len(cells)} columns, the header {len(self._header)}")
        given = dict(zip(self._header, cells, strict=True))
        word = given.get("unsubscribeAll", "")
        if word not in ("", "true", "false"):
            raise BadRecord(f"unsubscribeAll is not a boolean: {word}")
        topics = {
            name.removeprefix(PREFERENCE): cast("Status", cell)
            for name, cell in given.items()
            if name.startswith(PREFERENCE) and cell
        }
        unsubscribed = None if not word else word == "true"
        return Row(given["emailAddress"], unsubscribed, given.get("attributesData") or None, topics or None)

    def _from_suppression_cells(self, cells: list[str]) -> Row:
        width = 2 if self._action == "PUT" else 1
        if len(cells) != width:
            raise BadRecord(f"The line has {len(cells)} columns, not {width}")
        return Row(cells[0], reason=cells[1] if width == 2 else "")

    # writing

    def _write_contact(self, contacts: ContactList, row: Row) -> None:
        region = self._region
        key = region.contact_key(row.email)
        contact = contacts.contacts.get(key)
        if self._action == "DELETE":
            if contact is None:
                raise BadRecord("The contact does not exist")
            contacts.contacts.remove(key)
            return
        now = region.now()
        if contact is None:
            contact = Contact(number=contacts.contacts.next_number(), email=key, created=now, updated=now)
            contacts.contacts.add(key, contact)
        before = (contact.unsubscribed, contact.attributes, contact.preferences)
        if region.switches.ses_import_put == "replace":
            contact.unsubscribed = bool(row.unsubscribed)
            contact.attributes = row.attributes
            contact.preferences = dict(row.preferences or {})
        else:
            contact.unsubscribed = contact.unsubscribed if row.unsubscribed is None else row.unsubscribed
            contact.attributes = row.attributes or contact.attributes
            contact.preferences = contact.preferences | (row.preferences or {})
        after = (contact.unsubscribed, contact.attributes, contact.preferences)
        if region.switches.ses_noop_import_touches or before != after:
            contact.updated = now

    def _write_suppression(self, row: Row) -> None:
        table = self._region.suppressed(None)
        if self._action == "DELETE":
            if not table.remove(self._region.suppression_key(row.email)):
                raise BadRecord("The address is not on the suppression list")
            return
        suppress(self._region, row.email, row.reason, self._region.now())


def suppress(region: Region, email: str, reason: str, now: float, *, tenant: str | None = None) -> Suppression:
    """Put an address on a suppression list, or change what is there."""
    key = region.suppression_key(email)
    table = region.suppressed(tenant)
    row = table.get(key)
    if row is None:
        row = Suppression(number=table.next_number(), email=key, reason=reason, added=now, updated=now)
        table.add(key, row)
    row.reason = reason
    row.updated = now
    return row


def is_object(text: str) -> bool:
    """Tell whether a string is a JSON object."""
    try:
        return isinstance(msgspec.json.decode(text), dict)
    except (msgspec.DecodeError, RecursionError):
        return False


def _preferences(given: Any) -> dict[str, Status] | None:
    if given is None:
        return None
    if not isinstance(given, list):
        raise BadRecord("topicPreferences is not a list")
    found: dict[str, Status] = {}
    for each in given:
        if not isinstance(each, dict) or not all(
            isinstance(each.get(name), str) for name in ("topicName", "subscriptionStatus")
        ):
            raise BadRecord("topicPreferences has an entry without topicName and subscriptionStatus")
        found[each["topicName"]] = each["subscriptionStatus"]
    return found
