"""`--erase`: who is asked, when it refuses, what it says, and that nobody is re-subscribed by it."""

from __future__ import annotations

import logging
import os
import pty
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from mailing_api.errors import ConfigurationError, MailingError
from mailing_api.process.asking import is_confirmed
from mailing_api.storage.temporary_folders import make_owned
from mailing_sandbox.server import Sandbox
from target_mailing.interface.registry import PROVIDERS
from target_mailing.journal.journal import Journal
from target_mailing.journal.list_locks import ListLocks, locks_folder
from target_mailing.journal.stores import FileStore, MemoryStore
from tests.target.command.test_command import Command, lines, until
from tests.target.command.typed import at_a_terminal
from tests.target.conftest import people, person, schema, state
from tests.target.erase.erasing import asked_to_erase, erase, on_disk
from tests.target.explain.answers import answer
from tests.target.explain.test_explain import WORLDS
from tests.target.plan.worlds import address, world


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(job_seconds=0.0) as sandbox:
        yield sandbox


def test_nobody_is_known_changes_nothing_and_is_no_error(mailjet):
    mailjet.deliver([schema(), *people(range(3)), person(5, visits="x"), state(1)])
    before = {path: path.stat().st_mtime_ns for path in mailjet.folder.rglob("*.singer")}
    said = erase(mailjet, "nobody@example.com")
    assert "Nothing is known of this person here" in said
    assert "Erased" not in said
    assert "other loaders" in said
    assert "elsewhere the source, a warehouse, the snapshot of the tap, backups, and saved output and logs" in said
    assert said.endswith("The file that names the person still does: delete it")
    assert {path: path.stat().st_mtime_ns for path in mailjet.folder.rglob("*.singer")} == before
    assert mailjet.deliver([schema(), *people(range(3)), state(1)]).counts() == {"unchanged": 3}


@pytest.mark.parametrize("journal", ["off", "missing"])
def test_without_a_journal_the_files_are_searched_and_none_is_made(mailjet, journal):
    mailjet.deliver([schema(), person(1, visits="x"), person(2, visits="x"), state(1)], journal="off",
                    rejects_path=str(mailjet.folder / "rejects"))  # fmt: skip
    place = "off" if journal == "off" else str(mailjet.folder / "journal.sqlite")
    said = erase(mailjet, "person1@example.com", journal=place, rejects_path=str(mailjet.folder / "rejects"))
    assert "rejects 1 record in 1 file" in said
    assert b"person1@" not in on_disk(mailjet.folder)
    assert b"person2@" in on_disk(mailjet.folder)
    assert not (mailjet.folder / "journal.sqlite").exists()


def test_what_is_not_reached_is_said(mailjet):
    mailjet.deliver([schema(), person(1), state(1)])
    results = {"plan_path": str(mailjet.folder / "plan.json"), "reconcile_path": str(mailjet.folder / "found")}
    said = erase(mailjet, "1", **results, report_path=str(mailjet.folder / "page.html"))
    for part in ("the source while it has the row, the next run delivers", "DELETE /v4/contacts/{ContactID}",
                 "a warehouse", "the tap its snapshot", "The file that names the person still does: delete it",
                 "other loaders their journals, rejects and histories: the same command with the settings of each",
                 "plan.json: delete it", "found: delete it"):  # fmt: skip
        assert part in said, part
    assert "PostgreSQL" not in said
    assert "page.html" not in said  # a report has nobody's data


def test_rows_of_the_journal_and_open_rejects_are_named(mailjet):
    mailjet.deliver([schema(), *people(range(3)), state(1)])
    mailjet.deliver([schema(), person(1, visits="x"), state(2)])
    mailjet.deliver([schema(), person(2, visits="x"), state(3)])
    said = erase(mailjet, "person1@example.com")
    assert "journal 1 content of a contact, as hashes 1 key, as a hash, with its address rejects 1 record in 1" in said
    assert "1 open reject in the journal, kept for --retry-rejects" in said
    assert "open_rejects" not in said


def test_an_open_reject_is_found_by_its_key_alone(mailjet):
    mailjet.deliver([schema(), *people(range(3)), state(1)])
    mailjet.deliver([schema(), person(1, email="no address"), person(2, email="none"), state(2)])
    for file in (mailjet.folder / "rejects").glob("*.singer"):
        file.unlink()
    assert "1 open reject in the journal" in erase(mailjet, "person1@example.com")
    assert b"no address" not in on_disk(mailjet.folder)


def test_every_provider_says_how_a_person_is_erased_there():
    assert all(one.erasing for one in PROVIDERS if one.connect.startswith("target_mailing."))


def test_the_next_run_brings_the_person_again_if_the_source_still_has_the_row(mailjet):
    rows = [schema(), *people(range(3)), state(1)]
    mailjet.deliver(rows)
    erase(mailjet, "1")
    assert mailjet.deliver(rows).counts() == {"delivered": 1, "unchanged": 2}


# Consent


@pytest.mark.slow
@pytest.mark.parametrize("asked", ["1", "address"])
@pytest.mark.parametrize("name", [name for name in WORLDS if not name.startswith("postgrid")])
def test_p5_who_opted_out_at_the_provider_is_not_subscribed_by_the_next_run(sandbox, tmp_path, name, asked):
    with world(name, sandbox, tmp_path) as here:
        rows = [here.row(key, key, "plain", changed=True) for key in range(3)]
        assert here.account.deliver([here.schema, *rows, state(1)]).error is None
        if here.opt_out is None:
            pytest.skip("nobody can opt out there")
        here.opt_out(address(1))
        before = answer(here.account, address(1))
        erase(here.account, address(1) if asked == "address" else asked)
        again = [here.row(key, key, "plain", changed=False) for key in range(3)]
        assert here.account.deliver([here.schema, *again, state(2)]).error is None
        after = answer(here.account, address(1))
        opted_out = "unsubscribed from list", "unsubscribed from everything", "excluded from all", "topic News: OPT_OUT"
        for part in opted_out:
            assert after.count(part) >= before.count(part), (part, before, after)
        assert any(part in after for part in opted_out) == any(part in before for part in opted_out)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in WORLDS if name != "mailjet-account"])
def test_at_every_destination_nothing_is_left_and_the_others_are_known(sandbox, tmp_path, name):
    with world(name, sandbox, tmp_path) as here:
        rows = [here.row(key, key, "plain", changed=True) for key in range(3)]
        assert here.account.deliver([here.schema, *rows, state(1)]).error is None
        with closing(Journal(FileStore(tmp_path / "journal.sqlite"))) as journal:
            (place,) = {one for (one,) in journal._connection.exec_driver_sql("SELECT place FROM streams")}
            stream = here.schema["stream"]
            key = journal.hashes.key_ids(place, stream)([b"[1]"])[0]
            ids = [name for (name,) in journal._connection.exec_driver_sql(
                "SELECT n.name FROM names n JOIN keys k USING (contact) WHERE k.id = ?", (key,))]  # fmt: skip
        said = erase(here.account, "1")
        left = on_disk(tmp_path)
        assert key[:8] not in left
        assert address(1).encode() not in left
        for one in ids:
            assert one in said
            assert one.encode() not in left
        again = here.account.deliver([here.schema, *rows[::2], state(2)])
        replaces = name == "postgrid-import-replacing"  # all rows are sent in each run
        assert again.counts() == {"delivered" if replaces else "unchanged": 2}


# Refusals


@pytest.mark.slow
def test_while_a_run_is_under_way_it_is_refused_with_the_name_of_the_holder(mailjet):
    mailjet.deliver([schema(), *people(range(3)), state(1)])
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}])
    file = mailjet.folder / "who"
    file.write_text("person1@example.com")
    with Command(mailjet).start() as process:
        process.stdin.write(lines([schema(), person(7), state(2)]))
        process.stdin.close()
        job = until(lambda: [one for one in mailjet.sandbox.mailjet.jobs() if one["status"] != "Completed"])[0]["id"]
        code, out, err = Command(mailjet).run(b"", "--erase", str(file), "--yes")
        assert (code, out) == (1, "")
        assert f"is held by process {process.pid} on" in err
        assert "person1@" not in err
        mailjet.sandbox.mailjet.finish_job(job)
        assert process.wait() == 0
    assert b"person1@" in on_disk(mailjet.folder)
    code, out, err = Command(mailjet).run(b"", "--erase", str(file), "--yes")
    assert (code, "Erased" in out) == (0, True)


def test_a_run_to_the_same_list_with_another_journal_is_waited_for(mailjet):
    mailjet.deliver([schema(), *people(range(3)), state(1)])
    tenant = next(iter(locks_folder().glob("*.lock")))
    with closing(Journal(MemoryStore())) as journal, closing(ListLocks(locks_folder(), journal)) as locks:
        for path in tenant.parent.glob("*.lock"):
            locks._take(path.name.removesuffix(".lock"), "the list")
        _, error = asked_to_erase(mailjet, "1")
    assert isinstance(error, ConfigurationError)
    assert f"another run (process {os.getpid()} on " in str(error)
    assert b"person1@" in on_disk(mailjet.folder)


def test_a_provider_that_does_not_answer_does_not_keep_the_journal_from_forgetting(mailjet):
    mailjet.deliver([schema(), *people(range(3)), state(1)])
    out, error = asked_to_erase(mailjet, "1", mailjet_secret_key="wrong")
    assert isinstance(error, MailingError)
    assert "Erased" in out
    assert b"person1@" not in on_disk(mailjet.folder)


def test_options_beside_it(mailjet):
    mailjet.deliver([schema(), *people(range(3)), state(1)])
    from target_mailing.command.standalone import standalone

    with pytest.raises(ConfigurationError, match="Option --yes needs --erase"):
        standalone({"yes": True})
    with pytest.raises(ConfigurationError, match="Option --explain stands alone: omit --yes"):
        standalone({"explain": "x", "yes": True})
    with pytest.raises(ConfigurationError, match="stands alone"):
        standalone({"erase": "x", "explain": "x"})
    _, error = asked_to_erase(mailjet, "a\nb\nc")
    assert "Option --erase found 3 lines" in str(error)


# Asking


@pytest.mark.parametrize(("typed_before", "shown"), [(True, b"Erase? \r\n"), (False, b"Erase? no\r\n")])
def test_a_line_ends_after_the_question_also_where_the_answer_was_typed_before(monkeypatch, typed_before, shown):
    leader, follower = pty.openpty()
    screen = b""
    try:
        if typed_before:
            os.write(leader, b"no\n")
            screen = os.read(leader, 100)  # the echo
        monkeypatch.setattr("mailing_api.process.asking.os.open", lambda *_: os.dup(follower))
        with ThreadPoolExecutor(1) as pool:
            answered = pool.submit(is_confirmed, "Erase? ")
            while not typed_before and b"Erase? " not in screen:
                screen += os.read(leader, 100)
            if not typed_before:
                os.write(leader, b"no\n")
            assert answered.result(timeout=30) is False
        os.write(follower, b".")
        while not screen.endswith(b"."):
            screen += os.read(leader, 100)
        assert screen.removeprefix(b"no\r\n") == shown + b"."
    finally:
        os.close(leader)
        os.close(follower)


@pytest.mark.slow
@pytest.mark.parametrize("said", ["yes", "y", ""])
def test_the_terminal_asks_after_saying_what_was_found(mailjet, said):
    mailjet.deliver([schema(), *people(range(3)), state(1)])
    out, err, code = at_a_terminal(mailjet, ["person1@example.com", said], "--erase", given="yes\n")
    assert "Found of this person" in out
    assert (code, "Erased" in out) == ((0, True) if said == "yes" else (1, False))
    assert ("Nothing was erased: the answer to the question of --erase was not yes." in err) == (said != "yes")
    assert (b"person1@" in on_disk(mailjet.folder)) == (said != "yes")


def test_without_a_terminal_and_without_yes_nothing_is_erased(mailjet, monkeypatch):
    mailjet.deliver([schema(), *people(range(3)), state(1)])

    def no_terminal(*_):
        raise OSError(6, "No such device or address")

    monkeypatch.setattr("target_mailing.erase.erase.is_confirmed", no_terminal)
    out, error = asked_to_erase(mailjet, "1", yes=False)
    assert "there is none. Add --yes. Nothing was erased." in str(error)
    assert "Found of this person" in out
    assert b"person1@" in on_disk(mailjet.folder)


# Where the person must not be


def test_p7_nobody_is_in_the_log_or_an_error(mailjet, caplog, capfd):
    rows = [person("canary", email="canary@example.com"), person("canary2", email="canary2@example.com", visits="x")]
    columns = schema()["schema"]["properties"] | {"id": {"type": "string"}}
    mailjet.deliver([schema(columns=columns), *rows, state(1)])
    caplog.set_level(logging.DEBUG)
    caplog.clear()
    for asked in ("canary@example.com", "canary2", "canary3@example.com"):
        for config in ({"journal_hash_key": "c" * 20, "journal": str(mailjet.folder)}, {}):
            _, error = asked_to_erase(mailjet, asked, **config)
            assert (error is None) == (config == {})
            assert "canary" not in f"{error} {caplog.text} {capfd.readouterr().err}"


def test_copies_that_killed_commands_left_are_removed(mailjet, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mailjet.deliver([schema(), *people(range(3)), state(1)])
    folder, descriptor = make_owned("target-mailing-explanation-")
    (folder / "journal.sqlite").write_bytes(b"canary")
    os.close(descriptor)
    with (folder / "journal.sqlite").open("rb") as file:
        erase(mailjet, "nobody@example.com")
        assert not folder.exists()
        assert file.read() == bytes(6)
