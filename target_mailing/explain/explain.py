"""Explains one person: from a copy of the journal, the rejects files, and the provider's answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import cached_property
from pathlib import Path
from typing import Any

import click
import msgspec

from mailing_api.addresses import fold_address
from mailing_api.errors import (
    ConfigurationError,
    MailingError,
    UnreadableAnswer,
)
from target_mailing.delivery.router import Router
from target_mailing.explain.answer import MOST, of_contact, of_keys, of_outcomes, of_rejects
from target_mailing.explain.outcomes import outcomes_in
from target_mailing.explain.rejects import PersonReject, in_journal, open_and_others, rejects_in
from target_mailing.explain.today import TellsToday
from target_mailing.history.opening import history_folder
from target_mailing.interface.destination import Destination
from target_mailing.journal.person import KnownContact, Person, PersonReader
from target_mailing.journal.person_rows import OpenReject, PersonRows
from target_mailing.journal.stores import JournalError, MemoryStore, Store
from target_mailing.person.asked import Asked, ask
from target_mailing.person.places import looked_up, named_streams, without_journal
from target_mailing.person.search import PersonSearch
from target_mailing.places import journal_hash_key, refuse_missing_journal
from target_mailing.rows.row import Resource
from target_mailing.sections import Fact, section, unbroken
from target_mailing.settings.settings import check_entries

__all__ = ["explain"]


class _Place(msgspec.Struct):
    """A destination.

    Attributes:
        title: for people.
        destination: None where the settings do not lead to it now.
        streams: names of the streams in which the key is looked for.
        keys: hashes that the person's key may have there.
        person: what the journal knows.
    """

    name: str
    title: str
    destination: Destination | None = None
    streams: Sequence[str] = ()
    keys: set[bytes] = set()
    person: Person = Person({}, {})

    @property
    def is_by_address(self) -> bool:
        """Whether addresses identify contacts."""
        return self.destination is None or self.destination.fields.identify is None


def explain(
    where: str,
    config: Mapping[str, Any],
    open_router: Callable[[], Router],
    places_of: Callable[[Router], tuple[Store, Path]],
) -> None:
    """Write what is known of one person to standard output; nothing else is written, and no lock is taken.

    Args:
        where: the value of the option, see `ask`.
        config: the plugin's settings.
        open_router: makes the account, which only reads.
        places_of: the place of the journal, and the folder of the rejects files.

    Raises:
        ConfigurationError: nobody was named, or a setting is wrong.
        MailingError, JournalError: a part could not be read; the answer has the others.
    """
    check_entries(config)
    hash_key = journal_hash_key(config)
    with ExitStack() as opened:
        router = opened.enter_context(closing(open_router()))
        router.check(config)
        store, folder = places_of(router)
        asked = ask(where)
        explanation = _Explanation(config, router, asked)
        explanation.read(opened, store, hash_key)
        explanation.find_places()
        explanation.write(folder)
    if explanation.problems:
        raise explanation.problems[0]


class _Explanation:
    """One answer.

    Attributes:
        problems: errors of parts that could not be read.
    """

    def __init__(self, config: Mapping[str, Any], router: Router, asked: Asked) -> None:
        self.problems: list[Exception] = []
        self._config = config
        self._router = router
        self._asked = asked
        self._reader: PersonReader | None = None
        self._places: dict[str, _Place] = {}
        #: By destination, keys and contacts of batches under way.
        self._left: dict[str, set[Resource]] = {}

    # Reading

    def read(self, opened: ExitStack, store: Store, hash_key: str | None) -> None:
        """Read the journal's copy, as far as there is one."""
        if isinstance(store, MemoryStore):
            _write(without_journal(store))
            return
        try:
            refuse_missing_journal(self._config, store)
            reader = opened.enter_context(closing(PersonReader(store, hash_key=hash_key)))
        except (JournalError, ConfigurationError) as error:
            self.problems.append(error)
            _write(str(error))
            return
        if reader.is_there:
            self._reader = reader
            _write(f"Journal: {unbroken(store.name)} (only read)")
        else:
            _write(without_journal(store))

    def find_places(self) -> None:
        """Find the destinations, of the settings and of the journal, and what the journal knows there."""
        for name, (destination, title) in looked_up(self._config, self._router, self._note).items():
            self._places[name] = _Place(name, title, destination)
        known = {} if self._reader is None else self._from_journal(lambda reader: reader.rows.streams(), {})
        for name in known:
            self._places.setdefault(name, _Place(name, name))
        for place in self._places.values():
            self._look_up(place, [*known.get(place.name, ()), *named_streams(self._config)])

    def _look_up(self, place: _Place, streams: Sequence[str]) -> None:
        address = self._asked.address if place.is_by_address else None
        if self._reader is None:
            place.person = Person({}, {} if address is None else {0: KnownContact()})
            return
        names = [self._asked.stream] if self._asked.stream is not None else [*dict.fromkeys(streams)]
        place.streams = names
        for name in names:
            place.keys.update(self._reader.hashes.key_ids(place.name, name)(self._asked.keys))
        place.person = self._from_journal(lambda reader: reader.at(place.name, address, place.keys), Person({}, {}))

    def _from_journal(self, read: Callable[[PersonReader], Any], otherwise: Any) -> Any:
        """What a reading returns; something else where the journal turns out to be damaged."""
        if self._reader is None:
            return otherwise
        try:
            return read(self._reader)
        except JournalError as error:
            self._note(error)
            self._reader = None
            return otherwise

    def _note(self, error: Exception) -> None:
        if str(error) not in map(str, self.problems):
            _write(str(error))
        self.problems.append(error)

    # Writing

    def write(self, folder: Path) -> None:
        """Write the answer.

        Args:
            folder: of the rejects files.
        """
        for place in self._places.values():
            if place.destination is None and not _is_known(place.person):
                continue
            click.echo()
            _write(place.title, self._of_place(place))
            for number, contact in place.person.contacts.items():
                title = (contact.email if place.is_by_address else None) or self._title(number, place)
                _write(title, [*of_contact(contact, place.keys), *self._today(place, contact)])
        click.echo()
        _write("Rows", [*self._rejects(folder), *self._outcomes(folder)])

    def _title(self, number: int, place: _Place) -> str:
        if place.is_by_address and self._asked.email is not None:
            return self._asked.email
        at = [*place.person.contacts].index(number) + 1
        return f"Contact {at} of {len(place.person.contacts)}" if len(place.person.contacts) > 1 else "Contact"

    def _of_place(self, place: _Place) -> Iterator[Fact]:
        """What is said before the contacts."""
        yield from of_keys(place.person.keys)
        contacts = place.person.contacts
        if len(contacts) > 1:
            yield "contacts", [f"{len(contacts)}, which the key in question has or had"]
        if contacts:
            return
        if not place.is_by_address and self._asked.address is not None:
            yield "journal", ["knows contacts here by name and postal address, not by e-mail: name the key"]
        elif not place.person.keys:
            yield "journal", [_unknown_key(place)]
        yield "provider today", ["not asked: no contact is known"]

    def _today(self, place: _Place, contact: KnownContact) -> Iterator[Fact]:
        if place.destination is None:
            if not self.problems:
                yield "provider today", ["not asked: the settings do not lead there"]
            else:
                yield "provider today", ["could not be asked, see above"]
            return
        if not isinstance(place.destination, TellsToday):
            yield "provider today", ["cannot be asked about one contact here"]
            return
        names = self._names(place, contact)
        if not names:
            yield "provider today", ["not asked: its ID is not kept"]
            return
        try:
            yield "provider today", place.destination.today(names)
        except MailingError as error:
            self.problems.append(error)
            yield "provider today", [f"could not be asked: {error}"]
        except (AttributeError, LookupError, TypeError, ValueError):
            self.problems.append(UnreadableAnswer("The state of the contact is not in the documented form."))
            yield "provider today", ["could not be read: the answer is not in the documented form"]

    def _names(self, place: _Place, contact: KnownContact) -> Sequence[str]:
        if not place.is_by_address:
            return sorted(contact.names)
        known = [contact.email] if contact.email else []
        is_asked = not known or fold_address(known[0]) == self._asked.address
        return self._asked.spellings(known) if is_asked else [*dict.fromkeys([*known, *map(fold_address, known)])]

    def _rejects(self, folder: Path) -> Iterator[Fact]:
        problems: list[Exception] = []
        try:
            opened, others = self._found_rejects(folder, problems.append)
        except JournalError as error:
            self._note(error)
            self._reader = None
            self._search = self._searched(None)
            problems.clear()
            opened, others = self._found_rejects(folder, problems.append)
        if problems:
            self.problems.append(problems[0])
            yield "problem", [str(problems[0])]
        yield from of_rejects(opened, others)

    def _found_rejects(
        self, folder: Path, note: Callable[[Exception], None]
    ) -> tuple[list[PersonReject], list[PersonReject]]:
        """The open rejects, and the others."""
        search = self._search
        folders = [folder.absolute()]
        if self._reader is not None:
            folders += sorted({one.absolute() for one in self._reader.rows.reject_folders()} - {*folders})

        def read() -> tuple[list[PersonReject], list[OpenReject]]:
            written = rejects_in(folders, search.rejects, note)
            written += [in_journal(one, "in no file yet") for _, one in search.pending()]
            return written, search.open_rejects()

        written, opened = search.completed(read)
        return open_and_others(opened, written, self._fate)

    def _fate(self, reject: OpenReject) -> str:
        """Whether `--retry-rejects` sends an open reject."""
        place = self._places.get(reject.destination)
        if place is None or place.destination is None:
            return f"not sent again: the settings do not lead to {reject.destination}"
        if reject.overtaken:
            return "not sent again: something newer came, or may have come"
        if place.name not in self._left and self._reader is not None:
            self._left[place.name] = self._reader.left(place.name)
        if not self._left.get(place.name, set()).isdisjoint({reject.key, reject.contact}):
            return "not sent again before the batch under way has ended"
        return "--retry-rejects sends it"

    @cached_property
    def _search(self) -> PersonSearch:
        """What recognises rejects and outcomes."""
        try:
            return self._searched(None if self._reader is None else self._reader.rows)
        except JournalError as error:
            self._note(error)
            self._reader = None
            return self._searched(None)

    def _searched(self, rows: PersonRows | None) -> PersonSearch:
        places = {place.name: place.is_by_address for place in self._places.values() if place.destination is not None}
        return PersonSearch(self._config, self._asked, rows, places)

    def _outcomes(self, rejects: Path) -> Iterator[Fact]:
        """The newest outcomes in the history."""
        try:
            if (folder := history_folder(self._config, rejects)) is not None:
                found = outcomes_in(folder, self._search.is_outcome(), MOST)
                yield from of_outcomes(found, has_many_places=len(self._places) > 1)
        except ConfigurationError as error:
            self.problems.append(error)
            yield "problem", [str(error)]


def _unknown_key(place: _Place) -> str:
    if not place.streams:
        return "has the name of no stream, which finds a key: say it in a second line"
    return f"does not know this key here; looked for in {', '.join(map(repr, place.streams))}"


def _is_known(person: Person) -> bool:
    return bool(person.keys) or any(contact.is_known for contact in person.contacts.values())


def _write(title: str, facts: Iterable[Fact] = ()) -> None:
    for line in section(title, facts):
        click.echo(line)
