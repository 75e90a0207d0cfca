"""Mailing list imports: their files, statuses, counts, notes, errors and reports."""

from __future__ import annotations

import csv
import io

import httpx
import pytest

from tests.sandbox.postgrid.conftest import CSV, MAPPING

HEADER = "first,street,country\n"
GOOD = "Amara,12 Lakeshore Rd W,CA\n"
BAD = "Noor,,CA\n"
FOREIGN = "Zoë,3 Orchard St,US\n"


def types(entries):
    return [each["type"] for each in entries]


def fetch(url):
    return httpx.get(url, trust_env=False, verify=False)


def as_json(file, **fields):
    return {"file": file, "fileType": "csv", "receiverAddressMapping": MAPPING} | fields


def ended(pg, number):
    """Look until the import's file has been fetched and judged."""
    while (row := pg.get("mailing_list_imports", number))["status"] == "validating":
        pass
    return row


def test_an_import_validates_for_a_while(sandbox, pg):
    sandbox.clock.freeze()
    sandbox.postgrid.change(postgrid_import_seconds=30)
    fields = {"description": "Batch 1", "metadata[batch]": "1", "receiverMergeVariableMapping[level]": "first"}
    row = pg.upload(**fields).json()
    assert (row["status"], row["errors"], row["notes"]) == ("validating", [], [])
    assert (row["validRowCount"], row["invalidRowCount"]) == (0, 0)
    assert row["receiverStatusCount"] == {"verifiedCount": 0, "correctedCount": 0, "failedCount": 0}
    assert not {"reportURL", "senderStatusCount", "object"} & row.keys()
    assert (row["description"], row["metadata"], row["organization"][:4]) == ("Batch 1", {"batch": "1"}, "org_")
    sandbox.clock.advance(29)
    assert pg.get("mailing_list_imports", row["id"])["status"] == "validating"
    sandbox.clock.advance(2)
    after = pg.get("mailing_list_imports", row["id"])
    assert (after["status"], after["validRowCount"]) == ("completed", 2)
    assert after["receiverStatusCount"] == {"verifiedCount": 2, "correctedCount": 0, "failedCount": 0}
    assert after["updatedAt"] > after["createdAt"]
    assert after["file"]["receiverAddressMapping"] == MAPPING
    assert after["file"]["receiverMergeVariableMapping"] == {"level": "first"}
    assert after["file"]["fileType"] == "csv"


@pytest.mark.slow
def test_its_file_and_report_can_be_fetched_for_a_while(sandbox, pg):
    sandbox.clock.freeze()
    number = pg.imported(HEADER + GOOD + BAD)["id"]
    first, second = (pg.get("mailing_list_imports", number) for _ in range(2))
    assert first["reportURL"] != second["reportURL"]
    assert first["file"]["url"] != second["file"]["url"]
    assert fetch(first["file"]["url"]).text == HEADER + GOOD + BAD
    report = list(csv.DictReader(io.StringIO(fetch(first["reportURL"]).text)))
    assert [(row["row"], row["result"], row["message"]) for row in report] == [
        ("2", "imported", ""), ("3", "skipped", "no address line 1"),
    ]  # fmt: skip
    assert fetch(first["reportURL"] + "0").status_code == 403
    assert fetch(first["reportURL"].partition("?")[0]).status_code == 403
    sandbox.clock.advance(901)
    assert fetch(first["reportURL"]).status_code == 403
    third = pg.get("mailing_list_imports", number)["reportURL"]
    pg.client.delete(f"/mailing_list_imports/{number}")
    assert fetch(third).status_code == 404
    assert httpx.post(third, trust_env=False, verify=False).status_code == 404


def test_bad_rows_are_omitted_with_a_note(pg):
    rows = (
        GOOD
        + BAD
        + ",12 Mill Lane,CA\n"
        + "Noor,3 Mill Lane,Canada\n"
        + "Noor,3 Mill Lane\n"
        + "\n,,\n"
        + ' "José",  "4 Mill Lane",ca\n'.replace(' "', '"').replace('  "', '"')
    )
    row = pg.imported(HEADER + rows)
    assert (row["status"], row["validRowCount"], row["invalidRowCount"]) == ("completed", 2, 4)
    assert types(row["notes"]) == ["skipped_invalid_contacts"]


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        ("", "no_valid_contacts_error"),
        (BAD, "no_valid_contacts_error"),
        (GOOD + FOREIGN, "multiple_countries_error"),
        ('"unfinished', "internal_service_error"),
    ],
)
def test_files_that_need_changes(pg, rows, error):
    row = pg.imported(HEADER + rows)
    assert (row["status"], types(row["errors"])) == ("changes_required", [error])
    assert "reportURL" not in row
    assert row["notes"] == []


def test_a_mapped_column_that_is_missing_is_empty(pg):
    row = pg.imported(CSV, {"firstName": "Vorname", "addressLine1": "street", "countryCode": "country"})
    assert types(row["errors"]) == ["no_valid_contacts_error"]


def test_an_empty_file(pg):
    assert types(pg.imported("")["errors"]) == ["no_valid_contacts_error"]


def test_a_byte_order_mark_and_a_company_do_no_harm(sandbox, pg):
    mapping = {"companyName": "company", "addressLine1": "street", "countryCode": "country"}
    row = pg.imported("\ufeffcompany,street,country\r\nBakery,1 Mill Lane,gb\r\n", mapping)
    assert (row["status"], row["validRowCount"]) == ("completed", 1)


def test_the_switches_for_files(sandbox, pg):
    sandbox.postgrid.change(postgrid_multi_country="allow")
    assert pg.imported(HEADER + GOOD + FOREIGN)["status"] == "completed"
    sandbox.postgrid.change(postgrid_min_rows=2, postgrid_max_rows=3)
    for count, errors in ((1, 1), (2, 0), (3, 0), (4, 1)):
        row = pg.imported(HEADER + GOOD * count)
        assert types(row["errors"]) == ["invalid_contact_count_error"] * errors


def test_test_files_may_be_cut(sandbox, pg, client_of):
    sandbox.postgrid.change(postgrid_test_row_cap=2)
    row = pg.imported(HEADER + GOOD * 3)
    assert (types(row["notes"]), row["validRowCount"]) == (["truncated_test_file"], 2)
    number = pg.list()["id"]
    pg.job(number, addMailingListImports=[row["id"]])
    assert len(sandbox.postgrid.members(number)["imports"][row["id"]]) == 2
    assert pg.imported(HEADER + GOOD * 2)["notes"] == []
    live = pg._replace(client=client_of(sandbox.postgrid.live_key))
    assert live.imported(HEADER + GOOD * 3)["validRowCount"] == 3


def test_senders_are_counted_and_needed(pg):
    rows = HEADER.strip() + ",from,fromstreet,fromcountry\n" + "Amara,1 Mill Lane,CA,Bakery,2 Mill Lane,CA\n" * 2
    rows += "Noor,1 Mill Lane,CA,,,\n"
    sender = {"companyName": "from", "addressLine1": "fromstreet", "countryCode": "fromcountry"}
    row = pg.imported(rows, **{f"senderAddressMapping[{name}]": column for name, column in sender.items()})
    assert (row["validRowCount"], row["invalidRowCount"]) == (2, 1)
    assert row["senderStatusCount"]["verifiedCount"] == 2
    assert "sender: no address line 1" in fetch(row["reportURL"]).text


def test_statuses_follow_descriptions_and_the_table(sandbox, pg, client_of):
    content = "first,street,country,note\nA,1 Mill Lane,CA,test failed\nB,2 Mill Lane,CA,test corrected\n"
    mapping = MAPPING | {"description": "note"}
    counts = pg.imported(content, mapping)["receiverStatusCount"]
    assert counts == {"verifiedCount": 0, "correctedCount": 1, "failedCount": 1}
    sandbox.postgrid.teach_address("2 Mill Lane", "failed")
    live = pg._replace(client=client_of(sandbox.postgrid.live_key))
    counts = live.imported(content, mapping)["receiverStatusCount"]
    assert counts == {"verifiedCount": 1, "correctedCount": 0, "failedCount": 1}


# Creating


def test_a_file_may_be_given_by_its_url(sandbox, pg):
    url = sandbox.url + sandbox.postgrid.host_file(CSV)
    answer = pg.client.post("/mailing_list_imports", json=as_json(url, metadata={"batch": "1"}))
    assert answer.json()["status"] == "validating"
    row = ended(pg, answer.json()["id"])
    assert (row["status"], row["validRowCount"]) == ("completed", 2)
    assert [each["row"]["first"] for each in sandbox.postgrid.received()] == ["Amara", "Noor"]


@pytest.mark.parametrize(
    ("fetching", "url"),
    [
        ("loopback", "{sandbox}/postgrid-files/hosted/none.csv"),
        ("loopback", "http://127.0.0.1:1/rows.csv"),
        ("loopback", "http://files.example.com/rows.csv"),
        ("never", "{sandbox}{hosted}"),
        ("anywhere", "http://127.0.0.1:1/rows.csv"),
    ],
)
def test_a_file_that_cannot_be_fetched(sandbox, pg, fetching, url):
    sandbox.postgrid.change(postgrid_fetch=fetching)
    url = url.format(sandbox=sandbox.url, hosted=sandbox.postgrid.host_file(CSV))
    number = pg.client.post("/mailing_list_imports", json=as_json(url)).json()["id"]
    row = ended(pg, number)
    assert (row["status"], types(row["errors"])) == ("changes_required", ["internal_service_error"])
    assert fetch(row["file"]["url"]).status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"file": None}, {"file": ""}, {"file": 5}, {"file": "rows.csv"}, {"file": "ftp://files.example.com/rows.csv"},
        {"file": "http://[bad"}, {"fileType": "xlsx"}, {"fileType": None}, {"receiverAddressMapping": None},
        {"receiverAddressMapping": {"firstName": 1}}, {"receiverAddressMapping": {"name": "first"}},
        {"senderAddressMapping": {"name": "first"}}, {"receiverMergeVariableMapping": {"a.b": "first"}},
        {"senderMergeVariableMapping": {"a.b": "first"}}, {"description": 5}, {"metadata": "x"},
    ],
)  # fmt: skip
def test_what_an_import_cannot_be(pg, change):
    answer = pg.client.post("/mailing_list_imports", json=as_json("http://127.0.0.1:1/rows.csv") | change)
    assert pg.error(answer) == (400, "validation_error")
    assert pg.get("mailing_list_imports")["totalCount"] == 0


@pytest.mark.parametrize("missing", ["file", "fileType", "receiverAddressMapping"])
def test_what_an_import_must_have(pg, missing):
    body = as_json("http://127.0.0.1:1/rows.csv")
    del body[missing]
    assert pg.error(pg.client.post("/mailing_list_imports", json=body)) == (400, "validation_error")


def test_the_switches_for_creating(sandbox, loose):
    sandbox.postgrid.change(postgrid_multipart=False, postgrid_inline_csv=True, postgrid_null_fields="unset")
    assert loose.upload().status_code == 400
    body = as_json(CSV, description=None)
    number = loose.client.post("/mailing_list_imports", json=body).json()["id"]
    assert loose.get("mailing_list_imports", number)["validRowCount"] == 2


# Updates and deletion


def test_updates_set_and_clear(pg):
    path = f"/mailing_list_imports/{pg.imported(description='A')['id']}"
    row = pg.client.post(path, json={"description": "B", "metadata": {"batch": "2"}}).json()
    assert (row["description"], row["metadata"], row["status"]) == ("B", {"batch": "2"}, "completed")
    row = pg.client.post(path, json={"description": None, "metadata": None}).json()
    assert not {"description", "metadata"} & row.keys()


@pytest.mark.parametrize("change", [{"metadata": {"batch": 2}}, {"metadata": "x"}, {"description": 5}])
def test_updates_that_do_not_fit(pg, change):
    answer = pg.client.post(f"/mailing_list_imports/{pg.imported()['id']}", json=change)
    assert pg.error(answer) == (400, "validation_error")


def test_deletion(sandbox, pg):
    imported, number = pg.imported()["id"], pg.list()["id"]
    pg.job(number, addMailingListImports=[imported])
    assert pg.get("mailing_lists", number)["status"] == "completed"
    path = f"/mailing_list_imports/{imported}"
    assert pg.client.delete(path).json() == {"id": imported, "deleted": True}
    assert pg.client.get(path).status_code == 404
    assert sandbox.postgrid.members(number)["imports"] == {}


def test_an_import_on_a_list_may_be_kept_from_deletion(sandbox, loose):
    imported, number = loose.imported()["id"], loose.list()["id"]
    loose.job(number, addMailingListImports=[imported])
    sandbox.postgrid.change(postgrid_delete_used_import="refused")
    path = f"/mailing_list_imports/{imported}"
    assert loose.error(loose.client.delete(path)) == (422, "mailing_list_import_in_use_error")
    loose.job(number, removeMailingListImports=[imported])
    assert loose.client.delete(path).status_code == 200


def test_an_import_under_way_can_be_deleted(sandbox, pg):
    sandbox.postgrid.plan_imports([{"hold": True}])
    imported = pg.upload().json()["id"]
    pg.client.delete(f"/mailing_list_imports/{imported}")
    assert pg.get("mailing_list_imports")["data"] == []


# Plans


def test_an_import_goes_by_looks_or_as_planned(sandbox, pg):
    sandbox.postgrid.change(postgrid_import_polls=2)
    number = pg.upload().json()["id"]
    pg.get("mailing_list_imports")
    assert [pg.get("mailing_list_imports", number)["status"] for _ in range(2)] == ["validating", "completed"]
    sandbox.postgrid.plan_imports([{"hold": True}, {"errors": ["internal_service_error"], "seconds": 0}])
    held, failed = pg.upload().json()["id"], pg.upload().json()["id"]
    row = pg.get("mailing_list_imports", failed)
    assert (row["status"], types(row["errors"])) == ("changes_required", ["internal_service_error"])
    assert pg.get("mailing_list_imports", held)["status"] == "validating"
    sandbox.postgrid.finish_import(held)
    assert pg.get("mailing_list_imports", held)["status"] == "completed"
    with pytest.raises(ValueError, match="has ended"):
        sandbox.postgrid.finish_import(held)


def test_lines_that_a_plan_leaves_out_are_invalid_everywhere(sandbox, pg):
    sandbox.postgrid.plan_imports([{"invalid": [3]}])
    row = pg.imported(HEADER + GOOD + FOREIGN.replace("US", "CA") + GOOD)
    assert (row["validRowCount"], row["invalidRowCount"], types(row["notes"])) == (2, 1, ["skipped_invalid_contacts"])
    report = list(csv.DictReader(io.StringIO(fetch(row["reportURL"]).text)))
    assert [each["result"] for each in report] == ["imported", "skipped", "imported"]


def test_rows_that_a_plan_does_not_count_are_people_all_the_same(sandbox, pg):
    sandbox.postgrid.plan_imports([{"uncounted": 1}])
    row = pg.imported(HEADER + GOOD + GOOD)
    assert (row["status"], row["validRowCount"], row["invalidRowCount"]) == ("completed", 1, 0)


def test_all_imports_are_shown_to_tests_without_a_poll(sandbox, pg):
    sandbox.postgrid.change(postgrid_import_polls=1)
    number = pg.upload().json()["id"]
    for _ in range(2):
        shown = httpx.get(f"{sandbox.url}/_sandbox/postgrid/imports", trust_env=False, verify=False).json()
        assert shown[number]["status"] == "validating"
    assert pg.get("mailing_list_imports", number)["status"] == "completed"
    assert sandbox.postgrid.imports()[number]["validRowCount"] == 2
