"""The rejects file in PostgreSQL, by the published target-postgres, as it stands."""

from __future__ import annotations

import json

import pytest

from tests.e2e.warehouse import Plugin, started
from tests.target.conftest import person, schema, state

pytestmark = pytest.mark.slow

FIRMS = {"no": {"type": "string"}, "email": {"type": "string"}, "staff": {"type": "array"}, "since": {"type": "string"}}


def firm(**record):
    return {"type": "RECORD", "stream": "firms", "record": record}


BAD = [
    schema(),
    schema("firms", FIRMS, ["no"]),
    person(1, email="nobody"),
    person(1, email=None, name="The same key"),
    person(2, visits="many"),
    person(3, city=["Lyon", {"zip": 69001}], big=2**60, ratio=0.1),
    person(4, properties={"shoe_size": {"eu": 44, "left": True, "notes": [None, "ü", 1.5]}}),
    person(None),
    {"type": "RECORD", "stream": "people", "record": {"email": "nokey@example.com"}},
    {"type": "RECORD", "stream": "people", "record": {"id": 5, "_sdc_deleted_at": "2026-01-01T00:00:00Z"}},
    firm(no="A7", email="office", staff=[{"name": "Ada"}], since="2020-01-01T00:00:00Z"),
    firm(no=7, email="office@example.com", staff=None, since=2020),
    state(1),
]


def test_it_loads_into_postgresql_as_it_is(mailjet, tmp_path, environments):
    streams = {"firms": {"properties": []}}
    assert mailjet.deliver(BAD, streams=streams).counts() == {"rejected": 10}
    (first,) = mailjet.folder.glob("rejects/*")
    # What only its own schema refused is taken.
    assert mailjet.deliver(first.read_text(), streams=streams).counts() == {"delivered": 1, "rejected": 9}
    files = sorted(mailjet.folder.glob("rejects/*"))
    assert len(files) == 2
    target = Plugin("target-postgres", tmp_path, environments)
    with started() as warehouse:
        for file in files:
            target.run({"sqlalchemy_url": warehouse.url, "default_target_schema": "rejects"}, f"--input={file}")
        messages = [json.loads(line) for file in files for line in file.read_text().splitlines()]
        for stream in ("people", "firms"):
            records = [one["record"] for one in messages if one["type"] == "RECORD" and one["stream"] == stream]
            rows = warehouse.rows(f"SELECT * FROM rejects.{stream}")
            assert sorted(map(told, rows)) == sorted(map(told, records))


def told(row):
    """A row's columns but for nulls and the loader's own, as text."""
    found = {name: value for name, value in row.items() if value is not None and not name.startswith("_sdc_")}
    if row.get("_sdc_deleted_at"):
        found["_sdc_deleted_at"] = row["_sdc_deleted_at"][:19]
    # A timestamp column is shown without zone.
    found["_reject_at"] = found["_reject_at"].rstrip("Z").rstrip("0").rstrip(".")
    return json.dumps(found, sort_keys=True)
