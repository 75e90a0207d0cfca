"""Invented data: deterministic, varied, quick."""

from __future__ import annotations

import time

import httpx
import pytest

from mailing_sandbox import Sandbox

RESOURCES = (
    "contact", "contactdata", "contactmetadata", "contactslist", "listrecipient", "batchjob", "csvimport",
    "contactslistsignup", "contactfilter", "contactstatistics",
)  # fmt: skip


def everything(seed):
    with Sandbox(contacts=200, seed=seed) as sandbox:
        auth = (sandbox.api_key, sandbox.secret_key)
        with httpx.Client(base_url=sandbox.url, auth=auth, verify=False) as api:
            query = "Limit=0&IncludeAnonymized=true"
            return {name: api.get(f"/v3/REST/{name}?{query}").json()["Data"] for name in RESOURCES}


def test_the_same_number_gives_the_same_data():
    assert everything(7) == everything(7)


def test_another_number_gives_other_contacts():
    assert everything(7)["contact"] != everything(8)["contact"]


@pytest.fixture(scope="module")
def seeded():
    return everything(1)


def test_contacts_of_every_sort(seeded):
    rows = seeded["contact"]
    assert len({row["Email"].lower() for row in rows}) == 200
    for flag in ("IsExcludedFromCampaigns", "IsOptInPending", "IsSpamComplaining"):
        assert any(row[flag] for row in rows), flag
    assert any("+" in row["Email"] for row in rows)
    assert any(not row["Name"].isascii() for row in rows)
    assert any(row["Name"] == "" for row in rows)
    assert sum(row["Name"] == "Anonymized" for row in rows) == 3
    reserved = ("@example.com", "@example.org", "@example.net", ".test", "@domain.invalid")
    assert all(row["Email"].endswith(reserved) for row in rows)


def test_values_of_every_datatype_some_missing(seeded):
    assert {row["Datatype"] for row in seeded["contactmetadata"]} == {"str", "int", "float", "bool", "datetime"}
    assert len(seeded["contactmetadata"]) == 12
    assert len({len(row["Data"]) for row in seeded["contactdata"]}) > 3


def test_lists_with_one_empty_and_members_unsubscribed(seeded):
    assert len(seeded["contactslist"]) == 7
    assert 0 in {row["SubscriberCount"] for row in seeded["contactslist"]}
    assert any(row["IsUnsubscribed"] and row["UnsubscribedAt"] for row in seeded["listrecipient"])


def test_jobs_of_every_end(seeded):
    jobs = seeded["batchjob"]
    assert {job["Status"] for job in jobs} == {"Completed", "Error", "Abort", "Importing"}
    assert 98765432123456789 in {job["DataID"] for job in jobs}
    assert 0 in {job["RequestAt"] for job in jobs}
    assert "Send newsletter" in {job["JobType"] for job in jobs}
    assert sum(job["JobType"] == "Contact list import csv" for job in jobs) == len(seeded["csvimport"])


@pytest.mark.parametrize(("contacts", "imports", "signups"), [(8, 2, 8), (400, 100, 200), (2000, 500, 500)])
def test_a_larger_account_has_more_of_a_past(sandbox, api, contacts, imports, signups):
    sandbox.seed(contacts)
    kinds = [job["JobType"] for job in api.get("/v3/REST/batchjob?Limit=0").json()["Data"]]
    assert kinds.count("Contact list import csv") == imports + 4
    assert api.get("/v3/REST/contactslistsignup?countOnly=1").json()["Total"] == signups


@pytest.mark.slow
def test_the_past_has_an_end(sandbox, api):
    sandbox.seed(30_000)
    assert api.get("/v3/REST/csvimport?countOnly=1").json()["Total"] == 5_004


@pytest.mark.slow
def test_seeding_is_quick():
    began = time.monotonic()
    sandbox = Sandbox(contacts=20_000)
    assert time.monotonic() - began < 60
    assert len(sandbox.mailjet.contacts()) == 20_000


@pytest.mark.slow
def test_many_contacts_take_the_simple_path():
    with Sandbox(contacts=200_000) as sandbox, httpx.Client(base_url=sandbox.url, verify=False) as api:
        auth = (sandbox.api_key, sandbox.secret_key)
        page = api.get("/v3/REST/contact?Limit=1000&Offset=199500&Sort=ID", auth=auth).json()
        assert page["Count"] == 500
        page = api.get("/v3/REST/listrecipient?ContactsList=91822&Limit=1000&Offset=199500", auth=auth).json()
        assert page["Count"] == 500


def test_adding_people_to_the_same_lists(sandbox, api):
    sandbox.seed(20, 1)
    sandbox.seed(20, 2)
    assert len(sandbox.mailjet.contacts()) == 40
    assert api.get("/v3/REST/contactslist").json()["Count"] == 7
