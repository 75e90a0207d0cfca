"""CSV files: the rows of a csvimport, and the file of those that failed (Mailjet reference, CSV rules)."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from mailing_sandbox.mailjet.load import SIMULATED, BadRow, RowError
from mailing_sandbox.mailjet.store import MAX_PROPERTIES
from mailing_sandbox.mailjet.values import fault_of_address, in_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailing_sandbox.mailjet.records import Contact, MailingList, Property
    from mailing_sandbox.mailjet.store import Store

JSON_ENCODED = "List index (0) out of bounds"
NO_EMAIL = "Email column not found"
CRITICAL = "Stopped by a critical error"
DATE_PARTS = {"yyyy": "%Y", "yy": "%y", "mm": "%m", "dd": "%d", "hh": "%H", "nn": "%M", "ss": "%S"}


class Options(msgspec.Struct, frozen=True):
    """The document inside the string ImportOptions; `TimezoneOffset` is in hours."""

    DateTimeFormat: str = ""
    TimezoneOffset: int = 0
    FieldNames: list[str] = []


class CsvLoad:
    """The rows of one uploaded file."""

    def __init__(
        self, store: Store, content: bytes, method: str, mailing_list: MailingList | None, options: Options
    ) -> None:
        self.total = 0
        self.errors: list[RowError] = []
        self.header: list[str] = []
        self._store = store
        self._content = content
        self._method = method
        self._list = mailing_list
        self._options = options
        self._rows: list[tuple[list[str], str]] = []
        self._columns: list[Property | None] = []
        self._seen: set[str] = set()
        self._spoiled: set[str | int] = set()
        self._pattern = pattern(options.DateTimeFormat)

    def prepare(self) -> str | None:
        """Read the file; a whole file fails for want of an e-mail column, or when it came JSON-encoded."""
        text = self._content.decode("utf-8-sig", "replace")
        if text.startswith('"') and "\\n" in text:
            return JSON_ENCODED
        try:
            rows = records(text)
        except csv.Error as error:
            return f"{CRITICAL}: {error}"
        if self._options.FieldNames:
            self.header = list(self._options.FieldNames)
        elif rows:
            self.header = [cell.strip() for cell in rows.pop(0)[0]]
        self._rows = rows
        self.total = len(rows)
        if not any(name.lower() == "email" for name in self.header):
            return NO_EMAIL
        known = {each.name: each for each in self._store.properties.rows if each.namespace == "static"}
        folded = self._store.property_key
        new = [folded(name) for name in self.header if name.lower() != "email" and folded(name) not in known]
        if len(known) + len(new) > MAX_PROPERTIES:
            return f"The number of properties ({len(known) + len(new) + 1}) exceeds the limit of 200"
        for name in dict.fromkeys(new):
            known[name] = self._store.add_property(name)
        self._columns = [None if name.lower() == "email" else known[folded(name)] for name in self.header]
        return None

    def spoil(self, rows: Sequence[str | int]) -> None:
        """Make the rows of these addresses or positions fail."""
        self._spoiled.update(row.lower() if isinstance(row, str) else row for row in rows)

    def check(self) -> bool:
        """Bad rows never keep a CSV job from writing the others."""
        return False

    def apply(self, start: int, stop: int) -> None:
        """Write the rows of these positions."""
        now = self._store.now()
        for position in range(start, stop):
            cells, raw = self._rows[position]
            try:
                email, values = self._read(position, cells)
            except BadRow as error:
                place = self._columns.index(None)
                email = cells[place].strip() if place < len(cells) else ""
                self.errors.append(RowError(position, email, error.message, error.column, raw))
            else:
                self._write(email, values, now)

    def _read(self, position: int, cells: list[str]) -> tuple[str, dict[int, str | None]]:
        if len(cells) != len(self.header):
            raise BadRow(f"Too {'few' if len(cells) < len(self.header) else 'many'} columns at line")
        place = self._columns.index(None)
        email = cells[place].strip()
        if fault_of_address(email) is not None and (not email or self._store.switches.bad_addresses == "refused"):
            raise BadRow("Wrong email format", self.header[place])
        key = self._store.fold(email)
        if key in self._seen:
            raise BadRow("Duplicated email", self.header[place])
        if self._spoiled and (position in self._spoiled or email.lower() in self._spoiled):
            raise BadRow(SIMULATED)
        values: dict[int, str | None] = {}
        for definition, cell in zip(self._columns, cells, strict=True):
            if definition is None:
                continue
            if not cell:
                if self._store.switches.empty_cell == "clear":
                    values[definition.column] = None
                continue
            try:
                values[definition.column] = self._store.cast(definition, self._moment(definition, cell))
            except ValueError as error:
                raise BadRow("Value could not be converted", definition.name) from error
        self._seen.add(key)
        return email, values

    def _moment(self, definition: Property, cell: str) -> str:
        """Return a cell, with a moment brought from the file's format to RFC 3339."""
        if definition.datatype != "datetime":
            return cell
        if not self._pattern:
            raise ValueError("datetimes need ImportOptions with a DateTimeFormat")
        try:
            moment = datetime.strptime(cell, self._pattern).replace(tzinfo=UTC)
            return in_seconds(moment - timedelta(hours=self._options.TimezoneOffset))
        except (OverflowError, re.error) as error:
            raise ValueError(f"{cell!r} does not fit {self._options.DateTimeFormat!r}") from error

    def _contact(self, email: str, now: int) -> Contact | None:
        store = self._store
        contact = store.by_email.get(store.fold(email))
        if contact is None and (self._method != "remove" or store.switches.remove_creates_contact):
            contact = store.add_contact(email, created=now)
        return contact

    def _write(self, email: str, values: dict[int, str | None], now: int) -> None:
        contact = self._contact(email, now)
        if contact is None:
            return
        if values:
            self._store.set_values(contact, values)
        if self._method in ("excludemarketing", "includemarketing"):
            self._store.set_excluded(contact, self._method == "excludemarketing", now)
        elif self._list is not None:
            self._store.act(self._list, contact, self._method, now)


def pattern(form: str) -> str:
    """Translate Mailjet's DateTimeFormat into strptime's; an empty one stays empty."""
    for part, directive in DATE_PARTS.items():
        form = form.replace(part, directive)
    return form


def records(text: str) -> list[tuple[list[str], str]]:
    """Split CSV text into rows of cells, each with the text it came from; blank lines are skipped."""
    lines = list(io.StringIO(text, newline=""))
    reader = csv.reader(lines)
    rows: list[tuple[list[str], str]] = []
    start = 0
    for cells in reader:
        if cells:
            rows.append((cells, "".join(lines[start : reader.line_num]).rstrip("\r\n")))
        start = reader.line_num
    return rows


def error_file(header: Sequence[str] | None, errors: Sequence[RowError]) -> str:
    """Return the CSV error file: only the rows that failed, each with its reason as one cell more."""
    lines = [] if header is None else [",".join([*header, "error"])]
    for error in errors:
        column = f"###{error.column}" if error.column else ""
        lines.append(f"{error.raw}, ###{error.message}{column}")
    return "\n".join(lines) + "\n"


def options_of(text: Any) -> Options:
    """Read ImportOptions; ValueError when it is no such document or its offset is beyond -12 to 12."""
    if text in (None, ""):
        return Options()
    if not isinstance(text, str):
        raise ValueError("ImportOptions must be a string holding a JSON document")
    try:
        options = msgspec.json.decode(text, type=Options, strict=False)
    except msgspec.DecodeError as error:
        raise ValueError(f"ImportOptions: {error}") from error
    if not -12 <= options.TimezoneOffset <= 12:
        raise ValueError("ImportOptions: TimezoneOffset must lie between -12 and 12")
    return options
