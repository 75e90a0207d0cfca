"""Install each wheel in an empty environment outside of the repository, and run what it brings: `make wheels`.

The plugins' wheel has no extras, the sandbox's wheel none of the plugins; `tap-mailing | target-mailing` runs against
`mailing-sandbox` as a user would run it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements" / "dev.txt"
CONTACTS = 200
SECONDS = 60
ENVIRONMENT = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


class Failed(Exception):
    """A wheel does not do what it should."""


def check(holds: object, message: str) -> None:
    """Raise `Failed` unless something holds."""
    if not holds:
        raise Failed(message)


def install(wheel: Path, folder: Path) -> Path:
    """Install a wheel in a new environment, with the locked versions of its dependencies; returns its programs."""
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "-q", "--python", sys.executable, folder], check=True)
    options = ["-q", "--python", str(folder / "bin" / "python"), "--constraints", str(LOCK)]
    subprocess.run([*uv, "pip", "install", *options, str(wheel)], check=True, cwd=folder)
    return folder / "bin"


def run(command: Sequence[str | Path], folder: Path, text: str = "") -> str:
    """Run a command with little in its environment; returns its standard output."""
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, cwd=folder, env=ENVIRONMENT, timeout=SECONDS, check=False
    )
    check(done.returncode == 0, f"{command} exited {done.returncode}:\n{done.stderr}")
    return done.stdout


def introduces_itself(programs: Path, name: str, version: str, folder: Path) -> None:
    """Check `--version` and `--about` of a plugin."""
    check(version in run([programs / name, "--version"], folder), f"{name} --version does not say {version}")
    about = json.loads(run([programs / name, "--about", "--format=json"], folder))
    check((about["name"], about["version"]) == (name, version), f"{name} --about is not about {name} {version}")


@contextmanager
def sandbox(programs: Path, folder: Path) -> Iterator[str]:
    """Run the sandbox on a free port; gives its URL."""
    ready = folder / "ready"
    options = ["--port=0", f"--contacts={CONTACTS}", "--job-seconds=0.2", f"--ready-file={ready}"]
    command = [str(programs / "mailing-sandbox"), *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=folder, env=ENVIRONMENT) as process:
        try:
            until = time.monotonic() + SECONDS
            while not ready.exists():
                check(process.poll() is None and time.monotonic() < until, "mailing-sandbox does not start")
                time.sleep(0.05)
            yield ready.read_text(encoding="utf-8")
        finally:
            process.terminate()
    check(process.returncode == 0, f"mailing-sandbox exited {process.returncode}")


def delivers(programs: Path, url: str, folder: Path) -> None:
    """Run `tap-mailing | target-mailing`, and look at what arrived."""
    account = {
        "mailjet_base_url": url,
        "mailjet_api_key": "sandbox-key",
        "mailjet_secret_key": "sandbox-secret",
    }
    target = {
        "list": "Wheels",
        "create_list": True,
        "on_unknown_stream": "skip",
        "max_rejected": "100%",
        "poll_interval": 0.1,
        "journal": str(folder / "journal.sqlite"),
        "report_path": str(folder / "report.html"),
    }
    (folder / "tap.json").write_text(json.dumps(account), encoding="utf-8")
    (folder / "target.json").write_text(json.dumps(account | target), encoding="utf-8")
    messages = run([programs / "tap-mailing", "--config=tap.json"], folder)
    contacts = len(re.findall(r'"stream": ?"mailjet_contacts"', messages)) - 1  # without its SCHEMA
    check(contacts > CONTACTS / 2, f"tap-mailing wrote {contacts} of {CONTACTS} contacts")
    states = run([programs / "target-mailing", "--config=target.json"], folder, messages).splitlines()
    check(states, "target-mailing wrote no STATE")
    check(json.loads(states[-1]), "target-mailing wrote an empty STATE")
    check("<title>Delivery to Wheels: completed" in (folder / "report.html").read_text("utf-8"), "there is no report")
    with urllib.request.urlopen(f"{url}/_sandbox/mailjet/received", timeout=SECONDS) as answer:
        received = json.load(answer)
    check(len(received) > CONTACTS / 2, f"the sandbox received {len(received)} of {contacts} contacts")


def same_sandbox(wheels: Sequence[Path]) -> None:
    """Check that both wheels have the same files of the sandbox, so that installing both breaks nothing."""
    contents = []
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as file:
            names = [name for name in file.namelist() if name.startswith("mailing_sandbox/")]
            contents.append({name: file.read(name) for name in names})
    check(contents[0], "the wheels hold no sandbox")
    check(contents[0] == contents[1], "the two wheels have different files in mailing_sandbox/")


def main(dist: Path) -> None:
    """Check the wheels in a folder."""
    [plugins] = dist.glob("tap_target_mailing-*.whl")
    [emulators] = dist.glob("mailing_sandbox-*.whl")
    version = plugins.name.split("-")[1]
    check(emulators.name.split("-")[1] == version, "the two wheels have different versions")
    tag = os.environ.get("RELEASE_TAG")
    check(tag in {None, f"v{version}"}, f"the tag is {tag}, and the version {version}")
    same_sandbox([plugins, emulators])
    with tempfile.TemporaryDirectory(prefix="wheels-") as temporary:
        folder = Path(temporary)
        programs = install(plugins.resolve(), folder / "plugins")
        others = install(emulators.resolve(), folder / "sandbox")
        for name in ("tap-mailing", "target-mailing"):
            introduces_itself(programs, name, version, folder)
        with sandbox(others, folder) as url:
            delivers(programs, url, folder)
    print(f"Both wheels of version {version} install and run")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except Failed as failed:
        sys.exit(f"FAILED: {failed}")
