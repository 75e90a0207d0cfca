"""The members of a Mailjet list, from two listings: the memberships have no address, the contacts no opt-out."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing

from mailing_api.counted import counted
from mailing_api.errors import UnreadableAnswer
from mailing_api.mailjet.answers import Row, opted_out
from mailing_api.mailjet.client import MailjetClient
from mailing_api.values import integer
from target_mailing.list_members import Member

__all__ = ["members_of"]

logger = logging.getLogger("target-mailing.mailjet")

_TABLE = "CREATE TABLE members (contact INTEGER PRIMARY KEY, opted_out INTEGER NOT NULL)"
_PUT = "INSERT INTO members VALUES (?, ?) ON CONFLICT DO UPDATE SET opted_out = MAX(opted_out, excluded.opted_out)"


def members_of(client: MailjetClient, list_id: int) -> Iterator[Sequence[Member]]:
    """The members of a list, page by page.

    Mailjet ignores a filter that it does not know, so a contact only counts if a membership names this list and the
    contact. The memberships wait in a database without a name, which SQLite keeps on disk and which ends with this.

    Raises:
        MailingError: a call failed.
        UnreadableAnswer: a membership without a contact, or a contact without an address.
    """
    of_list = {"ContactsList": list_id}
    with closing(sqlite3.connect("", isolation_level=None)) as database:
        database.execute(_TABLE)
        for page in client.rows("listrecipient", params=of_list):
            rows = [_membership(row) for row in page if integer(row.get("ListID")) == list_id]
            database.execute("BEGIN")
            database.executemany(_PUT, rows)
            database.execute("COMMIT")
        without: int = database.execute("SELECT count(*) FROM members").fetchone()[0]
        for page in client.rows("contact", params=of_list):
            marks = ",".join("?" * len(page))
            query = f"SELECT contact, opted_out FROM members WHERE contact IN ({marks})"  # noqa: S608 - only marks
            found: dict[int, int] = dict(database.execute(query, [int(row["ID"]) for row in page]))
            without -= len(found)
            yield [Member(_address(row), bool(found[contact])) for row in page if (contact := int(row["ID"])) in found]
    if without > 0:
        logger.warning(
            "Mailjet lists %s of list %d without their contacts, so nothing is done with them",
            counted(without, "membership"),
            list_id,
        )


def _membership(row: Row) -> tuple[int, bool]:
    contact = integer(row.get("ContactID"))
    if contact is None:
        raise UnreadableAnswer("Mailjet listrecipient: a row without a usable ContactID.")
    return contact, opted_out(row) is not False


def _address(row: Row) -> str:
    if not isinstance(address := row.get("Email"), str) or not address:
        raise UnreadableAnswer("Mailjet contact: a row without an Email.")
    return address
