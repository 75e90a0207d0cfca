"""MPDX's streams; contacts, people and exports have modules of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from mailing_api.mpdx.client import MpdxClient
from tap_mailing.mpdx.contacts import Contacts
from tap_mailing.mpdx.exports import ContactExportRows, ContactExports
from tap_mailing.mpdx.people import People
from tap_mailing.mpdx.stream import MpdxStream
from tap_mailing.records.columns import Row, identifier, text, timestamp
from tap_mailing.streams.base import MailingStream

__all__ = ["STREAMS"]


class AccountLists(MailingStream[MpdxClient]):
    """The account lists that the tap reads. An account list is one missionary's workspace."""

    name = "mpdx_account_lists"
    provider = "mpdx"
    columns = (
        identifier("id", "id"),
        text("name", "name"),
        text("home_country", "home_country"),
        timestamp("created_at", "created_at"),
        timestamp("updated_at", "updated_at"),
    )

    def read(self, _since: str | None) -> Iterator[Sequence[Row]]:
        """All account lists."""
        yield self.client.account_lists()

    def sample(self, count: int) -> Sequence[Row]:
        """The first account lists."""
        return self.client.account_lists()[:count]


class DeletedContacts(MpdxStream):
    """Contacts that were deleted, or merged into other contacts, since June 2018 when MPDX began to record them."""

    name = "mpdx_deleted_contacts"
    path = "deleted_records"
    type = "deleted_records"
    bookmark_column = "deleted_at"
    since_filter = "since_date"
    since_field = "deleted_at"
    columns = (
        identifier("id", "id"),
        text("contact_id", "deletable_id"),
        text("account_list_id", "deleted_from_id"),
        timestamp("deleted_at", "deleted_at"),
        text("deleted_by_id", "deleted_by"),
        timestamp("created_at", "created_at"),
        timestamp("updated_at", "updated_at"),
    )

    def filters(self) -> dict[str, str]:
        """Contacts only."""
        return {"types": "Contact"}


STREAMS: Final = (AccountLists, Contacts, People, DeletedContacts, ContactExports, ContactExportRows)
