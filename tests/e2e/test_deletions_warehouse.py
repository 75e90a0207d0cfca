"""Contacts that are gone at the provider are marked in PostgreSQL by the published target-postgres, as it stands."""

from __future__ import annotations

import json

import httpx
import pytest

from mailing_sandbox.server import Sandbox
from tests.e2e.warehouse import Plugin, started
from tests.fork_server import FORKS

pytestmark = pytest.mark.slow

CONTACTS = "mailjet_contacts"


class Tap:
    """The tap as a program, on the contacts, from run to run."""

    def __init__(self, sandbox, folder):
        self._config, self._catalog, self._state = (folder / f"{name}.json" for name in ("config", "catalog", "state"))
        settings = {
            "mailjet_base_url": sandbox.url,
            "mailjet_api_key": sandbox.api_key,
            "mailjet_secret_key": sandbox.secret_key,
            "change_detection": {"path": str(folder / "snapshot.sqlite")},
        }
        self._config.write_text(json.dumps(settings))
        self._state.write_text("{}")
        catalog = json.loads(self._run("--discover"))
        for stream in catalog["streams"]:
            root = next(entry for entry in stream["metadata"] if not entry["breadcrumb"])
            root["metadata"]["selected"] = stream["stream"] == CONTACTS
        self._catalog.write_text(json.dumps(catalog))

    def read(self):
        """What a run writes; the next begins from its STATE."""
        text = self._run(f"--catalog={self._catalog}", f"--state={self._state}")
        self._state.write_text(json.dumps(json.loads(text.splitlines()[-1])["value"]))
        return text

    def _run(self, *arguments):
        done = FORKS.run("tap_mailing", f"--config={self._config}", *arguments, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout


def test_contacts_that_are_gone_are_marked(tmp_path, environments):
    target = Plugin("target-postgres", tmp_path, environments)
    with Sandbox(contacts=30, seed=1) as sandbox, started() as warehouse:
        tap = Tap(sandbox, tmp_path)

        def load():
            target.run({"sqlalchemy_url": warehouse.url, "default_target_schema": "mailing"}, text=tap.read())
            return {row["id"]: row for row in warehouse.rows(f"SELECT * FROM mailing.{CONTACTS}")}

        before = load()
        with httpx.Client(base_url=sandbox.url, auth=(sandbox.api_key, sandbox.secret_key), verify=False) as client:
            page = client.get("/v3/REST/contact", params={"Limit": 2, "Sort": "ID"}).json()["Data"]
            gone, renamed = (str(row["ID"]) for row in page)
            client.delete(f"/v4/contacts/{gone}").raise_for_status()
            client.put(f"/v3/REST/contact/{renamed}", json={"Name": "Renamed"}).raise_for_status()
        after = load()
        assert after.keys() == before.keys()
        assert {key for key, row in after.items() if row["_sdc_deleted_at"]} == {gone}
        assert after[gone]["email"] is None
        assert after[renamed]["name"] == "Renamed"
        others = before.keys() - {gone, renamed}
        assert all(after[key] == before[key] for key in others), "they were not written again"
