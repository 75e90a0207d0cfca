"""The batches of a journal, with the steps that each has taken."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from target_mailing.journal import payload, tables
from target_mailing.row import Row

__all__ = ["JournalBatches", "StoredBatch"]


class StoredBatch(msgspec.Struct):
    """An unfinished batch of an earlier run.

    Attributes:
        steps: evidence of each step begun; None for one that was begun and not finished.
        begun: when each step was begun (Unix seconds).
        created_at: when the batch was made (Unix seconds).
    """

    number: int
    action: str
    route: str
    rows: list[Row]
    steps: dict[str, dict[str, Any] | None]
    begun: dict[str, float]
    created_at: float


class JournalBatches:
    """Batches and steps; the caller commits."""

    def __init__(self, connection: sa.Connection) -> None:
        """Use the journal's tables."""
        self._connection = connection

    def unfinished(self, destination: str) -> list[StoredBatch]:
        """The batches of a destination that have no outcome yet, oldest first."""
        query = (
            sa.select(tables.batches)
            .where(tables.batches.c.destination == destination, tables.batches.c.state == "open")
            .order_by(tables.batches.c.id)
        )
        return [self._stored(batch) for batch in self._connection.execute(query).all()]

    def _stored(self, batch: sa.Row[Any]) -> StoredBatch:
        steps = self._connection.execute(sa.select(tables.steps).where(tables.steps.c.batch == batch.id)).all()
        return StoredBatch(
            number=batch.id,
            action=batch.action,
            route=batch.route,
            rows=payload.decoded(batch.action, batch.payload),
            steps={step.name: None if step.evidence is None else msgspec.json.decode(step.evidence) for step in steps},
            begun={step.name: step.begun_at for step in steps},
            created_at=batch.created_at,
        )

    def evidence(self, destination: str) -> list[dict[str, Any]]:
        """What the steps of every batch of a destination noted when they were done, settled batches included."""
        query = (
            sa.select(tables.steps.c.evidence)
            .join(tables.batches, tables.batches.c.id == tables.steps.c.batch)
            .where(tables.batches.c.destination == destination, tables.steps.c.evidence.is_not(None))
        )
        return [msgspec.json.decode(row.evidence) for row in self._connection.execute(query)]

    def evidence_of_others(
        self, destination: str, step: str, *, batch: int, since: float
    ) -> list[dict[str, Any] | None]:
        """What other batches of a destination noted of this step, begun since then; None for no end of it."""
        query = (
            sa.select(tables.steps.c.evidence)
            .join(tables.batches, tables.batches.c.id == tables.steps.c.batch)
            .where(
                tables.batches.c.destination == destination,
                tables.batches.c.id != batch,
                tables.steps.c.name == step,
                tables.steps.c.begun_at >= since,
            )
        )
        found = self._connection.execute(query).scalars()
        return [None if evidence is None else msgspec.json.decode(evidence) for evidence in found]

    def add(self, destination: str, action: str, route: str, rows: Sequence[Row]) -> int:
        """Note a batch; returns its number."""
        result = self._connection.execute(
            sa.insert(tables.batches).values(
                destination=destination,
                action=action,
                route=route,
                state="open",
                created_at=time.time(),
                payload=payload.encoded(rows),
            )
        )
        number = result.inserted_primary_key
        assert number is not None  # noqa: S101 - the table has one
        return int(number[0])

    def close(self, batch: int, state: str, outcomes: dict[str, int]) -> None:
        """A batch came to its end: its rows are erased."""
        self._connection.execute(
            sa.update(tables.batches)
            .where(tables.batches.c.id == batch)
            .values(state=state, payload=None, outcomes=msgspec.json.encode(outcomes).decode())
        )

    def begin_step(self, batch: int, step: str) -> float:
        """A step is about to be taken; returns the time noted (Unix seconds)."""
        now = time.time()
        self.forget_step(batch, step)
        self._connection.execute(sa.insert(tables.steps).values(batch=batch, name=step, begun_at=now, evidence=None))
        return now

    def end_step(self, batch: int, step: str, evidence: str) -> None:
        """A step brought this (JSON)."""
        self._connection.execute(
            sa.update(tables.steps)
            .where(tables.steps.c.batch == batch, tables.steps.c.name == step)
            .values(evidence=evidence)
        )

    def forget_step(self, batch: int, step: str) -> None:
        """A step begun did certainly not happen."""
        self._connection.execute(
            sa.delete(tables.steps).where(tables.steps.c.batch == batch, tables.steps.c.name == step)
        )

    def forget_before(self, moment: float) -> None:
        """Forget batches that came to their end and were made before this time (Unix seconds)."""
        old = sa.select(tables.batches.c.id).where(
            tables.batches.c.state != "open", tables.batches.c.created_at < moment
        )
        self._connection.execute(sa.delete(tables.steps).where(tables.steps.c.batch.in_(old)))
        self._connection.execute(sa.delete(tables.batches).where(tables.batches.c.id.in_(old)))
