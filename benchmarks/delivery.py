"""Whole runs of the target and of the bare writer against the light stand-in, with what they took and wrote."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, cast

import httpx
import msgspec
from light_mailjet import LIST, PROPERTIES, Counts
from measure import Measure, compile_packages, run

HERE = Path(__file__).parent

#: A file's name and how many bytes were written to it, in a line of strace.
_WRITTEN = re.compile(r"\d+<(/[^>]*)>(\(deleted\))?.* = (\d+)$")


class Delivered(msgspec.Struct, frozen=True):
    """One run.

    Attributes:
        took: of the process.
        counts: of the stand-in.
    """

    took: Measure
    counts: Counts


class Written(msgspec.Struct, frozen=True):
    """Bytes written to files by one run.

    Attributes:
        journal: and its log.
        others: files that have no name, where payloads wait.
    """

    journal: int
    others: int


class Bench:
    """A folder, a stand-in, and inputs that are written once."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._url = url

    def input(self, name: str, write: Callable[[Path], None]) -> Path:
        """The input of that name."""
        path = self._folder / f"{name}.singer"
        if not path.exists():
            write(path)
        return path

    def place(self) -> Path:
        """A folder for journals that several runs share."""
        return Path(tempfile.mkdtemp(dir=self._folder))

    def bare(self, source: Path, **switches: float) -> Delivered:
        """The bare writer."""
        return self._run([str(HERE / "bare_writer.py"), self._url, "key", "secret", str(LIST)], source, switches)

    def ours(
        self, source: Path, settings: Mapping[str, Any] | None = None, *, place: Path | None = None, **switches: float
    ) -> Delivered:
        """The target, with a new journal unless there is a place with one."""
        with self._config(settings or {}, place) as config:
            return self._run(["-m", "target_mailing", f"--config={config}"], source, switches)

    def written(self, source: Path, *, place: Path | None = None) -> Written:
        """What the target writes to files; the run is slow, because every write is traced."""
        trace = self._folder / "trace"
        calls = "trace=write,writev,pwrite64,pwritev,pwritev2"
        tracer = ["strace", "-f", "-qq", "-y", "-s0", "--seccomp-bpf", "-e", calls, "-e", "signal=none"]
        with self._config({}, place) as config:
            httpx.post(f"{self._url}/reset", content=b"{}").raise_for_status()
            with source.open("rb") as stdin:
                run(
                    [*tracer, "-o", str(trace), sys.executable, "-m", "target_mailing", f"--config={config}"],
                    stdin=stdin,
                )
            journal = others = 0
            with trace.open() as lines:
                for line in lines:
                    if (found := _WRITTEN.search(line)) is None:
                        continue
                    if found[1].startswith(str(config.parent)) and not found[2]:
                        journal += int(found[3])
                    elif found[2]:
                        others += int(found[3])
        trace.unlink()
        return Written(journal, others)

    @contextlib.contextmanager
    def _config(self, settings: Mapping[str, Any], place: Path | None) -> Iterator[Path]:
        folder = place or self.place()
        config = folder / "config.json"
        fixed = {
            "mailjet_base_url": self._url,
            "mailjet_api_key": "key",
            "mailjet_secret_key": "secret",
            "list": LIST,
            "properties": [*PROPERTIES],
            "journal": str(folder / "journal.sqlite"),
            "max_rejected": "100%",
            "max_removals": "100%",
        }
        config.write_text(json.dumps({**fixed, **settings}))
        yield config
        if place is None:
            shutil.rmtree(folder)

    def _run(self, arguments: list[str], source: Path, switches: Mapping[str, float]) -> Delivered:
        httpx.post(f"{self._url}/reset", content=json.dumps(switches)).raise_for_status()
        with source.open("rb") as stdin:
            took = run([sys.executable, *arguments], stdin=stdin)
        counts = msgspec.json.decode(httpx.get(f"{self._url}/counts").content, type=Counts)
        return Delivered(took, counts)


@contextlib.contextmanager
def bench() -> Iterator[Bench]:
    """A bench with a stand-in in a process of its own."""
    compile_packages()
    command = [sys.executable, str(HERE / "light_mailjet.py")]
    with tempfile.TemporaryDirectory() as name, subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Bench(Path(name), cast("IO[str]", process.stdout).readline().strip())
        finally:
            process.terminate()


# Inputs


def schema(*, keyed: bool = True, more: tuple[str, ...] = ()) -> str:
    """The first line: six columns, and more that hold text."""
    columns = {
        "id": {"type": "integer"},
        "email": {"type": "string"},
        "name": {"type": ["string", "null"]},
        "city": {"type": ["string", "null"]},
        "visits": {"type": ["integer", "null"]},
        "score": {"type": ["number", "null"]},
        **{name: {"type": ["string", "null"]} for name in more},
    }
    keys = ["id"] if keyed else []
    found = {"type": "object", "properties": columns}
    return json.dumps({"type": "SCHEMA", "stream": "people", "schema": found, "key_properties": keys}) + "\n"


def person(number: int, *, email: str = "", visits: int = 0, more: str = "") -> str:
    """A RECORD of six columns, and what else it has, as JSON that begins with a comma."""
    email = email or f"person.{number}@example.com"
    return (
        f'{{"type": "RECORD", "stream": "people", "record": {{"id": {number}, "email": "{email}", '
        f'"name": "First {number} Last", "city": "City {number % 997}", "visits": {visits or number % 50}, '
        f'"score": {number % 1000 / 8}{more}}}}}\n'
    )


def state(number: int) -> str:
    """A STATE."""
    return f'{{"type": "STATE", "value": {{"at": {number}}}}}\n'


def people(rows: int, *, keyed: bool = True, wide: bool = False, changed: int = 0) -> Callable[[Path], None]:
    """Writes people, each with an address of their own, and a STATE every 10,000 rows.

    Args:
        rows: how many.
        keyed: the stream has a key.
        wide: 910 bytes a row.
        changed: each so many-th row differs from the one without; 0 for none.
    """
    names = tuple(f"column_{at}" for at in range(6)) if wide else ()
    more = "".join(f', "{name}": "{"text " * 22}"' for name in names)

    def write(path: Path) -> None:
        with path.open("w") as file:
            file.write(schema(keyed=keyed, more=names))
            for number in range(rows):
                visits = 77 if changed and number % changed == 0 else 0
                file.write(person(number, visits=visits, more=more))
                if number % 10_000 == 9_999:
                    file.write(state(number))

    return write


def deleted(rows: int, *, every: int, after: int = 50_000) -> Callable[[Path], None]:
    """Writes people, of whom each so many-th is deleted by key `after` rows later."""

    def write(path: Path) -> None:
        with path.open("w") as file:
            file.write(schema(more=("_sdc_deleted_at",)))
            for number in range(rows):
                file.write(person(number))
                if number % every == 0 and number >= after:
                    gone = {"id": number - after, "_sdc_deleted_at": "2026-03-05T09:41:07Z"}
                    file.write(json.dumps({"type": "RECORD", "stream": "people", "record": gone}) + "\n")
                if number % 10_000 == 9_999:
                    file.write(state(number))

    return write


def crowd(first: int, rows: Iterator[tuple[int, str]]) -> Callable[[Path], None]:
    """Writes so many people, then rows with these keys and addresses, each with other content."""

    def write(path: Path) -> None:
        with path.open("w") as file:
            file.write(schema())
            for number in range(first):
                file.write(person(number))
            for at, (number, email) in enumerate(rows):
                file.write(person(number, email=email, visits=100 + at))
            file.write(state(1))

    return write
