"""What a journal says of itself: its version, the key of its hashes, and whether it may forget contacts."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

import sqlalchemy as sa

from target_mailing.journal import tables
from target_mailing.journal.sealing import KEY_SIZE, SealError, seal, unseal
from target_mailing.journal.stores import JournalError

__all__ = ["JournalMeta"]

#: Of a journal in which the key of the hashes is open, and of one in which it is sealed: earlier versions of this
#: program know the first only.
_OPEN: Final = b"3"
_SEALED: Final = b"4"
#: Stands in the journal of a destination where whoever is forgotten would be delivered to twice.
_KEEPS_CONTACTS: Final = "keeps_contacts"
#: Tables of every journal, whichever version made it.
_ALWAYS: Final = (
    tables.meta, tables.batches, tables.steps, tables.contacts, tables.contacts_log, tables.keys, tables.keys_log,
    tables.names, tables.possible_addresses, tables.rejects,
)  # fmt: skip
#: By which a damaged key is noticed.
_CHECK: Final = "secret_check"


class JournalMeta:
    """The journal's table of single values; the caller commits."""

    def __init__(self, connection: sa.Connection, name: str) -> None:
        """Use the table, which may not be there yet.

        Args:
            connection: to the journal.
            name: of the journal, for messages.
        """
        self._connection = connection
        self._name = name

    def check_tables(self) -> None:
        """See that this version of the program may use what is there, before anything in it is touched.

        Raises:
            JournalError: another version made it.
            ValueError: something of it is missing, which would be made again, empty.
        """
        there = set(sa.inspect(self._connection).get_table_names())
        version = self._read("version") if tables.meta.name in there else None
        if version is None:
            if any(self._connection.execute(sa.select(one).limit(1)).first() for one in _ALWAYS if one.name in there):
                raise ValueError("no version")
            return
        if version not in (_OPEN, _SEALED):
            told = version.decode("ascii", "replace") if isinstance(version, bytes) else ""
            raise JournalError(
                f"Setting `journal`: {self._name} was made by another version of this program (format "
                f"{told if told.isdecimal() else 'unknown'}; this version reads {_OPEN.decode()} and "
                f"{_SEALED.decode()}). Install the version that made it, or a later one; the journal is left as it is."
            )
        if any(one.name not in there for one in _ALWAYS):
            raise ValueError("a table is missing")

    def hash_key(self, secret: str | None) -> bytes:
        """The key of the hashes; a new journal gets one.

        Args:
            secret: of the setting `journal_hash_key`; None where it is not set.

        Raises:
            JournalError: the key is sealed, and not with this secret.
            ValueError: the journal has no key.
        """
        if self._read("version") is None:
            new = secrets.token_bytes(KEY_SIZE)
            self._write(new, secret)
            return new
        sealed = self._read("sealed_secret")
        if sealed is None:
            return self._open_key()
        where = f"Setting `journal_hash_key`: the hashes of {self._name} were made with a key from this setting"
        todo = (
            "Set it as it was: without it the journal cannot tell whom it knows. Nothing was changed. Without the "
            "former key only a new journal is left, which remembers nothing."
        )
        if secret is None:
            raise JournalError(f"{where}, which is not set now. {todo}")
        try:
            return unseal(sealed, secret)
        except SealError:
            raise JournalError(f"{where}, which has another value now. {todo}") from None

    def _open_key(self) -> bytes:
        """The key that is not sealed, as it was: with another one the journal would seem to know nobody."""
        key, check = self._read("secret"), self._read(_CHECK)
        if not isinstance(key, bytes) or len(key) != KEY_SIZE:
            raise ValueError("no key")
        if check is None:  # as in journals of earlier versions
            self._connection.execute(sa.insert(tables.meta).values(name=_CHECK, value=_check_of(key)))
        elif check != _check_of(key):
            raise ValueError("another key")
        return key

    @property
    def is_sealed(self) -> bool:
        """Whether the key of the hashes is sealed."""
        return self._read("sealed_secret") is not None

    def seal(self, key: bytes, secret: str) -> None:
        """Seal the key, which stands open in the journal."""
        names = ("version", "secret", _CHECK)
        self._connection.execute(sa.delete(tables.meta).where(tables.meta.c.name.in_(names)))
        self._write(key, secret)

    @property
    def keeps_contacts(self) -> bool:
        """Whether no contact is forgotten with time."""
        return self._read(_KEEPS_CONTACTS) is not None

    def keep_contacts(self) -> None:
        """From now on, in this run and all later ones, no contact is forgotten with time."""
        if not self.keeps_contacts:
            self._connection.execute(sa.insert(tables.meta).values(name=_KEEPS_CONTACTS, value=b""))

    def _write(self, key: bytes, secret: str | None) -> None:
        values = {"version": _OPEN, "secret": key, _CHECK: _check_of(key)}
        if secret is not None:
            values = {"version": _SEALED, "sealed_secret": seal(key, secret)}
        self._connection.execute(
            sa.insert(tables.meta), [{"name": name, "value": value} for name, value in values.items()]
        )

    def _read(self, name: str) -> bytes | None:
        return self._connection.execute(sa.select(tables.meta.c.value).where(tables.meta.c.name == name)).scalar()


def _check_of(key: bytes) -> bytes:
    return hashlib.blake2b(key, digest_size=16, person=b"check").digest()
