"""Erases what a journal holds of one person: the rows, their copies, and what the place gives up."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from mailing_api.addresses import fold_address
from mailing_api.storage.folders import is_there
from target_mailing.journal import tables
from target_mailing.journal.hashes import Hashes
from target_mailing.journal.meta import JournalMeta
from target_mailing.journal.person_rows import PersonRows
from target_mailing.journal.store import FORMER_FORMAT
from target_mailing.journal.stores import PostgresStore, Store
from target_mailing.journal.traces import SIGNS, Sign, Traces

__all__ = ["JournalErasure"]

#: In the table of single values while rows were deleted and the place is not rewritten yet.
_UNFINISHED: Final = "erasing"
_HASH_BYTES: Final = 8
#: The indexes in sorted runs (see runs.py), and what each holds of a row.
_INDEXES: Final = {"contacts_by_id": Sign.CONTACT, "keys_by_id": Sign.KEY, "keys_by_contact": Sign.CONTACT}


class JournalErasure:
    """A journal, held against runs.

    Attributes:
        hashes: its keyed hashes.
        person: finds what it has of one person.
        is_unfinished: an earlier erasure was stopped before the end.
    """

    hashes: Hashes
    person: PersonRows

    def __init__(self, store: Store, *, hash_key: str | None) -> None:
        """Open it; it exists.

        Args:
            store: its place, which is closed with this.
            hash_key: the setting `journal_hash_key`.

        Raises:
            JournalError: another process holds it, it cannot be written, or `hash_key` is not as it was.
        """
        self._store = store
        with ExitStack() as opened:
            opened.enter_context(closing(store))
            with self._telling("Nothing was erased"):
                self._connection = connection = opened.enter_context(closing(store.open()))
                meta = JournalMeta(connection, store.name)
                meta.check_tables()
                if meta.is_former:
                    raise store.error(FORMER_FORMAT)
                tables.make(connection)
                self.hashes = Hashes(meta.hash_key(hash_key))
                self.person = PersonRows(connection, self.hashes, lambda: self._telling("Nothing was erased"))
                self.is_unfinished = bool(self._rows(tables.meta, "name", [_UNFINISHED]))
                store.commit(connection)
            self._opened = opened.pop_all()

    @property
    def name(self) -> str:
        """As of any journal."""
        return self.hashes.key_ids("", "journal")([b""])[0].hex()

    @property
    def place(self) -> str:
        """Its place, for messages."""
        return self._store.name

    @property
    def is_database(self) -> bool:
        """Whether it is in a database, which keeps copies of its own."""
        return isinstance(self._store, PostgresStore)

    def hold_list(self, name: str) -> str | None:
        """As of any journal."""
        with self._telling("Nothing was erased"):
            return self._store.hold_list(self._connection, name)

    def check(self) -> None:
        """As of any journal."""
        with self._telling("Nothing was erased"):
            self._store.prove()

    def close(self) -> None:
        """Release the journal."""
        self._roll_back()  # what was read last; all else is committed, and the connection may be lost
        self._opened.close()

    # Finding

    def count(self, traces: Traces) -> dict[str, int]:
        """How many rows of each table are theirs, without rejects and notes of steps."""
        counts = {}
        with self._telling("Nothing was erased"):
            for name, table in tables.metadata.tables.items():
                if table is not tables.open_rejects and (where := _where(table, traces)) is not None:
                    query = sa.select(sa.func.count()).select_from(table).where(where)
                    counts[name] = self._connection.execute(query).scalar_one()
        return {name: count for name, count in counts.items() if count}

    # Erasing

    def erase(
        self,
        traces: Traces,
        rejects: Collection[int],
        written: Mapping[str, Collection[int]],
        *,
        opened: Sequence[int] = (),
    ) -> None:
        """Erase all of it, in one transaction, and then what deleted rows leave. It may be repeated.

        Args:
            traces: as found.
            rejects: numbers of those that are in no file yet.
            opened: numbers of those that may be sent again, where keys and contacts do not show whose they are.
            written: by the name of a rejects file from which records were removed, the hashes of those that it has now.

        Raises:
            JournalError: that failed; the message says what remains.
        """
        with self._telling("Nothing in it was erased; repeat this"):
            self._note_unfinished()
            self._keep_counts(traces)
            for table in tables.metadata.sorted_tables:
                if (where := _where(table, traces)) is not None:
                    self._connection.execute(sa.delete(table).where(where))
            self._erase_from_indexes(traces)
            self._erase_rejects(rejects, written)
            table = tables.open_rejects
            self._connection.execute(sa.delete(table).where(table.c.id.in_([*opened])))
            self._erase_evidence(traces)
            self._store.commit(self._connection)
        self.finish()

    def finish(self) -> None:
        """Rewrite the place after an erasure.

        Raises:
            JournalError: that failed; the message says what remains.
        """
        with self._telling("The rows were deleted, but copies of them may be left there; repeat this"):
            self._store.commit(self._connection)
            self._store.compact(self._connection)
            self._connection.execute(sa.delete(tables.meta).where(tables.meta.c.name == _UNFINISHED))
            self._store.commit(self._connection)
            self._store.overwrite(self._connection)
            self.is_unfinished = False

    def _note_unfinished(self) -> None:
        if not self.is_unfinished:
            self._connection.execute(sa.insert(tables.meta).values(name=_UNFINISHED, value=b""))
            self.is_unfinished = True

    def _keep_counts(self, traces: Traces) -> None:
        """Keep the counts of the limits of removals: those who left stay in them, as nobody."""
        for row in self._rows(tables.removed, "contact", traces.contacts):
            of_row = tables.removed.c.contact == row.contact
            nobody = int.from_bytes(secrets.token_bytes(_HASH_BYTES), signed=True)
            self._connection.execute(sa.update(tables.removed).where(of_row).values(contact=nobody))
        streams = tables.streams
        for row in self._rows(tables.taken_off, "contact", traces.contacts):
            if row.at is not None:
                of_row = sa.and_(streams.c.number == row.stream, streams.c.forgotten.is_not(None))
                self._connection.execute(sa.update(streams).where(of_row).values(forgotten=streams.c.forgotten + 1))

    def _erase_from_indexes(self, traces: Traces) -> None:
        values: dict[Sign, Sequence[Any]] = {
            Sign.CONTACT: [*traces.contacts],
            Sign.KEY: [key[:_HASH_BYTES] for key in traces.keys],
        }
        for run in self._connection.execute(sa.select(tables.runs)).all():
            value: sa.ColumnClause[Any] = sa.column("value")
            of_person = value.in_(values[_INDEXES[run.of]])
            self._connection.execute(sa.delete(sa.table(f"{run.of}_{run.n}", value)).where(of_person))

    def _erase_rejects(self, rejects: Collection[int], written: Mapping[str, Collection[int]]) -> None:
        self._connection.execute(sa.delete(tables.rejects).where(tables.rejects.c.id.in_([*rejects])))
        table = tables.known_rejects
        for row in self._connection.execute(sa.select(table)).all():
            left = written.get(Path(row.file).name)
            if (left is not None and row.id not in left) or not is_there(Path(row.file)):
                self._connection.execute(sa.delete(table).where(table.c.id == row.id))

    def _erase_evidence(self, traces: Traces) -> None:
        """Blank what the steps of ended batches noted of the person."""
        addresses = {*map(str.lower, traces.emails), *map(fold_address, traces.emails)}

        def is_theirs(text: str) -> bool:
            return text in traces.ids or any(address in text.lower() for address in addresses)

        steps = tables.steps
        ended = sa.select(tables.batches.c.id).where(tables.batches.c.state != "open")
        query = sa.select(steps).where(steps.c.evidence.is_not(None), steps.c.batch.in_(ended))
        for row in self._connection.execute(query).all():
            noted = msgspec.json.decode(row.evidence)
            blanked = _blanked(noted, is_theirs)
            if blanked != noted:
                of_row = sa.and_(steps.c.batch == row.batch, steps.c.name == row.name)
                evidence = msgspec.json.encode(blanked).decode()
                self._connection.execute(sa.update(steps).where(of_row).values(evidence=evidence))

    def _rows(self, table: sa.Table, column: str, values: Collection[Any]) -> Sequence[sa.Row[Any]]:
        if not values:
            return []
        return self._connection.execute(sa.select(table).where(table.c[column].in_([*values]))).all()

    @contextmanager
    def _telling(self, left: str) -> Iterator[None]:
        """Say what remains, where something fails."""
        try:
            yield
        except self._store.errors as exc:
            self._roll_back()
            raise self._store.error(f"{self._store.failure(exc)}. {left}") from None
        except (msgspec.MsgspecError, AttributeError, LookupError, OverflowError, TypeError, ValueError) as exc:
            self._roll_back()
            raise self._store.damaged(exc) from exc

    def _roll_back(self) -> None:
        with suppress(sa.exc.SQLAlchemyError, AttributeError):  # it may not be open
            self._connection.rollback()


def _where(table: sa.Table, traces: Traces) -> sa.ColumnElement[bool] | None:
    """Which rows of a table are of the person; None where no column of it tells."""
    numbers = {int.from_bytes(key[:_HASH_BYTES], signed=True) for key in traces.keys}
    values: dict[Sign, Collection[Any]] = {
        Sign.CONTACT: traces.contacts,
        Sign.KEY: traces.keys,
        Sign.KEY_NUMBER: numbers,
        Sign.NUMBER: traces.numbers,
        Sign.PROVIDER_ID: traces.ids,
    }
    columns = [
        table.c[name].in_([*values[sign]]) for name, sign in SIGNS[table.name].of_person.items() if sign in values
    ]
    return sa.or_(*columns) if columns else None


def _blanked(noted: Any, is_theirs: Callable[[str], bool]) -> Any:
    """Decoded JSON in which strings are empty that are of the person."""
    if isinstance(noted, dict):
        return {"" if is_theirs(name) else name: _blanked(value, is_theirs) for name, value in noted.items()}
    if isinstance(noted, list):
        return [_blanked(one, is_theirs) for one in noted]
    return "" if isinstance(noted, str) and is_theirs(noted) else noted
