"""The target beside an ordinary SDK target and beside the least that can write: ratios within one run.

python benchmarks/bench_target.py             CPU beside an ordinary target, 100,000 contacts on loopback
python benchmarks/bench_target.py --million   1,000,000 contacts: memory and rows a second

Ours validates, keeps its journal on disk and follows every job to its end; the ordinary target stops at "accepted".
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import httpx
from measure import Measure, median, run, sandbox, show

HERE = Path(__file__).parent
API_KEY, SECRET_KEY = "sandbox-key", "sandbox-secret"
IN_FLIGHT, BATCH_ROWS = 4, 5000


def write_input(path: Path, rows: int) -> None:
    """A stream of contacts as a warehouse has them, with 22 columns, and a STATE every 10,000 rows."""
    text, moment = {"type": ["string", "null"]}, {"type": ["string", "null"], "format": "date-time"}
    texts = (
        "name", "first_name", "last_name", "company", "job_title", "phone", "address_line1", "address_line2",
        "address_city", "address_region", "address_postal_code", "address_country", "subscription_status", "city",
    )  # fmt: skip
    columns = {
        "id": {"type": "integer"},
        "email": {"type": "string"},
        **dict.fromkeys(texts, text),
        "visits": {"type": ["integer", "null"]},
        "score": {"type": ["number", "null"]},
        "is_active": {"type": ["boolean", "null"]},
        "tags": {"type": ["array", "null"], "items": {"type": "string"}},
        "created_at": moment,
        "updated_at": moment,
    }
    schema = {"type": "object", "properties": columns}
    with path.open("w") as file:
        first = {"type": "SCHEMA", "stream": "people", "schema": schema, "key_properties": ["id"]}
        file.write(json.dumps(first) + "\n")
        for number in range(rows):
            record = {
                "id": number,
                "email": f"person.{number}@example.com",
                "name": f"First {number} Last",
                "first_name": f"First {number}",
                "last_name": "Last",
                "company": f"Company {number % 4999}",
                "job_title": "Reader",
                "phone": None,
                "address_line1": f"{number % 200} High Street",
                "address_line2": None,
                "address_city": f"City {number % 997}",
                "address_region": "Region",
                "address_postal_code": f"{number % 100_000:05}",
                "address_country": "FR",
                "subscription_status": "subscribed",
                "city": f"City {number % 997}",
                "visits": number % 50,
                "score": number % 1000 / 8,
                "is_active": number % 3 > 0,
                "tags": ["reader", f"group-{number % 7}"],
                "created_at": "2024-03-05T09:41:07Z",
                "updated_at": "2026-03-05T09:41:07Z",
            }
            file.write(json.dumps({"type": "RECORD", "stream": "people", "record": record}) + "\n")
            if number % 10_000 == 9_999:
                file.write(json.dumps({"type": "STATE", "value": {"at": number}}) + "\n")


def prepare(url: str) -> int:
    """An empty list and the properties that the input has; returns the list's ID."""
    httpx.post(f"{url}/_sandbox/reset")
    for name, datatype in (("city", "str"), ("visits", "int"), ("score", "float")):
        httpx.post(f"{url}/_sandbox/mailjet/properties", json={"name": name, "datatype": datatype}).raise_for_status()
    return int(httpx.post(f"{url}/_sandbox/mailjet/lists", json={"name": "People"}).json()["id"])


def run_ours(folder: Path, url: str, source: Path) -> Measure:
    """Our target, with a new journal."""
    list_id = prepare(url)
    with tempfile.TemporaryDirectory(dir=folder) as state:
        config = Path(state, "config.json")
        settings = {
            "mailjet_base_url": url,
            "mailjet_api_key": API_KEY,
            "mailjet_secret_key": SECRET_KEY,
            "list": list_id,
            "properties": ["city", "visits", "score"],
            "journal": str(Path(state, "journal.sqlite")),
            "batch_rows": BATCH_ROWS,
            "jobs_in_flight": IN_FLIGHT,
            "poll_interval": 0.25,  # a job takes 0.2 s in this sandbox
        }
        config.write_text(json.dumps(settings))
        with source.open("rb") as stdin:
            return run([sys.executable, "-m", "target_mailing", f"--config={config}"], stdin=stdin)


def run_ordinary(folder: Path, url: str, source: Path) -> Measure:
    """The ordinary target."""
    config = folder / "ordinary.json"
    settings = {"base_url": url, "api_key": API_KEY, "secret_key": SECRET_KEY, "list": prepare(url)}
    config.write_text(json.dumps(settings))
    with source.open("rb") as stdin:
        return run([sys.executable, str(HERE / "ordinary_target.py"), f"--config={config}"], stdin=stdin)


def run_bare(folder: Path, url: str, source: Path) -> Measure:  # noqa: ARG001 - called like the others
    """The bare writer."""
    options = [url, API_KEY, SECRET_KEY, str(prepare(url))]
    with source.open("rb") as stdin:
        return run([sys.executable, str(HERE / "bare_writer.py"), *options], stdin=stdin)


def main() -> None:
    """Run the chosen benchmarks and print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--contacts", type=int, default=100_000)
    options.add_argument("--times", type=int, default=5)
    options.add_argument("--million", action="store_true")
    chosen = options.parse_args()
    rows = 1_000_000 if chosen.million else chosen.contacts
    switches = ["--job-seconds=0.2", "--switch=keep_received=false"]
    with tempfile.TemporaryDirectory() as name, sandbox(*switches) as url:
        folder, source = Path(name), Path(name, "people.singer")
        write_input(source, rows)
        if chosen.million:
            print(f"{rows:,} contacts, loopback, one run")
            show({"target-mailing": run_ours(folder, url, source)}, rows, "target-mailing")
            return
        print(f"{rows:,} contacts, loopback, median of {chosen.times}; the bare writer and ours follow every job")
        runners = {"ordinary target": run_ordinary, "target-mailing": run_ours, "bare writer": run_bare}
        found: dict[str, list[Measure]] = {kind: [] for kind in runners}
        for _ in range(chosen.times):
            for kind, runner in runners.items():
                found[kind].append(runner(folder, url, source))
        show({kind: median(runs) for kind, runs in found.items()}, rows, "ordinary target")


if __name__ == "__main__":
    main()
