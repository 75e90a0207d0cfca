"""`change_detection` as a machine: whatever fails, a warehouse that applies the records ends with what the source has.

The machine plays the source, the loader and all that goes wrong: walks that break off, programs that are killed, loads
that fail after some of their records, STATE that is lost or as old as a backup. After each run that was read and
loaded to its end the warehouse must equal the source, and no row of the source may be reported as deleted.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from mailing_api.errors import MailingError
from mailing_api.mailjet.client import MailjetClient
from tap_mailing.change_detection.changes import DELETED_AT, Changes, Snapshots, open_store
from tap_mailing.change_detection.store import Store
from tap_mailing.records.columns import identifier, integer
from tap_mailing.records.records import Records
from tap_mailing.records.writer import PageWriter
from tests.searching import LENGTH, examples

CONTACTS = "mailjet_contacts"
ACCOUNT = "north"
PAGE = 3

Rows = Sequence[tuple[int, str]]


class Failed(MailingError):
    """The run fails here, and ends in order."""


class Killed(BaseException):
    """The program is killed here."""


class File:
    """A snapshot in a file."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp())
        self._file = self._folder / "now" / "snapshot.sqlite"
        self.setting = {"path": str(self._file)}
        self._left = self._folder / "left"

    def kill(self) -> None:
        """Nothing more is written: only the disk's content is left."""
        shutil.copytree(self._file.parent, self._left)

    @contextmanager
    def as_left(self) -> Iterator[None]:
        """Afterwards the disk holds what was there when the program was killed, if it was."""
        try:
            yield
        finally:
            if self._left.exists():
                shutil.rmtree(self._file.parent)
                self._left.rename(self._file.parent)

    def close(self) -> None:
        shutil.rmtree(self._folder)


class Database:
    """A snapshot in PostgreSQL, where each statement is kept at once."""

    def __init__(self, url: str) -> None:
        self.setting = {"url": url}
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP SCHEMA IF EXISTS tap_mailing CASCADE")

    def kill(self) -> None:
        pass

    @contextmanager
    def as_left(self) -> Iterator[None]:
        yield

    def close(self) -> None:
        pass


class Ending:
    """Where a run ends, counted in writes; and how."""

    def __init__(self, place: File | Database, after: int | None, killed: bool) -> None:
        self.place = place
        self.left = after
        self.killed = killed

    def write(self) -> None:
        """A page is noted and about to be written."""
        if self.left == 0:
            self.end()
        if self.left is not None:
            self.left -= 1

    def end(self) -> None:
        if self.killed:
            self.place.kill()
            raise Killed
        raise Failed("It failed.")


class Written(list[tuple[int, str | None]]):
    """What a run wrote: number and name, or None for a row that is gone."""

    state: Any = None
    compared = False


class Sink(Records):
    """Takes records in place of stdout."""

    def __init__(self, written: Written, ending: Ending) -> None:
        self._written = written
        self._ending = ending

    def write(self, filled: Any) -> None:
        self._ending.write()
        self._written += [(int(key), name) for key, _, name in zip(*filled, strict=True)]

    def write_apart(self, records: Sequence[Mapping[str, Any]]) -> None:
        self._ending.write()
        assert all(one["account"] == ACCOUNT and one["part"] == int(one["id"]) % 2 for one in records)
        self._written += [(int(one["id"]), None) for one in records]


class Walks:
    """Walks by pages of any order, in which rows come twice, with a key of two columns."""

    def run(self, rows: Rows, state: Any, shape: str, ending: Ending, random: Random | None) -> Written:
        rows = list(rows)
        if random is not None:
            random.shuffle(rows)
            # A row that was edited while paging came in its old form, too.
            rows = [(key, random.choice("abc")) for key, _ in rows if random.random() < 0.1] + rows
        pages = [rows[at : at + PAGE] for at in range(0, len(rows), PAGE)]
        written = Written()
        with suppress(Failed, Killed), ending.place.as_left(), self._store(ending.place) as store:
            changes = Changes(
                Snapshots(store, store.part(CONTACTS, ACCOUNT), b""),
                Sink(written, ending),
                stream=CONTACTS,
                fixed={"account": ACCOUNT},
                keys=[identifier("id", "id"), integer("part", "part")],
                hides_keys=False,
                shape=shape.encode(),
                state=state,
            )
            written.compared = changes.compares
            for page in pages:
                columns = [[str(key) for key, _ in page], [key % 2 for key, _ in page], [name for _, name in page]]
                changes.write(columns, columns[:2])
            changes.write_gone()
            if ending.left is not None:
                ending.end()
            written.state = changes.complete()
        return written

    def _store(self, place: File | Database) -> Store:
        path, url = place.setting.get("path"), place.setting.get("url")
        return open_store(Path(path) if path else url)


class Runs:
    """Runs of the whole tap over contacts in order of their IDs."""

    def __init__(self, fake: Callable[..., Any]) -> None:
        self._fake = fake

    def run(self, rows: Rows, state: Any, shape: str, ending: Ending, random: Random | None) -> Written:
        del random
        written = Written()
        write_records, complete = PageWriter.write_records, Changes.complete

        def write(writer: PageWriter, stream: str, records: Iterable[Any], at: str) -> None:
            ending.write()
            records = list(records)
            write_records(writer, stream, records, at)
            for one in json.loads(msgspec.json.encode(records)):
                written.append((int(one["id"]), None if one[DELETED_AT.name] else one["name"]))

        def end(changes: Changes) -> Any:
            written.compared = changes.compares
            if ending.left is not None:
                ending.end()
            return complete(changes)

        mailjet = self._fake(contact=[{"ID": key, "Name": name} for key, name in sorted(rows)])
        with pytest.MonkeyPatch.context() as patch, suppress(Killed), ending.place.as_left():
            patch.setitem(MailjetClient.rows.__kwdefaults__, "limit", PAGE)
            patch.setattr(PageWriter, "write_records", write)
            patch.setattr(Changes, "complete", end)
            run = mailjet.read(
                CONTACTS,
                config={"mailjet_account": ACCOUNT, "change_detection": ending.place.setting},
                state={"bookmarks": {CONTACTS: {"snapshots": state}}} if state else None,
                without=("properties", *(("unsubscribed_by",) if shape == "narrow" else ())),
            )
            assert (run.error is None) is (ending.left is None)
            if run.error is None:
                written.state = run.state["bookmarks"][CONTACTS]["snapshots"]
        return written


#: Numbers and their new names, None for those that are removed.
edits = st.dictionaries(st.integers(1, 9), st.sampled_from([None, "a", "b", "c"]), max_size=5)
#: How much of what was written is loaded.
shares = st.sampled_from([0.0, 0.5, 1.0])
randoms = st.randoms(use_true_random=False)


class Pipeline(RuleBasedStateMachine):
    """A source, a warehouse, the STATE between them, and runs that may go wrong."""

    drive: Walks | Runs
    make_place: Callable[[], File | Database]

    def __init__(self) -> None:
        super().__init__()
        self.place = self.make_place()
        self.source: dict[int, str] = {}
        self.warehouse: dict[int, str] = {}
        self.state: Any = None
        self.shape = self.loaded_shape = "wide"
        self.backup: tuple[Any, dict[int, str], str] = (None, {}, self.shape)

    @initialize(names=st.lists(st.sampled_from("abc"), max_size=8))
    def begin(self, names):
        self.source = dict(enumerate(names, 1))

    @rule(edits=edits, random=randoms)
    def load(self, edits, random):
        self._edit(edits)
        self._load(random)

    @rule(edits=edits, random=randoms)
    def load_twice(self, edits, random):
        self._edit(edits)
        self._load(random)
        assert self._load(None) == []

    @rule(edits=edits, share=shares, random=randoms)
    def lose_the_load(self, edits, share, random):
        self._edit(edits)
        written = self._run(Ending(self.place, None, killed=False), random)
        self._apply(written[: round(share * len(written))])

    @rule(edits=edits, after=st.integers(0, 4), killed=st.booleans(), share=shares, random=randoms)
    def break_off(self, edits, after, killed, share, random):
        event("killed" if killed else "failed")
        self._edit(edits)
        written = self._run(Ending(self.place, after, killed), random)
        assert written.state is None
        self._apply(written[: round(share * len(written))])

    @rule()
    def select_other_columns(self):
        self.shape = "narrow" if self.shape == "wide" else "wide"

    @rule()
    def back_up(self):
        self.backup = (self.state, dict(self.warehouse), self.loaded_shape)

    @rule(how=st.sampled_from(["restored", "refreshed", "STATE lost"]))
    def go_back(self, how):
        if how == "restored":
            self.state, self.warehouse, self.loaded_shape = self.backup[0], dict(self.backup[1]), self.backup[2]
        elif how == "refreshed":
            self.state, self.warehouse = None, {}
        else:
            self.state = None

    def teardown(self):
        self.place.close()

    def _edit(self, edits: Mapping[int, str | None]) -> None:
        for key, name in edits.items():
            if name is None:
                self.source.pop(key, None)
            else:
                self.source[key] = name

    def _load(self, random: Random | None) -> Written:
        before = dict(self.warehouse)
        written = self._run(Ending(self.place, None, killed=False), random)
        assert written.state
        self.state = written.state
        if self.shape != self.loaded_shape:
            assert {key for key, name in written if name is not None} == self.source.keys()
        self.loaded_shape = self.shape
        self._apply(written)
        if not written.compared:
            # Rows that it cannot know of, because nothing says that they were ever loaded.
            event("all rows are new")
            assert {key for key, _ in written} == self.source.keys()
            for key in before.keys() - self.source.keys():
                del self.warehouse[key]
        assert self.warehouse == self.source
        return written

    def _run(self, ending: Ending, random: Random | None) -> Written:
        written = self.drive.run(list(self.source.items()), self.state, self.shape, ending, random)
        assert not {key for key, name in written if name is None} & self.source.keys()
        return written

    def _apply(self, written: Sequence[tuple[int, str | None]]) -> None:
        for key, name in written:
            if name is None:
                self.warehouse.pop(key, None)
            else:
                self.warehouse[key] = name


def check(drive: Walks | Runs, make_place: Callable[[], File | Database], examples: int) -> None:
    machine = type("Machine", (Pipeline,), {"drive": drive, "make_place": staticmethod(make_place)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            derandomize=LENGTH == "short",
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        ),
    )


@pytest.mark.slow
@pytest.mark.machine
def test_p6_walks_with_a_file_end_with_what_the_source_has():
    check(Walks(), File, examples(20, 400))


@pytest.mark.slow
@pytest.mark.machine
def test_p6_walks_with_postgresql_end_with_what_the_source_has(postgresql_url):
    check(Walks(), lambda: Database(postgresql_url), examples(8, 80))


@pytest.mark.slow
@pytest.mark.machine
def test_p6_runs_with_a_file_end_with_what_the_source_has(fake):
    check(Runs(fake), File, examples(5, 40))


@pytest.mark.slow
@pytest.mark.machine
def test_p6_runs_with_postgresql_end_with_what_the_source_has(fake, postgresql_url):
    check(Runs(fake), lambda: Database(postgresql_url), examples(3, 20))
