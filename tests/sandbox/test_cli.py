"""The command `mailing-sandbox`, and that docs/sandbox.md keeps up with it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from mailing_sandbox import Sandbox
from mailing_sandbox.__main__ import main, parser
from mailing_sandbox.control import Control
from mailing_sandbox.faults import Kind, Rule

DOCS = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_a_signal_and_writes_its_url(tmp_path, end):
    ready = tmp_path / "ready"
    command = [sys.executable, "-m", "mailing_sandbox", "--port", "0", "--contacts", "5", "--switch", "job_polls=2"]
    with subprocess.Popen([*command, "--ready-file", str(ready)], stdout=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 20
        while not ready.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        url = ready.read_text()
        assert httpx.get(f"{url}/_sandbox/switches").json()["job_polls"] == 2
        assert httpx.get(f"{url}/v3/REST/contact", auth=("sandbox-key", "sandbox-secret")).json()["Count"] == 5
        process.send_signal(end)
        printed, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert printed == f"Mailing sandbox at {url} (API key sandbox-key, secret key sandbox-secret)\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--switch", "nosuch=1"], "no switch is called 'nosuch'"),
        (["--switch", "job_polls"], "expected name=value"),
        (["--switch", "job_polls=many"], "job_polls"),
        (["--port", "{taken}"], "cannot listen on 127.0.0.1"),
    ],
)
def test_mistakes_are_named(capsys, sandbox, arguments, message):
    taken = sandbox.url.rpartition(":")[2]
    with pytest.raises(SystemExit, match="2"):
        main([argument.format(taken=taken) for argument in arguments])
    assert message in capsys.readouterr().err


def test_every_option_is_documented():
    options = {option for action in parser()._actions for option in action.option_strings if option.startswith("--")}
    assert {option for option in options - {"--help"} if f"`{option}" not in DOCS} == set()


def test_every_switch_is_documented_with_its_default():
    documented = dict(re.findall(r"^\| `(\w+)` \| `([^`]*)`", DOCS.partition("## Switches")[2], flags=re.MULTILINE))
    defaults = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in Sandbox(job_seconds=3).switches.as_dict().items()
    }
    assert documented == defaults


def test_every_fault_and_its_fields_are_documented():
    assert [kind for kind in Kind.__args__ if f"| `{kind}` |" not in DOCS] == []
    assert [name for name in Rule.__struct_fields__ if f"`{name}`" not in DOCS] == []


def test_every_control_route_is_documented():
    sandbox = Sandbox()
    common = Control(sandbox.clock, sandbox.counters, sandbox.faults, sandbox.switches, sandbox.providers).app()
    paths = []
    for route in common.routes[0].routes:
        below = getattr(route, "routes", None)
        paths += [f"{route.path}{each.path}" for each in below] if below else [route.path]
    shown = {re.sub(r":\w+}", "}", path) for path in paths}
    assert {path for path in shown if f"`/_sandbox{path}`" not in DOCS} == set()
