"""Two runs that write into one list do not run at once, whatever their journals; one after the other, they are told."""

from __future__ import annotations

import os
import threading

import pytest

from mailing_api.storage import postgres
from mailing_api.storage.locks import lock_file
from target_mailing.delivery.engine import Delivery
from tests.target.conftest import LIST, Mailjet, people, schema, state


@pytest.fixture(autouse=True)
def _state_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("MELTANO_PROJECT_ROOT", raising=False)


def other(mailjet, **config):
    folder = mailjet.folder / "other"
    folder.mkdir(exist_ok=True)
    return Mailjet(mailjet.sandbox, folder, mailjet.settings(rejects_path=str(folder / "rejects"), **config))


def while_one_runs(mailjet, act):
    """Deliver to the list, and act while its job is under way."""
    hold = mailjet.sandbox.faults.add(kind="hold", method="POST", path="/v3/REST/contactslist/*/managemanycontacts")
    results = []
    one = threading.Thread(target=lambda: results.append(mailjet.deliver([schema(), *people(range(2)), state(1)])))
    one.start()
    try:
        hold.wait_until_held(timeout=20)
        found = act()
    finally:
        hold.release()
        one.join()
    assert results[0].error is None
    return found


@pytest.mark.parametrize("journal", ["file", "default", "off"])
def test_a_list_that_streams_names_is_held_like_one_that_the_setting_names(mailjet, journal):
    mailjet.sandbox.mailjet.add_list("Elsewhere")
    own = {"file": str(mailjet.folder / "other.sqlite"), "default": None, "off": "off"}[journal]
    second = other(mailjet, journal=own, list="Elsewhere", streams={"people": {"list": LIST}})
    result = while_one_runs(mailjet, lambda: second.deliver([schema(), *people(range(2)), state(1)]))
    assert "another run (process " in str(result.error)
    assert result.states == []
    assert second.deliver([schema(), *people(range(2)), state(1)]).error is None


def test_lists_of_their_own_are_delivered_to_at_once(mailjet):
    mailjet.sandbox.mailjet.add_list("Elsewhere")
    second = other(mailjet, journal=str(mailjet.folder / "other.sqlite"), list="Elsewhere", route="contact")
    assert while_one_runs(mailjet, lambda: second.deliver([schema(), *people(range(2)), state(1)])).error is None


def test_one_after_the_other_two_journals_are_told(mailjet):
    assert "had another journal" not in mailjet.deliver([schema(), *people(range(2)), state(1)]).log
    assert "had another journal" not in mailjet.deliver([schema(), *people(range(2)), state(1)]).log
    second = other(mailjet, journal=str(mailjet.folder / "other.sqlite"))
    result = second.deliver([schema(), *people(range(2)), state(1)])
    assert result.error is None
    assert "had another journal" in result.log
    (mailjet.folder / "other.sqlite").unlink()  # which knows nothing any more
    assert "had another journal" not in mailjet.deliver([schema(), *people(range(2)), state(1)]).log


@pytest.mark.slow
def test_journals_in_one_database_keep_each_other_from_a_list_whatever_user_and_machine(
    mailjet, monkeypatch, postgresql_url
):
    monkeypatch.setattr(postgres, "LOCK_PATIENCE", 0.1)
    elsewhere = f"Elsewhere of {mailjet.folder.name}"
    mailjet.sandbox.mailjet.add_list(elsewhere)
    mailjet.config |= {"journal": postgresql_url, "mailjet_account": mailjet.folder.name}
    # Nor does what another label, spelling or provider changes keep them from meeting.
    url, label = f"{mailjet.sandbox.url}/", f"{mailjet.folder.name} again"
    unlike = {"mailjet_base_url": url, "mailjet_account": label, "ses_endpoint_url": "https://ses.example"}
    second = other(mailjet, list=elsewhere, streams={"people": {"list": LIST}}, **unlike)

    def act():
        # Another machine: nothing of the folder in which runs of one user meet is there.
        monkeypatch.setenv("XDG_STATE_HOME", str(mailjet.folder / "other machine"))
        rows = [schema(), *people(range(2)), state(1)]
        return second.deliver(rows), second.deliver(rows, streams={}, route="contact")

    refused, taken = while_one_runs(mailjet, act)
    assert "another run (process " in str(refused.error)
    assert "another journal of the same database" in str(refused.error)
    assert refused.states == []
    assert (taken.error, taken.states) == (None, [1])
    assert second.deliver([schema(), *people(range(2)), state(1)]).error is None


@pytest.mark.parametrize("is_taken", [True, False])
def test_a_lock_that_was_swept_away_is_taken_again_or_no_state_leaves(mailjet, monkeypatch, tmp_path, is_taken):
    settle, others = Delivery._settle, []

    def sweep(*arguments):
        settle(*arguments)
        (lock,) = (tmp_path / "xdg/target-mailing/lists").iterdir()
        lock.unlink()
        if is_taken:
            others.append(os.open(lock, os.O_RDWR | os.O_CREAT, 0o600))
            assert lock_file(others[0])

    monkeypatch.setattr(Delivery, "_settle", sweep)
    result = mailjet.deliver([schema(), *people(range(2)), state(1)])
    if is_taken:
        assert "another run (another process) delivers to mailjet:" in str(result.error)
        assert result.states == []
        os.close(others[0])
    else:
        assert (result.error, result.states) == (None, [1])
        assert len(list((tmp_path / "xdg/target-mailing/lists").iterdir())) == 1


@pytest.mark.parametrize("kind", ["symbolic link", "hard link", "pipe", "folder"])
def test_what_is_in_place_of_a_lock_is_never_written(mailjet, tmp_path, kind):
    rows = [schema(), *people(range(2)), state(1)]
    assert mailjet.deliver(rows).error is None
    (lock,) = (tmp_path / "xdg/target-mailing/lists").iterdir()
    lock.unlink()
    precious = tmp_path / "precious"
    precious.write_text("precious")
    if kind == "symbolic link":
        lock.symlink_to(precious)
    elif kind == "hard link":
        lock.hardlink_to(precious)
    elif kind == "pipe":
        os.mkfifo(lock)
    else:
        lock.mkdir()
    assert mailjet.deliver(rows).error is None
    assert precious.read_text() == "precious"


def test_without_a_place_for_locks_runs_go_on(mailjet, monkeypatch):
    (mailjet.folder / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(mailjet.folder / "file"))
    assert mailjet.deliver([schema(), *people(range(2)), state(1)]).error is None
