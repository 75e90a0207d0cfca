"""The program as a shell sees it."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from subprocess import PIPE

import pytest

from mailing_api.mailjet.settings import MAILJET_SETTINGS
from mailing_api.mpdx.settings import MPDX_SETTINGS
from mailing_api.ses.settings import SES_SETTINGS
from mailing_sandbox.server import Sandbox
from tap_mailing.settings import TAP_SETTINGS
from tests.fork_server import FORKS

#: Each starts the command as a process.
pytestmark = pytest.mark.slow


def run(*arguments, config=None, tmp_path=None, env=None, fresh=False):
    if config is not None:
        path = tmp_path / "config.json"
        path.write_text(json.dumps(config) if isinstance(config, dict) else config)
        arguments = (f"--config={path}", *arguments)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MJ_", "TAP_MAILING_"))}
    return FORKS.run("tap_mailing", *arguments, text=True, env=clean | (env or {}), fresh=fresh)


def start(*arguments, **options):
    return FORKS.start("tap_mailing", *arguments, stdout=PIPE, stderr=PIPE, **options)


def test_discovery_needs_no_settings():
    found = run("--discover", fresh=True)
    assert found.returncode == 0
    streams = json.loads(found.stdout)["streams"]
    assert {stream["stream"].partition("_")[0] for stream in streams} == {"mailjet", "mpdx", "postgrid", "ses"}
    assert len(streams) == 28
    others = {stream["stream"] for stream in streams if stream["key_properties"] != ["account", "id"]}
    assert {name for name in others if not name.startswith("ses_")} == {"mpdx_contact_export_rows"}
    assert {stream["stream"] for stream in streams if stream.get("replication_key")} == {
        "mailjet_import_jobs",
        "mailjet_list_signups",
        "mailjet_list_unsubscribes",
        "mpdx_contacts",
        "mpdx_people",
        "mpdx_deleted_contacts",
        "ses_import_jobs",
        "ses_import_job_details",
        "ses_contacts",
        "ses_contact_details",
        "ses_suppressions",
        "ses_suppression_details",
        "postgrid_contacts",
        "postgrid_import_jobs",
        "postgrid_mailing_lists",
    }


def test_about_describes_every_setting():
    about = json.loads(run("--about", "--format=json").stdout)
    properties = about["settings"]["properties"]
    for setting in (*MAILJET_SETTINGS, *MPDX_SETTINGS, *SES_SETTINGS, *TAP_SETTINGS):
        assert properties[setting.name]["title"]
        assert properties[setting.name]["description"]
    assert "mailjet_include_anonymized" in properties
    assert not {"batch", "activate-version"} & set(about["capabilities"])
    assert {"catalog", "state", "discover", "stream-maps", "schema-flattening"} <= set(about["capabilities"])


def test_version():
    found = run("--version")
    assert found.stdout.startswith("tap-mailing v0.")


def test_one_record_of_each_stream_by_a_request_each_and_one_for_the_list_of_an_unsubscribe(sandbox, tap, tmp_path):
    sandbox.counters.reset()
    found = run("--test", config=tap.settings(sandbox), tmp_path=tmp_path)
    assert found.returncode == 0, found.stderr
    assert found.stdout == ""
    assert "ERROR" not in found.stderr
    assert sandbox.counters.total_calls == 10
    output = tap.run(tap.settings(sandbox), test=True)
    assert all(len(output.records(stream)) == 1 for stream in output.streams)
    assert len(output.streams) == 9
    (unsubscribe,) = output.records("mailjet_list_unsubscribes")
    whole = tap.run(tap.settings(sandbox), "mailjet_list_unsubscribes").records("mailjet_list_unsubscribes")
    lists = {one["id"]: one["list_id"] for one in whole}
    assert unsubscribe["list_id"] == lists[unsubscribe["id"]]
    assert not any(bookmark for bookmark in output.state["bookmarks"].values())


def test_a_test_with_wrong_credentials_fails(sandbox, tap, tmp_path):
    config = tap.settings(sandbox, mailjet_secret_key="canary-secret")
    found = run("--test", config=config, tmp_path=tmp_path, env={"TAP_MAILING_LOGLEVEL": "DEBUG"})
    assert found.returncode == 1
    assert "`mailjet_secret_key`" in found.stderr
    assert "canary" not in found.stderr + found.stdout


def test_a_run_and_its_state(sandbox, tap, tmp_path):
    found = run(config=tap.settings(sandbox), tmp_path=tmp_path, fresh=True)
    assert found.returncode == 0, found.stderr
    state = tmp_path / "state.json"
    state.write_text(json.dumps(tap.Run(found.stdout).state))
    second = run(f"--state={state}", config=tap.settings(sandbox), tmp_path=tmp_path)
    assert len(second.stdout) < len(found.stdout)
    for stream in ("mailjet_import_jobs", "mailjet_list_signups"):
        assert tap.Run(second.stdout).bookmark(stream) == tap.Run(found.stdout).bookmark(stream)


def test_settings_come_from_the_environment_too(sandbox):
    env = {
        "MJ_APIKEY_PUBLIC": sandbox.api_key,
        "MJ_APIKEY_PRIVATE": sandbox.secret_key,
        "TAP_MAILING_MAILJET_BASE_URL": sandbox.url,
    }
    found = run("--config=ENV", "--test", env=env)
    assert found.returncode == 0, found.stderr


def test_p7_no_secret_and_no_address_is_logged_at_debug(sandbox, tap, tmp_path):
    config = tap.settings(sandbox)
    found = run(config=config, tmp_path=tmp_path, env={"TAP_MAILING_LOGLEVEL": "DEBUG"})
    assert found.returncode == 0
    assert "DEBUG" in found.stderr
    addresses = {record["email"] for record in tap.Run(found.stdout).records("mailjet_contacts")}
    assert len(addresses) > 30
    for secret in (sandbox.api_key, sandbox.secret_key, *addresses):
        assert secret not in found.stderr
    assert not any(address in json.dumps(tap.Run(found.stdout).state) for address in addresses)


def one_error(found):
    assert found.returncode == 1
    assert "Traceback" not in found.stderr
    (line,) = [line for line in found.stderr.splitlines() if "ERROR" in line]
    return line


@pytest.mark.parametrize("arguments", [(), ("--test",)])
def test_p9_missing_credentials_are_one_line(arguments):
    found = run(*arguments, env={"MJ_APIKEY_PUBLIC": "", "TAP_MAILING_MPDX_TOKEN": "canary"})
    line = one_error(found)
    assert "No provider is configured" in line
    assert "TAP_MAILING_MPDX_TOKEN is in the environment; it is read only with --config=ENV." in line
    assert "MJ_APIKEY_PUBLIC is empty in the environment" in line
    assert "canary" not in line
    secret = "`mailjet_secret_key` (or the environment variable MJ_APIKEY_PRIVATE)"
    assert (
        f"`mailjet_api_key` (or the environment variable MJ_APIKEY_PUBLIC) and {secret} for Mailjet, `mpdx_token` or"
        in line
    )
    assert found.stdout == ""


def test_p9_a_missing_second_credential_is_one_line(tmp_path):
    assert "`mailjet_secret_key` is missing" in one_error(run(config={"mailjet_api_key": "x"}, tmp_path=tmp_path))


@pytest.mark.parametrize("arguments", [(), ("--test",)])
def test_p7_a_setting_of_the_wrong_type_is_reported_without_its_value(tmp_path, arguments):
    config = {"mailjet_api_key": ["canary-key"], "mailjet_secret_key": "x"}
    found = run(*arguments, config=config, tmp_path=tmp_path, env={"TAP_MAILING_LOGLEVEL": "DEBUG"})
    assert "`mailjet_api_key`" in one_error(found)
    assert "canary" not in found.stderr
    assert found.returncode == 1
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize("option", ["config", "state", "catalog"])
def test_p9_a_file_that_is_not_json_is_reported(tmp_path, option):
    path = tmp_path / "file.json"
    path.write_text('{"canary": }')
    line = one_error(run(f"--{option}={path}"))
    assert "not JSON" in line
    assert "canary" not in line


@pytest.mark.parametrize(
    ("option", "content", "part"),
    [("state", "[1]", "bookmarks"), ("state", '{"bookmarks": [1]}', "bookmarks"), ("catalog", "[1]", "streams")],
)
def test_p9_a_file_in_another_form_is_reported(tmp_path, option, content, part):
    path = tmp_path / "file.json"
    path.write_text(content)
    line = one_error(run(f"--{option}={path}", config={"mailjet_api_key": "x"}, tmp_path=tmp_path))
    assert f"The file given by --{option} is not a" in line
    assert f"expected an object with `{part}`" in line


def test_p9_a_stdout_that_cannot_be_written_is_reported_with_the_systems_reason(sandbox, tap, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(tap.settings(sandbox)))
    with Path("/dev/full").open("w") as full:
        found = FORKS.run("tap_mailing", f"--config={path}", stdout=full, text=True)
    assert "Standard output cannot be written (No space left on device)" in one_error(found)


@pytest.mark.parametrize(
    ("plugin", "argument"),
    [
        *(("tap_mailing", argument) for argument in ("--discover", "--about", "--help", "--version")),
        ("target_mailing", "--help"),
    ],
)
def test_p9_a_text_that_cannot_be_written_is_reported_by_its_place(plugin, argument):
    with Path("/dev/full").open("w") as full:
        # Python itself would tell what is left to be written at its end.
        found = FORKS.run(plugin, argument, stdout=full, text=True, fresh=argument == "--help")
    assert found.returncode == 1
    assert "Standard output cannot be written (No space left on device)" in found.stderr
    assert "Errno" not in found.stderr


@pytest.mark.parametrize("arguments", [("--discover",), ("--about",), ("--help",)])
@pytest.mark.parametrize("taken", [0, 10])
def test_a_reader_that_has_seen_enough_of_a_text_meets_no_complaint(arguments, taken):
    # Python itself would complain at its end.
    process = start(*arguments, fresh=arguments == ("--help",))
    assert len(process.stdout.read(taken)) == taken
    process.stdout.close()
    log = process.stderr.read().decode()
    process.stderr.close()
    process.wait(timeout=10)
    assert [line for line in log.splitlines() if "INFO" not in line] == []


def test_p9_a_whole_state_message_is_reported_with_the_fix(tmp_path):
    path = tmp_path / "state.json"
    path.write_text('{"type": "STATE", "value": {"bookmarks": {}}}')
    line = one_error(run(f"--state={path}", config={"mailjet_api_key": "x"}, tmp_path=tmp_path))
    assert "pass only its member `value`" in line


def test_p9_a_file_that_does_not_exist_is_reported(tmp_path):
    assert "nowhere.json" in one_error(run(f"--config={tmp_path}/nowhere.json"))
    assert "--state, " in one_error(run(f"--state={tmp_path}/nowhere.json"))


def test_a_failed_run_says_which_streams(sandbox, tap, tmp_path):
    sandbox.faults.add(kind="status", status=403, path="/v3/REST/contact", times=None)
    found = run(config=tap.settings(sandbox), tmp_path=tmp_path)
    assert found.returncode == 1
    assert "Traceback" not in found.stderr
    assert "1 of 9 streams was not read completely: mailjet_contacts (PermissionDenied)" in found.stderr
    assert len(tap.Run(found.stdout).streams) == 9


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_run_at_once(sandbox, tap, tmp_path, number, status):
    fault = sandbox.faults.add(kind="hold", path="/v3/REST/contactfilter")
    path = tmp_path / "config.json"
    path.write_text(json.dumps(tap.settings(sandbox)))
    process = start(f"--config={path}", text=True, fresh=number == signal.SIGINT)
    fault.wait_until_held()
    started = time.monotonic()
    process.send_signal(number)
    output, log = process.communicate(timeout=10)
    assert time.monotonic() - started < 9
    assert process.returncode == status
    assert "Traceback" not in log
    for line in output.splitlines():
        json.loads(line)


def test_a_signal_ends_a_run_whose_reader_sleeps(tap, tmp_path):
    with Sandbox(contacts=3000) as sandbox:
        path = tmp_path / "config.json"
        path.write_text(json.dumps(tap.settings(sandbox)))
        process = start(f"--config={path}")
        for line in process.stderr:
            if b"Beginning sync of 'mailjet_contacts'" in line:
                break
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == 143
        process.stdout.close()
        process.stderr.close()


def test_a_closed_stdout_is_a_failed_run_with_one_line(tap, tmp_path):
    with Sandbox(contacts=3000) as sandbox:
        path = tmp_path / "config.json"
        path.write_text(json.dumps(tap.settings(sandbox)))
        process = start(f"--config={path}")
        process.stdout.read(10)
        process.stdout.close()
        log = process.stderr.read().decode()
        process.stderr.close()
        assert process.wait(timeout=10) == 1
        assert "Traceback" not in log
        assert "BrokenPipe" not in log
        assert len([line for line in log.splitlines() if "ERROR" in line]) == 1
        assert "The program that reads standard output closed it" in log
