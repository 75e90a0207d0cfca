"""What the journal knows of keys and contacts is what a dict knows, however it is kept, merged, pruned and reopened."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path
from random import Random

import pytest
import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from target_mailing.contacts.contact import EncodedContact
from target_mailing.journal import arrivals, runs, tables
from target_mailing.journal.arrivals import Arrivals
from target_mailing.journal.journal import Journal
from target_mailing.journal.replaced import Replaced
from target_mailing.journal.runs import Index
from target_mailing.journal.statements import Driver
from target_mailing.journal.stores import FileStore
from target_mailing.rows.row import Row
from tests.memory import memory
from tests.searching import machine

#: Some of which a filter takes for the same.
CONTACTS = st.sampled_from([-3, -2, -1, 0, 1, 2, 3, 1 << 24, 1 << 40])
PEOPLE = st.integers(0, 5)
CONTENTS = st.integers(0, 3)


def small_runs(patch):
    patch.setattr(arrivals, "_MOVED_FROM", 6)
    patch.setattr(runs, "_RUN_AT", 3)
    patch.setattr(runs, "_MERGED_AT_ONCE", 3)


class ArrivalsAgainstADict(RuleBasedStateMachine):
    """Contacts, whose former rows are only noted."""

    def __init__(self):
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        small_runs(self.patch)
        self.engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
        self.connection = self.engine.connect()
        tables.make(self.connection)
        self.model: dict[int, tuple] = {}
        self.clock = 0.0
        self.open()

    def open(self):
        driver = Driver(self.connection)
        replaced = Replaced(driver, tables.replaced_contacts)
        self.table = Arrivals(driver, tables.contacts, Index("contacts_by_id", "id"), replaced=replaced)

    @rule(entries=st.lists(st.tuples(CONTACTS, CONTENTS, st.booleans()), max_size=5))
    def put(self, entries):
        self.clock += 1
        rows = [(contact, content, self.clock if confirmed else None, 2) for contact, content, confirmed in entries]
        self.table.put(rows)
        self.model.update((row[0], row) for row in rows)

    @rule(contacts=st.lists(CONTACTS, max_size=3))
    def drop(self, contacts):
        self.table.drop(contacts)
        for contact in contacts:
            self.model.pop(contact, None)

    @rule(age=st.integers(0, 4))
    def forget(self, age):
        moment = self.clock - age
        self.table.forget(tables.contacts.c.confirmed_at < moment)
        self.model = {one: row for one, row in self.model.items() if row[2] is None or row[2] >= moment}

    @rule()
    def tidy(self):
        self.table.tidy()

    @rule()
    def open_again_as_after_a_kill(self):
        self.connection.commit()
        self.open()

    @rule(contacts=st.lists(CONTACTS, max_size=6))
    def find(self, contacts):
        found = {contact: row[1:] for contact, row in self.table.find(contacts).items()}
        assert found == {contact: self.model[contact] for contact in contacts if contact in self.model}

    @invariant()
    def no_run_has_a_row_that_was_forgotten_before_all_others(self):
        first = self.connection.execute(sa.select(sa.func.min(tables.contacts.c.n))).scalar()
        for run in self.connection.execute(sa.select(tables.runs)).all():
            least = self.connection.exec_driver_sql(f"SELECT min(n) FROM contacts_by_id_{run.n}").scalar()
            assert least is None or first is None or least >= first

    def teardown(self):
        self.connection.close()
        self.engine.dispose()
        self.patch.undo()


@pytest.mark.machine
class TestArrivalsAgainstADict(ArrivalsAgainstADict.TestCase):
    settings = machine(short=25, long=300, steps=25)


class JournalAgainstADict(RuleBasedStateMachine):
    """Keys, whose former addresses are overwritten wherever they stand: in the file, and in the log beside it."""

    def __init__(self):
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        small_runs(self.patch)
        self.patch.setattr(runs, "_RUN_AT", 7)
        self.folder = Path(tempfile.mkdtemp(dir=memory()))
        self.opened = 0
        self.journal = Journal(FileStore(self.path))
        self.addresses: dict[int, str] = {}
        self.used: set[str] = set()
        self.forgets = False

    @property
    def path(self):
        return self.folder / str(self.opened) / "journal.sqlite"

    def key(self, person):
        return self.journal.hashes.key_ids("d", "people")([b"%d" % person])[0]

    def row(self, person, address, action):
        contact = self.journal.contact_id("d", address)
        return Row(
            line=1, raw=b"", stream="people", key=self.key(person), id=contact, action=action,
            fingerprint=self.journal.fingerprint(action, b"x"), held=EncodedContact(address, address, b"x"),
            drops_key=action == "remove",
        )  # fmt: skip

    def settle(self, rows, action):
        number = self.journal.begin_batch("d", action, "json", rows)
        self.journal.begin_step(number, "submit")
        self.journal.settle(number, destination="d", action=action, route="json", outcomes={}, confirmed=rows)

    @rule(who=st.dictionaries(PEOPLE, st.integers(0, 3), min_size=1, max_size=4), shared=st.booleans())
    def deliver(self, who, shared):
        addresses = {
            person: f"canary.{'all' if shared else person}.{version}{'x' * version}@example.com"
            for person, version in who.items()
        }
        self.settle([self.row(person, address, "add") for person, address in addresses.items()], "add")
        self.addresses |= addresses
        self.used.update(addresses.values())

    @rule(people=st.sets(PEOPLE, max_size=3))
    def delete(self, people):
        known = {person for person in people if self.addresses.get(person)}
        if known:
            self.settle([self.row(person, self.addresses[person], "remove") for person in known], "remove")
            self.addresses |= dict.fromkeys(known, "")

    @rule()
    def forget(self):
        self.journal.retention.forget_before(time.time() + 60)
        self.addresses = {person: address for person, address in self.addresses.items() if address}

    @rule()
    def open_again(self):
        self.journal.close()
        self.journal = Journal(FileStore(self.path))

    @rule()
    def kill(self):
        before = self.path.parent
        self.opened += 1
        shutil.copytree(before, self.path.parent)
        self.journal.close()
        shutil.rmtree(before)
        self.journal = Journal(FileStore(self.path))

    @rule(person=PEOPLE)
    def finds_the_keys_of_a_contact(self, person):
        address = self.addresses.get(person)
        if address:
            found = {*self.journal.keys_of(self.journal.contact_id("d", address))}
            assert found == {self.key(one) for one, other in self.addresses.items() if other == address}

    @invariant()
    def finds_what_the_dict_has(self):
        expected = {self.key(person): address for person, address in self.addresses.items()}
        assert self.journal.emails([self.key(person) for person in range(6)]) == expected

    @invariant()
    def former_addresses_are_overwritten(self):
        found = b"".join(file.read_bytes() for file in self.path.parent.glob("journal.sqlite*"))
        for address in self.used:
            assert (address.encode() in found) == (address in self.addresses.values()), address

    @invariant()
    def no_run_has_a_row_that_was_erased(self):
        connection = self.journal._connection
        for run in connection.execute(sa.select(tables.runs).where(tables.runs.c.of.startswith("keys"))).all():
            present = "SELECT n FROM keys WHERE id <> x''"
            query = f"SELECT count(*) FROM {run.of}_{run.n} WHERE n NOT IN ({present})"
            assert connection.exec_driver_sql(query).scalar() == 0
        connection.rollback()

    def teardown(self):
        self.journal.close()
        shutil.rmtree(self.folder)
        self.patch.undo()


@pytest.mark.machine
class TestJournalAgainstADict(JournalAgainstADict.TestCase):
    settings = machine(short=8, long=150, steps=15)


@pytest.fixture
def contacts():
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    with engine.connect() as connection:
        tables.make(connection)
        driver = Driver(connection)
        replaced = Replaced(driver, tables.replaced_contacts)
        yield driver, Arrivals(driver, tables.contacts, Index("contacts_by_id", "id"), replaced=replaced)
    engine.dispose()


def sizes(driver):
    return [run.last - run.first + 1 for run in driver.execute(sa.select(tables.runs).order_by(tables.runs.c.first))]


def test_p8_a_hash_is_written_once_for_each_growth_by_the_number_of_runs_merged(contacts, monkeypatch):
    small_runs(monkeypatch)
    driver, table = contacts
    written = []
    write = runs.Runs._write
    monkeypatch.setattr(runs.Runs, "_write", lambda *given: written.append(given[3] - given[2] + 1) or write(*given))
    for number in range(243):
        table.put([(number, number, 1.0, 2)])
        assert len(table._index._recent) < 3
    assert sizes(driver) == [243]
    assert sum(written) == 243 * 5
    assert len(table.find(range(243))) == 243


def test_a_run_of_the_program_begins_with_few_runs(contacts, monkeypatch):
    small_runs(monkeypatch)
    driver, table = contacts
    for number in range(24):
        table.put([(number, number, 1.0, 2)])
    assert sizes(driver) == [9, 9, 3, 3]
    table.tidy()
    assert sizes(driver) == [24]
    for number in range(24, 33):
        table.put([(number, number, 1.0, 2)])
    table.tidy()
    assert sizes(driver) == [24, 9]
    assert len(table.find(range(33))) == 33


def test_one_contact_that_stays_keeps_no_hashes_of_others(contacts, monkeypatch):
    small_runs(monkeypatch)
    driver, table = contacts
    table.put([(0, 1, None, 2), (1, 1, 1.0, 2)])
    table.put([(1, 2, 2.0, 2)])
    for number in range(2, 60):
        table.put([(number, number, 2.0, 2)])
    table.put([(60, 60, 9.0, 2)])
    table.forget(tables.contacts.c.confirmed_at < 5)
    assert [row[1:] for row in table.find([0, 1, 2, 60]).values()] == [(0, 1, None, 2), (60, 60, 9.0, 2)]
    kept = [driver.query(f"SELECT value FROM {run.of}_{run.n}") for run in driver.execute(sa.select(tables.runs)).all()]
    assert sum(map(len, kept)) <= 6
    assert len(driver.query("SELECT * FROM contacts")) == 2
    assert driver.query("SELECT * FROM replaced_contacts") == []


def test_rows_that_come_as_they_came_before_are_found_without_the_index(contacts, monkeypatch):
    _, table = contacts
    table.put([(hash(f"{number}"), number, 1.0, 2) for number in range(50)])
    assert len(table.find([hash("0")])) == 1
    asked = []
    monkeypatch.setattr(runs.Runs, "rows", lambda _, values: asked.extend(values) or [])
    for begin in range(1, 50, 7):
        assert len(table.find([hash(f"{number}") for number in range(begin, begin + 7)])) == 7
    assert asked == []


def test_settled_batches_are_forgotten_with_their_steps_and_open_ones_stay(tmp_path):
    with closing(Journal(FileStore(tmp_path / "journal.sqlite"))) as journal:
        numbers = [journal.begin_batch("d", "add", "json", []) for _ in range(3)]
        for number in numbers:
            journal.begin_step(number, "submit")
            journal.end_step("d", number, "submit", {"job": number})
        journal.settle(numbers[0], destination="d", action="add", route="json", outcomes={})
        journal.discard(numbers[1])
        journal.retention.forget_before(time.time() - 60)
        assert len(journal.evidence("d")) == 3
        journal.retention.forget_before(time.time() + 60)
        assert journal.evidence("d") == [{"job": numbers[2]}]
        connection = journal._connection
        assert connection.execute(sa.select(tables.batches.c.id)).scalars().all() == [numbers[2]]
        assert connection.execute(sa.select(tables.steps.c.batch)).scalars().all() == [numbers[2]]


def test_a_number_of_a_row_that_was_replaced_is_not_used_again(contacts):
    driver, table = contacts
    for entry in ((1, 1, None, 2), (2, 1, 1.0, 2), (2, 2, 2.0, 2)):
        table.put([entry])
    table.forget(tables.contacts.c.confirmed_at < 5)
    again = Arrivals(
        driver, tables.contacts, Index("contacts_by_id", "id"), replaced=Replaced(driver, tables.replaced_contacts)
    )
    again.put([(3, 1, 9.0, 2)])
    assert [row[1:] for row in again.find([1, 2, 3]).values()] == [(1, 1, None, 2), (3, 1, 9.0, 2)]


def test_a_former_address_leaves_no_copy_in_a_page_that_is_rebuilt(monkeypatch, tmp_path):
    monkeypatch.setattr(runs, "_RUN_AT", 60)
    draw = Random(2)  # by which SQLite left such a copy where rows were deleted
    addresses = {}
    with closing(Journal(FileStore(tmp_path / "journal.sqlite"))) as journal:
        for version in range(60):
            rows = []
            for person in draw.sample(range(200), 20):
                addresses[person] = address = f"canary.{person}.{draw.choice((version, version * 10**9))}@example.com"
                row = Row(
                    line=1, raw=b"", stream="people", key=b"%016d" % person, id=journal.contact_id("d", address),
                    action="add", fingerprint=version, held=EncodedContact(address, address, b"x"),
                )  # fmt: skip
                rows.append(row)
            number = journal.begin_batch("d", "add", "json", rows)
            journal.settle(number, destination="d", action="add", route="json", outcomes={}, confirmed=rows)
        found = b"".join(file.read_bytes() for file in tmp_path.glob("journal.sqlite*"))
        assert {*re.findall(rb"canary[.0-9]*@example\.com", found)} == {*map(str.encode, addresses.values())}
        assert journal.emails([b"%016d" % person for person in addresses]) == {
            b"%016d" % person: address for person, address in addresses.items()
        }


def test_all_keys_of_a_contact_are_found_and_what_is_deleted_is_overwritten_after_a_merge(monkeypatch, tmp_path):
    small_runs(monkeypatch)
    monkeypatch.setattr(runs, "_RUN_AT", 4)
    with closing(Journal(FileStore(tmp_path / "journal.sqlite"))) as journal:
        contact = journal.contact_id("d", "all@example.com")
        held = EncodedContact("all@example.com", "all@example.com", b"x")
        keys = [b"%016d" % person for person in range(30)]
        for at, key in enumerate(keys):
            row = Row(
                line=1, raw=b"", stream="people", key=key, id=contact, action="add", fingerprint=1, held=held
            )  # fmt: skip
            journal.note_rows(unchanged=[row])
            assert sorted(journal.keys_of(contact)) == keys[: at + 1]
        assert journal._connection.exec_driver_sql("PRAGMA secure_delete").scalar() == 1


def test_a_filter_that_grows_still_knows_what_it_knew(contacts, monkeypatch):
    small_runs(monkeypatch)
    monkeypatch.setattr(runs, "_MARKS", 1)
    driver, _ = contacts
    replaced = Replaced(driver, tables.replaced_contacts)
    table = Arrivals(driver, tables.contacts, Index("contacts_by_id", "id"), replaced=replaced)
    for number in range(60):
        table.put([(number * 7919, number, 1.0, 2)])
    assert 32 <= len(table._index._marks) <= 64
    for number in range(59, -1, -1):  # where no row is expected, so that the index is asked
        assert len(table.find([number * 7919])) == 1


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("count", [1, 5, 70, 150, 300, 600, 1500, 3000])
def test_a_run_is_searched_for_each_value_and_is_never_read_whole(contacts, monkeypatch, count, parts):
    """SQLite may choose otherwise for some numbers of values; that took a hundred times as long."""
    driver, table = contacts
    keys = Arrivals(driver, tables.keys, Index("keys_by_id", "id", start=8), replaced={"email": ""})
    for number in range(parts):
        table.put([(number, 1, 1.0, 2)])
        keys.put([(number.to_bytes(16), "ada@example.com", 1)])
        for one in (table, keys):
            one._index._taken_up()
            one._index._end_run()
            one._index._marks = None
    plans, query = [], driver.query
    monkeypatch.setattr(driver, "query", lambda text, values: plans.append(query(f"EXPLAIN QUERY PLAN {text}", values)))
    for table_of, values in ((table, range(count)), (keys, [b"%08d" % n + bytes(8) for n in range(count)])):
        with suppress(TypeError):  # nothing is found
            table_of._index.rows(values)
    steps = {step[3] for plan in plans for step in plan}
    assert len(plans) == 2
    assert not [step for step in steps if "AUTOMATIC" in step or re.match(r"SCAN (r|t|\w+_by_\w+)\b", step)]


def test_statements_that_look_up_many_values_are_small_because_sqlite_keeps_them(contacts, monkeypatch):
    driver, table = contacts
    table.put([(number, 1, 1.0, 2) for number in range(3000)])
    table.find([5])
    table._index._end_run()
    table._index._marks = None
    sizes, query = [], driver.query
    monkeypatch.setattr(driver, "query", lambda text, values=(): sizes.append(len(values)) or query(text, values))
    found = table.find([*range(-3000, 3000)][::-7])
    assert {*found} == {number for number in range(-3000, 3000)[::-7] if number >= 0}
    assert max(sizes) <= 512
