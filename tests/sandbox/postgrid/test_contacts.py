"""Contacts: what is asked of them, how they are kept, and when two are one."""

from __future__ import annotations

import pytest

from tests.sandbox.postgrid.conftest import PERSON


def test_a_contact_is_kept_in_capitals_with_its_names_as_sent(pg):
    row = pg.contact(
        addressLine2="Unit 4",
        city="  Mississauga ",
        provinceOrState="on",
        postalOrZip="l5h1e9",
        countryCode="ca",
        email="amara@example.com",
        jobTitle="Baker",
        description="Met at the fair",
        metadata={"external_id": "crm-1", "n": 1},
    )
    assert row["id"].startswith("contact_")
    sent = {name: row[name] for name in ("firstName", "lastName", "email", "jobTitle", "description", "metadata")}
    assert sent == {
        "firstName": "Amara",
        "lastName": "Oyelaran",
        "email": "amara@example.com",
        "jobTitle": "Baker",
        "description": "Met at the fair",
        "metadata": {"external_id": "crm-1", "n": 1},
    }
    address = [row[name] for name in ("addressLine1", "addressLine2", "city", "provinceOrState", "postalOrZip")]
    assert address == ["12 LAKESHORE RD W", "UNIT 4", "MISSISSAUGA", "ON", "L5H 1E9"]
    assert (row["country"], row["countryCode"], row["addressStatus"]) == ("CANADA", "CA", "verified")
    assert (row["live"], row["mailingLists"], row["secret"]) == (False, [], False)
    assert row["createdAt"] == row["updatedAt"]
    assert pg.get("contacts", row["id"]) == row


def test_fields_not_sent_are_absent_or_null(sandbox, pg):
    row = pg.contact()
    assert "city" not in row
    assert "metadata" not in row
    sandbox.postgrid.change(postgrid_unset_fields="null")
    assert pg.get("contacts", row["id"]) == row | dict.fromkeys(
        ("addressLine2", "city", "provinceOrState", "postalOrZip", "companyName", "jobTitle", "email", "phoneNumber",
         "description", "metadata")
    )  # fmt: skip


def test_a_company_is_enough_of_a_name(pg):
    answer = pg.client.post(
        "/contacts", json={"companyName": "Bakery", "addressLine1": "1 Mill Lane", "countryCode": "GB"}
    )
    assert answer.json()["country"] == "UNITED KINGDOM"


@pytest.mark.parametrize(
    "change",
    [
        {"addressLine1": None}, {"addressLine1": "  "}, {"addressLine1": 12}, {"countryCode": "FFF"},
        {"countryCode": "XX"}, {"countryCode": ""}, {"firstName": " "}, {"metadata": "text"}, {"secret": "yes"},
        {"email": 5}, {"skipVerification": 1}, {"city": None},
    ],
)  # fmt: skip
def test_what_a_contact_cannot_be(pg, change):
    answer = pg.client.post("/contacts", json=PERSON | {"lastName": "X"} | change)
    assert pg.error(answer) == (400, "validation_error")
    assert pg.get("contacts")["totalCount"] == 0


@pytest.mark.parametrize("missing", ["addressLine1", "countryCode", "firstName"])
def test_what_a_contact_must_have(pg, missing):
    fields = {name: value for name, value in PERSON.items() if name != missing}
    answer = pg.client.post("/contacts", json=fields)
    assert pg.error(answer) == (400, "validation_error")
    assert missing in answer.json()["error"]["message"]


def test_null_may_mean_unset(sandbox, loose):
    sandbox.postgrid.change(postgrid_null_fields="unset")
    assert "city" not in loose.contact(city=None)
    assert loose.list(description=None)["status"] == "completed"


def test_unknown_fields_are_ignored(pg):
    assert "shoeSize" not in pg.contact(shoeSize=41, country="CANADA")


def test_addresses_of_mail_are_looked_at_only_by_switch(sandbox, pg):
    assert pg.contact(email="nobody")["email"] == "nobody"
    sandbox.postgrid.change(postgrid_email_check=True)
    assert pg.client.post("/contacts", json=PERSON | {"email": "no one"}).status_code == 400
    assert pg.contact(email="amara@example.com")["email"] == "amara@example.com"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, "verified"),
        ({"description": "test failed"}, "failed"),
        ({"description": "test corrected"}, "corrected"),
        ({"description": "Test failed"}, "verified"),
        ({"description": "test failed", "forceVerifiedStatus": True}, "verified"),
        ({"description": "test failed", "skipVerification": True}, "verified"),
    ],
)
def test_statuses_of_addresses_with_a_test_key(pg, fields, status):
    row = pg.contact(**fields)
    assert row["addressStatus"] == status
    assert ("addressErrors" in row) is (status == "failed")


def test_statuses_of_addresses_with_a_live_key(sandbox, client_of):
    sandbox.postgrid.teach_address("1 nowhere st", "failed")
    sandbox.postgrid.teach_address("2 Mill Ln", "corrected", "Lane was meant")
    live = client_of(sandbox.postgrid.live_key)
    rows = {
        line: live.post("/contacts", json=PERSON | {"addressLine1": line, "description": "test failed"}).json()
        for line in ("1 Nowhere St", "2 mill ln", "3 Mill Ln")
    }
    assert [row["addressStatus"] for row in rows.values()] == ["failed", "corrected", "verified"]
    assert rows["2 mill ln"]["addressErrors"] == "Lane was meant"


# Identity


def test_the_same_information_gives_the_same_contact(sandbox, pg):
    sandbox.clock.freeze()
    first = pg.contact(description="A", metadata={"external_id": "1"})
    sandbox.clock.advance(60)
    again = pg.client.post("/contacts", json=PERSON | {"description": "B", "metadata": {"external_id": "2"}})
    assert again.status_code == 201
    row = again.json()
    assert row["id"] == first["id"]
    assert (row["description"], row["metadata"]) == ("B", {"external_id": "1"})
    assert row["createdAt"] == first["createdAt"]
    assert row["updatedAt"] > first["updatedAt"]
    assert pg.get("contacts")["totalCount"] == 1


@pytest.mark.parametrize(
    "change",
    [{"lastName": "Other"}, {"city": "Leeds"}, {"email": "a@example.com"}, {"countryCode": "US"}, {"secret": True}],
)
def test_other_information_gives_another_contact(loose, change):
    assert loose.contact()["id"] != loose.contact(**change)["id"]
    assert loose.get("contacts")["totalCount"] == 2


@pytest.mark.parametrize(
    ("switch", "change", "same"),
    [
        ({}, {"addressLine1": " 12  LAKESHORE rd w"}, True),
        ({"postgrid_dedupe_compares": "sent"}, {"addressLine1": "12 LAKESHORE RD W"}, False),
        ({"postgrid_dedupe_compares": "sent"}, {"addressLine1": "12 Lakeshore Rd W "}, True),
        ({"postgrid_dedupe_includes_metadata": True}, {"metadata": {"a": "1"}}, False),
        ({"postgrid_dedupe_includes_email": False}, {"email": "a@example.com"}, True),
        ({"postgrid_dedupe_includes_flags": False}, {"skipVerification": True}, True),
        ({}, {"firstName": "AMARA"}, False),
    ],
)
def test_the_switches_of_identity(sandbox, pg, switch, change, same):
    first = pg.contact()["id"]
    sandbox.postgrid.change(**switch)
    assert (pg.contact(**change)["id"] == first) is same


def test_the_switches_of_a_repeat(sandbox, loose):
    sandbox.clock.freeze()
    first = loose.contact(description="A")
    sandbox.clock.advance(60)
    sandbox.postgrid.change(postgrid_dedupe_status=200, postgrid_repeat_moves_updated_at=False)
    again = loose.client.post("/contacts", json=PERSON)
    assert (again.status_code, again.json()) == (200, first)
    sandbox.postgrid.change(postgrid_repeat_without_description="clear")
    assert "description" not in loose.contact()


def test_a_unit_may_be_merged_into_the_first_line(sandbox, pg):
    sandbox.postgrid.change(postgrid_merge_unit=True)
    row = pg.contact(addressLine2="Unit 4")
    assert row["addressLine1"] == "12 LAKESHORE RD W UNIT 4"
    assert "addressLine2" not in row


# Secrets, deletion, lists


def test_a_secret_contact_may_be_shown_once(sandbox, loose):
    made = loose.contact(secret=True)
    assert made["firstName"] == "Amara"
    shown = loose.get("contacts", made["id"])
    assert (shown["addressLine1"], shown["countryCode"]) == (made["addressLine1"], made["countryCode"])
    sandbox.postgrid.change(postgrid_hides_secret=True)
    hidden = loose.get("contacts", made["id"])
    assert (hidden["id"], hidden["secret"]) == (made["id"], True)
    assert not {"firstName", "lastName", "addressLine1", "countryCode", "country"} & hidden.keys()
    assert sandbox.postgrid.contacts()[made["id"]]["firstName"] == "Amara"
    sandbox.postgrid.change(postgrid_hides_secret=False)
    assert loose.get("contacts", made["id"])["firstName"] == "Amara"


def test_deletion_is_for_good_and_leaves_lists(sandbox, pg):
    contact, number = pg.contact()["id"], pg.list()["id"]
    pg.job(number, addContacts=[contact])
    assert pg.get("contacts", contact)["mailingLists"] == [number]
    answer = pg.client.delete(f"/contacts/{contact}")
    assert answer.json() == {"id": contact, "object": "contact", "deleted": True}
    assert pg.client.get(f"/contacts/{contact}").status_code == 404
    assert pg.client.delete(f"/contacts/{contact}").status_code == 404
    assert sandbox.postgrid.members(number)["contacts"] == {}
    assert pg.contact()["id"] != contact


def test_a_deleted_contact_may_be_read_as_deleted(sandbox, loose):
    contact, number, imported = loose.contact()["id"], loose.list()["id"], loose.imported()["id"]
    sandbox.postgrid.change(postgrid_deleted="shown")
    resources = {"contacts": contact, "mailing_lists": number, "mailing_list_imports": imported}
    for resource, gone in resources.items():
        loose.client.delete(f"/{resource}/{gone}")
        assert loose.get(resource, gone) == {"id": gone, "object": gone.rpartition("_")[0], "deleted": True}


def test_membership_shows_on_contacts_as_the_switch_says(sandbox, loose):
    sandbox.clock.freeze()
    made, number = loose.contact(), loose.list()["id"]
    sandbox.clock.advance(5)
    loose.job(number, addContacts=[made["id"]])
    row = loose.get("contacts", made["id"])
    assert (row["mailingLists"], row["updatedAt"]) == ([number], made["updatedAt"])
    sandbox.postgrid.change(postgrid_contact_lists="objects")
    assert loose.get("contacts", made["id"])["mailingLists"] == [{"id": number}]
    sandbox.postgrid.change(postgrid_contact_lists="absent", postgrid_membership_moves_updated_at=True)
    loose.job(number, removeContacts=[made["id"]])
    row = loose.get("contacts", made["id"])
    assert "mailingLists" not in row
    assert row["updatedAt"] > made["updatedAt"]
