"""The command `mailing-sandbox`, and that docs/sandbox.md keeps up with it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

import mailing_sandbox.__main__ as program
from mailing_sandbox import Sandbox
from mailing_sandbox.__main__ import main, parser
from mailing_sandbox.control import Control
from mailing_sandbox.faults import Kind, Rule

DOCS = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")


@contextmanager
def command(tmp_path, *options):
    """The command as a process, and its URL once it serves."""
    ready = tmp_path / "ready"
    with subprocess.Popen(
        [sys.executable, "-m", "mailing_sandbox", "--port=0", f"--ready-file={ready}", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            deadline = time.monotonic() + 20
            while not ready.exists() and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
            yield process, ready.read_text()
        finally:
            process.kill()


each_end = pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])


@pytest.mark.slow
@each_end
def test_it_serves_until_a_signal_and_writes_its_url(tmp_path, end):
    with command(tmp_path, "--contacts=5", "--switch=job_polls=2") as (process, url):
        assert httpx.get(f"{url}/_sandbox/switches", verify=False).json()["job_polls"] == 2
        assert (
            httpx.get(f"{url}/v3/REST/contact", auth=("sandbox-key", "sandbox-secret"), verify=False).json()["Count"]
            == 5
        )
        process.send_signal(end)
        printed, complaints = process.communicate(timeout=10)
    assert (process.returncode, complaints) == (0, "")
    assert printed == f"Mailing sandbox at {url} (API key sandbox-key, secret key sandbox-secret)\n"


@pytest.mark.slow
@each_end
def test_a_signal_ends_it_quietly_whatever_its_clients_are_at(tmp_path, end):
    with command(tmp_path, "--latency-ms=1") as (process, url), ExitStack() as stack:
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        auth = ("sandbox-key", "sandbox-secret")
        clients = [
            stack.enter_context(httpx.Client(base_url=url, auth=auth, timeout=20, verify=False)) for _ in range(30)
        ]
        for client in clients:
            assert client.get("/v3/REST/contact").status_code == 200  # the connection stays, idle
        clients[0].post("/_sandbox/faults", json={"kind": "hold", "method": "POST", "times": None})
        uploading = stack.enter_context(socket.create_connection(address))
        uploading.sendall(b"POST /v3/REST/contact HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")
        pool = stack.enter_context(ThreadPoolExecutor(20))
        held = [
            pool.submit(client.post, "/v3/REST/contact", json={"Email": f"p{place}@example.com"})
            for place, client in enumerate(clients[10:])
        ]
        deadline = time.monotonic() + 10
        while clients[0].get("/_sandbox/faults").json()[0]["waiting"] < len(held) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(end)
        _, complaints = process.communicate(timeout=10)
        assert [answer.result().status_code for answer in held] == [201] * len(held)
        assert uploading.recv(1) == b""
    assert (process.returncode, complaints) == (0, "")


@pytest.mark.slow
def test_a_second_signal_does_not_disturb_the_end(tmp_path):
    with (
        command(tmp_path) as (process, url),
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as uploading,
    ):
        uploading.sendall(b"POST /v3/REST/contact HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")
        httpx.get(f"{url}/_sandbox/clock", verify=False)
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate(timeout=10)
    assert (process.returncode, complaints) == (0, "")


def test_interrupted_while_it_makes_contacts_it_ends_quietly(monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("mailing_sandbox.server.Sandbox", interrupt)
    assert main([]) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--switch", "nosuch=1"], "unknown switch 'nosuch'"),
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


@pytest.mark.parametrize(
    ("host", "is_warned"), [("127.0.0.1", False), ("::1", False), ("localhost", False), ("0.0.0.0", True), ("::", True)]
)
def test_an_address_that_others_reach_is_warned_of(monkeypatch, capsys, host, is_warned):
    monkeypatch.setattr(program, "serve_until_signalled", lambda *_: 0)
    monkeypatch.setattr(Sandbox, "start", lambda _: None)
    assert main(["--host", host, "--port", "0"]) == 0
    assert ("Warning: listening on" in capsys.readouterr().err) is is_warned


def test_the_command_says_which_extra_it_needs(tmp_path):
    (tmp_path / "uvicorn.py").write_text("raise ModuleNotFoundError(name='uvicorn')", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mailing_sandbox"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "uvicorn is not installed. Install this package with its extra `sandbox`." in done.stderr
    assert "Traceback" not in done.stderr
