"""Tap and target as in a container: a root that cannot be written, a user whom no file names, and no HOME."""

from __future__ import annotations

import json
import re
import stat
import time
from pathlib import Path

import pytest
import yaml

from mailing_sandbox.server import Sandbox
from tests.container.conftest import REPOSITORY, STATE, USER, instructions, variables
from tests.postgresql import postgresql
from tests.target.conftest import Mailjet, people, schema, state

pytestmark = pytest.mark.slow
PEOPLE = 300


@pytest.fixture
def sandbox():
    with Sandbox(contacts=PEOPLE, job_seconds=0.05) as running:
        yield running


@pytest.fixture
def mailing(container, sandbox):
    """A container with the settings of a tap and a target, whose list is made by the first run."""
    for plugin in ("TAP_MAILING", "TARGET_MAILING"):
        container.environment |= {
            f"{plugin}_MAILJET_API_KEY": sandbox.api_key,
            f"{plugin}_MAILJET_SECRET_KEY": sandbox.secret_key,
            f"{plugin}_MAILJET_BASE_URL": sandbox.url,
        }
    container.environment |= {"TARGET_MAILING_LIST": "Copy", "TARGET_MAILING_CREATE_LIST": "true"}
    return container


def write_catalog(mailing):
    """Select the stream of contacts, by what discovery says in the container."""
    found = mailing.run("tap-mailing", "--discover")
    assert found.returncode == 0, found.stderr
    catalog = json.loads(found.stdout)
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"]["selected"] = stream["tap_stream_id"] == "mailjet_contacts"
    (mailing.volume / "catalog.json").write_text(json.dumps(catalog))


def journal_in(mailing, url):
    """Have the container keep its journal in the server; returns the server's socket."""
    mailing.environment["TARGET_MAILING_JOURNAL"] = "postgresql://postgres@/postgres?host=/run/postgresql"
    return Path(url.partition("?host=")[2], ".s.PGSQL.5432")


def members(sandbox):
    store = sandbox.mailjet._account.store
    return sandbox.mailjet.members({row.name: row.id for row in store.lists.rows}["Copy"])


def delivered(done):
    """The rows delivered, of nearly all contacts of the account; some of them may not be mailed."""
    (number,) = re.findall(r"\d+ rows: (\d+) delivered", done.stderr)
    assert int(number) > PEOPLE * 0.8
    return int(number)


def test_p3_tap_and_target_run_in_a_container_with_journal_rejects_and_bookmark_in_its_volume(mailing, sandbox):
    write_catalog(mailing)
    deliver = ("deliver", f"--catalog={STATE}/catalog.json")
    first = mailing.run(*deliver)
    assert first.returncode == 0, first.stderr
    assert len(members(sandbox)) == delivered(first)
    assert "bookmarks" in json.loads((mailing.volume / "state.json").read_text())
    files = {path.name: path for path in mailing.volume.rglob("*") if path.is_file()}
    journals = [path for name, path in files.items() if name.endswith(".sqlite")]
    assert len(journals) == 1
    assert (journals[0].stat().st_uid, stat.S_IMODE(journals[0].stat().st_mode)) == (USER, 0o600)
    before = len(sandbox.mailjet.received())
    second = mailing.run(*deliver)
    assert second.returncode == 0, second.stderr
    assert "unchanged" in second.stderr
    assert len(sandbox.mailjet.received()) == before


def test_p3_the_journal_of_a_container_can_be_in_postgresql(mailing, sandbox):
    write_catalog(mailing)
    with postgresql() as url:
        socket = journal_in(mailing, url)
        mailing.environment |= {"TARGET_MAILING_REJECTS_PATH": "/tmp/rejects", "STATE_FOLDER": "/tmp"}
        options = (f"--catalog={STATE}/catalog.json",)
        first = mailing.run("deliver", *options, socket=socket)
        assert first.returncode == 0, first.stderr
        assert len(members(sandbox)) == delivered(first)
        before = len(sandbox.mailjet.received())
        second = mailing.run("deliver", *options, socket=socket)
        assert second.returncode == 0, second.stderr
        assert len(sandbox.mailjet.received()) == before
    assert not [*mailing.volume.rglob("*.sqlite")]


def test_sigterm_to_the_first_process_of_a_container_ends_both_plugins_soon(mailing, sandbox):
    write_catalog(mailing)
    sandbox.switches.change({"job_seconds": 3600})
    before = len(sandbox.mailjet.jobs())
    outside, first = mailing.start("deliver", f"--catalog={STATE}/catalog.json")
    try:
        while len(sandbox.mailjet.jobs()) == before:
            assert outside.poll() is None
            time.sleep(0.05)
        first().terminate()
        _, said = outside.communicate(timeout=20)
    finally:
        mailing.end(outside)
    assert outside.returncode == 143, said


@pytest.mark.parametrize("home", [None, "/"], ids=["no HOME", "HOME of an unknown user"])
def test_p9_without_a_home_and_a_place_for_the_journal_the_message_names_the_setting(mailing, home):
    del mailing.environment["XDG_STATE_HOME"]
    mailing.environment |= {} if home is None else {"HOME": home}
    done = mailing.run("target-mailing", "--config=ENV", text=Mailjet.text([schema(), *people(range(3)), state(1)]))
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "`journal`" in done.stderr.splitlines()[-1], done.stderr


def test_p9_without_a_folder_for_temporary_files_the_message_names_the_variable(mailing, sandbox):
    with postgresql() as url:
        socket = journal_in(mailing, url)
        mailing.environment["TARGET_MAILING_REJECTS_PATH"] = str(STATE)
        messages = Mailjet.text([schema(), *people(range(3)), state(1)])
        done = mailing.run("target-mailing", "--config=ENV", text=messages, temporary=False, socket=socket)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "TMPDIR" in done.stderr.splitlines()[-1], done.stderr


def test_p9_without_its_volume_the_message_names_the_setting_of_the_journal(mailing):
    messages = Mailjet.text([schema(), *people(range(3)), state(1)])
    done = mailing.run("target-mailing", "--config=ENV", text=messages, volume=False)
    assert done.returncode == 1
    assert "Setting `journal`: /var/lib/mailing/" in done.stderr.splitlines()[-1], done.stderr


def test_the_image_runs_as_a_numbered_user_with_locked_packages_and_without_secrets():
    assert instructions("USER") == [f"{USER}:{USER}"]
    for command in instructions("RUN"):
        assert all(
            "--require-hashes" in part or "--no-index" in part for part in command.split("&&") if " install " in part
        )
    assert not instructions("ARG")
    assert set(variables()) == {"PATH", "LANG", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "XDG_STATE_HOME"}


def test_the_cron_job_fits_the_image():
    job = yaml.safe_load((REPOSITORY / "deploy" / "cronjob.yaml").read_text(encoding="utf-8"))
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == USER
    assert pod["terminationGracePeriodSeconds"] > 5, "the target ends within five seconds"
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    places = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert {str(STATE), "/tmp"} < set(places)
    assert set(places.values()) == {volume["name"] for volume in pod["volumes"]}
    (catalog,) = re.findall(r"--catalog=(\S+)", " ".join(container["command"]))
    assert any(catalog.startswith(f"{place}/") for place in places)


def test_the_documentation_shows_the_files_as_they_are():
    page = (REPOSITORY / "docs" / "deploy.md").read_text(encoding="utf-8")
    assert (REPOSITORY / "deploy" / "cronjob.yaml").read_text(encoding="utf-8") in page
