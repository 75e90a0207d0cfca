"""Limit, Offset, Sort, filters, and the rows that a listing omits."""

from __future__ import annotations

import pytest


@pytest.fixture
def people(sandbox):
    sandbox.mailjet.add_contacts(
        [{"email": f"p{n:04d}@example.com", "name": f"P{n}", "excluded": n % 2 == 0} for n in range(1005)]
    )


def ids(answer):
    return [row["ID"] for row in answer.json()["Data"]]


@pytest.mark.parametrize(("limit", "rows"), [(None, 10), (0, 1000), (1, 1), (1000, 1000), (5000, 1000), (-1, 1000)])
def test_limits(api, people, limit, rows):
    answer = api.get("/v3/REST/contact", params={} if limit is None else {"Limit": limit}).json()
    assert (answer["Count"], answer["Total"], len(answer["Data"])) == (rows, rows, rows)


@pytest.mark.parametrize(("rule", "status", "rows"), [("clamp", 200, 1000), ("error", 400, 0), ("default", 200, 10)])
def test_a_limit_above_the_maximum(sandbox, api, people, rule, status, rows):  # noqa: PLR0917
    sandbox.switches.change({"limit_above_maximum": rule})
    answer = api.get("/v3/REST/contact?Limit=1001")
    assert answer.status_code == status
    assert len(answer.json().get("Data", [])) == rows


def test_pages_cover_everything_once_and_end_empty(api, people):
    pages = [ids(api.get(f"/v3/REST/contact?Limit=335&Sort=ID&Offset={offset}")) for offset in (0, 335, 670, 1005)]
    assert [len(page) for page in pages] == [335, 335, 335, 0]
    flat = [number for page in pages for number in page]
    assert flat == sorted(set(flat))


def test_beyond_the_end(api):
    assert api.get("/v3/REST/contact?Offset=99").json() == {"Count": 0, "Data": [], "Total": 0}


def test_deep_offsets_may_fail(sandbox, api, people):
    sandbox.switches.change({"max_offset": 500})
    assert api.get("/v3/REST/contact?Offset=500").status_code == 200
    assert api.get("/v3/REST/contact?Offset=501").status_code == 500


def test_counting(api, people):
    assert api.get("/v3/REST/contact?countOnly=1").json() == {"Count": 1005, "Data": [], "Total": 1005}
    page = api.get("/v3/REST/contact?countrecords=1&Limit=7").json()
    assert (page["Count"], page["Total"]) == (7, 1005)


@pytest.mark.parametrize("query", ["Limit=x", "Offset=x", "Offset=-1"])
def test_bad_bounds(api, query):
    assert api.get(f"/v3/REST/contact?{query}").status_code == 400


def test_sorting(api, people):
    descending = api.get("/v3/REST/contact?Sort=Email+DESC&Limit=2").json()["Data"]
    assert [row["Email"] for row in descending] == ["p1004@example.com", "p1003@example.com"]
    assert api.get("/v3/REST/contact?Sort=CreatedAt%20DESC&Limit=2").status_code == 200


@pytest.mark.parametrize(
    "path", ["contact?Sort=Name", "contact?Sort=ID+DESC", "csvimport?Sort=ID", "listrecipient?Sort=ContactID"]
)
def test_unsupported_sort_keys(sandbox, api, path):
    assert api.get(f"/v3/REST/{path}").status_code == 400
    sandbox.switches.change({"unsupported_sort": "ignore"})
    assert api.get(f"/v3/REST/{path}").status_code == 200


def test_unknown_parameters_are_ignored_and_the_first_of_a_filter_wins(api, people):
    assert api.get("/v3/REST/contact?EMail_=nobody").json()["Count"] == 10
    twice = api.get("/v3/REST/contact?Email=p0001@example.com&Email=p0002@example.com").json()["Data"]
    assert [row["Email"] for row in twice] == ["p0001@example.com"]


def test_filters_combine(api, people):
    both = api.get("/v3/REST/contact?IsExcludedFromCampaigns=true&EmailLLike=p000&Limit=0").json()["Data"]
    assert [row["Email"] for row in both] == [f"p000{n}@example.com" for n in range(0, 10, 2)]
    assert api.get("/v3/REST/contact?EmailRLikeCI=03@EXAMPLE.com&countOnly=1").json()["Count"] == 11
    assert api.get("/v3/REST/contact?EmailCI=P0003@example.com").json()["Count"] == 1


def test_a_filtered_listing_follows_every_change(sandbox, api):
    list_id = sandbox.mailjet.add_list("News")
    sandbox.mailjet.add_contacts([{"email": "a@example.com", "list": list_id}])
    assert api.get(f"/v3/REST/contact?ContactsList={list_id}").json()["Count"] == 1
    sandbox.mailjet.add_contacts([{"email": "b@example.com", "list": list_id}])
    assert api.get(f"/v3/REST/contact?ContactsList={list_id}").json()["Count"] == 2
    api.post(f"/v3/REST/contactslist/{list_id}/managecontact", json={"Email": "a@example.com", "Action": "remove"})
    assert api.get(f"/v3/REST/contact?ContactsList={list_id}").json()["Count"] == 1


def test_deleted_lists_are_omitted_but_readable(sandbox, api):
    keep, drop = sandbox.mailjet.add_list("Keep"), sandbox.mailjet.add_list("Drop")
    api.delete(f"/v3/REST/contactslist/{drop}")
    assert ids(api.get("/v3/REST/contactslist")) == [keep]
    assert ids(api.get("/v3/REST/contactslist?Name=Drop")) == []
    assert ids(api.get("/v3/REST/contactslist?IsDeleted=true")) == [drop]
    assert api.get(f"/v3/REST/contactslist/{drop}").json()["Data"][0]["IsDeleted"] is True
    assert api.post("/v3/REST/contactslist", json={"Name": "Drop"}).status_code == 201


def test_anonymised_contacts_show_for_thirty_days_where_switched_on(sandbox, api):
    (number,) = sandbox.mailjet.add_contacts([{"email": "gone@example.com"}])
    assert api.delete(f"/v4/contacts/{number}").status_code == 200
    assert ids(api.get("/v3/REST/contact")) == []
    row = api.get("/v3/REST/contact?IncludeAnonymized=true").json()["Data"][0]
    assert row["Name"] == "Anonymized"
    assert row["Email"].startswith("\\x")
    assert row["Email"].endswith("@domain.invalid")
    sandbox.switches.change({"legacy_anonymised_rows": True})
    assert ids(api.get("/v3/REST/contact")) == [number]
    sandbox.clock.advance(31 * 86400)
    assert ids(api.get("/v3/REST/contact?IncludeAnonymized=true")) == []


def test_unset_dates_are_empty_texts_and_batchjob_dates_numbers(sandbox, api):
    sandbox.seed(50)
    contact = api.get("/v3/REST/contact").json()["Data"][0]
    assert contact["UnsubscribedAt"] == ""
    assert contact["CreatedAt"].endswith("Z")
    jobs = api.get("/v3/REST/batchjob?Sort=ID+DESC&Limit=0").json()["Data"]
    assert all(isinstance(job[key], int) for job in jobs for key in ("RequestAt", "JobStart", "AliveAt", "JobEnd"))
    assert jobs[0]["Status"] == "Importing"
    assert jobs[0]["JobEnd"] == 0


@pytest.mark.parametrize(
    ("name", "value", "statuses"),
    [
        ("MinRequestAt", "2024-12-20T00:00:00Z", {"Completed", "Error", "Importing"}),
        ("MaxJobEnd", "2024-11-18T00:00:00Z", {"Completed"}),
        ("Status", "Abort", {"Abort"}),
        ("JobType", "Send newsletter", {"Completed"}),
        ("Method", "unsub", {"Error"}),
    ],
)
def test_batchjob_filters(sandbox, api, name, value, statuses):
    sandbox.seed(10)
    rows = api.get("/v3/REST/batchjob", params={name: value, "Limit": 0}).json()["Data"]
    assert {row["Status"] for row in rows} <= statuses
    assert 0 < len(rows) < 9


def test_bounds_of_min_and_max_filters(sandbox, api):
    sandbox.seed(10)
    at = api.get("/v3/REST/batchjob?Data=98765432123456789").json()["Data"][0]["RequestAt"]

    def first(query):
        return len(api.get(f"/v3/REST/batchjob?{query}&Data=98765432123456789").json()["Data"])

    assert (first(f"MinRequestAt={at}"), first(f"MaxRequestAt={at}")) == (1, 0)
    sandbox.switches.change({"min_filters": "exclusive", "max_filters": "inclusive"})
    assert (first(f"MinRequestAt={at}"), first(f"MaxRequestAt={at}")) == (0, 1)


def test_jobs_without_request_date_escape_the_filter(sandbox, api):
    sandbox.seed(10)
    rows = api.get("/v3/REST/batchjob?Limit=0").json()["Data"]
    assert [row["JobType"] for row in rows if row["RequestAt"] == 0] == ["Contacts export"]
    since = api.get("/v3/REST/batchjob?Limit=0&MinRequestAt=2000-01-01T00:00:00Z").json()["Data"]
    assert len(since) == len(rows) - 1


def test_unsubscribed_since(sandbox, api):
    list_id = sandbox.mailjet.add_list("News")
    sandbox.clock.freeze()
    sandbox.mailjet.add_contacts([{"email": "a@example.com", "list": list_id}])
    sandbox.mailjet.add_contacts([{"email": "b@example.com", "list": list_id, "unsubscribed": True}])
    row = api.get("/v3/REST/listrecipient?Unsub=true").json()["Data"][0]
    path = f"/v3/REST/listrecipientstatistics?ContactsList={list_id}"
    assert (
        api.get(f"{path}&MinUnsubscribedAt={row['UnsubscribedAt']}").json()["Data"][0]["ListRecipientID"] == row["ID"]
    )
    assert api.get(f"{path}&MaxUnsubscribedAt={row['UnsubscribedAt']}").json()["Data"] == []
    assert api.get(f"{path}&IsUnsubscribed=false").json()["Count"] == 1
    assert "Data" in api.get(f"{path}&ShowExtraData=true").json()["Data"][0]


def test_signups_since(sandbox, api):
    sandbox.seed(50)
    rows = api.get("/v3/REST/contactslistsignup?Limit=0&Sort=ID").json()["Data"]
    assert {bool(row["ConfirmAt"]) for row in rows} == {True, False}
    middle = rows[25]["SignupAt"]
    later = api.get(f"/v3/REST/contactslistsignup?Limit=0&MinSignupAt={middle}").json()["Data"]
    assert later == [row for row in rows if row["SignupAt"] >= middle]
    confirmed = api.get("/v3/REST/contactslistsignup?Limit=0&MinConfirmAt=1").json()["Data"]
    assert confirmed == [row for row in rows if row["ConfirmAt"]]


def test_statistics(sandbox, api):
    sandbox.seed(300)
    rows = api.get("/v3/REST/liststatistics?Limit=0").json()["Data"]
    assert rows[0]["ActiveCount"] == rows[0]["ExcludedSubscriberCount"] == 0
    asked = api.get("/v3/REST/liststatistics?Limit=0&CalcActive=true").json()["Data"]
    assert asked[0]["ActiveCount"] == rows[0]["SubscriberCount"] > 0
    active = api.get("/v3/REST/contactstatistics?Limit=0&MinLastActivityAt=2024-06-01T00:00:00Z").json()["Data"]
    assert 0 < len(active) < 300
    assert all(row["LastActivityAt"] >= "2024-06-01" for row in active)
    spam = api.get("/v3/REST/contactstatistics?Limit=0&Spam=true").json()["Data"]
    assert spam
    assert all(row["SpamComplaintCount"] for row in spam)


def test_metadata_names_filters_and_sort_keys(api):
    rows = {row["Name"]: row for row in api.get("/v3/REST/metadata").json()["Data"]}
    assert {"Name": "MinRequestAt"} in rows["batchjob"]["Filters"]
    assert rows["csvimport"]["SortInfo"] == []


def test_contactdata_can_leave_out_contacts_without_values(sandbox, api):
    sandbox.mailjet.add_property("city")
    sandbox.mailjet.add_contacts(
        [{"email": "a@example.com"}, {"email": "b@example.com", "properties": {"city": "Lyon"}}]
    )
    assert api.get("/v3/REST/contactdata").json()["Count"] == 2
    sandbox.switches.change({"contactdata_lists_empty": False})
    assert api.get("/v3/REST/contactdata").json()["Count"] == 1
