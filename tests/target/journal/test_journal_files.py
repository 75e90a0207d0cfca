"""What may be beside a journal, before it and in its place: links, damage, names that are none, folders."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from contextlib import closing

import pytest

from mailing_api.errors import ConfigurationError
from target_mailing.journal.journal import Journal, JournalError
from target_mailing.journal.stores import FileStore
from target_mailing.places import default_folder, journal_store
from tests.fork_server import FORKS, ROOT
from tests.target.conftest import people, person, schema, state
from tests.target.journal.test_journal import row


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "journal.sqlite"


@pytest.fixture
def precious(tmp_path):
    """A file of somebody else's."""
    found = tmp_path / "precious"
    found.write_text("precious")
    return found


@pytest.mark.parametrize("name", ["journal.sqlite", "journal.sqlite.holder", "journal.sqlite.lock"])
def test_a_link_is_never_written_through(path, precious, name):
    path.parent.mkdir()
    (path.parent / name).symlink_to(precious)
    try:
        Journal(FileStore(path)).close()
    except JournalError as error:
        assert "Setting `journal`" in str(error)  # noqa: PT017
    assert precious.read_text() == "precious"


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
@pytest.mark.parametrize("kind", ["symbolic link", "hard link", "pipe", "folder"])
def test_a_link_in_place_of_sqlites_own_files_is_refused(path, precious, kind, suffix):
    Journal(FileStore(path)).close()
    beside = path.with_name(f"{path.name}{suffix}")
    if kind == "symbolic link":
        beside.symlink_to(precious)
    elif kind == "hard link":
        beside.hardlink_to(precious)
    elif kind == "pipe":
        os.mkfifo(beside)
    else:
        beside.mkdir()
    with pytest.raises(JournalError, match=f"journal.sqlite{suffix} beside it"):
        Journal(FileStore(path))
    assert precious.read_text() == "precious"


def test_a_journal_that_was_emptied_is_not_new(path):
    path.parent.mkdir()
    path.touch()
    path.with_name("journal.sqlite-wal").write_bytes(b"frames")
    with pytest.raises(JournalError, match=r"is empty, but journal\.sqlite-wal beside it is not"):
        Journal(FileStore(path))
    assert path.with_name("journal.sqlite-wal").read_bytes() == b"frames"


def test_a_journal_has_one_name_only(path):
    Journal(FileStore(path)).close()
    link = path.with_name("link.sqlite")
    link.symlink_to(path)
    with pytest.raises(JournalError, match="is a symbolic link; use the path of the file itself"):
        Journal(FileStore(link))
    link.unlink()
    link.hardlink_to(path)
    for one in (link, path):
        with pytest.raises(JournalError, match="other names, too"):
            Journal(FileStore(one))


@pytest.mark.parametrize("swept", [".lock", ".holder"])
def test_a_second_run_is_kept_out_whatever_becomes_of_the_files_beside(path, swept):
    holder = Journal(FileStore(path))
    path.with_name(f"{path.name}{swept}").unlink()
    for _ in range(2):
        with pytest.raises(JournalError, match="is held by"):
            Journal(FileStore(path))
    holder.close()
    Journal(FileStore(path)).close()


def test_what_the_file_of_the_holder_says_is_shown_only_if_it_is_a_holder(path):
    holder = Journal(FileStore(path))
    path.with_name(f"{path.name}.holder").write_text("\x1b[31mjane@example.com")
    with pytest.raises(JournalError, match="is held by another process"):
        Journal(FileStore(path))
    holder.close()


def test_folders_that_are_made_are_private_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        Journal(FileStore(tmp_path / "a" / "b" / "journal.sqlite")).close()
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b")] == [0o700, 0o700]


def test_the_folders_of_rejects_and_history_are_private(mailjet):
    before = os.umask(0)
    try:
        result = mailjet.deliver(
            [schema(), person(1, email="none"), state(1)], rejects_path=str(mailjet.folder / "x/y")
        )
    finally:
        os.umask(before)
    assert result.states == [1]
    folders = [mailjet.folder / "x", mailjet.folder / "x/y", mailjet.folder / "x/history"]
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in folders] == [0o700, 0o700, 0o700]
    for folder in folders[1:]:
        (file,) = folder.iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("lost", ["unlinked", "replaced", "moved", "log"])
def test_p1_no_state_leaves_once_the_journal_was_taken_away(mailjet, monkeypatch, lost):
    from target_mailing.delivery.engine import Delivery

    journal = mailjet.folder / "journal.sqlite"
    settle = Delivery._settle

    def take_away(*arguments):
        settle(*arguments)
        if lost == "moved":
            journal.rename(journal.with_name("elsewhere.sqlite"))
        elif lost == "log":
            journal.with_name("journal.sqlite-wal").unlink()
        else:
            journal.unlink()
        if lost == "replaced":
            journal.write_bytes(b"")

    monkeypatch.setattr(Delivery, "_settle", take_away)
    result = mailjet.deliver([schema(), *people(range(2)), state(1)])
    assert "Setting `journal`: " in str(result.error)
    assert "was removed or replaced while this run held it" in str(result.error)
    assert result.states == []


def _page(path):
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096 * 40)


def _end(path):
    with path.open("r+b") as file:
        file.truncate(5000)


def _change(statement):
    def change(path):
        with closing(sqlite3.connect(path)) as database:
            database.execute(statement)
            database.commit()

    return change


@pytest.mark.parametrize(
    "damage",
    [
        _page,
        _end,
        _change("UPDATE batches SET payload = x'00ff'"),
        _change("UPDATE batches SET payload = NULL"),
        _change("UPDATE steps SET evidence = '{'"),
        _change("UPDATE keys SET email = CAST(x'ff' AS TEXT)"),
        _change("INSERT INTO replaced_contacts (numbers) VALUES (x'91')"),
        _change("INSERT INTO runs VALUES (1, 'keys_by_id', 1, 9)"),
        _change("DELETE FROM meta WHERE name = 'secret'"),
        _change("UPDATE meta SET value = 5 WHERE name = 'secret'"),
        _change("UPDATE meta SET value = zeroblob(32) WHERE name = 'secret'"),
        _change("UPDATE rejects SET record = 5, at = 'x'"),
        _change("DROP TABLE steps"),
    ],
)
def test_p9_damage_is_told_in_one_sentence(path, damage):
    from target_mailing.journal.journal import Reject

    journal = Journal(FileStore(path))
    rows = [row(journal, f"{n}@b.test") for n in range(50)]
    number = journal.begin_batch("d", "add", "json", rows[:25])
    journal.begin_step(number, "submit")
    journal.end_step("d", number, "submit", {"job": 7})
    number = journal.begin_batch("d", "add", "json", rows[25:])
    journal.settle(
        number, destination="d", action="add", route="json", outcomes={}, confirmed=rows[26:],
        rejects=Reject.of(rows[25], "", "bad_address", "no address"),
    )  # fmt: skip
    journal.close()
    damage(path)

    def use():
        journal = Journal(FileStore(path))
        try:
            journal.unfinished("d")
            journal.evidence("d")
            journal.emails([one.key for one in rows])
            journal.contacts([one.id for one in rows])
            journal.rejects.pending(5)
        finally:
            journal.close()

    try:
        use()
    except JournalError as error:
        assert "Setting `journal`: " in str(error)  # noqa: PT017
        assert "b.test" not in str(error)  # noqa: PT017
    else:
        assert damage.__name__ == "change"  # what is not read is not found out


@pytest.mark.parametrize("setting", ["journal", "rejects_path"])
@pytest.mark.parametrize(
    ("value", "said"),
    [("a\0b", "NUL"), (" ", "it is blank"), ("a" * 300, "File name too long"), ("/dev/null/x", "Not a directory")],
)
def test_p9_a_path_that_no_file_can_have_names_its_setting(mailjet, setting, value, said):
    result = mailjet.deliver([schema(), state(1)], **{setting: value})
    told = " ".join([str(result.error), *getattr(result.error, "errors", ())])
    assert f"Setting `{setting}`" in told
    assert said in told


@pytest.mark.parametrize("value", [".", "..", "/"])
def test_p9_a_journal_that_is_a_folder_is_told_as_that(mailjet, value):
    for act in (mailjet.deliver, lambda _, **more: _check(mailjet, **more)):
        assert "is a folder; use a file in it" in str(act([schema(), state(1)], journal=value).error)


def _check(mailjet, **more):
    from types import SimpleNamespace

    from target_mailing.target import TargetMailing

    try:
        TargetMailing(config=mailjet.settings(properties=None, **more)).check()
    except (ConfigurationError, JournalError) as error:
        return SimpleNamespace(error=error)
    return SimpleNamespace(error=None)


@pytest.mark.parametrize(("value", "said"), [("a" * 300, "File name too long"), ("/dev/null/x", "Not a directory")])
def test_p9_a_check_names_a_folder_of_rejects_that_cannot_be(mailjet, value, said):
    error = _check(mailjet, rejects_path=value).error
    assert "Setting `rejects_path`" in str(error)
    assert said in str(error)


def test_a_file_may_have_any_name(tmp_path):
    store = journal_store({"journal": str(tmp_path / "what?a=b#c%20d.sqlite")}, "x")
    Journal(store).close()
    assert (tmp_path / "what?a=b#c%20d.sqlite").exists()


# Homes


def without_home(folder, config, text, *, fresh):
    """Run the command as a user that has no entry in the password file, and with no HOME."""
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    unwanted = ("HOME", "XDG_STATE_HOME", "MELTANO_PROJECT_ROOT")
    around = {name: value for name, value in os.environ.items() if name not in unwanted} | {"PYTHONPATH": str(ROOT)}
    module = "tests.target.journal.homeless"
    return FORKS.run(module, f"--config={path}", input=text, text=True, env=around, fresh=fresh)


@pytest.mark.slow
def test_p9_without_a_home_the_settings_do_or_are_asked_for(mailjet):
    text = "".join(json.dumps(one) + "\n" for one in [schema(), *people(range(2)), state(1)])
    folder = mailjet.folder
    for config, said in [
        (mailjet.settings(rejects_path=str(folder / "r")), None),
        (mailjet.settings(journal="off", rejects_path=str(folder / "r")), None),
        (mailjet.settings(journal=None), "Setting `journal` is not set"),
        (mailjet.settings(journal="off"), "Setting `rejects_path` is not set"),
        (mailjet.settings(journal="~/x.sqlite"), "Setting `journal` begins with `~`"),
        (mailjet.settings(rejects_path="~/x"), "Setting `rejects_path` begins with `~`"),
    ]:
        done = without_home(folder, config, text, fresh="journal" not in config)
        assert "Traceback" not in done.stderr
        if said is None:
            assert (done.returncode, bool(done.stdout)) == (0, True), done.stderr
        else:
            assert done.returncode == 1
            assert said in done.stderr
            assert "HOME" in done.stderr


def test_a_state_folder_that_is_relative_is_ignored(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    expected = tmp_path / ".local" / "state" / "target-mailing"
    for given in ("relative/state", "./state", ""):
        assert default_folder("journal", {"XDG_STATE_HOME": given}) == expected
    assert default_folder("journal", {"XDG_STATE_HOME": "/abs"}).parts[1] == "abs"


@pytest.mark.parametrize("home", ["", "relative"])
def test_p9_a_home_that_is_relative_is_none(monkeypatch, home):
    monkeypatch.setenv("HOME", home)
    with pytest.raises(ConfigurationError, match="HOME is not an absolute path"):
        default_folder("journal", {})


# Logging


@pytest.mark.slow
@pytest.mark.parametrize("module", ["target_mailing", "tap_mailing"])
def test_p9_a_wrong_log_level_is_one_line(module, tmp_path):
    own = f"{module.upper()}_LOGLEVEL"
    config = tmp_path / "log.yml"
    config.write_text("version: none\n")
    for name, value in ((own, "loud"), ("LOGLEVEL", "loud"), ("SINGER_SDK_LOG_CONFIG", str(config))):
        done = FORKS.run(module, "--about", text=True, env=os.environ | {name: value}, fresh=name == own)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert f"environment variable {name} " in done.stderr
    done = FORKS.run(module, "--about", text=True, env=os.environ | {own: "warn"})
    assert done.returncode == 0
