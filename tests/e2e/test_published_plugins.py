"""What published taps write goes into every route, and what we write into published targets.

The taps and targets come from the package registry, each in an environment of its own, and nothing tells them of us.
The output of tap-csv, which is in no registry, is written down here as it comes: every column a text, blanks included.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from filelock import FileLock

from mailing_sandbox.server import Sandbox
from tap_mailing.tap import TapMailing
from tests.e2e.warehouse import Plugin, Warehouse, started
from tests.tap.conftest import settings_of_all
from tests.target.conftest import Mailjet, Result
from tests.target.postgrid.conftest import account, link_files
from tests.target.postgrid.test_imports import streets as import_streets
from tests.target.ses.conftest import (  # noqa: F401 - the same account of Amazon SES
    Ses,
    _little_patience,
    _no_aws_of_this_machine,
    bare,
    ses,
)

pytestmark = pytest.mark.slow

#: As people have them: jsonb of any shape, arrays with nulls, numerics with and without a scale, an early date.
TABLE = """
CREATE SCHEMA crm;
CREATE TABLE crm.people (
    id bigint PRIMARY KEY, email varchar(200), name text, address_line1 text, address_city text,
    address_postal_code text, address_country text, visits int, score numeric(10, 2), vip boolean, born date,
    updated_at timestamptz, tags text[], extra jsonb, amount numeric, weight double precision, token uuid, note json,
    lucky int[]
);
INSERT INTO crm.people VALUES
    (1, 'ada@example.com', 'Ada', '1 Mill Lane', 'Leeds', 'LS1 1AA', 'GB', 3, 19.99, true, '1815-12-10',
     '2026-01-01 10:00:00.123456+02', '{a,NULL,b}', '["x", null, {"y": 1}]', 1234567.891, 0.5,
     '0b9f1a0e-3c51-4a8e-9f2b-0c6a3f4c1d11', '{"a": [1, 2]}', '{1,NULL}'),
    (2, 'bob@example.com', ' Bob ', '2 Mill Lane', 'Leeds', NULL, 'GB', NULL, NULL, NULL, NULL,
     '2026-01-01 10:00:00+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (3, 'eve@example.com', 'Ève', '3 Mill Lane', 'Leeds', '', 'GB', 0, 0.5, false, '0001-01-01',
     '2026-01-01 10:00:00+00', '{}', '{"k": "v"}', 0, 1e300, NULL, '"text"', '{}');
"""
PEOPLE = ["ada@example.com", "bob@example.com", "eve@example.com"]
STREETS = ["1 Mill Lane", "2 Mill Lane", "3 Mill Lane"]
HEADER = "id,email,name,address_line1,address_city,address_postal_code,address_country,visits,score,vip,born"
CSV = [
    "1,ada@example.com,Ada,1 Mill Lane,Leeds,LS1 1AA,GB,3,19.99,true,1815-12-10",
    "2,bob@example.com, Bob ,2 Mill Lane,Leeds,,GB,,,,",
    "3,eve@example.com,Ève,3 Mill Lane,Leeds,,GB,0,0.5,false,",
]


def tap_csv() -> str:
    """The file as tap-csv writes it."""
    columns = HEADER.split(",")
    text = {"type": ["string", "null"]}
    messages: list[dict[str, Any]] = [
        {
            "type": "SCHEMA",
            "stream": "people",
            "schema": {
                "properties": dict.fromkeys(columns, text),
                "type": "object",
                "$schema": "https://json-schema.org/draft/2020-12/schema",
            },
            "key_properties": ["id"],
        }
    ]
    for line in CSV:
        record = dict(zip(columns, line.split(","), strict=True))
        extracted = "2026-01-01T00:00:00.000000+00:00"
        messages.append({"type": "RECORD", "stream": "people", "record": record, "time_extracted": extracted})
    messages.append({"type": "STATE", "value": {"bookmarks": {"people": {}}}})
    return "".join(json.dumps(one) + "\n" for one in messages)


def tap_jsonl(folder: Path, environments: Path) -> str:
    plugin = Plugin("tap-jsonl", folder / "jsonl", environments, requirement="tap-jsonl")
    rows = [dict(zip(HEADER.split(","), line.split(","), strict=True)) for line in CSV]
    (folder / "people.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    config = {"path": str(folder / "people.jsonl"), "stream_name": "people", "primary_keys": ["id"]}
    return plugin.run(config)


def tap_postgres(folder: Path, environments: Path, warehouse: Warehouse, *, as_objects: bool) -> str:
    plugin = Plugin("tap-postgres", folder / f"meltanolabs-{as_objects}", environments)
    config = {"sqlalchemy_url": warehouse.url, "filter_schemas": ["crm"], "json_as_object": as_objects}
    return plugin.run(config, f"--catalog={_selected(plugin.run(config, '--discover'), folder)}")


def pipelinewise_tap_postgres(folder: Path, environments: Path, warehouse: Warehouse) -> str:
    plugin = Plugin("tap-postgres", folder / "pipelinewise", environments, requirement="pipelinewise-tap-postgres")
    (socket,) = parse_qs(urlsplit(warehouse.url).query)["host"]
    login = {"host": socket, "port": 5432, "user": "postgres", "password": "none", "dbname": "postgres"}
    config = login | {"filter_schemas": "crm"}
    return plugin.run(config, f"--catalog={_selected(plugin.run(config, '--discover'), folder)}")


def _selected(catalog: str, folder: Path) -> Path:
    """A catalog with the table, to be read in full."""
    found = json.loads(catalog)
    found["streams"] = [stream for stream in found["streams"] if stream["tap_stream_id"] == "crm-people"]
    for entry in found["streams"][0]["metadata"]:
        if not entry["breadcrumb"]:
            entry["metadata"] |= {"selected": True, "replication-method": "FULL_TABLE"}
    path = folder / "catalog.json"
    path.write_text(json.dumps(found))
    return path


@pytest.fixture(scope="module")
def written(tmp_path_factory, environments) -> dict[str, str]:
    """What each tap wrote, once for all workers."""
    path = environments / "written.json"
    with FileLock(environments / "written.lock"):
        if not path.exists():
            path.write_text(json.dumps(write(tmp_path_factory.mktemp("taps"), environments)))
    return json.loads(path.read_text())


def write(folder: Path, environments: Path) -> dict[str, str]:
    with started() as warehouse:
        warehouse.run(TABLE)
        return {
            "tap-csv": tap_csv(),
            "tap-jsonl": tap_jsonl(folder, environments),
            "tap-postgres": tap_postgres(folder, environments, warehouse, as_objects=False),
            "tap-postgres, JSON as objects": tap_postgres(folder, environments, warehouse, as_objects=True),
            "pipelinewise-tap-postgres": pipelinewise_tap_postgres(folder, environments, warehouse),
        }


TAPS = [
    "tap-csv",
    "tap-jsonl",
    "tap-postgres",
    "tap-postgres, JSON as objects",
    "pipelinewise-tap-postgres",
]


def reasons(found: Result) -> list[str]:
    return [one["record"]["_reject_reason"] for one in found.rejects]


@pytest.mark.parametrize("tap", TAPS)
@pytest.mark.parametrize("route", ["json", "csv", "auto", "contact"])
def test_published_taps_into_mailjet(mailjet: Mailjet, written, tap, route):
    mailjet.sandbox.mailjet.add_property("born", "datetime")
    found = mailjet.deliver(written[tap], route=route, properties=["visits", "score", "vip", "born"])
    assert found.error is None, found.log
    assert found.counts() == {"delivered": 3}, reasons(found)
    assert found.states
    assert sorted(mailjet.statuses()) == PEOPLE
    ada, bob = (mailjet.members()[email]["properties"] for email in PEOPLE[:2])
    assert [ada[name] for name in ("visits", "score", "vip")] == ["3", "19.99", "true"]
    assert not {"visits", "score", "vip"} & {name for name, value in bob.items() if value is not None}
    # The same again is nothing to do.
    assert mailjet.deliver(written[tap], route=route, properties=["visits", "score", "vip", "born"]).counts() == {
        "unchanged": 3
    }


@pytest.mark.parametrize("tap", TAPS)
@pytest.mark.parametrize("route", ["direct", "import"])
def test_published_taps_into_amazon_ses(ses: Ses, written, tap, route):  # noqa: F811 - a fixture
    found = ses.deliver(written[tap], route=route, properties=["visits", "score", "vip", "born"])
    assert found.error is None, found.log
    assert found.counts() == {"delivered": 3}, reasons(found)
    assert sorted(ses.contacts()) == PEOPLE


@pytest.mark.parametrize("tap", TAPS)
@pytest.mark.parametrize("route", ["contacts", "import"])
def test_published_taps_into_postgrid(tmp_path, written, tap, route):
    with account(tmp_path) as postgrid:
        found = postgrid.deliver(written[tap], route=route)
        assert found.error is None, found.log
        assert found.counts() == {"delivered": 3}, reasons(found)
        assert (postgrid.streets() or import_streets(postgrid)) == STREETS


@pytest.mark.parametrize("tap", TAPS)
def test_published_taps_into_the_suppression_list_of_amazon_ses(ses: Ses, written, tap):  # noqa: F811 - a fixture
    found = ses.deliver(written[tap], ses_target="suppression_list", list=None, properties=None)
    assert found.error is None, found.log
    assert found.counts() == {"delivered": 3}, reasons(found)
    assert sorted(ses.suppressed()) == PEOPLE


@pytest.mark.parametrize("tap", TAPS)
def test_published_taps_into_files_that_postgrid_fetches(tmp_path, monkeypatch, written, tap):
    with account(tmp_path) as postgrid:
        link_files(postgrid, monkeypatch, tmp_path)
        found = postgrid.deliver(written[tap], route="import", postgrid_replace=True)
        assert found.error is None, found.log
        assert found.counts() == {"delivered": 3}, reasons(found)
        assert import_streets(postgrid) == STREETS


@pytest.fixture(scope="module")
def extracted(tmp_path_factory) -> str:
    """What tap-mailing writes of all providers: what a sandbox is filled with, and some Mailjet contacts by name."""
    with Sandbox(contacts=30, job_seconds=0.0) as sandbox:
        number = sandbox.mailjet.add_list("News of ours")
        sandbox.mailjet.add_contacts([{"email": email, "list": number} for email in PEOPLE])
        config = settings_of_all(sandbox)
        out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        with contextlib.redirect_stdout(out):
            TapMailing(config=config).sync_all()
        out.flush()
        return out.buffer.getvalue().decode()


def rows_by_stream(text: str) -> Counter[str]:
    """How many rows a tap wrote, of each stream that has any."""
    return Counter(one["stream"] for one in map(json.loads, text.splitlines()) if one["type"] == "RECORD")


def test_our_streams_into_target_jsonl(tmp_path, environments, extracted):
    target = Plugin("target-jsonl", tmp_path, environments, requirement="target-jsonl")
    target.run({"destination_path": str(tmp_path), "do_timestamp_file": False}, text=extracted)
    written = rows_by_stream(extracted)
    assert {stream.partition("_")[0] for stream in written} == {"mailjet", "mpdx", "postgrid", "ses"}
    for stream, rows in written.items():
        lines = (tmp_path / f"{stream}.jsonl").read_text().splitlines()
        assert len(lines) == rows
    emails = {json.loads(line)["email"] for line in (tmp_path / "mailjet_contacts.jsonl").read_text().splitlines()}
    assert emails >= {*PEOPLE}


def test_our_streams_into_target_postgres(tmp_path, environments, extracted):
    target = Plugin("target-postgres", tmp_path, environments)
    with started() as warehouse:
        target.run({"sqlalchemy_url": warehouse.url, "default_target_schema": "mailing"}, text=extracted)
        counts = " UNION ALL ".join(
            f"SELECT '{stream}' AS stream, count(*) AS rows FROM mailing.{stream}"
            for stream in rows_by_stream(extracted)
        )
        found = {row["stream"]: row["rows"] for row in warehouse.rows(counts)}
        assert found == rows_by_stream(extracted)
        emails = {row["email"] for row in warehouse.rows("SELECT email, created_at FROM mailing.mailjet_contacts")}
        assert emails >= {*PEOPLE}
        assert {"name": "News of ours"} in warehouse.rows("SELECT name FROM mailing.mailjet_mailing_lists")
