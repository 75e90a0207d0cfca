"""What an erasure leaves of one person in the journal: nothing, in no byte; and of the others everything."""

from __future__ import annotations

import json
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from mailing_api.storage import compaction
from target_mailing.erase import words
from target_mailing.journal import erasure, payload, runs, tables
from target_mailing.journal.journal import Journal, JournalError
from target_mailing.journal.stores import FileStore
from target_mailing.journal.traces import SIGNS, Sign, Traces
from tests.target.conftest import people, person, schema, state
from tests.target.erase.erasing import asked_to_erase, erase, on_disk

EMAIL = "Canary@Example.com"
OTHER = "other@example.com"
#: Tables of which no row is of one person.
NOBODYS = {
    "meta", "streams", "runs", "replaced_contacts", "allowances", "rejected_streams", "past_runs", "past_jobs",
}  # fmt: skip


def test_every_table_and_column_says_how_one_persons_rows_are_found():
    """Who adds a table, or a column, adds it to `traces.SIGNS`, and a row of the person to `fill` below."""
    assert SIGNS.keys() == tables.metadata.tables.keys()
    for name, table in tables.metadata.tables.items():
        signs = SIGNS[name]
        assert not signs.of_person.keys() & {*signs.others}, name
        assert {*signs.of_person, *signs.others} == {*table.c.keys()}, name


def test_every_table_whose_rows_are_counted_has_words_for_them():
    """The others have no column that shows a person by itself, or are counted as rejects."""
    everybody = Traces(set(), set())
    counted = {name for name, table in tables.metadata.tables.items() if erasure._where(table, everybody) is not None}
    assert words._ROWS.keys() == counted - {"open_rejects"}


class Hashed:
    """What a journal knows one person by."""

    def __init__(self, journal, email, key, place, name):
        self.email = email
        self.contact = journal.contact_id(place, email.lower())
        self.key = journal.hashes.key_ids(place, "people")([json.dumps([key]).encode()])[0]
        self.shared = journal.hashes.key_ids(place, "people")([json.dumps([f"shared {key}"]).encode()])[0]
        self.id = f"contact_{name}"
        self.record = json.dumps({"id": key, "email": email, "note": f"{name} note"}, separators=(",", ":")).encode()
        self.file = str(journal._store.folder / "rejects" / f"rejects-{name}.singer")
        self.reject = journal.fingerprint("reject", b"\0".join((b"people", b"wrong_type", self.record)))
        self.name = name

    def bytes(self):
        """What must not be in the file afterwards; SQLite writes numbers in big-endian."""
        numbers = (self.contact, int.from_bytes(self.key[:8], signed=True))
        texts = (
            self.email,
            self.email.lower(),
            self.id,
            f"{self.name} note",
            f"{self.name} topic",
            f"{self.name} said",
        )
        hashes = [*(one.to_bytes(8, signed=True) for one in numbers), row_number(self.reject), self.key, self.key[:8]]
        return [*hashes, *map(str.encode, texts)]


def row_number(number):
    """How SQLite writes the number of a row of nine bytes: seven bits each, and eight."""
    unsigned = number & (1 << 64) - 1
    return bytes([*(unsigned >> shift & 0x7F | 0x80 for shift in range(57, 7, -7)), unsigned & 0xFF])


def fill(journal, place, who, number):
    """A row of the person in each table, as versions write them."""
    of, key, contact = journal.hashes.destination_id(place), who.key, who.contact
    evidence = {"ids": [[who.id], ["contact_else"]], "reason": f"no {who.email.upper()}", "job": "7"}
    rows = {
        "batches": {"id": number, "destination": place, "action": "addnoforce", "route": "json", "state": "settled",
                    "created_at": 1.0, "payload": None, "outcomes": "{}", "settled_at": 2.0},
        "steps": {"batch": number, "name": "submit", "begun_at": 1.0, "evidence": json.dumps(evidence)},
        "contacts": {"n": 10 + number, "id": contact, "fingerprint": number, "confirmed_at": 2.0, "streams": 2},
        "absentees": {"n": 10 + number, "run": 1},
        "strangers": {"contact": contact, "stream": 1, "run": 1},
        "keys": {"n": 10 + number, "id": key, "email": who.email, "contact": contact},
        "strays": {"key": key, "email": f"old-{who.email}", "contact": contact + 1, "stuck": True},
        "names": {"contact": contact, "name": who.id, "destination": of},
        "shared_keys": {"key": who.shared},
        "returned_keys": {"key": key},
        "declined": {"contact": contact, "name": f"{who.name} topic"},
        "removed": {"contact": contact, "destination": of, "is_move": False, "allowance": 0, "at": 3.0},
        "taken_off": {"contact": contact, "stream": 1, "at": 3.0},
        "contents": {"contact": contact, "destination": of, "key": int.from_bytes(key[:8], signed=True), "since": 1.0,
                     "at": 1.0},
        "known_rejects": {"id": who.reject, "attempt": 1, "file": who.file, "at": 1.0},
        "rejects": {"id": number, "stream": "people", "record": who.record, "code": "wrong_type",
                    "reason": f"{who.name} said", "job": "7", "attempt": 1, "at": 1.0},
        "open_rejects": {"id": number, "n": number, "destination": place, "stream": "people", "key": key,
                         "contact": contact, "record": who.record, "size": len(who.record), "code": "wrong_type",
                         "job": "7", "attempt": 1, "at": 1.0, "run": "a run"},
    }  # fmt: skip
    for name, row in rows.items():
        journal._connection.execute(sa.insert(tables.metadata.tables[name]).values(**row))
    journal._connection.commit()
    return rows


def rows_of(path):
    """All rows of the journal, by table."""
    with closing(sqlite3.connect(path)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: {*database.execute(f"SELECT * FROM {name}").fetchall()} for name in names}


@pytest.fixture
def filled(mailjet):
    """A journal with rows of two people in each table, which a run made; and the two."""
    mailjet.deliver([schema(), *people(range(3)), state(1)])
    path = mailjet.folder / "journal.sqlite"
    with closing(Journal(FileStore(path))) as journal:
        place = journal._connection.execute(sa.select(tables.streams.c.place)).scalars().first()
        both = Hashed(journal, EMAIL, "canary-key", place, "canary"), Hashed(journal, OTHER, "other", place, "other")
        for number, who in enumerate(both, 20):
            rows = fill(journal, place, who, number)
        journal._connection.execute(sa.update(tables.streams).values(forgotten=5))
        journal._connection.commit()
    empty = tables.metadata.tables.keys() - rows.keys() - NOBODYS
    assert not empty, "no row of the person is in these"
    (mailjet.folder / "rejects").mkdir(exist_ok=True)
    for who in both:
        line = {
            "type": "RECORD",
            "stream": "people",
            "record": {**json.loads(who.record), "_reject_code": "wrong_type"},
        }
        Path(who.file).write_text(json.dumps(line) + "\n")
    return both


@pytest.mark.parametrize("asked", [EMAIL, f"Somebody <{EMAIL.upper()}>", "canary-key", "canary-key\npeople"])
def test_nothing_of_the_person_is_left_in_any_byte_and_the_others_are_whole(mailjet, filled, asked):
    canary, other = filled
    path = mailjet.folder / "journal.sqlite"
    before = rows_of(path)
    there = on_disk(mailjet.folder)
    assert [one for one in canary.bytes() if one not in there] == [EMAIL.lower().encode()]
    said = erase(mailjet, asked)
    left = on_disk(mailjet.folder)
    for one in canary.bytes():
        assert one not in left, one
    for one in other.bytes():
        assert one in left, one
    after = rows_of(path)
    for name, rows in before.items():
        gone = rows - after[name]
        if name in {"removed", "streams"}:
            continue  # see below
        assert len(gone) <= 1, (name, gone)
        assert len(after[name] - rows) == (name == "steps"), name
    (blanked,) = after["steps"] - before["steps"]
    assert json.loads(blanked[-1]) == {"ids": [[""], ["contact_else"]], "reason": "", "job": "7"}
    assert "known as Canary@Example.com old-Canary@Example.com" in said
    assert "remove them" in said
    assert "Its IDs: contact_canary." in said
    assert "declined ones that the provider does not have yet" in said
    # The limits of removals count as before.
    assert len(after["removed"]) == len(before["removed"])
    assert {row[1:] for row in after["removed"]} == {row[1:] for row in before["removed"]}
    assert [row for row in after["streams"] if 6 in row]
    assert "Nothing is known of this person here" in erase(mailjet, asked)


def test_a_key_of_several_people_stays_so(mailjet, filled):
    canary, _ = filled
    said = erase(mailjet, "shared canary-key")
    assert "Nothing is known" in said
    assert (canary.shared,) in rows_of(mailjet.folder / "journal.sqlite")["shared_keys"]


def test_the_indexes_of_few_rows_forget_too(mailjet, monkeypatch):
    monkeypatch.setattr(runs, "_RUN_AT", 2)
    mailjet.deliver([schema(), *people(range(4)), state(1)])
    with closing(Journal(FileStore(mailjet.folder / "journal.sqlite"))) as journal:
        place = journal._connection.execute(sa.select(tables.streams.c.place)).scalars().first()
        contact = journal.contact_id(place, "person1@example.com").to_bytes(8, signed=True)
        key = journal.hashes.key_ids(place, "people")([b"[1]"])[0]
    erase(mailjet, "1")
    left = on_disk(mailjet.folder)
    assert contact not in left
    assert key[:8] not in left


@pytest.mark.slow
@pytest.mark.parametrize("asked", [pytest.param("person777@example.com", marks=pytest.mark.slow), "777"])
def test_the_indexes_forget_too(mailjet, monkeypatch, asked):
    monkeypatch.setattr(runs, "_RUN_AT", 64)
    assert mailjet.deliver([schema(), *people(range(800)), state(1)], batch_rows=100).error is None
    mailjet.deliver([schema(), person(1, email="moved@example.com"), state(1)])  # makes the index of keys by contact
    path = mailjet.folder / "journal.sqlite"
    before = rows_of(path)
    indexes = {name.rpartition("_")[0] for name in before if name[-1].isdigit()}
    assert indexes == {*erasure._INDEXES}
    with closing(Journal(FileStore(path))) as journal:
        place = journal._connection.execute(sa.select(tables.streams.c.place)).scalars().first()
        contact = journal.contact_id(place, "person777@example.com").to_bytes(8, signed=True)
        key = journal.hashes.key_ids(place, "people")([b"[777]"])[0]
    assert on_disk(mailjet.folder).count(contact) > 2
    erase(mailjet, asked)
    left = on_disk(mailjet.folder)
    assert contact not in left
    assert key[:8] not in left
    assert mailjet.deliver([schema(), *people(range(800)), state(1)]).counts()["delivered"] == 2


@pytest.mark.slow
def test_free_pages_and_the_log_of_a_killed_run_are_cleaned(mailjet):
    mailjet.deliver([schema(), *people(range(2000)), person(1, email="x"), state(1)])
    path = mailjet.folder / "journal.sqlite"
    rest = [b"canary%d@example.com" % number for number in range(300)]
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA secure_delete=OFF")
        database.execute("CREATE TABLE former (email TEXT)")
        database.executemany("INSERT INTO former VALUES (?)", [(one,) for one in rest])
        database.commit()
        database.execute("DROP TABLE former")
        database.commit()
        log = path.with_name("journal.sqlite-wal").read_bytes()
    path.with_name("journal.sqlite-wal").write_bytes(log)
    assert all(one in on_disk(mailjet.folder) for one in rest)
    erase(mailjet, "person7@example.com")
    left = on_disk(mailjet.folder)
    assert not any(one in left for one in (*rest, b"person7@"))
    assert not path.with_name("journal.sqlite-wal").exists()


def test_what_the_file_and_its_log_give_up_is_overwritten_before(mailjet, monkeypatch):
    mailjet.deliver([schema(), *people(range(1500)), state(1)])
    path = mailjet.folder / "journal.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.execute("DELETE FROM contacts WHERE n > 100")
        database.execute("DELETE FROM keys WHERE n > 100")
        database.commit()
    size, seen = path.stat().st_size, {}
    checkpoint = compaction._checkpoint

    def look(execute, mode):
        ((pages,),) = execute("PRAGMA page_count").fetchall()
        behind = path.read_bytes()[pages * 4096 :]
        seen[mode] = len(behind), any(behind), any(path.with_name("journal.sqlite-wal").read_bytes())
        checkpoint(execute, mode)

    monkeypatch.setattr(compaction, "_checkpoint", look)
    erase(mailjet, "person7@example.com")
    assert seen["RESTART"][0] > 4096
    assert seen["RESTART"][1:] == (False, True)
    assert seen["TRUNCATE"][2] is False
    assert path.stat().st_size < size
    assert mailjet.deliver([schema(), *people(range(10)), state(1)]).counts() == {"delivered": 1, "unchanged": 9}


def test_an_erasure_that_was_stopped_is_finished_by_the_next_whoever_is_asked_for(mailjet, monkeypatch):
    mailjet.deliver([schema(), *people(range(3)), state(1)])

    def full(*_):
        raise sqlite3_full()

    with monkeypatch.context() as patch:
        patch.setattr(compaction, "compact", full)
        _, error = asked_to_erase(mailjet, "1")
    assert "the disk is full" in str(error)
    assert "The rows were deleted, but copies of them may be left there; repeat this" in str(error)
    done = []
    given = compaction.compact
    monkeypatch.setattr(compaction, "compact", lambda *parts: (done.append(1), given(*parts)))
    assert "An earlier erasure was stopped; it is finished now" in erase(mailjet, "nobody@example.com")
    assert "stopped" not in erase(mailjet, "nobody@example.com")
    assert len(done) == 1


def sqlite3_full():
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorname = "SQLITE_FULL"
    return sa.exc.OperationalError("", {}, error)


def test_a_journal_that_cannot_be_changed_keeps_all(mailjet, monkeypatch):
    mailjet.deliver([schema(), *people(range(3)), state(1)])
    before = rows_of(mailjet.folder / "journal.sqlite")

    def full(*_):
        raise sqlite3_full()

    with monkeypatch.context() as patch:
        patch.setattr(erasure.JournalErasure, "_erase_evidence", full)
        _, error = asked_to_erase(mailjet, "1")
    assert "Nothing in it was erased; repeat this" in str(error)
    assert isinstance(error, JournalError)
    assert rows_of(mailjet.folder / "journal.sqlite") == before


@pytest.mark.slow
def test_a_wrong_key_of_the_hashes_erases_nothing(mailjet):
    mailjet.deliver([schema(), *people(range(3)), state(1)], journal_hash_key="a" * 20)
    before = on_disk(mailjet.folder / "rejects"), rows_of(mailjet.folder / "journal.sqlite")
    _, error = asked_to_erase(mailjet, "1", journal_hash_key="b" * 20)
    assert "`journal_hash_key` is set to another value" in str(error)
    assert (on_disk(mailjet.folder / "rejects"), rows_of(mailjet.folder / "journal.sqlite")) == before
    erase(mailjet, "1", journal_hash_key="a" * 20)
    assert b"person1@" not in on_disk(mailjet.folder)


@pytest.mark.slow
def test_a_batch_without_an_outcome_is_finished_first(mailjet):
    mailjet.sandbox.switches.change({"job_seconds": 600.0})
    assert mailjet.deliver([schema(), person(1), state(1)], job_timeout=0.2).error is not None
    for asked in ("1", "PERSON1@example.com"):
        _, error = asked_to_erase(mailjet, asked)
        assert "1 batch without an outcome has this person" in str(error)
        assert "Let a run finish first" in str(error)
        assert "Nothing was erased" in str(error)
    assert "Nothing is known" in erase(mailjet, "2")
    (job,) = mailjet.sandbox.mailjet.jobs()
    mailjet.sandbox.mailjet.finish_job(job["id"])
    assert mailjet.deliver([schema(), state(2)]).error is None
    erase(mailjet, "1")
    assert b"person1@" not in on_disk(mailjet.folder)


def test_the_rows_of_an_unfinished_batch_are_the_only_ones_with_content():
    """`Sign.BATCH` is refused while there is a batch; a settled one has no rows."""
    assert [name for name, signs in SIGNS.items() if Sign.BATCH in signs.of_person.values()] == ["batches"]
    assert payload.decoded("addnoforce", payload.encoded([])) == []


# Whose rows these are


@pytest.mark.slow
def test_a_former_address_leaves_with_its_key_unless_another_key_has_it_now(mailjet):
    mailjet.deliver([schema(), person(1), person(2), state(1)])
    for number in (1, 2):
        # Which of the two jobs comes first is not certain: the removal refuses the former address in either place.
        mailjet.sandbox.mailjet.plan_jobs([{"bad_rows": [f"person{number}@example.com"]}] * 2)
        mailjet.deliver([schema(), person(number, email=f"new{number}@example.com"), state(2)])
    mailjet.deliver([schema(), person(3, email="person2@example.com"), state(3)])
    said = erase(mailjet, "1")
    assert "known as new1@example.com person1@example.com" in said
    said = erase(mailjet, "new2@example.com")
    assert "known as new2@example.com journal" in said
    journal = on_disk_journal(mailjet)
    assert b"person2@example.com" in journal
    assert b"new2@" not in journal
    assert b"person1@" not in journal
    assert mailjet.deliver([schema(), person(3, email="person2@example.com"), state(3)]).counts() == {"unchanged": 1}


def on_disk_journal(mailjet):
    return b"".join(path.read_bytes() for path in mailjet.folder.glob("journal.sqlite*"))


@pytest.mark.slow
def test_who_shares_an_address_keeps_former_ones(mailjet):
    mailjet.deliver([schema(), person(1, email="family@example.com"), person(2, email="bo@example.com"), state(1)])
    mailjet.sandbox.mailjet.plan_jobs([{"bad_rows": ["bo@example.com"]}] * 2)
    mailjet.deliver([schema(), person(2, email="family@example.com"), state(2)])
    before = on_disk_journal(mailjet)
    assert b"bo@example.com" in before
    erase(mailjet, "1")
    left = on_disk_journal(mailjet)
    assert b"family@" not in left
    assert b"bo@example.com" in left


def test_rows_at_a_destination_that_nobody_names_are_found_by_the_address(mailjet):
    """As of versions that did not note the names of destinations."""
    mailjet.sandbox.mailjet.add_list("Clients")
    mailjet.deliver([schema(), person(1, email="CANARY@example.com"), person(2), state(1)], list="Clients")
    path = mailjet.folder / "journal.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE streams SET place = NULL")
        database.execute("DELETE FROM steps")
        database.execute("DELETE FROM batches")
        database.commit()
    erase(mailjet, "canary@example.com")
    assert b"canary@" not in on_disk_journal(mailjet).lower()
    assert len(rows_of(path)["contacts"]) == 1


# In PostgreSQL


@pytest.mark.slow
def test_in_postgresql_the_tables_are_rewritten_and_those_of_former_runs_dropped(mailjet, postgresql_url):
    account = f"erase{secrets.token_hex(4)}"
    config = {"journal": postgresql_url, "mailjet_account": account, "rejects_path": str(mailjet.folder / "rejects")}
    rows = [*people(range(300)), person(300, email="canary@example.com"), person(301, email="x")]
    assert mailjet.deliver([schema(), *rows, state(1)], **config).error is None
    with psycopg.connect(postgresql_url, autocommit=True) as database:
        (schema_name,) = database.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname LIKE %s", (f"%{account}%",)
        ).fetchone()
        database.execute(f'CREATE UNLOGGED TABLE "{schema_name}".told (contact bigint PRIMARY KEY)')
        folder = Path(database.execute("SHOW data_directory").fetchone()[0]) / "base"
        database.execute("CHECKPOINT")
        assert b"canary@example.com" in on_disk(folder)
        said = erase(mailjet, "Canary@example.com", **config)
        assert "its write-ahead log" in said
        database.execute("CHECKPOINT")
        left = on_disk(folder)
        assert b"canary@example.com" not in left
        assert b"person7@example.com" in left
        names = database.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", (schema_name,)).fetchall()
        assert ("told",) not in names
    again = mailjet.deliver([schema(), *rows[:-1], state(1)], **config)
    assert again.counts() == {"delivered": 1, "unchanged": 300}
    assert "Nothing is known" in erase(mailjet, "nobody@example.com", **config)
