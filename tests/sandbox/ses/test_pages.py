"""Pages and tokens of every listing."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.faults.pairs import crossed
from tests.sandbox.ses.conftest import code, start

ROWS = 23
INSIGHTS = {"MessageInsightsDataSource": {"StartDate": 1735689600, "EndDate": 1735776000}}
LISTINGS = {
    "contacts": (lambda c, **more: c.list_contacts(ContactListName="Newsletter", **more), "Contacts", "EmailAddress"),
    "suppressions": (
        lambda c, **more: c.list_suppressed_destinations(**more), "SuppressedDestinationSummaries", "EmailAddress",
    ),
    "imports": (lambda c, **more: c.list_import_jobs(**more), "ImportJobs", "JobId"),
    "exports": (lambda c, **more: c.list_export_jobs(**more), "ExportJobs", "JobId"),
}  # fmt: skip


@pytest.fixture
def full(sandbox, ses, newsletter):
    """23 rows of everything."""
    people = [{"email": f"p{n}@example.com", "unsubscribed": n % 10 == 9} for n in range(ROWS)]
    sandbox.ses.add_contacts(people)
    sandbox.ses.add_suppressions(people)
    sandbox.switches.change({"ses_jobs_at_once": 0, "ses_job_seconds": 3600})
    for _ in range(ROWS):
        start(ses, name=newsletter)
        ses.create_export_job(ExportDataSource=INSIGHTS, ExportDestination={"DataFormat": "CSV"})


def walk(ses, listing, **more):
    """The pages of a walk; the last one has no token."""
    call, member, key = LISTINGS[listing]
    pages, given = [], {}
    while True:
        answer = call(ses, **more, **given)
        pages.append([row[key] for row in answer[member]])
        if not answer.get("NextToken"):
            return pages
        given = {"NextToken": answer["NextToken"]}
        assert len(pages) < 200


def rows(pages):
    return [row for page in pages for row in page]


@pytest.mark.parametrize(("follows", "passed_over"), [("row", 0), ("position", 3)])
def test_a_page_passes_over_rows_where_others_were_deleted_if_the_switch_says_so(
    sandbox, ses, full, follows, passed_over
):
    sandbox.switches.change({"ses_next_page": follows})
    call = LISTINGS["contacts"][0]
    first = call(ses, PageSize=5)
    sandbox.ses.remove_contacts([row["EmailAddress"] for row in first["Contacts"][:3]])
    rest = call(ses, PageSize=1000, NextToken=first["NextToken"])
    assert len(rest["Contacts"]) == ROWS - 5 - passed_over


@pytest.mark.slow
@pytest.mark.parametrize(
    ("listing", "order", "empty", "follows"),
    crossed([*LISTINGS], ["natural", "shuffled"], ["never", "first", "between", "last"], ["row", "position"]),
)
def test_a_walk_meets_every_row_once(sandbox, ses, full, listing, order, empty, follows):  # noqa: PLR0917
    sandbox.switches.change({"ses_list_order": order, "ses_empty_pages": empty, "ses_next_page": follows})
    pages = walk(ses, listing, PageSize=5)
    assert len(rows(pages)) == len({*rows(pages)}) == ROWS
    sizes = [len(page) for page in pages]
    assert (
        sizes
        == {
            "never": [5, 5, 5, 5, 3],
            "first": [0, 5, 5, 5, 5, 3],
            "between": [5, 0, 5, 0, 5, 0, 5, 0, 3],
            "last": [5, 5, 5, 5, 3, 0],
        }[empty]
    )


@pytest.mark.slow
@pytest.mark.parametrize("listing", LISTINGS)
def test_the_order_may_differ_from_walk_to_walk(sandbox, ses, full, listing):
    natural = rows(walk(ses, listing))
    assert natural == rows(walk(ses, listing))
    sandbox.switches.change({"ses_list_order": "shuffled"})
    first, second = rows(walk(ses, listing, PageSize=7)), rows(walk(ses, listing, PageSize=7))
    assert first != second
    assert sorted(first) == sorted(second) == sorted(natural)


def test_rows_removed_or_added_while_paging_hide_no_other(sandbox, ses, full):
    answer = ses.list_contacts(ContactListName="Newsletter", PageSize=5)
    sandbox.ses.remove_contacts(["p0@example.com", "p4@example.com", "p6@example.com"])
    sandbox.ses.add_contacts([{"email": "new@example.com"}])
    rest = rows(walk(ses, "contacts", PageSize=5)) if not answer.get("NextToken") else []
    while answer.get("NextToken"):
        answer = ses.list_contacts(ContactListName="Newsletter", PageSize=5, NextToken=answer["NextToken"])
        rest += [row["EmailAddress"] for row in answer["Contacts"]]
    assert rest == ["p5@example.com", *(f"p{n}@example.com" for n in range(7, ROWS)), "new@example.com"]


def test_a_filter_may_leave_pages_short_or_empty(sandbox, ses, full):
    unsubscribed = {"Filter": {"FilteredStatus": "OPT_OUT"}, "PageSize": 5}
    assert walk(ses, "contacts", **unsubscribed) == [["p9@example.com", "p19@example.com"]]
    sandbox.switches.change({"ses_filtered_pages": "scanned"})
    assert walk(ses, "contacts", **unsubscribed) == [[], ["p9@example.com"], [], ["p19@example.com"], []]


def test_the_last_page_has_a_null_token_or_none(sandbox, wire, full):
    def last():
        return wire("POST", "/v2/email/contact-lists/Newsletter/contacts/list", json={"PageSize": 100}).json()

    assert last()["NextToken"] is None
    sandbox.switches.change({"ses_last_token": "absent"})
    assert "NextToken" not in last()


def test_page_sizes(ses, sandbox, full):
    sandbox.ses.add_contacts([{"email": f"more{n}@example.com"} for n in range(60)])
    assert len(ses.list_contacts(ContactListName="Newsletter")["Contacts"]) == 50
    assert len(ses.list_contacts(ContactListName="Newsletter", PageSize=1000)["Contacts"]) == 83
    for listing, largest in (("contacts", 1000), ("suppressions", 1000), ("imports", 100), ("exports", 100)):
        for size in (0, -1, largest + 1):
            with pytest.raises(ClientError, match="pageSize") as refused:
                LISTINGS[listing][0](ses, PageSize=size)
            assert code(refused) == "BadRequestException"
        assert LISTINGS[listing][0](ses, PageSize=largest)
    sandbox.switches.change({"ses_max_jobs_page": 10})
    assert len(ses.list_import_jobs()["ImportJobs"]) == 10


@pytest.mark.parametrize("listing", LISTINGS)
def test_a_token_that_was_never_given_is_refused(ses, full, listing):
    for token in ("garbage", "", "Z2FyYmFnZWdhcmJhZ2U=", "ÿ"):
        with pytest.raises(ClientError) as refused:
            LISTINGS[listing][0](ses, NextToken=token)
        expected_code = "InvalidNextTokenException" if listing == "suppressions" else "BadRequestException"
        assert code(refused) == expected_code, token


def test_a_token_belongs_to_its_listing(ses, full):
    token = ses.list_import_jobs(PageSize=5)["NextToken"]
    with pytest.raises(ClientError) as refused:
        ses.list_export_jobs(NextToken=token)
    assert code(refused) == "BadRequestException"


def test_a_token_of_suppressions_belongs_to_their_reasons(ses, full):
    token = ses.list_suppressed_destinations(Reasons=["BOUNCE"], PageSize=5)["NextToken"]
    with pytest.raises(ClientError, match=r"Token is invalid\.") as refused:
        ses.list_suppressed_destinations(Reasons=["COMPLAINT"], PageSize=5, NextToken=token)
    assert code(refused) == "InvalidNextTokenException"


def test_a_token_of_contacts_is_a_place_whatever_the_filter(ses, full):
    token = ses.list_contacts(ContactListName="Newsletter", PageSize=5)["NextToken"]
    found = ses.list_contacts(ContactListName="Newsletter", NextToken=token, Filter={"FilteredStatus": "OPT_OUT"})
    assert [row["EmailAddress"] for row in found["Contacts"]] == ["p9@example.com", "p19@example.com"]


def test_jobs_are_listed_newest_first(ses, full):
    listed = ses.list_import_jobs()["ImportJobs"]
    times = [job["CreatedTimestamp"] for job in listed]
    assert times == sorted(times, reverse=True)
