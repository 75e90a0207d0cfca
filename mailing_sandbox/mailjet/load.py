"""What a bulk job carries: rows that are read and written one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from mailing_sandbox.mailjet.values import fault_of_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailing_sandbox.mailjet.records import MailingList, Property
    from mailing_sandbox.mailjet.store import Store

SIMULATED = "Contact could not be imported"


class RowError(msgspec.Struct, frozen=True):
    """One row that was not loaded; `raw` is its line in a CSV file."""

    position: int
    email: str
    message: str
    column: str = ""
    raw: str = ""


class BadRow(ValueError):
    """A row cannot be loaded."""

    def __init__(self, message: str, column: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.column = column


class Load(Protocol):
    """The rows of one job."""

    total: int
    errors: list[RowError]

    def prepare(self) -> str | None:
        """Read the rows; return why the whole job must fail, or None."""

    def spoil(self, rows: Sequence[str | int]) -> None:
        """Make the rows of these addresses or positions fail."""

    def check(self) -> bool:
        """Gather the errors of a job that writes nothing if a row is bad; tell whether one is."""

    def apply(self, start: int, stop: int) -> None:
        """Write the rows of these positions, keeping the errors."""


class JsonLoad:
    """The contacts of a managemanycontacts call (Mailjet reference, bulk loading)."""

    def __init__(
        self, store: Store, contacts: list[Any], targets: Sequence[tuple[MailingList, str]], *, exclusion: bool
    ) -> None:
        self.total = len(contacts)
        self.errors: list[RowError] = []
        self._store = store
        self._contacts = contacts
        self._targets = targets
        self._exclusion = exclusion
        self._creates = not targets or any(action != "remove" for _, action in targets)
        self._spoiled: set[str | int] = set()
        self._seen: set[str] = set()

    def prepare(self) -> str | None:
        """Nothing can be wrong with a list of rows as a whole."""
        return None

    def spoil(self, rows: Sequence[str | int]) -> None:
        """Make the rows of these addresses or positions fail."""
        self._spoiled.update(row.lower() if isinstance(row, str) else row for row in rows)

    def check(self) -> bool:
        """Gather the errors without writing anything."""
        known = self._store.known_properties()
        for position, contact in enumerate(self._contacts):
            try:
                self._read(position, contact, known)
            except BadRow as error:
                self._refuse(position, contact, error)
        return bool(self.errors)

    def apply(self, start: int, stop: int) -> None:
        """Write the rows of these positions."""
        known = self._store.known_properties()
        now = self._store.now()
        for position in range(start, stop):
            contact = self._contacts[position]
            try:
                email, values = self._read(position, contact, known)
            except BadRow as error:
                self._refuse(position, contact, error)
            else:
                self._write(email, values, contact, now)

    def _refuse(self, position: int, contact: Any, error: BadRow) -> None:
        given = contact.get("Email", "") if isinstance(contact, dict) else ""
        self.errors.append(RowError(position, str(given), error.message, error.column))

    def _read(
        self, position: int, contact: Any, known: dict[str, Property]
    ) -> tuple[str, dict[int, str | None] | None]:
        """Check one row; return its address and its property values by column."""
        if not isinstance(contact, dict):
            raise BadRow("Contact is not an object")
        email = contact.get("Email")
        reason = fault_of_address(email)
        is_bad = reason is not None and self._store.switches.bad_addresses == "refused"
        if is_bad or not isinstance(email, str) or not email:
            raise BadRow(f'Invalid email address "{email}", reason: "{reason}"', "Email")
        if self._spoiled and (position in self._spoiled or email.lower() in self._spoiled):
            raise BadRow(SIMULATED)
        if "Name" in contact and not isinstance(contact["Name"], str | None):
            raise BadRow("Name is not a string", "Name")
        given = contact.get("Properties")
        if given is None or isinstance(given, str):  # JSON text is accepted and ignored, as users report
            return email, None
        if not isinstance(given, dict):
            raise BadRow("Properties is not an object", "Properties")
        values: dict[int, str | None] = {}
        for name, value in given.items():
            definition = known.get(self._store.property_key(name))
            if definition is None:
                raise BadRow("Property not defined", name)
            try:
                values[definition.column] = None if value is None else self._store.cast(definition, value)
            except ValueError as error:
                raise BadRow("Property type does not match definition", name) from error
        return email, values

    def _write(self, email: str, values: dict[int, str | None] | None, row: dict[str, Any], now: int) -> None:
        store = self._store
        key = store.fold(email)
        if store.switches.duplicates == "first":
            if key in self._seen:
                return
            self._seen.add(key)
        contact = store.by_email.get(key)
        if contact is None:
            if not self._creates and not store.switches.remove_creates_contact:
                return
            contact = store.add_contact(email, created=now)
        name = row.get("Name")
        if name or ("Name" in row and store.switches.empty_name == "clear"):
            contact.name = name or ""
        if self._exclusion and "IsExcludedFromCampaigns" in row:
            store.set_excluded(contact, str(row["IsExcludedFromCampaigns"]).lower() in ("true", "1"), now)
        if values:
            store.set_values(contact, values)
        for mailing_list, action in self._targets:
            store.act(mailing_list, contact, action, now)
