"""The batches of a journal, and the steps of each batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from target_mailing.journal import payload, tables
from target_mailing.journal.statements import delete_rows, replace_rows
from target_mailing.rows.row import Resource, Row

__all__ = ["Evidence", "JournalBatches", "StoredBatch", "StoredLines"]

#: What a step noted when it was done; None for a step that was begun and not finished.
Evidence = dict[str, Any] | None
#: The base of a run's lines, and what is added to it for the place of a line among the lines of all runs.
Numbering = Callable[[], tuple[int, Callable[[int], int]]]
# What is run for every batch or step is composed once: that takes longer than to run it.
_ADD: Final = sa.insert(tables.batches)
_CLOSE: Final = sa.update(tables.batches).where(tables.batches.c.id == sa.bindparam("batch"))
_END_STEP: Final = sa.update(tables.steps).where(
    tables.steps.c.batch == sa.bindparam("of"), tables.steps.c.name == sa.bindparam("step")
)


class StoredBatch(msgspec.Struct):
    """An unfinished batch of an earlier run.

    Attributes:
        steps: evidence of each step that was begun.
        begun: when each step was begun (Unix seconds).
        created_at: when the batch was made (Unix seconds).
    """

    number: int
    action: str
    route: str
    rows: list[Row]
    steps: dict[str, Evidence]
    begun: dict[str, float]
    created_at: float


class StoredLines(msgspec.Struct, frozen=True):
    """The lines of the rows of a batch.

    Attributes:
        payload: the rows.
        base: the place of the line before the first one of the run that noted it; 0 where the rows have places
            themselves, since they are rejects that were sent again; None where an earlier version noted no lines.
        created_at: when the batch was made (Unix seconds).
    """

    payload: bytes
    base: int | None
    created_at: float

    @property
    def are_rejects(self) -> bool:
        """Whether its rows are rejects that were sent again."""
        return self.base == 0

    def places(self, unknown: int) -> dict[tuple[int, bytes | None], dict[Resource, int]]:
        """As of `payload.places`; `unknown` is the place of rows of which no line was noted."""
        base = self.base
        return payload.places(self.payload, (lambda line: base + line) if base is not None else lambda _: unknown)


class JournalBatches:
    """Batches and steps; the caller commits."""

    def __init__(self, connection: sa.Connection, numbering: Numbering | None = None) -> None:
        """Use the journal's tables.

        Args:
            connection: of the journal.
            numbering: what is noted of lines; None where no batches are added.
        """
        self._connection = connection
        self._numbering = numbering

    def unfinished(
        self, destination: str, contact_ids: Callable[[Sequence[str]], Sequence[int]] | None = None
    ) -> list[StoredBatch]:
        """The batches of a destination that have no outcome yet, oldest first.

        Args:
            destination: its name.
            contact_ids: makes the hashes of addresses, to prove those of the rows.

        Raises:
            ValueError: an address has another hash.
        """
        table = tables.batches
        query = sa.select(table).where(table.c.destination == destination, table.c.state == "open").order_by(table.c.id)
        batches = [self._stored(batch) for batch in self._connection.execute(query).all()]
        if contact_ids is not None:
            rows = [row for batch in batches for row in batch.rows]
            ids = contact_ids([row.address for row in rows])
            if any(row.id not in {0, contact} for row, contact in zip(rows, ids, strict=True)):  # 0: not to be noted
                raise ValueError("an address has another hash")
        return batches

    def _stored(self, batch: sa.Row[Any]) -> StoredBatch:
        steps = self._connection.execute(sa.select(tables.steps).where(tables.steps.c.batch == batch.id)).all()
        return StoredBatch(
            number=batch.id,
            action=batch.action,
            route=batch.route,
            rows=payload.decoded(batch.action, batch.payload),
            steps={step.name: _decoded(step.evidence) for step in steps},
            begun={step.name: step.begun_at for step in steps},
            created_at=batch.created_at,
        )

    def evidence(self, destination: str) -> list[dict[str, Any]]:
        """The evidence of all steps that are done of a destination's batches, settled batches included."""
        join = tables.batches.c.id == tables.steps.c.batch
        query = sa.select(tables.steps.c.evidence).join(tables.batches, join)
        found = self._connection.execute(
            query.where(tables.batches.c.destination == destination, tables.steps.c.evidence.is_not(None))
        )
        return [evidence for text in found.scalars() if (evidence := _decoded(text)) is not None]

    def add(self, destination: str, action: str, route: str, rows: Sequence[Row], kept: Sequence[int] = ()) -> int:
        """Note a batch, and the content of its rows at the positions `kept`; returns its number."""
        assert self._numbering is not None  # noqa: S101 - see above
        base, number_of = self._numbering()
        row = {
            "destination": destination,
            "action": action,
            "route": route,
            "state": "open",
            "created_at": time.time(),
            "payload": payload.encoded(rows, kept, number_of),
            "base": base,
        }
        result = self._connection.execute(_ADD, row)
        number = result.inserted_primary_key
        assert number is not None  # noqa: S101 - the table has one
        return int(number[0])

    def lines(self, batch: int) -> StoredLines:
        """The lines of an open batch's rows."""
        table = tables.batches.c
        query = sa.select(table.payload, table.base, table.created_at).where(table.id == batch)
        return StoredLines(*self._connection.execute(query).one())

    def close(self, batch: int, state: str, outcomes: dict[str, int], now: float | None = None) -> None:
        """Note that a batch ended, and erase its rows; `now` is when it was settled (Unix seconds)."""
        told = msgspec.json.encode(outcomes).decode()
        self._connection.execute(
            _CLOSE, {"batch": batch, "state": state, "payload": None, "outcomes": told, "settled_at": now}
        )

    def begin_step(self, batch: int, step: str) -> float:
        """Note that a step begins; returns the time noted (Unix seconds)."""
        now = time.time()
        row = {"batch": batch, "name": step, "begun_at": now, "evidence": None}
        replace_rows(self._connection, tables.steps, [row])
        return now

    def end_step(self, batch: int, step: str, evidence: dict[str, Any]) -> None:
        """Note the evidence of a step that is done."""
        told = msgspec.json.encode(evidence).decode()
        self._connection.execute(_END_STEP, {"of": batch, "step": step, "evidence": told})

    def forget_step(self, batch: int, step: str) -> None:
        """Note that a step that was begun did certainly not happen."""
        delete_rows(self._connection, tables.steps, [{"batch": batch, "name": step}])

    def forget_before(self, moment: float) -> None:
        """Forget ended batches that were made before this time (Unix seconds)."""
        table = tables.batches.c
        old = sa.select(table.id).where(table.state != "open", table.created_at < moment)
        self._connection.execute(sa.delete(tables.steps).where(tables.steps.c.batch.in_(old)))
        self._connection.execute(sa.delete(tables.batches).where(table.id.in_(old)))


def _decoded(evidence: str | None) -> Evidence:
    return None if evidence is None else msgspec.json.decode(evidence)
