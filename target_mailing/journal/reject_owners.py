"""Whose rejects are, by what their records tell and the journal knows."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from mailing_api.addresses import fold_address
from target_mailing.journal import tables
from target_mailing.journal.hashes import Hashes
from target_mailing.journal.keys import Keys
from target_mailing.journal.reject import Origin, Reject
from target_mailing.journal.statements import select_in

__all__ = ["with_owners"]


def with_owners(
    rejects: Sequence[Reject], connection: sa.Connection, keys: Keys, hashes: Hashes
) -> list[tuple[Reject, Origin]]:
    """Rejects of which it is known whose they are; where only the key is, by the contact that the key has.

    Args:
        rejects: as they came.
        connection: to the journal.
        keys: the addresses of keys.
        hashes: of the journal.
    """
    found = [(one, one.origin) for one in rejects if one.origin is not None]
    alone = [origin.key for _, origin in found if origin.key is not None and origin.contact is None]
    emails = keys.emails(alone) if alone else {}
    named = [origin.key for _, origin in found if origin.key is not None]
    shared_keys, table = set[bytes](), tables.shared_keys
    if named:
        shared_keys = {row.key for row in select_in(connection, sa.select(table), table.c.key, named)}
    for at, (reject, origin) in enumerate(found):
        if origin.key in shared_keys:
            origin = msgspec.structs.replace(origin, key=None)  # noqa: PLW2901
            found[at] = (msgspec.structs.replace(reject, origin=origin), origin)
        if origin.contact is None and origin.key is not None and (email := emails.get(origin.key)):
            contact = hashes.contact_ids(origin.destination)([fold_address(email)])[0]
            origin = msgspec.structs.replace(origin, contact=contact)  # noqa: PLW2901
            found[at] = (msgspec.structs.replace(reject, origin=origin), origin)
    return [one for one in found if one[1].key is not None or one[1].contact is not None]
