"""Deletes and changed addresses, from a table in PostgreSQL by the published tap-postgres to a Mailjet list."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.warehouse import Plugin, Warehouse, started

pytestmark = pytest.mark.slow

TABLE = """
CREATE SCHEMA crm;
CREATE TABLE crm.people (
    id int PRIMARY KEY, email text NOT NULL, city text, subscription_status text, gone_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE VIEW crm.leaving AS
SELECT id, email, city, subscription_status, updated_at, gone_at AS _sdc_deleted_at FROM crm.people;
INSERT INTO crm.people SELECT n, 'person' || n || '@example.com', 'Lyon' FROM generate_series(1, 6) AS n;
"""
LIST = {"properties": ["city"], "on_unknown_stream": "fail"}


@pytest.fixture(scope="module")
def tap(tmp_path_factory, environments) -> Plugin:
    return Plugin("tap-postgres", tmp_path_factory.mktemp("plugins"), environments)


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    with started() as found:
        found.run(TABLE)
        yield found


class Source:
    """A table read by the tap, with its catalog and state."""

    def __init__(self, tap: Plugin, warehouse: Warehouse, folder: Path, **config: Any) -> None:
        self._tap = tap
        self._folder = folder
        self._config = {"sqlalchemy_url": warehouse.url, "filter_schemas": ["crm"], **config}
        self._env = {"URL": warehouse.url, "WAL": str(folder / "wal")}

    def select(self, table: str, method: str, key: str | None = None, keys: tuple[str, ...] = ()) -> None:
        catalog = json.loads(self._tap.run(self._config, "--discover"))
        for stream in catalog["streams"]:
            (about,) = (one["metadata"] for one in stream["metadata"] if not one["breadcrumb"])
            about["selected"] = stream["tap_stream_id"] == f"crm-{table}"
            about["replication-method"] = stream["replication_method"] = method
            if key:
                about["replication-key"] = stream["replication_key"] = key
            if keys:
                about["table-key-properties"] = stream["key_properties"] = list(keys)
        (self._folder / "catalog.json").write_text(json.dumps(catalog))

    def read(self, *, state: Any = None, script: str = "") -> str:
        arguments = [f"--catalog={self._folder / 'catalog.json'}"]
        if state is not None:
            (self._folder / "state.json").write_text(json.dumps(state))
            arguments.append(f"--state={self._folder / 'state.json'}")
        return self._tap.run(self._config, *arguments, script=script, **self._env)

    def log(self, *changes: dict[str, Any]) -> None:
        """The changes that the server's log holds from now on, as wal2json tells them."""
        told = [{"schema": "crm", "table": "people"} | change for change in changes]
        (self._folder / "wal").write_text("".join(json.dumps(one) + "\n" for one in told))


def column(name: str, value: Any) -> dict[str, Any]:
    return {"name": name, "type": "integer" if isinstance(value, int) else "text", "value": value}


def written(action: str, **values: Any) -> dict[str, Any]:
    return {"action": action, "columns": [column(name, value) for name, value in values.items()]}


def deleted(number: int) -> dict[str, Any]:
    return {"action": "D", "identity": [column("id", number)]}


@pytest.mark.parametrize("how", ["a view", pytest.param("a stream map", marks=pytest.mark.exhaustive)])
def test_soft_deletes_and_changed_addresses(mailjet, tap, warehouse, tmp_path, how):
    if how == "a view":
        source = Source(tap, warehouse, tmp_path)
        source.select("leaving", "INCREMENTAL", "updated_at", ("id",))
    else:
        source = Source(tap, warehouse, tmp_path, stream_maps={"crm-people": {"_sdc_deleted_at": "gone_at"}})
        source.select("people", "INCREMENTAL", "updated_at")
    first = mailjet.deliver(source.read(), **LIST)
    assert first.counts() == {"delivered": 6}
    mailjet.opt_out("person5@example.com")
    mailjet.opt_out("person6@example.com")
    warehouse.run("""
        UPDATE crm.people SET gone_at = now(), updated_at = clock_timestamp() WHERE id IN (1, 5);
        UPDATE crm.people SET email = 'moved' || id || '@example.com' WHERE id IN (2, 6);
        UPDATE crm.people SET updated_at = clock_timestamp() WHERE id IN (2, 6);
        UPDATE crm.people SET city = 'Nice', updated_at = clock_timestamp() WHERE id = 3;
    """)
    second = mailjet.deliver(source.read(state=first.states[-1]), **LIST)
    assert second.counts() == {"delivered": 3, "withheld": 2}
    assert mailjet.statuses() == {
        "moved2@example.com": "subscribed",
        "person3@example.com": "subscribed",
        "person4@example.com": "subscribed",
        "person5@example.com": "unsubscribed",
        "person6@example.com": "unsubscribed",
        "moved6@example.com": "unsubscribed",
    }
    warehouse.run("UPDATE crm.people SET gone_at = NULL, updated_at = clock_timestamp() WHERE id IN (1, 5)")
    third = mailjet.deliver(source.read(state=second.states[-1]), **LIST)
    assert third.error is None
    assert mailjet.statuses()["person1@example.com"] == "subscribed"
    assert mailjet.statuses()["person5@example.com"] == "unsubscribed"


def test_deletes_from_the_log_carry_only_the_key(mailjet, tap, warehouse, tmp_path):
    source = Source(
        tap, warehouse, tmp_path,
        replication_idle_exit_seconds=1, log_based_single_connection=True, auto_bootstrap_log_based=True,
    )  # fmt: skip
    source.select("people", "LOG_BASED")
    script = str(Path(__file__).with_name("log_based_tap.py"))
    source.log()
    first = mailjet.deliver(source.read(script=script), **LIST)
    assert first.counts() == {"delivered": 6}
    mailjet.opt_out("person5@example.com")
    source.log(
        deleted(1),
        written("U", id=2, email="moved2@example.com", city="Lyon"),
        written("I", id=7, email="person7@example.com", city="Lyon"),
        deleted(3),
        written("I", id=3, email="person3@example.com", city="Graz"),
        deleted(4),
        written("I", id=4, email="new4@example.com", city="Graz"),
        deleted(5),
        written("I", id=5, email="new5@example.com", city="Graz"),
        written("I", id=8, email="person8@example.com", city="Lyon"),
        deleted(8),
    )
    text = source.read(state=first.states[-1], script=script)
    records = [one["record"] for line in text.splitlines() if (one := json.loads(line))["type"] == "RECORD"]
    assert records[0].keys() == {"id", "_sdc_deleted_at", "_sdc_lsn"}
    second = mailjet.deliver(text, **LIST)
    assert second.error is None
    assert second.outcomes["rejected"] == 0
    expected = {
        "moved2@example.com": "subscribed",
        "person3@example.com": "subscribed",
        "new4@example.com": "subscribed",
        "person5@example.com": "unsubscribed",
        "new5@example.com": "unsubscribed",
        "person6@example.com": "subscribed",
        "person7@example.com": "subscribed",
    }
    assert mailjet.statuses() == expected
    # The STATE was lost, and the same changes come again.
    again = mailjet.deliver(text, **LIST)
    assert again.error is None
    assert again.outcomes["rejected"] == 0
    assert mailjet.statuses() == expected
