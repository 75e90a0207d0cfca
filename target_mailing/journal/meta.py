"""The journal's table of single values: its version, the key of its hashes, and whether it forgets contacts."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from target_mailing.journal import former, tables
from target_mailing.journal.sealing import KEY_SIZE, SealError, seal, unseal
from target_mailing.journal.stores import JournalError

__all__ = ["JournalMeta"]

#: Versions: of a journal with an open key of the hashes, and with a sealed one.
_OPEN: Final = b"5"
_SEALED: Final = b"6"
#: By version before these, the one that it becomes.
_FORMER: Final = {b"3": _OPEN, b"4": _SEALED}
#: Forms of the number of a format, and of the version of a program.
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_VERSION: Final = re.compile(r"[0-9A-Za-z.+-]{1,40}")
#: Set where a forgotten contact would be delivered twice.
_KEEPS_CONTACTS: Final = "keeps_contacts"
_REPLACED: Final = "replaced "
#: Set where a contact that is absent from its stream is taken off.
_KEEPS_STREAMS: Final = "keeps_streams"
#: The greatest moment before which contacts were forgotten (Unix seconds).
_FORGOT_BEFORE: Final = "forgot_before"
#: Tables of every journal, whichever version made it; those of this version, and those of the versions before.
_ALWAYS: Final = ("meta", "batches", "steps", "names", "strays", "rejects", "contacts", "keys")
_NOW: Final = (*_ALWAYS, "replaced_contacts", "runs")
_BEFORE: Final = (*_ALWAYS, *former.TABLES)
#: A check value, which shows that the key is damaged.
_CHECK: Final = "secret_check"
#: Composed once, because each run reads some.
_READ: Final = sa.select(tables.meta.c.value).where(tables.meta.c.name == sa.bindparam("of"))


class JournalMeta:
    """The journal's table of single values; the caller commits."""

    def __init__(self, connection: sa.Connection, name: str) -> None:
        """Use the table, which may not exist yet.

        Args:
            connection: to the journal.
            name: of the journal, for messages.
        """
        self._connection = connection
        self._name = name

    def check_tables(self) -> None:
        """Check that this version of the program can use the journal; nothing is changed.

        Raises:
            JournalError: another version made it.
            ValueError: a part of it is missing, which would be made again, empty.
        """
        names = set(sa.inspect(self._connection).get_table_names())
        version = self._read("version") if "meta" in names else None
        if version is None:
            present = [sa.table(name) for name in sorted(names.intersection(_NOW))]
            if any(self._connection.execute(sa.select(sa.text("1")).select_from(table)).first() for table in present):
                raise ValueError("no version")
        elif version not in (_OPEN, _SEALED, *_FORMER):
            raise self._of_another_version(version)
        elif not names.issuperset(_BEFORE if version in _FORMER else _NOW):
            raise ValueError("a table is missing")

    def _of_another_version(self, version: object) -> JournalError:
        found = version.decode("ascii", "replace") if isinstance(version, bytes) else ""
        number = int(found) if _NUMBER.fullmatch(found) else None
        is_newer = number is not None and number > int(_SEALED)
        remedy = "Install the version that made it, or a later one."
        if is_newer:
            remedy = (
                f"Install that version{self._last_version()}, or a later one. To keep this version, restore the copy "
                "of the journal from before the upgrade: what was delivered since is sent again if it comes again."
            )
        return JournalError(
            f"Setting `journal`: {self._name} was made by {'a newer' if is_newer else 'another'} version of this "
            f"program (format {'unknown' if number is None else number}; this version reads {min(_FORMER).decode()} to "
            f"{_SEALED.decode()}) and was not changed. {remedy}"
        )

    def _last_version(self) -> str:
        """Which version the last run had, in brackets; "" where another format does not tell it."""
        columns = {one["name"] for one in self._columns_of_runs()}
        if not columns.issuperset({"run_id", "version"}):
            return ""
        runs = sa.table("past_runs", sa.column("run_id"), sa.column("version"))
        last = self._connection.execute(sa.select(runs.c.version).order_by(runs.c.run_id.desc()).limit(1)).scalar()
        return f" ({last})" if isinstance(last, str) and _VERSION.fullmatch(last) else ""

    def _columns_of_runs(self) -> Sequence[Mapping[str, Any]]:
        inspector = sa.inspect(self._connection)
        return inspector.get_columns("past_runs") if inspector.has_table("past_runs") else []

    @property
    def is_former(self) -> bool:
        """Whether the journal has the format of the versions before; its tables exist."""
        return sa.inspect(self._connection).has_table("meta") and self._read("version") in _FORMER

    def note_format(self) -> None:
        """Note that the journal has the format of this version now."""
        version = tables.meta.c.name == "version"
        now = _FORMER[self._read("version") or b""]
        self._connection.execute(sa.update(tables.meta).where(version).values(value=now))

    def hash_key(self, secret: str | None) -> bytes:
        """The key of the hashes; a new journal gets one.

        Args:
            secret: the setting `journal_hash_key`; None if it is not set.

        Raises:
            JournalError: the key was sealed with another secret.
            ValueError: the journal has no key.
        """
        if self._read("version") is None:
            new = secrets.token_bytes(KEY_SIZE)
            self._write_key(new, secret)
            return new
        sealed = self._read("sealed_secret")
        if sealed is None:
            return self._open_key()
        try:
            if secret is not None:
                return unseal(sealed, secret)
            problem = "not set"
        except SealError:
            problem = "set to another value"
        raise JournalError(
            f"Setting `journal_hash_key` is {problem}, but {self._name} was sealed with it; nothing was changed. "
            "Set its former value again. If that is lost, only a new, empty journal can be used."
        )

    def _open_key(self) -> bytes:
        """The open key; with a damaged one the journal would find none of its contacts."""
        key, check = self._read("secret"), self._read(_CHECK)
        if not isinstance(key, bytes) or len(key) != KEY_SIZE:
            raise ValueError("no key")
        if check is None:  # an earlier version made the journal
            self._write({_CHECK: _check_of(key)})
        elif check != _check_of(key):
            raise ValueError("another key")
        return key

    @property
    def is_sealed(self) -> bool:
        """Whether the key of the hashes is sealed."""
        return self._read("sealed_secret") is not None

    def seal(self, key: bytes, secret: str) -> None:
        """Seal the key, which is open."""
        names = ("version", "secret", _CHECK)
        self._connection.execute(sa.delete(tables.meta).where(tables.meta.c.name.in_(names)))
        self._write_key(key, secret)

    @property
    def keeps_contacts(self) -> bool:
        """Whether contacts are never forgotten because of their age."""
        return self._read(_KEEPS_CONTACTS) is not None

    def keep_contacts(self) -> None:
        """Never forget a contact because of its age, in this run and all later ones."""
        if not self.keeps_contacts:
            self._write({_KEEPS_CONTACTS: b""})

    @property
    def keeps_streams(self) -> bool:
        """Whether contacts are kept as long as it is known by which streams they were put there."""
        return self._read(_KEEPS_STREAMS) is not None

    def keep_streams(self) -> None:
        """Keep them, in this run and all later ones."""
        if not self.keeps_streams:
            self._write({_KEEPS_STREAMS: b""})

    def forgets_before(self, moment: float) -> float:
        """Contacts are forgotten that were confirmed before this time; returns the greatest one ever (Unix seconds).

        Who was forgotten by a clock that was ahead was so until now.
        """
        known = self._read(_FORGOT_BEFORE)
        greatest = moment if known is None else max(moment, min(float(known), time.time()))
        if known is None or float(known) != greatest:
            self._connection.execute(sa.delete(tables.meta).where(tables.meta.c.name == _FORGOT_BEFORE))
            self._write({_FORGOT_BEFORE: repr(greatest).encode()})
        return greatest

    def has_replaced(self, destination: int) -> bool:
        """Whether the contents of a destination (its hash) were replaced, and are noted since."""
        return self._read(f"{_REPLACED}{destination}") is not None

    def note_replaced(self, destination: int) -> None:
        """Note that they were."""
        if not self.has_replaced(destination):
            self._write({f"{_REPLACED}{destination}": b""})

    def _write_key(self, key: bytes, secret: str | None) -> None:
        if secret is None:
            self._write({"version": _OPEN, "secret": key, _CHECK: _check_of(key)})
        else:
            self._write({"version": _SEALED, "sealed_secret": seal(key, secret)})

    def _write(self, values: Mapping[str, bytes]) -> None:
        rows = [{"name": name, "value": value} for name, value in values.items()]
        self._connection.execute(sa.insert(tables.meta), rows)

    def _read(self, name: str) -> bytes | None:
        return self._connection.execute(_READ, {"of": name}).scalar()


def _check_of(key: bytes) -> bytes:
    return hashlib.blake2b(key, digest_size=16, person=b"check").digest()
