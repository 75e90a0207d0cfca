"""The addresses that a key has or may have are what a dict says, however they came and whenever the journal opens."""

from __future__ import annotations

import time

import pytest
import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from target_mailing.contacts.contact import EncodedContact
from target_mailing.journal import keys as keys_module
from target_mailing.journal import runs, tables
from target_mailing.journal.keys import Keys
from target_mailing.journal.replaced import Replaced
from target_mailing.journal.statements import Driver
from target_mailing.rows.row import Row
from tests.searching import machine

KEYS = st.sampled_from([b"%016d" % number for number in range(3)])
#: Contacts of the addresses; that of the last one is what stands for a deleted key of this time.
CONTACTS = {"person0@example.com": 1, "Person0@example.com": 1, "person1@example.com": 2, "person2@example.com": -7}
NOW = 7
ADDRESSES = st.sampled_from([*CONTACTS])


def row(key, address, *, drops_key=False, also=()):
    held = EncodedContact(address, address, b"x")
    made = Row(1, b"", "people", key, CONTACTS[address], "add", 1, held, drops_key=drops_key)
    if also:
        made.extend().also = dict.fromkeys(also)
    return made


ROWS = st.builds(
    row, st.none() | KEYS, ADDRESSES, drops_key=st.booleans(), also=st.lists(KEYS, max_size=2, unique=True)
)


def keys_of(one):
    return [*([] if one.key is None else [one.key]), *one.also]


def is_batch(rows):
    """Whether each key and each contact is in one row only, as in every batch."""
    keys = [key for one in rows for key in keys_of(one)]
    return len({*keys}) == len(keys) and len({one.id for one in rows}) == len(rows)


BATCHES = st.lists(ROWS, max_size=3).filter(is_batch)


class KeysAgainstADict(RuleBasedStateMachine):
    """Own addresses and possible ones."""

    def __init__(self):
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(runs, "_RUN_AT", 3)
        self.patch.setattr(keys_module, "time", type("clock", (), {"time": staticmethod(lambda: NOW)}))
        self.engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
        self.connection = self.engine.connect()
        tables.make(self.connection)
        self.own: dict[bytes, str] = {}
        #: By key and address, whether it certainly is at the provider.
        self.possible: dict[tuple[bytes, str], bool] = {}
        self.open_again()

    @rule()
    def open_again(self):
        self.connection.commit()
        self.keys = Keys(self.connection, Driver(self.connection))

    @rule(rows=BATCHES)
    def confirm(self, rows):
        self.keys.confirm(rows)
        for one in rows:
            for key in keys_of(one):
                self.own[key] = "" if one.drops_key else one.email
        for one in rows:
            self.forget_possible_of(one)

    @rule(rows=BATCHES)
    def forget_possible(self, rows):
        self.keys.forget_possible(rows)
        for one in rows:
            self.forget_possible_of(one)

    @rule(rows=BATCHES)
    def note_uncertain(self, rows):
        self.keys.note_uncertain(rows)
        for one in rows:
            if not one.drops_key:
                self.possible |= {(key, one.email): False for key in keys_of(one)}

    @rule(key=KEYS, address=ADDRESSES)
    def note_pending_removal(self, key, address):
        self.keys.note_pending_removals([(key, address, CONTACTS[address])])
        self.possible[key, address] = True

    def forget_possible_of(self, one):
        """What a row ends: its own address, and for its keys those that may never have arrived."""
        for key, address in [*self.possible]:
            if one.key is None:
                ends = CONTACTS[address] == one.id
            else:
                is_certain = self.possible[key, address]
                ends = key in keys_of(one) and (CONTACTS[address] == one.id or not is_certain)
            if ends:
                del self.possible[key, address]

    @invariant()
    def has_what_the_dict_has(self):
        every = [b"%016d" % number for number in range(3)]
        assert self.keys.emails(every) == self.own
        for key in every:
            assert {*self.keys.possible_addresses(key)} == {email for one, email in self.possible if one == key}
        assert self.keys.has_possible_addresses == bool(self.possible)

    @rule(contacts=st.permutations([*CONTACTS.values()]))
    def finds_the_keys_of_contacts(self, contacts):
        found = self.keys.of(contacts)
        for contact in contacts:
            assert self.keys.of_one(contact) == found[contact]
        for contact, keys in found.items():
            assert sorted(keys) == sorted(key for key, email in self.own.items() if CONTACTS.get(email) == contact)

    def teardown(self):
        self.connection.close()
        self.engine.dispose()
        self.patch.undo()


@pytest.mark.machine
class TestKeysAgainstADict(KeysAgainstADict.TestCase):
    settings = machine(short=25, long=400, steps=12)


@pytest.fixture
def driver():
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    with engine.connect() as connection:
        tables.make(connection)
        yield Driver(connection)
    engine.dispose()


def test_a_deleted_key_is_no_key_of_a_contact_whose_hash_is_its_time(driver, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: float(NOW))
    keys = Keys(driver.connection, driver)
    keys.note([row(b"a" * 16, "person2@example.com", drops_key=True), row(b"b" * 16, "person2@example.com")])
    assert keys.of([-NOW]) == {-NOW: [b"b" * 16]}


def test_p8_contacts_that_leave_in_their_order_take_few_statements(driver, monkeypatch):
    monkeypatch.setattr(keys_module, "_AHEAD", 30)
    keys = Keys(driver.connection, driver)
    made = [row(b"%016d" % number, "person0@example.com") for number in range(100)]
    for number, one in enumerate(made):
        one.id = 1000 - number // 2  # each contact has two keys
    keys.note(made)
    asked = []
    query = driver.query
    monkeypatch.setattr(driver, "query", lambda *given: asked.append(given) or query(*given))
    for one in made[10:]:
        assert keys.of_one(one.id) == [other.key for other in made if other.id == one.id]
    assert len(asked) < 20
    keys.note([row(b"%016d" % 99, "person1@example.com"), row(b"%016d" % 100, "person0@example.com")])
    assert keys.of_one(made[99].id) == [made[98].key]
    keys.note([row(b"%016d" % 98, "person0@example.com", drops_key=True)])
    assert keys.of_one(made[99].id) == []


def test_a_removal_that_is_pending_outlives_what_else_arrives_under_its_key(driver):
    keys, key = Keys(driver.connection, driver), b"a" * 16
    keys.note_uncertain([row(key, "person0@example.com"), row(key, "person1@example.com")])
    keys.note_pending_removals([(key, "person0@example.com", 1)])
    keys.confirm([row(key, "person2@example.com")])
    assert keys.possible_addresses(key) == ["person0@example.com"]
    keys.confirm([row(key, "person0@example.com")])
    assert keys.possible_addresses(key) == []


def test_one_of_two_spellings_that_is_left_still_ends_with_its_contact(driver):
    keys, key = Keys(driver.connection, driver), b"a" * 16
    keys.note_uncertain([row(key, "person0@example.com")])
    keys.note_pending_removals([(key, "Person0@example.com", 1)])
    keys.confirm([row(key, "person2@example.com")])
    assert keys.possible_addresses(key) == ["Person0@example.com"]
    keys.forget_possible([row(None, "person0@example.com")])
    assert not keys.has_possible_addresses


def test_numbers_of_rows_that_were_replaced_may_come_in_any_order(driver):
    replaced = Replaced(driver, tables.replaced_contacts)
    noted: set[int] = set()
    for numbers in ([100, 107], [99], [3, 64], [250], [2]):
        replaced.add(numbers)
        noted.update(numbers)
        for each in (replaced, Replaced(driver, tables.replaced_contacts)):
            assert {number for number in range(300) if number in each} == noted
            assert each.last >= max(noted)
    replaced.forget_before(99)
    for each in (replaced, Replaced(driver, tables.replaced_contacts)):
        assert {number for number in range(300) if number in each} == {99, 100, 107, 250}
