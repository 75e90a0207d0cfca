"""The journal: one holder, private, durable, and empty of contact data once batches are settled."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from contextlib import closing
from pathlib import Path
from subprocess import PIPE

import pytest
import sqlalchemy as sa

from target_mailing.contacts.contact import EncodedContact
from target_mailing.journal.journal import Journal, JournalError, Reject
from target_mailing.journal.known import confirmed_within
from target_mailing.journal.stores import FileStore, MemoryStore, PostgresStore
from target_mailing.rows.row import Row
from tests.fork_server import FORKS


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "journal.sqlite"


@pytest.fixture(params=["file", "postgresql"])
def open_journal(request, tmp_path):
    """Opens the same journal again and again."""
    if request.param == "file":
        return lambda: Journal(FileStore(tmp_path / "state" / "journal.sqlite"))
    url = request.getfixturevalue("postgresql_url")
    return lambda: Journal(PostgresStore(url, str(tmp_path)))


def row(journal, address, content=b'{"Email":"x"}'):
    return Row(
        1, b'{"record":{"email":"%s"}}' % address.encode(), "people", b"k" + address.encode(),
        journal.contact_id("d", address), "add", journal.fingerprint("add", content),
        EncodedContact(address, address, content),
    )  # fmt: skip


def test_it_is_private(path):
    journal = Journal(FileStore(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    journal.close()


@pytest.mark.slow
def test_p9_a_second_holder_is_told_who_holds_it(path):
    with FORKS.start("tests.target.journal.holder", str(path), stdout=PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(JournalError, match=f"journal.*process {holder.pid} on "):
            Journal(FileStore(path))
        holder.kill()
    Journal(FileStore(path)).close()


def test_p9_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match=r"Setting `journal`: .*file/journal"):
        Journal(FileStore(tmp_path / "file" / "journal.sqlite"))


def _text(path):
    path.write_text("something else entirely, and long enough to be no database at all" * 20)


def _database(path):
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE meta (name TEXT, value TEXT)")
        database.commit()


def _other_mark(path):
    Journal(FileStore(path)).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA application_id=1234")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_text, "is not a SQLite file"),
        (_database, "is the database of another program"),
        (_other_mark, "is the database of another program"),
        (Path.mkdir, "is a folder; use a file in it"),
        (os.mkfifo, "is not a file; use one"),
    ],
)
def test_p9_what_is_no_journal_is_refused_and_left_as_it_is(path, make, said):
    path.parent.mkdir()
    make(path)
    path.chmod(0o755)
    beside = sorted(path.parent.iterdir())
    before = path.read_bytes() if path.is_file() else None
    for _ in range(2):
        with pytest.raises(JournalError, match=f"Setting `journal`: .*{said}"):
            Journal(FileStore(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
    assert sorted(path.parent.iterdir()) == beside
    assert before is None or path.read_bytes() == before


@pytest.mark.parametrize("is_closed", [True, False])
def test_a_journal_of_before_there_were_marks_opens(path, is_closed):
    Journal(FileStore(path)).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA application_id=0")
    if not is_closed:  # what it holds may then be in the log beside it
        with closing(sqlite3.connect(path)) as database:
            database.execute("INSERT INTO meta (name, value) VALUES ('x', x'00')")
            database.commit()
            left = {file.name: file.read_bytes() for file in path.parent.iterdir()}
        for name, content in left.items():
            (path.parent / name).write_bytes(content)
    Journal(FileStore(path)).close()
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA application_id").fetchone() != (0,)


def test_an_empty_file_becomes_a_journal(path):
    path.parent.mkdir()
    path.touch()
    Journal(FileStore(path)).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_p9_a_journal_of_another_version_is_refused_and_let_go(path):
    Journal(FileStore(path)).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE meta SET value = x'32' WHERE name = 'version'")
        database.commit()
    for _ in range(2):
        with pytest.raises(JournalError, match="was made by another version"):
            Journal(FileStore(path))


def test_p3_an_unfinished_batch_is_found_again_with_its_steps(open_journal):
    journal = open_journal()
    rows = [row(journal, "a@b.test"), row(journal, "c@d.test")]
    number = journal.begin_batch("d", "add", "json", rows)
    journal.begin_step(number, "submit")
    journal.end_step("d", number, "submit", {"job": 7})
    journal.begin_step(number, "errors")
    journal.close()

    journal = open_journal()
    (stored,) = journal.unfinished("d")
    assert stored.number == number
    assert [(one.email, one.id, one.fingerprint, one.key) for one in stored.rows] == [
        (one.email, one.id, one.fingerprint, one.key) for one in rows
    ]
    assert all(one.lines == () for one in stored.rows)
    assert stored.steps == {"submit": {"job": 7}, "errors": None}
    assert journal.unfinished("other") == []
    journal.close()


def test_p3_a_settled_batch_is_remembered_by_hashes_and_keys(open_journal):
    journal = open_journal()
    one, other = row(journal, "a@b.test"), row(journal, "c@d.test")
    number = journal.begin_batch("d", "add", "json", [one, other])
    journal.settle(
        number, destination="d", action="add", route="json", outcomes={"delivered": 1, "rejected": 1},
        confirmed=[one], forgotten=[other.id],
        rejects=Reject.of(other, "", "bad_address", "no address"),
    )  # fmt: skip
    journal.close()

    journal = open_journal()
    assert journal.unfinished("d") == []
    known = journal.contacts([one.id, other.id])
    assert known.keys() == {one.id}
    assert known[one.id].fingerprint == one.fingerprint
    assert journal.emails([one.key]) == {one.key: "a@b.test"}
    assert list(journal.keys_of(one.id)) == [one.key]
    ((number, found),) = journal.rejects.pending(10)
    assert found.record == b'{"email":"c@d.test"}'
    journal.rejects.erase(number)
    assert journal.rejects.pending(10) == []
    journal.close()


def test_p7_payloads_are_gone_from_the_file_when_settled(path):
    journal = Journal(FileStore(path))
    one = row(journal, "canary-address@b.test")
    one.key = None  # the address of a key is remembered, by design
    number = journal.begin_batch("d", "add", "json", [one])
    journal.begin_step(number, "submit")
    assert b"canary-address" in path.read_bytes() + path.with_name(f"{path.name}-wal").read_bytes()
    journal.settle(number, destination="d", action="add", route="json", outcomes={"delivered": 1}, confirmed=[one])
    journal.close()
    left = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"canary" not in left


def test_hashes_differ_between_journals_so_they_cannot_be_guessed(tmp_path):
    one, other = Journal(FileStore(tmp_path / "1")), Journal(FileStore(tmp_path / "2"))
    assert one.contact_id("d", "a@b.test") != other.contact_id("d", "a@b.test")
    assert one.fingerprint("add", b"x") != one.fingerprint("remove", b"x")
    one.close()
    other.close()


def test_p3_what_was_lost_is_uncertain(open_journal):
    journal = open_journal()
    one = row(journal, "a@b.test")
    number = journal.begin_batch("d", "add", "json", [one])
    journal.discard(number, uncertain=[one])
    assert journal.unfinished("d") == []
    assert journal.contacts([one.id])[one.id].confirmed_at is None
    journal.close()


def test_following_batches_take_over_in_the_same_transaction(open_journal):
    journal = open_journal()
    rows = [row(journal, "a@b.test"), row(journal, "c@d.test")]
    number = journal.begin_batch("d", "add", "json", rows)
    numbers = journal.settle(
        number, destination="d", action="add", route="json", outcomes={}, following=[[rows[0]], [rows[1]]]
    )
    assert [(one.number, [row.email for row in one.rows]) for one in journal.unfinished("d")] == [
        (numbers[0], ["a@b.test"]),
        (numbers[1], ["c@d.test"]),
    ]
    journal.close()


def test_p1_a_batch_is_settled_in_one_transaction(open_journal):
    journal = open_journal()
    rows = [row(journal, f"{n}@b.test") for n in range(5)]
    number = journal.begin_batch("d", "add", "json", rows)
    journal.begin_step(number, "submit")
    events = []
    engine = journal._connection.engine
    sa.event.listen(engine, "commit", lambda _: events.append("COMMIT"))
    sa.event.listen(engine, "before_cursor_execute", lambda *arguments: events.append(arguments[2].split()[0]))
    journal.settle(
        number, destination="d", action="add", route="json", outcomes={"delivered": 1},
        confirmed=rows[:1], uncertain=rows[1:2], forgotten=[rows[2].id],
        pending_removals=[(rows[3].key, "old@b.test", journal.contact_id("d", "old@b.test"))],
        rejects=Reject.of(rows[2], "", "bad_address", "no address"), following=[rows[4:]],
    )  # fmt: skip
    assert events.count("COMMIT") == 1
    assert events[-1] == "COMMIT"
    assert {"UPDATE", "INSERT"} <= {*events}
    journal.close()


def test_p3_a_commit_survives_a_power_cut_and_deleted_content_is_overwritten(path):
    with closing(Journal(FileStore(path))) as journal:
        pragmas = {
            name: journal._connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "secure_delete")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1}


def test_old_entries_are_forgotten(open_journal):
    journal = open_journal()
    one = row(journal, "a@b.test")
    number = journal.begin_batch("d", "add", "json", [one])
    journal.settle(number, destination="d", action="add", route="json", outcomes={"delivered": 1}, confirmed=[one])
    journal.retention.forget_before(time.time() - 60)
    assert journal.contacts([one.id])
    journal.retention.forget_before(time.time() + 60)
    assert not journal.contacts([one.id])
    journal.close()


def test_contacts_that_are_kept_are_never_forgotten(open_journal):
    journal = open_journal()
    journal.retention.keep_contacts()
    one = row(journal, "a@b.test")
    number = journal.begin_batch("d", "add", "json", [one])
    journal.settle(number, destination="d", action="add", route="json", outcomes={"delivered": 1}, confirmed=[one])
    journal.close()
    journal = open_journal()
    journal.retention.keep_contacts()
    journal.retention.forget_before(time.time() + 60)
    assert journal.contacts([one.id])
    journal.close()


def test_in_memory_it_works_and_leaves_nothing(tmp_path):
    journal = Journal(MemoryStore())
    number = journal.begin_batch("d", "add", "json", [row(journal, "a@b.test")])
    assert journal.unfinished("d")[0].number == number
    journal.close()
    assert list(tmp_path.iterdir()) == []


def test_p9_a_batch_whose_addresses_are_not_those_of_their_hashes_is_not_taken_over(path):
    journal = Journal(FileStore(path))
    journal.begin_step(journal.begin_batch("d", "add", "json", [row(journal, "ada@example.com")]), "submit")
    journal.close()
    with closing(sqlite3.connect(path)) as database:
        ((payload,),) = database.execute("SELECT payload FROM batches")
        database.execute("UPDATE batches SET payload = ?", [payload.replace(b"ada@", b"adb@")])
        database.commit()
    journal = Journal(FileStore(path))
    with closing(journal), pytest.raises(JournalError, match="is damaged"):
        journal.unfinished("d")


def test_p3_a_batch_is_taken_over_with_rows_of_whose_contacts_nothing_is_noted():
    with closing(Journal(MemoryStore())) as journal:
        rows = [row(journal, "ada@xn--bcher-kva.example"), row(journal, "ada@example.com")]
        rows[0].id = 0  # the same mailbox as another contact, under another spelling
        journal.begin_step(journal.begin_batch("d", "remove", "json", rows), "submit")
        (stored,) = journal.unfinished("d")
        assert [(one.email, one.id) for one in stored.rows] == [(one.email, one.id) for one in rows]


def test_p9_a_number_that_no_version_writes_is_damage(path):
    journal = Journal(FileStore(path))
    with closing(journal), pytest.raises(JournalError, match="is damaged"), journal._transaction():
        journal._contacts.table.put([(1 << 63, 1, 0.5, 0)])


@pytest.mark.parametrize(("ago", "is_known"), [(60, True), (-60, True), (8 * 86_400, False), (-30 * 86_400, False)])
def test_what_was_confirmed_by_a_clock_that_was_ahead_does_not_count(ago, is_known):
    first, last = confirmed_within(7 * 86_400)
    assert (first < time.time() - ago < last) is is_known
