"""What is of one person, for `--explain` and `--erase` alike: rows, rejects, and outcomes in the history."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from mailing_api.addresses import fold_address
from target_mailing.journal.person_rows import OpenReject, PersonRows, Sought
from target_mailing.journal.reject import Reject
from target_mailing.journal.traces import Traces
from target_mailing.person.asked import Asked
from target_mailing.person.keys import PersonKeys
from target_mailing.person.mentions import Mentions
from target_mailing.person.places import named_streams, names_of
from target_mailing.person.rejects import PersonRejects
from target_mailing.settings.settings import StreamSettings

__all__ = ["PersonSearch"]

Read = TypeVar("Read")


class PersonSearch:
    """Recognises what is of one person.

    Attributes:
        traces: what the journal knows the person by.
        rejects: recognises their rejects.
    """

    def __init__(
        self, config: Mapping[str, Any], asked: Asked, rows: PersonRows | None, destinations: Mapping[str, bool]
    ) -> None:
        """Find what the person is known by.

        Args:
            config: the settings.
            asked: who is in question.
            rows: of the journal; None where there is none.
            destinations: by name, those to which the settings lead, and whether addresses identify contacts there.

        Raises:
            JournalError: the journal cannot be read.
        """
        self._rows = rows
        self.traces = Traces(set(), set())
        known = {} if rows is None else rows.streams()
        places = {**dict.fromkeys(known, True), **destinations}
        if rows is not None:
            keys: set[bytes] = set()
            for name in places:
                names = [*known.get(name, ()), *named_streams(config)]
                for stream in [asked.stream] if asked.stream is not None else dict.fromkeys(names):
                    keys.update(rows.hashes.key_ids(name, stream)(asked.keys))
            by_address = [name for name, is_by_address in places.items() if is_by_address]
            self.traces = rows.find(Sought(asked.address, asked.spellings([]), keys, by_address))
        emails = {fold_address(one) for one in self.traces.emails if "@" in one}
        self._keys = PersonKeys(
            asked,
            None if rows is None else rows.hashes,
            places,
            self.traces.confirmed,
            names_of=lambda stream: names_of(config, stream),
            emails=self.traces.emails,
        )
        self.rejects = PersonRejects(
            Mentions(
                emails | asked.folded | ({asked.address} if asked.address else set()),
                asked.spellings([*self.traces.emails]),
            ),
            self._keys,
            email_column=lambda stream: StreamSettings.resolve(config, stream).mapping.get("email", "email"),
            is_others=lambda stream, key: self._is_others([*self._keys.hashed(stream, key)]),
            columns={} if rows is None else rows.key_columns(),
        )

    def _is_others(self, keys: Collection[bytes]) -> bool:
        """Whether the journal has an address of somebody else for one of these keys."""
        return self._rows is not None and self._rows.has_other(keys, self.traces)

    def completed(self, read: Callable[[], Read]) -> Read:
        """What a reading of all rejects returns, once their addresses lead to no more keys.

        Args:
            read: reads the rejects in all files and in the journal, with `rejects`, `pending` and `open_rejects`.
        """
        while True:
            before = self.rejects.found
            result = read()
            if self.rejects.found == before:
                return result

    def pending(self) -> list[tuple[int, Reject]]:
        """Their rejects that are in no file yet, with their numbers in the journal."""
        rows = () if self._rows is None else self._rows.rejects()
        return [(number, one) for number, one in rows if self.rejects.is_theirs(one)]

    def open_rejects(self) -> list[OpenReject]:
        """Their rejects that are kept to be sent again."""
        if self._rows is None:
            return []
        numbers = self._rows.open_rejects_of(self.traces)
        return [one for one in self._rows.open_rejects() if self.rejects.is_theirs(one.reject) or one.id in numbers]

    def is_outcome(self) -> Callable[[str, str], bool]:
        """What tells whether a key in the history is the person's, given its stream and how it is shown there.

        Called after the rejects were read, whose keys it then knows.
        """
        return self._keys.shown()
