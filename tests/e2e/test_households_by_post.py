"""Households that the tap reads are delivered to a PostGrid list without any mapping, every field of them."""

from __future__ import annotations

import json

import pytest

from mailing_sandbox.server import Sandbox
from tests.e2e.test_contact_of_any_provider import extract
from tests.target.postgrid.conftest import account

#: A contact's field, and the canonical column that it comes from.
FIELDS = {
    "firstName": "first_name", "lastName": "last_name", "companyName": "company", "jobTitle": "job_title",
    "email": "email", "phoneNumber": "phone", "addressLine1": "address_line1", "addressLine2": "address_line2",
    "city": "address_city", "provinceOrState": "address_region", "postalOrZip": "address_postal_code",
    "countryCode": "address_country",
}  # fmt: skip
#: Columns that say what one PostGrid calls a contact, and when; the rest of a contact is the same at both.
OF_ONE_ACCOUNT = {
    "id", "account", "created_at", "updated_at", "address_status", "address_errors", "mailing_list_ids", "properties",
    "metadata",
}  # fmt: skip


@pytest.fixture
def postgrid(tmp_path):
    with account(tmp_path, mpdx_rate_limit=0) as found:
        yield found


def records(text):
    messages = map(json.loads, text.splitlines())
    return [one["record"] for one in messages if one["type"] == "RECORD"]


def printed(row):
    """A household's contact, but for its metadata."""
    fields = {field: row[column] for field, column in FIELDS.items() if row.get(column)}
    return fields | ({"firstName": row["name"]} if row["name"] else {})


@pytest.mark.slow
def test_households_of_mpdx_go_to_a_print_list_with_every_field(postgrid):
    postgrid.sandbox.mpdx.seed(60)
    config = {"mpdx_base_url": postgrid.sandbox.url, "mpdx_token": postgrid.sandbox.mpdx.token()}
    text = extract(config, "mpdx_contacts")
    rows = records(text)
    result = postgrid.deliver(text)
    assert result.error is None, result.log
    assert result.states[-1] == json.loads(text.splitlines()[-1])["value"]
    skipped = [one for one in rows if not one["address_line1"]]
    there = [one for one in rows if one["address_line1"]]
    withheld = [one for one in there if one["subscription_status"] == "excluded"]
    asked = [one for one in there if one["subscription_status"] in {"subscribed", "unknown"}]
    wanted = [one for one in asked if one["address_country"]]
    assert result.outcomes["skipped"] == len(skipped) > 0
    assert (result.outcomes["withheld"], result.outcomes["rejected"]) == (len(withheld), len(asked) - len(wanted))
    assert wanted
    assert len({one["subscription_status"] for one in rows}) == 4
    sent = {one["metadata"]["external_id"]: one for one in postgrid.on_list().values()}
    assert sent.keys() == {f"{one['account']}/{one['id']}" for one in wanted}
    for row in wanted:
        got = sent[f"{row['account']}/{row['id']}"]
        assert {name: value for name, value in got.items() if name != "metadata"} == printed(row)
        assert got["metadata"]["external_stream"] == "mpdx_contacts"
    again = postgrid.deliver(text)
    assert again.outcomes["delivered"] == 0


@pytest.mark.slow
def test_contacts_of_postgrid_go_to_a_list_of_another_account_with_every_field(postgrid):
    with Sandbox(contacts=80, seed=4) as elsewhere:
        names = {"postgrid_base_url": elsewhere.url, "postgrid_api_key": elsewhere.postgrid.test_key}
        text = extract(names, "postgrid_contacts")
    rows = [one for one in records(text) if one["address_line1"]]
    result = postgrid.deliver(text)
    assert result.error is None, result.log
    assert result.counts().get("rejected", 0) == len(records(text)) - len(rows)
    here = {name: postgrid.config[name] for name in ("postgrid_api_key", "postgrid_base_url")}
    back = {one["properties"]["external_id"]: one for one in records(extract(here, "postgrid_contacts"))}
    assert len(rows) > 50
    columns = rows[0].keys() - OF_ONE_ACCOUNT
    assert {*FIELDS.values(), "description", "skip_verification", "name"} <= columns
    for row in rows:
        got = back[f"{row['account']}/{row['id']}"]
        assert {name: got[name] for name in columns} == {name: row[name] for name in columns}
        properties = {name: str(value) for name, value in (row["properties"] or {}).items()}
        ours = {"external_id": f"{row['account']}/{row['id']}", "external_stream": "postgrid_contacts"}
        assert got["properties"] == properties | ours
        assert got["mailing_list_ids"] == [postgrid.number]
