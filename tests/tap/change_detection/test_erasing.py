"""`tap-mailing --erase`: a person's rows leave the snapshots, in every byte; no other row becomes new."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from singer_sdk.plugin_base import _ConfigInput

from mailing_api.errors import ConfigurationError
from mailing_api.storage import compaction
from tap_mailing.change_detection.changes import open_store
from tap_mailing.settings import Options
from tap_mailing.tap import TapMailing
from tests.tap.change_detection.test_change_detection import CONTACTS, MEMBERS, contact, file, place, source  # noqa: F401

CANARY = 987654321987654321


def asked_to_erase(source, capsys, text, *, yes=True):  # noqa: F811
    """What is printed about a key."""
    person = source.file.parent / "person"
    person.write_text(text)
    settings = {"mailjet_api_key": "a", "mailjet_secret_key": "b", "change_detection": source.place}
    capsys.readouterr()
    TapMailing.invoke(config=_ConfigInput(config=settings, parse_env=False), erase=str(person), yes=yes)
    return " ".join(capsys.readouterr().out.split())


@pytest.fixture
def many(source, file):  # noqa: F811
    """A snapshot of many rows, two runs old."""
    source.file = file
    file.parent.mkdir(exist_ok=True)
    rows = [contact(number) for number in (*range(1000, 1400), CANARY)]
    source.has(*rows)
    assert len(source.run().records(CONTACTS)) == 401
    source.has(*rows[1:], contact(1500, "Bo"))
    source.run()
    source.rows = rows[1:]
    return source


def stored(source):  # noqa: F811
    with open_store(Options.from_config({"change_detection": source.place}).change_detection) as store:
        return sorted(store._run("SELECT part, key, place, hash, written FROM entries"))


def test_the_row_is_new_in_the_next_run_and_no_other_row_is(many, capsys):
    before = stored(many)
    said = asked_to_erase(many, capsys, str(CANARY))
    assert f"{CONTACTS}: 1 row" in said
    assert "Erased: 1 row." in said
    assert "Not reached: the provider" in said
    assert [row for row in before if row[1] != str(CANARY)] == stored(many)
    run = many.run()
    assert [row["id"] for row in run.records(CONTACTS)] == [str(CANARY)]
    assert run.records(CONTACTS)[0]["_sdc_deleted_at"] is None
    assert many.run().records(CONTACTS) == []
    many.has(*many.rows[1:])
    gone = [row["id"] for row in many.run().records(CONTACTS)]
    assert gone == ["1001", "1500"]
    assert "No row with this key" in asked_to_erase(many, capsys, "nobody")


@pytest.mark.slow
def test_a_row_that_is_gone_meanwhile_is_told_before(many, capsys):
    assert "would never be reported as gone: then run the tap first" in asked_to_erase(many, capsys, str(CANARY))
    many.has(*many.rows[:-1], contact(1500, "Bo"))
    assert many.run().records(CONTACTS) == []


def test_no_byte_of_it_is_left(fake, tmp_path, capsys):
    from tests.tap.change_detection.test_change_detection import Source

    path = tmp_path / "snapshot.sqlite"
    own = Source(fake(), {"path": str(path)})
    own.file = path
    own.has(*[contact(number) for number in (*range(1000, 9000), CANARY)])
    own.run()
    with closing(sqlite3.connect(path)) as database:
        ((number,),) = database.execute("SELECT hash FROM entries WHERE key = ?", (str(CANARY),))
    canaries = str(CANARY).encode(), number.to_bytes(8, signed=True)
    assert all(one in path.read_bytes() for one in canaries)
    asked_to_erase(own, capsys, str(CANARY))
    left = b"".join(one.read_bytes() for one in tmp_path.glob("snapshot.sqlite*"))
    assert not any(one in left for one in canaries)
    assert b"8999" in left


def test_a_key_with_an_address_is_found_by_its_digest_in_any_spelling(source, file, monkeypatch, capsys):  # noqa: F811
    monkeypatch.setattr("tap_mailing.mailjet.contacts.Contacts.address_in_key", True)
    monkeypatch.setattr("tap_mailing.mailjet.contacts.Contacts.keys", ("account", "email"))
    source.file = file
    source.has(contact(1), contact(2), contact(3))
    source.run()
    assert "Erased: 1 row" in asked_to_erase(source, capsys, "Ada Example <ADA.2@Inbox.test>")
    assert [row["id"] for row in source.run().records(CONTACTS)] == ["2"]


def test_spellings_of_an_address():
    from tap_mailing.change_detection.erasing import _spellings

    found = _spellings(["Ada <ADA@Example.com>", "us-east-1", "News"])
    assert ["ada@example.com", "us-east-1", "News"] in found
    assert _spellings([7]) == [[7]]


@pytest.mark.slow
def test_the_stream_may_be_said(many, capsys):
    assert "No row with this key" in asked_to_erase(many, capsys, f"{CANARY}\n{MEMBERS}\n")
    assert "Erased: 1 row" in asked_to_erase(many, capsys, f"{CANARY}\n{CONTACTS}\n")


@pytest.mark.slow
def test_without_a_yes_nothing_is_erased(many, capsys, monkeypatch):
    before = stored(many)
    monkeypatch.setattr("tap_mailing.change_detection.erasing.is_confirmed", lambda _: False)
    with pytest.raises(ConfigurationError, match="the answer to the question of --erase was not yes"):
        asked_to_erase(many, capsys, str(CANARY), yes=False)
    assert stored(many) == before

    def no_terminal(_):
        raise OSError(6, "No such device or address")

    monkeypatch.setattr("tap_mailing.change_detection.erasing.is_confirmed", no_terminal)
    with pytest.raises(ConfigurationError, match=r"Add --yes\. Nothing was erased"):
        asked_to_erase(many, capsys, str(CANARY), yes=False)
    assert stored(many) == before


@pytest.mark.slow
def test_a_run_under_way_is_waited_for(many, capsys):
    with open_store(Options.from_config({"change_detection": many.place}).change_detection) as store:
        store.part(CONTACTS, "default")
        with pytest.raises(ConfigurationError, match="is held by"):
            asked_to_erase(many, capsys, str(CANARY))


def test_nothing_is_made_where_there_is_no_snapshot(tmp_path, fake, capsys):
    from tests.tap.change_detection.test_change_detection import Source

    own = Source(fake(), {"path": str(tmp_path / "snapshot.sqlite")})
    own.file = tmp_path / "none"
    assert "does not exist, so nothing is remembered" in asked_to_erase(own, capsys, "1")
    assert not (tmp_path / "snapshot.sqlite").exists()
    own.place = None
    settings = _ConfigInput(config={"mailjet_api_key": "a", "mailjet_secret_key": "b"}, parse_env=False)
    TapMailing.invoke(config=settings, erase=str(tmp_path / "person"), yes=True)
    assert "the tap remembers nobody" in capsys.readouterr().out


@pytest.mark.slow
def test_a_full_disk_is_told(many, capsys, monkeypatch, request):
    if "path" not in many.place:
        pytest.skip("of a file")

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(compaction, "overwrite", full)
        with pytest.raises(ConfigurationError, match="No space left on device"):
            asked_to_erase(many, capsys, str(CANARY))
    assert "No row with this key" in asked_to_erase(many, capsys, str(CANARY))


def test_options_beside_it():
    with pytest.raises(ConfigurationError, match="--yes needs --erase"):
        TapMailing.invoke(yes=True)
    with pytest.raises(ConfigurationError, match="--erase stands alone: omit --about"):
        TapMailing.invoke(erase="x", about=True)
