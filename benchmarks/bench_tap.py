"""The tap beside an ordinary SDK tap and beside the least that can read: ratios within one run, nothing asserted.

python benchmarks/bench_tap.py                CPU beside an ordinary tap, 100,000 contacts on loopback
python benchmarks/bench_tap.py --latency      wall time beside a bare reader, every answer 50 ms late
python benchmarks/bench_tap.py --million      1,000,000 contacts beside a bare reader, and with properties
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from measure import Measure, median, run, sandbox, show, table

HERE = Path(__file__).parent
API_KEY, SECRET_KEY = "sandbox-key", "sandbox-secret"
IN_FLIGHT = 4


def tap(folder: Path, url: str, *, properties: bool) -> list[str]:
    """Our tap on the contacts, with or without their property values (a second listing as long as the first)."""
    config = folder / "config.json"
    settings = {
        "mailjet_base_url": url,
        "mailjet_api_key": API_KEY,
        "mailjet_secret_key": SECRET_KEY,
        "concurrency": IN_FLIGHT,
    }
    config.write_text(json.dumps(settings))
    catalog = folder / f"catalog-{properties}.json"
    command = [sys.executable, "-m", "tap_mailing"]
    with (folder / "discovered.json").open("w+") as found:
        run([*command, f"--config={config}", "--discover"], stdout=found)
        found.seek(0)
        streams = json.load(found)["streams"]
    for stream in streams:
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"]["selected"] = stream["stream"] == "mailjet_contacts"
            elif entry["breadcrumb"][-1] == "properties":
                entry["metadata"]["selected"] = properties
    catalog.write_text(json.dumps({"streams": streams}))
    return [*command, f"--config={config}", f"--catalog={catalog}"]


def ordinary(folder: Path, url: str, *, shared_columns: bool) -> list[str]:
    """An ordinary tap that writes Mailjet's 13 fields as they are, or the same 28 columns as ours."""
    config = folder / f"ordinary-{shared_columns}.json"
    settings = {"base_url": url, "api_key": API_KEY, "secret_key": SECRET_KEY, "shared_columns": shared_columns}
    config.write_text(json.dumps(settings))
    return [sys.executable, str(HERE / "ordinary_tap.py"), f"--config={config}"]


def bare(url: str, resource: str = "contact") -> list[str]:
    return [sys.executable, str(HERE / "bare_reader.py"), url, API_KEY, SECRET_KEY, resource, str(IN_FLIGHT)]


def beside_bare(folder: Path, url: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Our tap and a bare reader, of contacts alone, and of both listings."""
    both = bare(url, "contact,contactdata")
    return (
        {"bare reader": bare(url), "tap-mailing": tap(folder, url, properties=False)},
        {"bare reader of both listings": both, "tap-mailing, with properties": tap(folder, url, properties=True)},
    )


def alternately(commands: dict[str, list[str]], times: int) -> dict[str, Measure]:
    """The median of several runs of each command, run in turns so that all meet the same weather."""
    runs: dict[str, list[Measure]] = {name: [] for name in commands}
    for _ in range(times):
        for name, command in commands.items():
            runs[name].append(run(command))
    return {name: median(found) for name, found in runs.items()}


def startups(commands: dict[str, list[str]], times: int) -> dict[str, float]:
    """CPU seconds that each program takes before it does anything."""
    imports = [sys.executable, "-c", "import httpx, msgspec"]
    idle = {name: imports if "bare" in name else [*command, "--version"] for name, command in commands.items()}
    return {name: found.cpu for name, found in alternately(idle, times).items()}


def show_work(found: dict[str, Measure], startup: dict[str, float], reference: str) -> None:
    work = {name: one.cpu - startup[name] for name, one in found.items()}
    header = ["", "start-up CPU s", "CPU s after it", "ratio"]
    lines = [
        [name, f"{startup[name]:.2f}", f"{seconds:.2f}", f"{seconds / work[reference]:.2f}"]
        for name, seconds in work.items()
    ]
    table(header, lines)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--contacts", type=int, default=100_000)
    options.add_argument("--times", type=int, default=3)
    options.add_argument("--latency", action="store_true")
    options.add_argument("--latency-ms", type=int, default=50)
    options.add_argument("--million", action="store_true")
    chosen = options.parse_args()
    rows = 1_000_000 if chosen.million else chosen.contacts
    late = [f"--latency-ms={chosen.latency_ms}"] if chosen.latency else []
    with tempfile.TemporaryDirectory() as name, sandbox(f"--contacts={rows}", *late) as url:
        folder = Path(name)
        alone, both = beside_bare(folder, url)
        if chosen.latency:
            print(f"{rows:,} contacts, every answer {chosen.latency_ms} ms late, {IN_FLIGHT} requests in flight")
            show(alternately(alone, chosen.times), rows, "bare reader")
            return
        times = 1 if chosen.million else chosen.times
        print(f"{rows:,} contacts, loopback, median of {times}")
        if not chosen.million:
            commands = {
                "ordinary SDK tap": ordinary(folder, url, shared_columns=False),
                "ordinary SDK tap, same columns": ordinary(folder, url, shared_columns=True),
                **alone,
                **both,
            }
            found = alternately(commands, times)
            show(found, rows, "ordinary SDK tap")
            print("\nMost of a short run is Python importing the SDK; without that:")
            show_work(found, startups(commands, times), "ordinary SDK tap")
        else:
            found = alternately({**alone, **both}, times)
        for pair in (alone, both):
            print()
            show({name: found[name] for name in pair}, rows, next(iter(pair)))


if __name__ == "__main__":
    main()
