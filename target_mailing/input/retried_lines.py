"""Open rejects as the input of a run: SCHEMAs and RECORDs, as in a rejects file."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Protocol

import msgspec

from mailing_api.counted import counted
from mailing_api.errors import ConfigurationError
from target_mailing.delivery.engine import Delivery
from target_mailing.input.intake import Intake
from target_mailing.journal.journal import Journal
from target_mailing.journal.rejects_file import REJECT_PROPERTIES
from target_mailing.journal.retried import Retried, Selection
from target_mailing.rows.lines import InputError, Lines

__all__ = ["Reader", "RetriedLines", "retried_rejects"]

logger = logging.getLogger("target-mailing.retry")


class Reader(Protocol):
    """Reads an input in chunks of lines."""

    def start(self) -> None:
        """Begin to read."""

    def more(self) -> None:
        """A chunk was taken in: read the next one."""

    def turn(self) -> None:
        """Called again and again, by the thread that takes the chunks in."""


class RetriedLines:
    """Hands over first the SCHEMAs, then the records that go where these lead; for the thread that owns the journal."""

    def __init__(
        self,
        retried: Retried,
        intake: Intake,
        delivery: Delivery,
        *,
        take: Callable[[Lines], None],
        end: Callable[[InputError | None], None],
    ) -> None:
        """Read nothing yet.

        Args:
            retried: which they are.
            intake: takes in the lines.
            delivery: resumes the batches of earlier runs; what these brought closes rejects.
            take: gets the lines.
            end: is called once after the last line.
        """
        self._retried = retried
        self._intake = intake
        self._delivery = delivery
        self._wanted = 0
        self._take = take
        self._end = end
        self._number = 1
        self._records: Iterator[list[bytes]] | None = None

    def start(self) -> None:
        """Hand over the SCHEMAs."""
        self._hand_over([_schema_line(message) for message in self._retried.schemas.values()])

    def more(self) -> None:
        """Hand over the next lines, as soon as that may be."""
        self._wanted += 1

    def turn(self) -> None:
        """Hand over the next lines after `more`: the first records when batches of earlier runs have ended.

        Raises:
            ConfigurationError: the list would be replaced by these rows.
        """
        if not self._wanted or (self._records is None and self._delivery.unfinished()):
            return
        self._wanted -= 1
        if self._records is None:
            if self._delivery.closing.holds_state():
                raise ConfigurationError(
                    "Option --retry-rejects: the settings replace the contents of the list by the rows of the input, "
                    "which would be the rejects alone. Deliver all rows again instead."
                )
            destinations = {stream: self._intake.destinations_of(stream) for stream in self._retried.schemas}
            _tell(self._retried, destinations)
            self._records = self._retried.records(self._number, destinations)
        self._hand_over(next(self._records, []))

    def _hand_over(self, lines: list[bytes]) -> None:
        if not lines:
            if count := self._retried.left_alone:
                logger.warning(
                    "%s left alone in this run: a killed or failed run had left batches with the same keys or "
                    "addresses, which have ended now. Repeat the command",
                    counted(count, "open reject was", "open rejects were"),
                )
            self._end(None)
            return
        self._take(Lines(self._number, lines))
        self._number += len(lines)


def retried_rejects(journal: Journal, selection: Selection | None, *, run: str) -> Retried | None:
    """The rejects that a run sends again; None if it reads an input.

    Args:
        journal: open.
        selection: of them; None for an input.
        run: the name of the run.

    Raises:
        ConfigurationError: no reject has a value of the selection.
    """
    journal.open_rejects.run = run
    if selection is None:
        return None
    retried = Retried(journal, selection)
    if count := retried.overtaken_before:
        logger.warning(
            "%s left alone, because newer rows of the same keys or addresses came or may have come, and their end is "
            "not known: deliver the input, which closes or replaces them",
            counted(count, "open reject is", "open rejects are"),
        )
    if not retried.schemas and not retried.overtaken_before:
        logger.info("There are no open rejects: nothing is sent again")
    return retried


def _tell(retried: Retried, destinations: Mapping[str, Collection[str]]) -> None:
    """Tell how many rejects go to the destinations that the settings lead to, named by stream."""
    if counts := retried.counts(destinations):
        codes = ", ".join(f"{code}: {count}" for code, count in counts.items())
        logger.info("%s to send again (%s)", counted(sum(counts.values()), "open reject"), codes)
    else:
        logger.info("No open rejects of the lists to which the settings lead: nothing is sent again")


def _schema_line(message: dict[str, Any]) -> bytes:
    message["schema"]["properties"] |= REJECT_PROPERTIES
    return msgspec.json.encode(message)
