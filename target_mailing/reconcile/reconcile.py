"""`mode: reconcile`: a whole input compared with what the provider holds. Only the file named for it is written."""

from __future__ import annotations

import logging
import queue
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from typing import IO, Any, Final

from singer_sdk.mapper import PluginMapper

from mailing_api.counted import counted
from mailing_api.errors import ConfigurationError
from mailing_api.http.read_only import ReadOnly
from mailing_api.process.table import show
from mailing_api.settings import positive
from target_mailing.contacts.mapping import Values
from target_mailing.delivery.checkpoints import Ledger
from target_mailing.delivery.outcomes import Outcomes, OutcomesAt
from target_mailing.delivery.router import Router
from target_mailing.delivery.shared_keys import SharedKeys
from target_mailing.foresight.foresight import Foresight
from target_mailing.foresight.rejects import UnwrittenRejects
from target_mailing.input.intake import Intake
from target_mailing.input.messages import Message
from target_mailing.input.reader import LineReader
from target_mailing.input.stream import Stream
from target_mailing.interface.destination import Destination, ListsByRow
from target_mailing.interface.list_members import ComparesMembers, ComparesOwnList
from target_mailing.journal.journal import Journal
from target_mailing.journal.stores import MemoryStore
from target_mailing.places import place_of
from target_mailing.reconcile.findings_file import FindingsFile
from target_mailing.reconcile.report import compared, differing, left_out, report, summary
from target_mailing.reconcile.sides import EXTRA, UNCOMPARED, Sides
from target_mailing.reconcile.tolerance import TooManyDifferencesError, tolerance
from target_mailing.rows.lines import InputError, Lines
from target_mailing.rows.outcome import Outcome
from target_mailing.rows.row import Row
from target_mailing.settings.declared_settings import value_of
from target_mailing.settings.settings import StreamSettings

__all__ = ["reconcile"]

logger = logging.getLogger("target-mailing")

#: Why lists cannot be compared.
_BY_ROW: Final = "it is the account, or lists that rows name, and not one list"
#: Why rows are not compared.
_OTHER_LISTS: Final = "their rows name other lists"
_UNLISTED: Final = "its provider does not list the members of a list with their addresses"


def reconcile(
    source: IO[Any] | None, config: Mapping[str, Any], mapper: PluginMapper | None, router: Router
) -> Counter[str]:
    """Compare an input with the lists that it goes to, and report what differs.

    Args:
        source: where to read; None for standard input.
        config: the plugin's settings.
        mapper: the SDK's stream maps and flattening, or None when there are none.
        router: of a run that only reads.

    Returns:
        The messages of the input, by type.

    Raises:
        ConfigurationError: a setting is wrong, or a destination cannot be compared.
        InputError: the input cannot be read to its end, or has no contacts.
        MailingError: the provider could not be asked.
        TooManyDifferencesError: more differs than `reconcile_tolerance` allows.
    """
    limit = tolerance(value_of("reconcile_tolerance", config))
    if value_of("report_path", config) is not None:
        logger.info("Setting `report_path`: a reconciliation has no report; `reconcile_path` has its contacts")
    path = value_of("reconcile_path", config)
    with ExitStack() as opened:
        file = None if path is None else opened.enter_context(FindingsFile(place_of("reconcile_path", path)))
        comparison = opened.enter_context(closing(_Comparison(config, mapper, router)))
        messages = comparison.read(source)
        comparison.compare(file)
        if file is not None:
            logger.info("Contacts that differ: %s", file.path)
    different = sum(map(differing, comparison.sides))
    uncompared = left_out(comparison.sides, comparison.outcomes)
    logger.info("%s.%s Nothing was written at the provider.", summary(comparison.sides), uncompared)
    if limit.is_exceeded(different, sum(map(compared, comparison.sides))):
        raise TooManyDifferencesError(
            f"Setting `reconcile_tolerance`: {summary(comparison.sides)}, more than {limit}.{uncompared} "
            "`reconcile_path` writes them to a file; a delivery of the input corrects what is missing or different."
        )
    return messages


class _Comparison:
    """The sides of each list of one input; for the intake, what opens the queues.

    Attributes:
        outcomes: of the rows; those that were compared are unchanged.
    """

    def __init__(self, config: Mapping[str, Any], mapper: PluginMapper | None, router: Router) -> None:
        self._config = config
        self._router = router
        self._journal = Journal(MemoryStore())  # for its keyed hashes
        self.outcomes = Outcomes(ledger := Ledger())
        self._queues: dict[str, _ComparedQueue] = {}
        self._named = _Named(self._queues)
        gate = ReadOnly() if router.gate is None else router.gate
        self._intake = Intake(
            config=config,
            mapper=mapper,
            journal=self._journal,
            ledger=ledger,
            outcomes=self.outcomes,
            delivery=self,
            rejects=UnwrittenRejects(Foresight(gate, most=0, shows_contacts=False)),
            router=router,
            mirror=self._named,
        )

    @property
    def sides(self) -> Sequence[Sides]:
        """Of each list."""
        return [one.sides for one in self._queues.values()]

    def close(self) -> None:
        """Forget everything."""
        for one in self.sides:
            one.close()
        self._journal.close()

    def queue(self, destination: Destination, settings: StreamSettings, **_: Any) -> _ComparedQueue:
        """The queue to a list, as of `OpensQueues`.

        Raises:
            ConfigurationError: the list cannot be compared.
        """
        name = destination.name
        if name not in self._queues:
            own = destination.own_list if isinstance(destination, ComparesOwnList) else None
            by_row = (isinstance(destination, ListsByRow) and own is None) or settings.scope == "account"
            if by_row or not isinstance(destination, ComparesMembers):
                raise ConfigurationError(
                    f"Setting `mode` is 'reconcile', but {name} cannot be compared: "
                    f"{_BY_ROW if by_row else _UNLISTED}. What each destination lets one compare: docs/destinations.md."
                )
            moves = settings.on_key_change == "remove"
            sides = Sides(name, destination.actions, destination, SharedKeys(self._journal), moves=moves)
            self._queues[name] = _ComparedQueue(destination, sides, self.outcomes.at(name))
        return self._queues[name]

    def read(self, source: IO[Any] | None) -> Counter[str]:
        """Read the input.

        Raises:
            InputError: it cannot be read to its end, or has no stream of contacts.
        """
        most = positive("max_line_bytes", value_of("max_line_bytes", self._config))
        for lines in _chunks(source, most):
            self._intake.take(lines)
            while pending := self._journal.rejects.pending(1000):
                self._journal.rejects.erase(pending[-1][0])
        self._intake.end()
        if not self._queues:
            raise InputError("The input has no stream of contacts, so there is nothing to compare with the provider.")
        return self._intake.messages

    def compare(self, file: FindingsFile | None) -> None:
        """Read what the provider holds, and report what differs.

        Raises:
            ConfigurationError: the file cannot be written.
            MailingError: the provider could not be asked.
        """
        for name, one in self._queues.items():
            one.sides.read()
            for finding in one.sides.findings(self._journal.hashes.contact_ids(name)):
                if file is not None:
                    file.write(finding)
            show(report(one.sides, self.outcomes.at(name), self._router.lists_of(name)), logger)
            self._warn(one)
        if doubtful := self._named.doubtful:
            logger.warning(
                "%s, so these contacts may be among the extra",
                counted(doubtful, "row does not tell whom it names", "rows do not tell whom they name"),
            )

    def _warn(self, one: _ComparedQueue) -> None:
        """Tell what does not show."""
        if without := one.uncompared():
            logger.warning("%s: not compared, because no listing shows them: %s", one.sides.name, ", ".join(without))
        if one.sides.counts[EXTRA, "unnamed"]:
            logger.info(
                "Extra are contacts that no line of this input names: it must bring the whole table, without a STATE"
            )


class _ComparedQueue:
    """Takes the rows of one list, as a `RowQueue`."""

    def __init__(self, destination: Destination, sides: Sides, outcomes: OutcomesAt) -> None:
        self.destination = destination
        self.sides = sides
        self._outcomes = outcomes

    def offer(self, rows: list[Row]) -> None:
        """Take rows, which have their outcome by that."""
        self.sides.take(self._of_list(rows))
        self._outcomes.settle_all([(row.lines, Outcome.UNCHANGED, None) for row in rows])

    def _of_list(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Those whose action is for the list that is compared, each with its action there."""
        destination = self.destination
        if not isinstance(destination, ListsByRow) or not isinstance(destination, ComparesOwnList):
            return rows
        actions = [destination.actions_on_lists(row.contact.content).get(destination.own_list or "") for row in rows]
        others = [row for row, action in zip(rows, actions, strict=True) if action is None]
        self.sides.name_contacts(row.id for row in others)
        self.sides.counts[UNCOMPARED, _OTHER_LISTS] += len(others)
        own = []
        for row, action in zip(rows, actions, strict=True):
            if action is not None:
                row.action = action
                own.append(row)
        return own

    def uncompared(self) -> Sequence[str]:
        """The fields that rows write and no listing shows."""
        destination = self.destination
        return sorted(destination.uncompared(self.sides.fields)) if isinstance(destination, ComparesMembers) else ()


class _Named:
    """Notes whom records name that are compared no further, so that nobody of them is extra.

    Attributes:
        doubtful: rows that name nobody who can be found.
    """

    def __init__(self, queues: Mapping[str, _ComparedQueue]) -> None:
        self.doubtful = 0
        self._queues = queues

    def add(self, *_: Any, **__: Any) -> None:
        """A stream begins."""

    def read(self, source: str, messages: Sequence[Message]) -> None:
        """Records come."""

    def other(self, message: Message, state: Mapping[str, Any]) -> None:
        """STATE or ACTIVATE_VERSION came."""

    def replayed(self, source: str) -> None:
        """Rows of a rejects file are compared as others are."""

    def unreadable(self) -> None:
        """A record cannot be read."""
        self.doubtful += 1

    def name_rows(self, stream: Stream, rows: Sequence[Row], values: Sequence[Values]) -> None:
        """These rows are compared."""

    def name(self, stream: Stream, values: Sequence[Values]) -> None:
        """Note whom these records name."""
        names = stream.names.of(values)
        self._queues[stream.queue.destination.name].sides.name_contacts(names.contacts)
        self.doubtful += names.by_key + names.unnamed

    def name_filtered(self, streams: Sequence[Stream | None], record: Mapping[str, Any]) -> None:
        """Note whom a record names that stream maps omit, by its columns as they came."""
        for stream in streams:
            if stream is not None:
                self.name(stream, [stream.read(record)])


def _chunks(source: IO[Any] | None, max_line_bytes: int) -> Iterator[Lines]:
    """The lines of an input, some at a time.

    Raises:
        InputError: it cannot be read to its end.
    """
    inbox: queue.SimpleQueue[Lines | InputError | None] = queue.SimpleQueue()
    reader = LineReader(source, take=inbox.put, end=inbox.put, max_line_bytes=max_line_bytes)
    reader.start()
    while isinstance(item := inbox.get(), Lines):
        reader.more()
        yield item
    if item is not None:
        raise item
