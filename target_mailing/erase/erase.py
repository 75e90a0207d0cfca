"""`--erase`: all that journal, rejects and history hold of one person is removed, and overwritten on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, Final

import click

from mailing_api.errors import ConfigurationError
from mailing_api.process.asking import TERMINAL, is_confirmed
from mailing_api.storage.overwriting import finish_rewrites
from mailing_api.storage.temporary_folders import remove_left
from target_mailing.delivery.router import Router
from target_mailing.erase import words
from target_mailing.erase.files import erase_from, holding, unsearched
from target_mailing.erase.history import PersonOutcomes
from target_mailing.history.file import complete_left
from target_mailing.history.opening import history_folder
from target_mailing.journal.erasure import JournalErasure
from target_mailing.journal.journal import Journal
from target_mailing.journal.list_locks import ListLocks, locks_folder
from target_mailing.journal.stores import MemoryStore, Store
from target_mailing.journal.traces import Traces
from target_mailing.person.asked import Asked, ask
from target_mailing.person.files import HISTORIES, REJECTS
from target_mailing.person.places import looked_up, without_journal
from target_mailing.person.rejects import ids_in, is_empty
from target_mailing.person.search import PersonSearch
from target_mailing.places import journal_hash_key, refuse_missing_journal
from target_mailing.sections import Fact, section, unbroken
from target_mailing.settings.declared_settings import value_of
from target_mailing.settings.settings import check_entries

__all__ = ["erase"]

_QUESTION: Final = "\nErase all of this? It cannot be undone. Type yes: "
_COPIES: Final = ("target-mailing-plan-", "target-mailing-explanation-")
#: Settings that name files with what a run found, which may have addresses.
_RESULTS: Final = ("plan_path", "reconcile_path")


def erase(
    where: str,
    config: Mapping[str, Any],
    open_router: Callable[[], Router],
    places_of: Callable[[Router], tuple[Store, Path]],
    *,
    is_sure: bool,
) -> None:
    """Erase one person, after saying on standard output what was found, and asking at the terminal.

    Args:
        where: the value of the option, see `ask`.
        config: the plugin's settings.
        open_router: makes the account, which only reads.
        places_of: the place of the journal, and the folder of the rejects files.
        is_sure: do not ask.

    Raises:
        ConfigurationError: nobody was named, a setting is wrong, a run is under way, nobody said yes, or a file cannot
            be rewritten; the message says what remains.
        JournalError: the same of the journal.
        MailingError: a destination could not be looked up; all that could be found was erased.
    """
    check_entries(config)
    hash_key = journal_hash_key(config)
    with ExitStack() as opened:
        router = opened.enter_context(closing(open_router()))
        router.check(config)
        store, folder = places_of(router)
        asked = ask(where, "--erase")
        journal = _opened(config, store, lambda: places_of(router)[0], hash_key)
        if journal is not None:
            opened.enter_context(closing(journal))
        holder = journal or opened.enter_context(closing(Journal(MemoryStore())))
        router.lists = opened.enter_context(closing(ListLocks(locks_folder(), holder, leaves_note=False)))
        erasure = _Erasure(config, router, asked, journal, folder, is_in_file=where != TERMINAL)
        erasure.finish_earlier()
        erasure.find()
        if erasure.tell() and (is_sure or _is_confirmed()):
            erasure.erase()
    if erasure.problems:
        raise erasure.problems[0]


def _opened(
    config: Mapping[str, Any], store: Store, again: Callable[[], Store], hash_key: str | None
) -> JournalErasure | None:
    """The journal, if there is one."""
    if isinstance(store, MemoryStore):
        store.close()
        _write(without_journal(store))
        return None
    with closing(store):
        refuse_missing_journal(config, store)
        is_missing = store.would_be_made()
    if is_missing:
        _write(without_journal(store))
        return None
    journal = JournalErasure(again(), hash_key=hash_key)
    _write(f"Journal: {unbroken(journal.place)}")
    return journal


def _is_confirmed() -> bool:
    try:
        if is_confirmed(_QUESTION):
            return True
    except OSError:
        raise ConfigurationError(
            "Option --erase asks at a terminal whether to erase, and there is none. Add --yes. Nothing was erased."
        ) from None
    raise ConfigurationError("Nothing was erased: the answer to the question of --erase was not yes.")


class _Erasure:
    """One erasure.

    Attributes:
        problems: errors of destinations that could not be looked up.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        router: Router,
        asked: Asked,
        journal: JournalErasure | None,
        rejects: Path,
        *,
        is_in_file: bool,
    ) -> None:
        self.problems: list[Exception] = []
        self._config = config
        self._router = router
        self._asked = asked
        self._is_in_file = is_in_file
        self._journal = journal
        self._reject_folders = [rejects.absolute()]
        if journal is not None:
            noted = {folder.absolute() for folder in journal.person.reject_folders()} - {rejects.absolute()}
            self._reject_folders += sorted(noted)
        history = history_folder(config, rejects)
        self._history_folders = [] if history is None else [history.absolute()]
        self._traces = Traces(set(), set())
        self._holdings = words.Holdings()

    # Finding

    def finish_earlier(self) -> None:
        """Finish what a stopped erasure left in files, and remove copies of the journal that killed commands left."""
        for prefix in _COPIES:
            remove_left(prefix, overwriting=True)
        with _telling("rejects_path", "Nothing was erased"):
            for folder in self._reject_folders:
                finish_rewrites(folder, REJECTS[0])
        with _telling("history_path", "Nothing was erased"):
            for folder in self._history_folders:
                complete_left(folder)
                for pattern in HISTORIES:
                    finish_rewrites(folder, pattern)

    def find(self) -> None:
        """Find all that there is of the person.

        Raises:
            ConfigurationError: a run that is under way has the person, or delivers to a list.
        """
        destinations = looked_up(self._config, self._router, self._note)
        for destination, _ in destinations.values():
            self._router.hold(destination)
        places = {name: destination.fields.identify is None for name, (destination, _) in destinations.items()}
        self._search = PersonSearch(
            self._config, self._asked, None if self._journal is None else self._journal.person, places
        )
        self._traces = self._search.traces
        if self._journal is not None:
            if self._traces.under_way:
                raise ConfigurationError(words.under_way(self._journal.place, len(self._traces.under_way)))
            self._holdings.counts = self._journal.count(self._traces)
        with _telling("rejects_path", "Nothing was erased"):
            self._search.completed(self._find_rejects)
        self._of_outcomes = PersonOutcomes(self._search.is_outcome())
        with _telling("history_path", "Nothing was erased"):
            histories = [holding(folder, HISTORIES, self._of_outcomes) for folder in self._history_folders]
            self._holdings.outcomes = [*chain(*histories)]
        for file in (*self._holdings.rejects, *self._holdings.outcomes):
            if file.is_in_use:
                raise ConfigurationError(
                    f"Option --erase: a run that is under way writes {file.path}, which has this person. Wait for that "
                    "run to end. Nothing was erased."
                )

    def _find_rejects(self) -> None:
        self._holdings.rejects = [
            *chain(*(holding(folder, REJECTS, self._search.rejects) for folder in self._reject_folders))
        ]
        self._holdings.pending = [number for number, _ in self._search.pending()]
        self._holdings.opened = [one.id for one in self._search.open_rejects()]

    def _note(self, error: Exception) -> None:
        if str(error) not in map(str, self.problems):
            _write(str(error))
        self.problems.append(error)

    # Telling

    def tell(self) -> bool:
        """Write what was found; returns whether there is anything."""
        click.echo()
        if not self._holdings:
            _write("Nothing is known of this person here")
            if self._journal is not None and self._journal.is_unfinished:
                self._journal.finish()
                _write("An earlier erasure was stopped; it is finished now")
            _write("Not searched", self._beyond(is_short=True))
            self._remind()
            return False
        traces = self._traces
        _write("Found of this person", words.found(self._asked.email, traces, self._holdings))
        if consequences := [*words.consequences(traces, self._holdings.counts)]:
            _write("Forgotten with it", consequences)
        if unlocked := [*words.unlocked(self._holdings)]:
            _write("Not locked", [("files", unlocked)])
        return True

    def _remind(self) -> None:
        """Remind of the file that names the person."""
        if self._is_in_file:
            _write("The file that names the person still does: delete it")

    def _beyond(self, *, is_short: bool = False) -> Iterator[Fact]:
        """The places that are not reached."""
        provider = self._router.provider
        results = [str(path) for name in _RESULTS if (path := self._config.get(name)) is not None]
        others = [
            name
            for folders, begin, patterns in (
                (self._reject_folders, "rejects-", REJECTS),
                (self._history_folders, "history-", HISTORIES),
            )
            for folder in folders
            for name in unsearched(folder, begin, patterns)
        ]
        is_database = self._journal is not None and self._journal.is_database
        yield from words.beyond(
            provider.title, provider.erasing, sorted(self._traces.ids), results=results, others=others,
            linked=[file.path.name for file in (*self._holdings.rejects, *self._holdings.outcomes) if file.links],
            has_maps=self._has_maps(),
            is_database=is_database, is_short=is_short, has_history=value_of("history_path", self._config) != "off",
        )  # fmt: skip

    def _has_maps(self) -> bool:
        """Whether a stream map makes columns."""
        maps = [one for one in (self._config.get("stream_maps") or {}).values() if isinstance(one, Mapping)]
        return any(not name.startswith("__") or name == "__key_properties__" for one in maps for name in one)

    # Erasing

    def erase(self) -> None:
        """Erase it, the journal last: it leads to the rest, so that a second erasure finds what a stopped one left."""
        left = "What it has of this person remains, and so does the journal; repeat this"
        for file in self._holdings.outcomes:
            with _telling("history_path", left):
                erase_from(file.path, self._of_outcomes, lambda _: False)
        # The address leads to keys, by which the other files are found.
        for file in sorted(self._holdings.rejects, key=lambda one: one.path.name in self._search.rejects.by_address):
            with _telling("rejects_path", left):
                self._holdings.removed += not erase_from(file.path, self._search.rejects, is_empty)
        if self._journal is not None:
            with _telling("rejects_path", left):
                written = {path.name: ids for path, ids in self._written(self._journal)}
            pending, opened = self._holdings.pending, self._holdings.opened
            self._journal.erase(self._traces, pending, written, opened=opened)
        click.echo()
        _write("Erased", words.parts(self._holdings))
        _write("Not reached", self._beyond())
        self._remind()

    def _written(self, journal: JournalErasure) -> Iterator[tuple[Path, set[int]]]:
        """The rejects files, each with the hashes of its records."""
        fingerprints = journal.hashes.fingerprints("reject")
        for folder in self._reject_folders:
            for path in folder.glob(REJECTS[0]) if folder.exists() else ():
                if path.is_file():
                    yield path, ids_in(path, fingerprints)


@contextmanager
def _telling(setting: str, left: str) -> Iterator[None]:
    """Say what remains, where a file cannot be read or rewritten."""
    try:
        yield
    except OSError as exc:
        raise ConfigurationError(
            f"Setting `{setting}`: {exc.filename or 'a file'} cannot be read or rewritten ({exc.strerror}). {left}."
        ) from None


def _write(title: str, facts: Iterable[Fact] = ()) -> None:
    for line in section(title, facts):
        click.echo(line)
