"""MPDX's mailing exports. MPDX does not list exports, so the run makes its own; each leaves a log entry in MPDX."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any

import msgspec

from mailing_api.errors import MailingError
from mailing_api.mpdx.client import MpdxClient
from mailing_api.mpdx.export import MailingExport
from tap_mailing.mpdx.contacts import address_country
from tap_mailing.records.columns import TEXT, Row, computed, identifier, integer, text, timestamp
from tap_mailing.streams.base import MailingStream

__all__ = ["ContactExportRows", "ContactExports"]

_PAGE = 1000


class _Exports:
    """The exports of a run, one for each account list, made at first use and shared by the two streams.

    A failed export is not tried again for the other stream, since each try leaves a log entry.
    """

    def __init__(self, client: MpdxClient) -> None:
        self._client = client
        self._made: dict[str, MailingExport | MailingError] = {}

    def __iter__(self) -> Iterator[tuple[MailingExport, Row]]:
        """Each export with its account list; the first failure is raised after the other exports."""
        failure: MailingError | None = None
        for account_list in self._client.account_lists():
            export = self._export(account_list["id"])
            if isinstance(export, MailingError):
                failure = failure or export
            else:
                yield export, account_list
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Delete the files."""
        for export in self._made.values():
            if isinstance(export, MailingExport):
                export.file.close()

    def _export(self, account_list: str) -> MailingExport | MailingError:
        if account_list not in self._made:
            try:
                self._made[account_list] = self._client.export(account_list)
            except MailingError as exc:
                self._made[account_list] = exc
        return self._made[account_list]


class _ExportStream(MailingStream[MpdxClient]):
    provider = "mpdx"
    selected_by_default = False
    leaves_trace = True

    def sample(self, _count: int) -> Sequence[Row]:
        """No rows: a single row needs a whole export."""
        return []

    def exports(self) -> Iterator[tuple[MailingExport, Row]]:
        """The run's exports, shared by the two streams."""
        return iter(self.connection.shared(_Exports))


def _filter(row: Row) -> str | None:
    value = (row.get("params") or {}).get("filter")
    return value if isinstance(value, str) or value is None else msgspec.json.encode(value).decode()


class ContactExports(_ExportStream):
    """The exports that this run made: one for each account list."""

    name = "mpdx_contact_exports"
    kind = "contact_exports"
    ignored = frozenset({"updated_at", "updated_in_db_at"})  # of the log entry, which does not change
    columns = (
        identifier("id", "id"),
        text("kind", "type"),
        computed("filter", ("params",), _filter),
        timestamp("created_at", "created_at"),
        timestamp("exported_at", "exported_at"),
        text("account_list_id", "account_list_id"),
        text("user_id", "user"),
        timestamp("export_at", "export_at"),
        integer("row_count", "row_count"),
    )

    def read(self, _since: str | None) -> Iterator[Sequence[Row]]:
        """The exports."""
        for export, _ in self.exports():
            yield [
                {
                    **export.ticket,
                    "exported_at": export.exported_at,
                    "account_list_id": export.account_list,
                    "row_count": export.row_count,
                }
            ]


_TITLES = (
    "Contact Name",
    "Greeting",
    "Envelope Greeting",
    "Mailing Street Address",
    "Mailing City",
    "Mailing State",
    "Mailing Postal Code",
    "Mailing Country",
    "Address Block",
)
_ADDRESS_TITLES = _TITLES[3:7]


def _country(row: Mapping[str, Any]) -> str | None:
    has_address = any(row.get(title) for title in (*_ADDRESS_TITLES, "Mailing Country"))
    return address_country(row.get("Mailing Country"), row.get("home_country")) if has_address else None


class ContactExportRows(_ExportStream):
    """The rows of the exports' files: households by name, without MPDX's IDs."""

    name = "mpdx_contact_export_rows"
    keys = ("account", "export_id", "row_number")
    ignored = frozenset({"home_country"})
    columns = (
        identifier("id", "row_id"),
        identifier("export_id", "export_id"),
        computed("row_number", ("row_number",), itemgetter("row_number"), {"type": "integer"}),
        text("account_list_id", "account_list_id"),
        timestamp("exported_at", "exported_at"),
        *(text(title.lower().replace(" ", "_"), title) for title in _TITLES),
        computed("country_code", ("Mailing Country", *_ADDRESS_TITLES), _country, TEXT),
    )

    def read(self, _since: str | None) -> Iterator[Sequence[Row]]:
        """All rows, in the order of the files; `row_number` counts from 1."""
        for export, account_list in self.exports():
            rows = enumerate(export.rows(), 1)
            shared = {
                "export_id": export.ticket["id"],
                "account_list_id": export.account_list,
                "exported_at": export.exported_at,
                "home_country": account_list.get("home_country"),
            }
            while page := list(islice(rows, _PAGE)):
                yield [
                    {**row, **shared, "row_id": f"{shared['export_id']}:{number}", "row_number": number}
                    for number, row in page
                ]
