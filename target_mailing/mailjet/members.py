"""The members of a Mailjet list, from two listings: the memberships have no address, the contacts no opt-out."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing

import msgspec

from mailing_api.counted import counted
from mailing_api.errors import UnreadableAnswer
from mailing_api.mailjet.answers import Row, opted_out, valued_rows
from mailing_api.mailjet.client import MailjetClient
from mailing_api.values import boolean, integer
from target_mailing.interface.list_members import Held, Member

__all__ = ["held_by", "members_of"]

logger = logging.getLogger("target-mailing.mailjet")

_TABLE = "CREATE TABLE members (contact INTEGER PRIMARY KEY, opted_out INTEGER NOT NULL)"
_PUT = "INSERT INTO members VALUES (?, ?) ON CONFLICT DO UPDATE SET opted_out = MAX(opted_out, excluded.opted_out)"


def members_of(client: MailjetClient, list_id: int) -> Iterator[Sequence[Member]]:
    """The members of a list, page by page; errors are those of `held_by`."""
    with closing(sqlite3.connect("", isolation_level=None)) as database:
        for page in _contacts(client, list_id, database):
            yield [Member(_address(row), has_opted_out) for row, has_opted_out in page]


def held_by(client: MailjetClient, list_id: int, *, with_properties: bool) -> Iterator[Sequence[Held]]:
    """The members of a list with their names and, if these are needed, their properties, page by page.

    Raises:
        MailingError: a call failed.
        UnreadableAnswer: a membership without a contact, or a contact without an address.
    """
    with closing(sqlite3.connect("", isolation_level=None)) as database:
        if with_properties:
            _read_properties(client, list_id, database)
        for page in _contacts(client, list_id, database):
            values = _properties(page, database) if with_properties else {}
            yield [
                Held(
                    _address(row),
                    _opt_out(row, has_opted_out=has_opted_out),
                    msgspec.json.encode((row.get("Name"), values.get(int(row["ID"]), {}))),
                    "spam_complaint" if _is(row, "IsSpamComplaining") else "",
                )
                for row, has_opted_out in page
            ]


def _contacts(
    client: MailjetClient, list_id: int, database: sqlite3.Connection
) -> Iterator[Sequence[tuple[Row, bool]]]:
    """The contacts of a list, each with whether it opted out of the list.

    Mailjet ignores a filter that it does not know, so a contact only counts if a membership names this list and the
    contact. The memberships wait in a database without a name, which SQLite keeps on disk and which ends with this.
    """
    of_list = {"ContactsList": list_id}
    database.execute(_TABLE)
    for page in client.rows("listrecipient", params=of_list):
        rows = [_membership(row) for row in page if integer(row.get("ListID")) == list_id]
        database.execute("BEGIN")
        database.executemany(_PUT, rows)
        database.execute("COMMIT")
    without: int = database.execute("SELECT count(*) FROM members").fetchone()[0]
    for page in client.rows("contact", params=of_list):
        query = f"SELECT contact, opted_out FROM members WHERE contact IN ({_marks(page)})"  # noqa: S608 - only marks
        found: dict[int, int] = dict(database.execute(query, [int(row["ID"]) for row in page]))
        without -= len(found)
        yield [(row, bool(found[contact])) for row in page if (contact := int(row["ID"])) in found]
    if without > 0:
        logger.warning(
            "Mailjet lists %s of list %d without their contacts, so nothing is done with them",
            counted(without, "membership"),
            list_id,
        )


def _read_properties(client: MailjetClient, list_id: int, database: sqlite3.Connection) -> None:
    database.execute("CREATE TABLE properties (contact INTEGER PRIMARY KEY, found BLOB NOT NULL)")
    for page in client.rows("contactdata", params={"ContactsList": list_id}, read=valued_rows):
        database.execute("BEGIN")
        database.executemany(
            "INSERT OR REPLACE INTO properties VALUES (?, ?)",
            [(int(row["ID"]), msgspec.json.encode(row["Data"])) for row in page if row["Data"]],
        )
        database.execute("COMMIT")


def _properties(page: Sequence[tuple[Row, bool]], database: sqlite3.Connection) -> dict[int, Row]:
    """The properties of some contacts, by their IDs."""
    query = f"SELECT contact, found FROM properties WHERE contact IN ({_marks(page)})"  # noqa: S608 - only marks
    rows = database.execute(query, [int(row["ID"]) for row, _ in page])
    return {contact: msgspec.json.decode(found) for contact, found in rows}


def _marks(page: Sequence[object]) -> str:
    return ",".join("?" * len(page))


def _opt_out(row: Row, *, has_opted_out: bool) -> str:
    """How a contact opted out: an exclusion is for all lists.

    Raises:
        UnreadableAnswer: that does not show.
    """
    if _is(row, "IsExcludedFromCampaigns"):
        return "excluded"
    return "unsubscribed" if has_opted_out else ""


def _is(row: Row, flag: str) -> bool:
    """Whether a contact has a flag.

    Raises:
        UnreadableAnswer: that does not show.
    """
    try:
        return bool(boolean(row.get(flag)))
    except ValueError:
        raise UnreadableAnswer(f"Mailjet contact: {flag} is neither true nor false.") from None


def _membership(row: Row) -> tuple[int, bool]:
    contact = integer(row.get("ContactID"))
    if contact is None:
        raise UnreadableAnswer("Mailjet listrecipient: a row without a usable ContactID.")
    return contact, opted_out(row) is not False


def _address(row: Row) -> str:
    if not isinstance(address := row.get("Email"), str) or not address:
        raise UnreadableAnswer("Mailjet contact: a row without an Email.")
    return address
