"""`journal_hash_key` seals the key of the journal's hashes; `create_journal: false` makes no journal."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing

import psycopg
import pytest

from mailing_api.errors import ConfigurationError
from target_mailing.journal.journal import Journal, JournalError
from target_mailing.journal.sealing import SealError, seal, unseal
from target_mailing.journal.stores import FileStore
from target_mailing.places import journal_hash_key
from target_mailing.target import TargetMailing
from tests.target.conftest import person, schema, state
from tests.target.journal.test_erasure import on_disk

KEY = "kept-where-other-secrets-are"
OTHER = "another-secret-of-this-length"
ADD = [schema(), person(1), person(2), state(1)]
GONE = {"type": "RECORD", "stream": "people", "record": {"id": 1, "_sdc_deleted_at": "2026-01-01T00:00:00Z"}}
DELETE = [schema(), GONE, state(2)]


def key_of(path):
    journal = Journal(FileStore(path), hash_key=KEY)
    journal.close()
    return journal._hash_key


def test_only_the_secret_opens_what_it_sealed():
    key = bytes(range(32))
    sealed = seal(key, KEY)
    assert unseal(sealed, KEY) == key
    assert seal(key, KEY) != sealed
    assert key not in sealed
    with pytest.raises(SealError):
        unseal(sealed, OTHER)
    with pytest.raises(SealError):
        unseal(sealed[:20] + bytes([sealed[20] ^ 1]) + sealed[21:], KEY)
    with pytest.raises(ValueError, match="no sealed key"):
        unseal(sealed[:-1], KEY)


@pytest.mark.slow
@pytest.mark.parametrize("before", [None, KEY], ids=["made without", "made with"])
def test_a_journal_with_a_secret_remembers_and_does_not_tell(mailjet, capsys, before):
    path = mailjet.folder / "journal.sqlite"
    assert mailjet.deliver(ADD, journal_hash_key=before).error is None
    again = mailjet.deliver(ADD, journal_hash_key=KEY)
    assert again.counts() == {"unchanged": 2}
    assert ("adopted it" in again.log) is (before is None)
    key = key_of(path)
    assert key not in on_disk(mailjet.folder)
    assert "adopted it" not in mailjet.deliver(ADD, journal_hash_key=KEY).log

    contents = on_disk(mailjet.folder)
    for wrong, said in ((None, "is not set"), (OTHER, "is set to another value")):
        result = mailjet.deliver(DELETE, journal_hash_key=wrong)
        assert isinstance(result.error, JournalError)
        assert "Setting `journal_hash_key`" in str(result.error)
        assert said in str(result.error)
        assert (result.states, result.rejects) == ([], [])
        with pytest.raises(JournalError, match=said):
            TargetMailing(config=mailjet.settings(journal_hash_key=wrong)).check()
        told = f"{result.error} {result.log} {capsys.readouterr()}"
        assert KEY not in told
        assert OTHER not in told
    assert on_disk(mailjet.folder) == contents
    assert mailjet.deliver(DELETE, journal_hash_key=KEY).counts() == {"delivered": 1}
    assert list(mailjet.members()) == ["person2@example.com"]


@pytest.mark.slow
def test_a_check_seals_nothing(mailjet):
    assert mailjet.deliver(ADD).error is None
    TargetMailing(config=mailjet.settings(journal_hash_key=KEY, properties=None)).check()
    assert mailjet.deliver(ADD).counts() == {"unchanged": 2}


@pytest.mark.slow
def test_a_journal_in_postgresql_takes_a_secret_on(mailjet, postgresql_url):
    mailjet.config |= {"journal": postgresql_url, "mailjet_account": mailjet.folder.name}
    for key, counts in ((None, {"delivered": 2}), (KEY, {"unchanged": 2}), (KEY, {"unchanged": 2})):
        assert mailjet.deliver(ADD, journal_hash_key=key).counts() == counts
    assert "Setting `journal_hash_key` is not set" in str(mailjet.deliver(ADD).error)
    with psycopg.connect(postgresql_url) as database:
        query = "SELECT schemaname FROM pg_tables WHERE tablename = 'meta' AND schemaname LIKE %s"
        ((place,),) = database.execute(query, [f"target_mailing_mailjet_{mailjet.folder.name[:10]}%"]).fetchall()
        names = {name for (name,) in database.execute(f'SELECT name FROM "{place}".meta')}
    assert {name for name in names if "secret" in name} == {"sealed_secret"}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("short", "has 5 characters; it must have at least 16 random"),
        ("kept-where-other-secrets-are\n", "ends with a line break"),
        ("kept where other secrets are", "holds a space"),
    ],
)
def test_p9_what_is_no_secret_is_refused_before_anything_is_made(mailjet, value, said):
    with pytest.raises(ConfigurationError, match=said):
        journal_hash_key({"journal_hash_key": value})
    result = mailjet.deliver(ADD, journal_hash_key=value)
    assert said in str(result.error)
    assert value.strip() not in str(result.error)
    assert not (mailjet.folder / "journal.sqlite").exists()


@pytest.mark.parametrize("there", ["folder", "nothing", "an empty file"])
def test_a_journal_that_is_missing_is_an_error_where_it_is_not_to_be_made(mailjet, there):
    path = mailjet.folder / ("journal.sqlite" if there != "nothing" else "volume/journal.sqlite")
    if there == "an empty file":
        path.touch()
    before = sorted(mailjet.folder.rglob("*"))
    result = mailjet.deliver(ADD, journal=str(path), create_journal=False)
    assert "Setting `create_journal` is false, and the journal does not exist" in str(result.error)
    assert (result.states, mailjet.members()) == ([], {})
    assert sorted(mailjet.folder.rglob("*")) == before
    with pytest.raises(ConfigurationError, match="the journal does not exist"):
        TargetMailing(config=mailjet.settings(journal=str(path), create_journal=False)).check()
    assert mailjet.deliver(ADD, journal=str(path)).error is None
    assert mailjet.deliver(ADD, journal=str(path), create_journal=False).counts() == {"unchanged": 2}


def test_p9_a_journal_of_a_later_version_is_left_as_it_is(mailjet, caplog):
    caplog.set_level(logging.DEBUG)
    path = mailjet.folder / "journal.sqlite"
    assert mailjet.deliver(ADD).error is None
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE meta SET value = x'37' WHERE name = 'version'")
        database.execute("DROP TABLE shared_keys")
        database.commit()
        before = "".join(database.iterdump())
    result = mailjet.deliver(ADD)
    assert "format 7; this version reads 3 to 6" in str(result.error)
    assert result.states == []
    with closing(sqlite3.connect(path)) as database:
        assert "".join(database.iterdump()) == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE meta SET value = zeroblob(32) WHERE name = 'secret'",
        "DELETE FROM meta WHERE name = 'secret'",
        "DELETE FROM meta WHERE name = 'version'",
        "DELETE FROM meta",
        "DROP TABLE meta",
        "DROP TABLE runs",
        "DROP TABLE contacts",
        "DROP TABLE strays",
    ],
)
def test_p9_what_is_missing_of_a_journal_is_not_made_anew(mailjet, statement):
    path = mailjet.folder / "journal.sqlite"
    assert mailjet.deliver(ADD).error is None
    with closing(sqlite3.connect(path)) as database:
        database.execute(statement)
        database.commit()
    for _ in range(2):
        result = mailjet.deliver(DELETE)
        assert "is damaged" in str(result.error)
        assert (result.states, result.rejects) == ([], [])
