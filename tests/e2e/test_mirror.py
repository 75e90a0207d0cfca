"""What published taps write proves that it is whole, or does not: a list that equals a table of PostgreSQL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from mailing_sandbox import Sandbox
from tests.e2e.test_contact_of_any_provider import extract
from tests.e2e.warehouse import Plugin, Warehouse, started
from tests.target.conftest import Mailjet

pytestmark = pytest.mark.slow

TABLE = """
CREATE SCHEMA crm;
CREATE TABLE crm.customers (id bigint PRIMARY KEY, email text, name text, active boolean);
INSERT INTO crm.customers
    SELECT number, 'person' || number || '@example.com', 'Person ' || number, true FROM generate_series(1, 5) number;
CREATE VIEW crm.people AS SELECT id, email, name, count(*) OVER () AS total FROM crm.customers WHERE active;
"""


@pytest.fixture(scope="module")
def warehouse():
    with started() as warehouse:
        yield warehouse


@pytest.fixture
def crm(warehouse):
    warehouse.run(f"DROP SCHEMA IF EXISTS crm CASCADE; {TABLE}")
    return warehouse


class Tap:
    """A tap of PostgreSQL that reads one table or view in full."""

    def __init__(self, plugin: Plugin, folder: Path, config: dict[str, Any], table: str) -> None:
        self._plugin, self._config, self._folder = plugin, config, folder
        self._state: list[str] = []
        catalog = json.loads(plugin.run(config, "--discover"))
        catalog["streams"] = [one for one in catalog["streams"] if one["tap_stream_id"] == f"crm-{table}"]
        (stream,) = catalog["streams"]
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"] |= {"selected": True, "replication-method": "FULL_TABLE"}
                if entry["metadata"].get("is-view"):
                    entry["metadata"]["view-key-properties"] = ["id"]
        stream["replication_method"], stream["key_properties"] = "FULL_TABLE", ["id"]
        self._catalog = folder / f"{table}.json"
        self._catalog.write_text(json.dumps(catalog))

    def read(self) -> list[str]:
        """The lines that it writes, after those that it wrote before."""
        lines = self._plugin.run(self._config, f"--catalog={self._catalog}", *self._state).splitlines()
        values = [message["value"] for line in lines if (message := json.loads(line))["type"] == "STATE"]
        if values:
            state = self._folder / "state.json"
            state.write_text(json.dumps(values[-1]))
            self._state = [f"--state={state}"]
        return lines


def tap_postgres(folder: Path, environments: Path, warehouse: Warehouse, table: str) -> Tap:
    config = {"sqlalchemy_url": warehouse.url, "filter_schemas": ["crm"], "emit_activate_version_messages": True}
    return Tap(Plugin("tap-postgres", folder / "meltanolabs", environments), folder, config, table)


def pipelinewise(folder: Path, environments: Path, warehouse: Warehouse, table: str) -> Tap:
    (socket,) = parse_qs(urlsplit(warehouse.url).query)["host"]
    login = {"host": socket, "port": 5432, "user": "postgres", "password": "none", "dbname": "postgres"}
    plugin = Plugin("tap-postgres", folder / "pipelinewise", environments, requirement="pipelinewise-tap-postgres")
    return Tap(plugin, folder, login | {"filter_schemas": "crm"}, table)


def deliver(mailjet: Mailjet, lines: list[str], **config: Any):
    stream = next(json.loads(line)["stream"] for line in lines if '"SCHEMA"' in line)
    settings = {"sync": "mirror", "properties": None, "streams": {stream: {}}} | config
    return mailjet.deliver("".join(f"{line}\n" for line in lines), **settings)


def emails(*numbers: int) -> set[str]:
    return {f"person{number}@example.com" for number in numbers}


def kinds(lines: list[str]) -> list[str]:
    return [json.loads(line)["type"] for line in lines]


def test_a_view_with_a_count_is_mirrored_and_a_part_of_it_is_not(mailjet, tmp_path, environments, crm):
    tap = tap_postgres(tmp_path, environments, crm, "people")
    assert deliver(mailjet, tap.read(), whole_count="total").error is None
    assert {*mailjet.members()} == emails(1, 2, 3, 4, 5)
    crm.run("UPDATE crm.customers SET active = false WHERE id IN (2, 4)")
    lines = tap.read()
    last = max(at for at, kind in enumerate(kinds(lines)) if kind == "RECORD")
    part = deliver(mailjet, [*lines[:last], *lines[last + 1 :]], whole_count="total")
    assert "2 rows came, and `whole_count` says 3" in part.log
    assert {*mailjet.members()} == emails(1, 2, 3, 4, 5)
    whole = deliver(mailjet, lines, whole_count="total")
    assert (whole.error, {*mailjet.members()}) == (None, emails(1, 3, 5))


def test_a_version_behind_the_rows_is_proof_and_one_before_them_is_not(mailjet, tmp_path, environments, crm):
    ours, theirs = (each(tmp_path, environments, crm, "customers") for each in (pipelinewise, tap_postgres))
    lines = ours.read()
    assert "ACTIVATE_VERSION" in kinds(lines)
    assert deliver(mailjet, lines).error is None
    assert {*mailjet.members()} == emails(1, 2, 3, 4, 5)
    crm.run("DELETE FROM crm.customers WHERE id IN (2, 4)")
    lines = ours.read()
    cut = max(at for at, kind in enumerate(kinds(lines)) if kind == "RECORD")
    assert "nothing proves that the input is whole" in deliver(mailjet, lines[:cut]).log
    assert {*mailjet.members()} == emails(1, 2, 3, 4, 5)
    again = deliver(mailjet, lines)
    assert "may be the rest of an interrupted one" in again.log
    assert deliver(mailjet, ours.read()).error is None
    assert {*mailjet.members()} == emails(1, 3, 5)
    lines = theirs.read()
    assert kinds(lines).index("ACTIVATE_VERSION") < kinds(lines).index("RECORD")
    assert "nothing proves that the input is whole" in deliver(mailjet, lines).log
    assert {*mailjet.members()} == emails(1, 3, 5)


def test_the_end_that_our_own_tap_tells_is_proof_and_a_part_of_it_is_not(mailjet):
    with Sandbox(job_seconds=0.0) as source:
        source.mailjet.add_contacts([{"email": email} for email in sorted(emails(1, 2, 3, 4, 5))])
        login = {"mailjet_api_key": source.api_key, "mailjet_secret_key": source.secret_key}
        config = login | {"mailjet_base_url": source.url}
        assert deliver(mailjet, extract(config, "mailjet_contacts").splitlines()).error is None
        store = source.mailjet._account.store
        for number in [row.id for row in store.contacts.rows if row.email in emails(2, 4)]:
            store.contacts.remove(number)
        store.version += 1
        lines = extract(config, "mailjet_contacts").splitlines()
    assert {*mailjet.members()} == emails(1, 2, 3, 4, 5)
    last = max(at for at, kind in enumerate(kinds(lines)) if kind == "RECORD")
    part = deliver(mailjet, [*lines[:last], *lines[last + 1 :]])
    assert "the tap told 3 rows, and 2 came" in part.log
    assert "nothing proves that the input is whole" in deliver(mailjet, lines[: last + 1]).log
    assert {*mailjet.members()} == emails(1, 2, 3, 4, 5)
    whole = deliver(mailjet, lines)
    assert (whole.error, {*mailjet.members()}) == (None, emails(1, 3, 5))


def test_a_table_whose_state_is_written_in_the_middle_is_whole_at_its_end(mailjet, tmp_path, environments, crm):
    many = "SELECT n, 'reader' || n || '@example.com', 'Reader ' || n, true FROM generate_series(6, 10020) n"
    crm.run(f"INSERT INTO crm.customers {many}")
    tap = pipelinewise(tmp_path, environments, crm, "customers")
    assert deliver(mailjet, tap.read()).error is None
    assert len(mailjet.members()) == 10_020
    crm.run("DELETE FROM crm.customers WHERE id IN (2, 4)")
    lines = tap.read()
    values = [message["value"] for line in lines if (message := json.loads(line))["type"] == "STATE"]
    places = [place.get("xmin") for value in values for place in value["bookmarks"].values()]
    assert any(places)
    assert places[-1] is None
    whole = deliver(mailjet, lines)
    assert (whole.error, whole.outcomes["absent_delivered"]) == (None, 2)
