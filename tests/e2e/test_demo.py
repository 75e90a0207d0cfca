"""The demo program, for real: Meltano, both PostgreSQL plugins, the sandbox."""

from __future__ import annotations

import json
import signal

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.exhaustive
def test_goes_from_mailjet_to_the_warehouse_and_back(start_demo):
    demo = start_demo()
    assert demo.wait(seconds=400) == 0, demo.said
    summary = json.loads((demo.output / "summary.json").read_text(encoding="utf-8"))

    first, again = summary["extractions"]
    for stream in ("import jobs", "sign-ups", "unsubscribes"):
        assert again["rows"][stream] < first["rows"][stream]
    assert again["rows"]["import jobs"] == 1
    assert 3 <= again["rows"]["sign-ups"] < 20
    assert again["rows"]["unsubscribes"] == 5
    assert summary["warehouse"]["mailjet_import_jobs"] == first["rows"]["import jobs"]
    assert summary["warehouse"]["mailjet_list_signups"] == first["rows"]["sign-ups"] + 3
    assert summary["warehouse"]["mailjet_list_unsubscribes"] == first["rows"]["unsubscribes"] + 5

    everything, changes, everything_again, from_mpdx, filled, emptied = summary["deliveries"].values()
    planned = json.loads((demo.output / "plan.json").read_text(encoding="utf-8"))
    assert planned["outcomes"]["delivered"] == everything["delivered"]
    assert filled["delivered"] == 160
    assert emptied["unchanged"] == 80
    assert from_mpdx["delivered"] > 300
    assert from_mpdx["rejected"] == 0
    assert {table.partition("_")[0] for table in summary["warehouse"]} == {"mailjet", "mpdx", "postgrid", "ses"}
    assert everything["bulk_calls"] == everything["batches"] > 1
    assert everything["rejected"] == 3
    assert everything["superseded"] == 1
    assert everything["delivered"] == everything["rows"] - 4
    assert changes["delivered"] == 40
    assert everything_again["unchanged"] == everything["delivered"]
    assert everything_again["bulk_calls"] == 0

    rejects = sorted((demo.output / "rejects").iterdir())
    codes = [json.loads(line)["record"]["_reject_code"] for line in rejects[0].read_text().splitlines()[1:]]
    assert sorted(codes) == ["bad_address", "unknown_property", "wrong_type"]

    logs = "".join(log.read_text(encoding="utf-8") for log in (demo.output / "logs").glob("[0-9]*.log"))
    for private in ("sandbox-secret", "@example.", "@mail.test", "@inbox.test"):
        assert private not in logs
    assert demo.processes() == []
    assert list(demo.temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "while_running", "status"),
    [
        pytest.param(signal.SIGHUP, r"mailing_sandbox", 129, marks=pytest.mark.exhaustive),
        pytest.param(signal.SIGINT, r"\binitdb\b", 130, marks=pytest.mark.exhaustive),
        (signal.SIGTERM, r"meltano .*\binstall\b", 143),
        pytest.param(signal.SIGINT, r"bin/target-postgres\b", 130, marks=pytest.mark.exhaustive),
    ],
    ids=[
        "terminal closed while starting",
        "ctrl-c while making the database",
        "terminated while installing",
        "ctrl-c while loading",
    ],
)
def test_a_signal_stops_everything_that_was_started(start_demo, number, while_running, status):
    demo = start_demo()
    demo.wait_for_process(while_running)
    demo.interrupt(number)
    assert demo.wait(seconds=30) == status, demo.said
    assert "Traceback" not in demo.said
    assert demo.processes() == []
    assert list(demo.temporary.iterdir()) == []


def test_a_folder_with_other_files_is_left_alone(start_demo, tmp_path):
    precious = tmp_path / "my demo" / "logs" / "precious"
    precious.parent.mkdir(parents=True)
    precious.touch()
    demo = start_demo()
    assert demo.wait(seconds=30) == 1
    assert "holds files that no demo made" in demo.said
    assert precious.exists()


@pytest.mark.exhaustive
def test_processes_of_the_demo_are_seen(start_demo):
    """Guards the tests above, which would pass if nothing were ever seen."""
    demo = start_demo()
    for pattern in (r"mailing_sandbox", r"postgres .*-D", r"meltano .*\binstall\b", r"\buv\b"):
        demo.wait_for_process(pattern)
    demo.interrupt(signal.SIGINT)
    assert demo.wait(seconds=30) == 130, demo.said
