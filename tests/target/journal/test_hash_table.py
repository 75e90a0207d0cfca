"""A table with a log before it gives the same answers as a dict, wherever it was merged, also by another process."""

from __future__ import annotations

import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from target_mailing.journal import hash_table, tables
from target_mailing.journal.hash_table import HashTable

KEYS = st.integers(-3, 3)


class HashedTableAgainstADict(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
        self.connection = self.engine.connect()
        tables.make(self.connection)
        self.model: dict[int, tuple] = {}
        self.open()

    def open(self):
        self.table = HashTable(self.connection, tables.contacts, tables.contacts_log)

    @rule(entries=st.lists(st.tuples(KEYS, st.integers(0, 9), st.none() | st.just(1.5)), max_size=4))
    def put(self, entries):
        self.table.put(list(entries))
        self.model.update((entry[0], entry) for entry in entries)

    @rule(keys=st.lists(KEYS, max_size=3))
    def drop(self, keys):
        self.table.drop(keys)
        for key in keys:
            self.model.pop(key, None)

    @rule()
    def merge(self):
        self.table.merge()
        stored = self.connection.execute(sa.select(tables.contacts)).all()
        assert {row[0]: tuple(row) for row in stored} == self.model

    @rule()
    def open_again_as_after_a_kill(self):
        self.connection.commit()
        self.open()

    @invariant()
    def finds_what_the_dict_has(self):
        assert self.table.find(range(-3, 4)) == self.model

    def teardown(self):
        self.connection.close()
        self.engine.dispose()


TestHashedTableAgainstADict = HashedTableAgainstADict.TestCase
TestHashedTableAgainstADict.settings = settings(max_examples=60, deadline=None, stateful_step_count=25)


def test_p8_the_log_is_merged_before_it_grows_large(monkeypatch):
    monkeypatch.setattr(hash_table, "_MERGE_AT", 10)
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    with engine.connect() as connection:
        tables.make(connection)
        table = HashTable(connection, tables.contacts, tables.contacts_log)
        for number in range(25):
            table.put([(number, number, 1.0)])
            assert len(table._recent) < 10
        assert len(table.find(range(25))) == 25
    engine.dispose()
