"""Households on a PostGrid list by route `import`: who comes, who cannot change, and how all are replaced."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from contextlib import closing

import pytest

from target_mailing.journal.journal import Journal
from tests.target.conftest import state
from tests.target.postgrid.conftest import LIST, delete, household, households, start

#: Each waits for jobs of a sandbox of its own.
pytestmark = pytest.mark.slow

ROOT = "/print-mail/v1"
ABROAD = ("GB", "US", "CA", "FR", "DE", "NL", "BE", "CH", "AT", "IT", "ES", "PT")


@pytest.fixture
def by_import(postgrid):
    postgrid.config |= {"route": "import"}
    postgrid.sandbox.switches.change({"postgrid_import_seconds": 0.05})
    return postgrid


def people(postgrid):
    """Who is on the list by imports."""
    return [one for each in postgrid.sandbox.postgrid.members(postgrid.number)["imports"].values() for one in each]


def streets(postgrid):
    return sorted(one["addressLine1"] for one in people(postgrid))


def imports(postgrid):
    return list(postgrid.sandbox.postgrid.imports().values())


def rows(*numbers, **columns):
    return [households(), *(household(n, **columns) for n in numbers), state(1)]


def test_p1_households_arrive_by_one_import_and_state_leaves_after_them(by_import):
    result = by_import.deliver(rows(0, 1, 2))
    assert result.error is None
    assert result.counts() == {"delivered": 3}
    assert result.states == [1]
    assert streets(by_import) == ["0 Mill Lane", "1 Mill Lane", "2 Mill Lane"]
    assert by_import.jobs() == [("addMailingListImports", 1)]
    assert by_import.sandbox.postgrid.contacts() == {}


def test_every_column_arrives(by_import):
    told = {
        "email": "noor@example.com", "first_name": "Noor", "last_name": "Haddad", "company": 'Mill, "Old" Ltd',
        "job_title": "Miller", "phone": "+44 113 4960000", "address_line2": "Flat 4", "address_region": "West Yorks",
        "address_postal_code": "LS1 4AA", "address_country": "United Kingdom", "description": "Friend\nof long",
        "properties": {"tier": "gold", "since": 1999},
    }  # fmt: skip
    assert by_import.deliver(rows(7, **told)).counts() == {"delivered": 1}
    assert people(by_import) == [
        {
            "firstName": "Noor", "lastName": "Haddad", "companyName": 'Mill, "Old" Ltd', "jobTitle": "Miller",
            "email": "noor@example.com", "phoneNumber": "+44 113 4960000", "addressLine1": "7 Mill Lane",
            "addressLine2": "Flat 4", "city": "Leeds", "provinceOrState": "West Yorks", "postalOrZip": "LS1 4AA",
            "countryCode": "GB", "description": "Friend\nof long",
        }
    ]  # fmt: skip
    (row,) = imports(by_import)
    variables = row["file"]["receiverMergeVariableMapping"]
    (sent,) = (one["row"] for one in by_import.sandbox.postgrid.received() if "job" not in one["route"])
    assert {name: sent[title] for name, title in variables.items()} == {"tier": "gold", "since": "1999"}


def test_each_country_has_its_import_and_a_job_takes_ten(by_import):
    every = [household(n, address_country=ABROAD[n % 12]) for n in range(24)]
    result = by_import.deliver([households(), *every, state(1)])
    assert result.counts() == {"delivered": 24}
    assert by_import.jobs() == [("addMailingListImports", 10), ("addMailingListImports", 2)]
    imports = by_import.sandbox.postgrid.members(by_import.number)["imports"].values()
    assert sorted(len(each) for each in imports) == [2] * 12
    assert all(len({one["countryCode"] for one in each}) == 1 for each in imports)


def test_where_one_country_is_refused_none_is_left_behind(by_import):
    by_import.sandbox.faults.add(kind="status", status=400, method="POST", path=f"{ROOT}/mailing_list_imports", skip=1)
    result = by_import.deliver([households(), household(1), household(2, address_country="US"), state(1)])
    assert result.error is None
    assert result.counts() == {"delivered": 2}
    assert streets(by_import) == ["1 Mill Lane", "2 Mill Lane"]
    assert len(imports(by_import)) == 2


def test_p9_a_postgrid_that_takes_no_uploads_is_told_with_the_way_out(by_import):
    by_import.sandbox.switches.change({"postgrid_multipart": False})
    result = by_import.deliver(rows(1, 2))
    assert result.outcomes["reasons"] == {"not_imported": 2}
    assert all("`postgrid_s3_bucket`" in one["record"]["_reject_reason"] for one in result.rejects)
    assert imports(by_import) == []


def test_p9_an_account_that_has_to_pay_first_is_no_rows_fault(by_import):
    by_import.sandbox.faults.add(kind="status", status=402, path=f"{ROOT}/mailing_list_imports", times=None)
    result = by_import.deliver(rows(1))
    assert "HTTP 402" in str(result.error)
    assert (result.states, result.rejects) == ([], [])


# Who is there


def test_nobody_is_sent_again_who_is_there_however_long_ago(by_import):
    by_import.deliver(rows(0, 1))
    long_after = {"resend_window": 0, "job_abandon": 0.001}
    assert by_import.deliver(rows(1, 0), **long_after).counts() == {"unchanged": 2}
    assert by_import.deliver(rows(2, 1, 0), resend_window=0).counts() == {"unchanged": 2, "delivered": 1}
    assert streets(by_import) == ["0 Mill Lane", "1 Mill Lane", "2 Mill Lane"]


def test_a_row_that_comes_twice_in_a_run_prints_once(by_import):
    rounds = [household(n) for _ in range(3) for n in (0, 1, 2)]
    result = by_import.deliver([households(), *rounds, state(1)], batch_rows=2)
    assert result.error is None
    assert sum(result.counts().values()) == 9
    assert streets(by_import) == ["0 Mill Lane", "1 Mill Lane", "2 Mill Lane"]


def test_two_keys_of_one_household_print_once(by_import):
    both = {"name": "Both", "address_line1": "5 Both Road"}
    assert by_import.deliver(rows(1, **both)).counts() == {"delivered": 1}
    assert by_import.deliver(rows(2, **both)).counts() == {"unchanged": 1}
    assert streets(by_import) == ["5 Both Road"]


def test_who_arrived_can_neither_change_nor_leave(by_import):
    by_import.deliver(rows(1, 2, 3, 4))
    told = [
        household(1, address_line1="9 New Street"),
        household(2, description="Only this is new"),
        delete(3),
        household(4, subscription_status="unsubscribed"),
        household(5, subscription_status="unsubscribed"),
        delete(6),
        household(7),
    ]
    result = by_import.deliver([households(), *told, state(2)])
    assert result.counts() == {"rejected": 4, "withheld": 1, "unchanged": 1, "delivered": 1}
    assert result.outcomes["reasons"] == {"cannot_change": 2, "cannot_leave": 2, "unsubscribed": 1}
    assert {one["record"]["id"] for one in result.rejects if one["type"] == "RECORD"} == {1, 2, 3, 4}
    assert streets(by_import) == ["1 Mill Lane", "2 Mill Lane", "3 Mill Lane", "4 Mill Lane", "7 Mill Lane"]


def test_a_row_that_changes_on_its_way_prints_once(by_import):
    moves = [household(1, address_line1=line) for line in ("1 A", "2 B", "1 A")]
    result = by_import.deliver([households(), *moves, delete(1), state(1)])
    assert result.error is None
    assert sum(result.counts().values()) == 4
    assert streets(by_import) == ["1 A"]


def test_p5_two_opt_outs_without_address_are_both_told(by_import):
    by_import.deliver(rows(1, 2))
    gone = {"subscription_status": "unsubscribed", "address_line1": None}
    assert by_import.deliver(rows(1, 2, **gone)).outcomes["reasons"] == {"cannot_leave": 2}


# Replacing


def replace(postgrid, messages, **config):
    return postgrid.deliver(messages, postgrid_replace=True, **config)


def test_all_are_replaced_when_a_run_has_ended_well(by_import):
    kept = by_import.sandbox.postgrid.add_import("f,a,c\nOwn,1 Own Road,GB\n", {"firstName": "f"})
    by_import.deliver(rows(1, 2, 3))
    told = [household(1), household(2, address_line1="9 New Street"), household(4), delete(3)]
    result = replace(by_import, [households(), *told, state(2)])
    assert result.error is None
    assert result.counts() == {"delivered": 3, "unchanged": 1}
    assert result.states == [2]
    assert streets(by_import) == ["1 Mill Lane", "4 Mill Lane", "9 New Street"]
    assert [action for action, _ in by_import.jobs()][1:] == ["addMailingListImports", "removeMailingListImports"]
    left = {one["id"] for one in imports(by_import)}
    assert left == {kept, *by_import.sandbox.postgrid.members(by_import.number)["imports"]}


def test_after_a_replacement_rows_can_be_added_again(by_import):
    by_import.deliver(rows(1, 2))
    replace(by_import, rows(1, 3))
    result = by_import.deliver(rows(1, 2, 3))
    assert result.counts() == {"unchanged": 2, "delivered": 1}
    assert streets(by_import) == ["1 Mill Lane", "2 Mill Lane", "3 Mill Lane"]
    assert by_import.deliver([households(), delete(1), household(2, name="New")]).counts() == {"rejected": 2}


def test_many_old_imports_leave_ten_at_a_time(by_import):
    by_import.deliver([households(), *(household(n, address_country=ABROAD[n]) for n in range(12)), state(1)])
    assert replace(by_import, rows(50)).states == [1]
    assert by_import.jobs()[2:] == [
        ("addMailingListImports", 1), ("removeMailingListImports", 10), ("removeMailingListImports", 2),
    ]  # fmt: skip
    assert streets(by_import) == ["50 Mill Lane"]


@pytest.mark.parametrize("ends", ["cut", "rejects", "empty"])
def test_p1_a_run_that_did_not_end_well_replaces_nothing(by_import, ends):
    by_import.deliver(rows(1, 2))
    if ends == "cut":
        result = replace(by_import, [*rows(3), household(4)], batch_rows=1)
        assert "cut off" in str(result.error)
    elif ends == "rejects":
        result = replace(by_import, [*rows(3), household(4, address_line1=None), state(2)], max_rejected=0)
        assert "max_rejected" in str(result.error)
    else:
        result = replace(by_import, [households(), state(2)])
        assert result.error is None
        assert "its earlier contents stay" in result.log
    assert result.states == ([2] if ends == "empty" else [])
    assert {"1 Mill Lane", "2 Mill Lane"} <= set(streets(by_import))
    if ends == "rejects":  # found before anything was sent
        assert streets(by_import) == ["1 Mill Lane", "2 Mill Lane"]
    if ends == "cut":
        assert "postgrid_replace" in str(by_import.deliver(rows(5)).error)
        assert replace(by_import, rows(5)).error is None
        assert streets(by_import) == ["5 Mill Lane"]


def test_a_run_of_which_postgrid_took_nobody_replaces_nothing(by_import):
    by_import.deliver(rows(1, 2))
    by_import.sandbox.postgrid.plan_imports([{"errors": ["no_valid_contacts_error"]}] * 2)
    moved = [household(3), household(3, address_line1="9 New Street"), state(2)]
    result = replace(by_import, [households(), *moved], batch_rows=1)
    assert result.counts() == {"rejected": 2}
    assert streets(by_import) == ["1 Mill Lane", "2 Mill Lane"]


def test_old_imports_that_do_not_leave_fail_the_run_and_leave_with_the_next(by_import):
    by_import.deliver(rows(1))
    by_import.sandbox.postgrid.plan_jobs([{}, {"errors": ["internal_service_error"]}])
    result = replace(by_import, rows(2))
    assert result.states == []
    assert "internal_service_error" in str(result.error)
    assert streets(by_import) == ["1 Mill Lane", "2 Mill Lane"]
    assert replace(by_import, rows(2)).states == [1]
    assert streets(by_import) == ["2 Mill Lane"]


# Imports and jobs that go wrong


def test_rows_that_an_import_left_out_are_read_from_its_report(by_import):
    by_import.sandbox.postgrid.plan_imports([{"invalid": [3]}])
    # Kosovo has no code in the standard: an import without any valid row.
    told = [*(household(n) for n in (1, 2, 3)), household(4, address_country="Kosovo"), state(1)]
    result = by_import.deliver([households(), *told])
    assert result.counts() == {"delivered": 2, "rejected": 2}
    assert result.outcomes["reasons"] == {"refused_by_provider": 2}
    assert {one["record"]["id"] for one in result.rejects if one["type"] == "RECORD"} == {2, 4}
    assert streets(by_import) == ["1 Mill Lane", "3 Mill Lane"]
    assert len(imports(by_import)) == 1


@pytest.mark.parametrize("error", ["multiple_countries_error", "invalid_contact_count_error", "internal_service_error"])
def test_an_import_that_needs_changes_is_split_before_anything_is_on_the_list(by_import, error):
    by_import.sandbox.postgrid.plan_imports([{"errors": [error]}])
    result = by_import.deliver(rows(0, 1, 2))
    assert result.counts() == {"delivered": 3}
    assert result.outcomes["resubmitted"] == 0
    assert streets(by_import) == ["0 Mill Lane", "1 Mill Lane", "2 Mill Lane"]
    assert by_import.jobs() == [("addMailingListImports", 1)] * 2
    assert len(imports(by_import)) == 2


def test_an_import_that_always_needs_changes_rejects_its_rows(by_import):
    by_import.sandbox.postgrid.plan_imports([{"errors": ["internal_service_error"]}] * 20)
    result = by_import.deliver(rows(0, 1))
    assert result.counts() == {"rejected": 2}
    assert result.outcomes["reasons"] == {"not_imported": 2}
    assert by_import.jobs() == []
    by_import.sandbox.postgrid._account.import_plans.clear()
    assert by_import.deliver(rows(0, 1)).counts() == {"delivered": 2}


def test_counts_that_do_not_add_up_split_the_batch(by_import):
    by_import.sandbox.switches.change({"postgrid_test_row_cap": 4})
    by_import.sandbox.postgrid.plan_imports([{}, {"uncounted": 1}])
    result = by_import.deliver(rows(*range(7)))
    assert result.counts() == {"delivered": 7}
    made = by_import.sandbox.postgrid.members(by_import.number)["imports"].values()
    assert sorted(len(each) for each in made) == [2, 2, 3]


@pytest.mark.parametrize("report", ["missing", "unreadable"])
def test_without_a_report_the_batch_is_split_until_the_row_is_found(by_import, report):
    how = {"kind": "status", "status": 404} if report == "missing" else {"kind": "html"}
    by_import.sandbox.faults.add(method="GET", path="/postgrid-files/*", times=None, **how)
    # Of four rows the second is left out, then of the first two, then it alone.
    by_import.sandbox.postgrid.plan_imports([{"invalid": [3]}, {"invalid": [3]}, {}, {}, {"invalid": [2]}])
    result = by_import.deliver(rows(0, 1, 2, 3))
    assert result.counts() == {"delivered": 3, "rejected": 1}
    assert len(streets(by_import)) == 3


@pytest.mark.parametrize(
    ("error", "applied"),
    [
        ("mailing_list_imports_not_found_error", "none"),
        ("download_file_error", "half"),
        ("operational_error", "all"),
        ("internal_service_error", "all"),
    ],
)
def test_a_job_that_failed_is_undone_before_its_rows_go_again(by_import, error, applied):
    by_import.sandbox.postgrid.plan_jobs([{"errors": [error], "applied": applied}])
    result = by_import.deliver(rows(0, 1, 2))
    assert result.counts() == {"delivered": 3}
    assert streets(by_import) == ["0 Mill Lane", "1 Mill Lane", "2 Mill Lane"]
    assert [action for action, _ in by_import.jobs()][:2] == ["addMailingListImports", "removeMailingListImports"]


def test_where_that_cannot_be_undone_rows_are_unconfirmed_and_never_sent_again(by_import):
    failed = {"errors": ["operational_error"], "applied": "all"}
    by_import.sandbox.postgrid.plan_jobs([failed, {"errors": ["operational_error"], "applied": "none"}])
    assert by_import.deliver(rows(0, 1)).outcomes["reasons"] == {"unconfirmed": 2}
    assert by_import.deliver(rows(0, 1)).outcomes["reasons"] == {"unconfirmed": 2}
    assert streets(by_import) == ["0 Mill Lane", "1 Mill Lane"]
    assert replace(by_import, rows(0, 1)).counts() == {"delivered": 2}
    assert streets(by_import) == ["0 Mill Lane", "1 Mill Lane"]


@pytest.mark.parametrize("status", [400, 409, 422])
def test_a_busy_list_is_waited_for(by_import, status):
    by_import.sandbox.switches.change({"postgrid_busy_status": status})
    by_import.sandbox.faults.add(kind="status", status=status, method="POST", path=f"{ROOT}/mailing_lists/*/jobs")
    assert by_import.deliver(rows(0)).counts() == {"delivered": 1}
    assert streets(by_import) == ["0 Mill Lane"]


def test_p1_a_list_that_is_busy_for_ever_holds_state(by_import):
    by_import.sandbox.postgrid.plan_jobs([{"hold": True}])
    result = by_import.deliver(rows(0), job_timeout=0.5)
    assert "job_timeout" in str(result.error)
    assert result.states == []
    by_import.sandbox.postgrid.finish_job(by_import.number)
    result = by_import.deliver(rows(1, 0))
    assert result.states == [1]
    assert streets(by_import) == ["0 Mill Lane", "1 Mill Lane"]


# Lost replies


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("mailing_list_imports", "reset"),
        ("mailing_list_imports", "reply_lost"),
        ("mailing_list_imports", "html"),
        ("mailing_lists/*/jobs", "reset"),
        ("mailing_lists/*/jobs", "reply_lost"),
    ],
)
def test_p3_a_lost_reply_makes_nobody_twice(by_import, path, kind):
    by_import.sandbox.faults.add(method="POST", path=f"{ROOT}/{path}", kind=kind)
    result = by_import.deliver([households(), household(0), household(1, address_country="US"), state(1)])
    assert result.counts() == {"delivered": 2}
    assert streets(by_import) == ["0 Mill Lane", "1 Mill Lane"]
    assert len(imports(by_import)) == 2


# Bad input and settings


def test_p9_without_a_journal_it_refuses_unless_told(by_import):
    assert "two letters" in str(by_import.deliver(rows(0), journal="off").error)
    assert by_import.sandbox.postgrid.received() == []
    allowed = by_import.deliver(rows(0), journal="off", postgrid_allow_duplicate_import=True)
    assert allowed.counts() == {"delivered": 1}


def test_p9_a_list_that_another_journal_filled_is_refused_unless_told_or_replaced(by_import):
    by_import.deliver(rows(0))
    other = {"journal": str(by_import.folder / "another.sqlite")}
    result = by_import.deliver(rows(0, 1), **other)
    assert "another journal" in str(result.error)
    assert result.states == []
    assert streets(by_import) == ["0 Mill Lane"]
    refused = replace(by_import, rows(0, 1), **other)
    assert "unknown how many contacts would leave" in str(refused.error)
    assert streets(by_import) == ["0 Mill Lane"]
    assert replace(by_import, rows(0, 1), **other, max_removals="100%").error is None
    assert streets(by_import) == ["0 Mill Lane", "1 Mill Lane"]
    assert replace(by_import, rows(0, 1), **other).error is None
    assert by_import.deliver(rows(2), **other).counts() == {"delivered": 1}
    assert by_import.deliver(rows(3)).error is not None
    assert by_import.deliver(rows(3), postgrid_allow_duplicate_import=True).counts() == {"delivered": 1}


def test_p9_a_list_that_several_journals_filled_is_known_to_none_of_them(by_import):
    by_import.deliver(rows(1))
    other = {"journal": str(by_import.folder / "another.sqlite"), "postgrid_allow_duplicate_import": True}
    assert by_import.deliver(rows(2), **other).counts() == {"delivered": 1}
    refused = by_import.deliver(rows(1, 2))
    assert "another journal" in str(refused.error)
    assert streets(by_import) == ["1 Mill Lane", "2 Mill Lane"]
    by_import.sandbox.postgrid.plan_jobs([{}, {"errors": ["internal_service_error"]}])
    assert replace(by_import, rows(1, 2), max_removals="100%").error is not None
    assert "unknown how many contacts would leave" in str(replace(by_import, rows(1, 2)).error)
    assert replace(by_import, rows(1, 2), max_removals="100%").error is None
    assert by_import.deliver(rows(2, 3)).counts() == {"unchanged": 1, "delivered": 1}
    assert streets(by_import) == ["1 Mill Lane", "2 Mill Lane", "3 Mill Lane"]


def test_p1_of_two_runs_that_replace_a_list_at_once_the_later_does(by_import, monkeypatch):
    replace(by_import, rows(1))
    hold = by_import.sandbox.faults.add(kind="hold", method="GET", path=f"{ROOT}/mailing_list_imports", times=1)
    both = {"postgrid_replace": True, "max_removals": "100%"}
    earlier = {"journal": str(by_import.folder / "earlier.sqlite"), **both}
    thread, results = start(by_import, rows(1, 2), **earlier)
    hold.wait_until_held(timeout=30)
    monkeypatch.setenv("XDG_STATE_HOME", str(by_import.folder / "another machine"))  # where locks are not shared
    later = {"journal": str(by_import.folder / "later.sqlite"), **both}
    assert by_import.deliver(rows(1, 3), **later).error is None
    hold.release()
    thread.join()
    assert "another run has begun to replace the same list" in str(results[0].error)
    assert results[0].states == []
    assert streets(by_import) == ["1 Mill Lane", "3 Mill Lane"]


def test_p9_a_list_stays_with_its_route(by_import):
    by_import.deliver(rows(0))
    assert "two letters" in str(by_import.deliver(rows(1), route="contacts").error)
    assert by_import.sandbox.postgrid.lists()[by_import.number]["metadata"]["target_mailing_route"] == "import"
    by_import.deliver(rows(0), route="contacts", list="Other", create_list=True)
    assert "two letters" in str(by_import.deliver(rows(1), list="Other").error)


def test_p9_settings_that_would_print_twice_are_refused(by_import):
    assert "postgrid_replace" in str(by_import.deliver(rows(0), send="all").error)
    assert "`route: import`" in str(by_import.deliver(rows(0), route="contacts", postgrid_replace=True).error)
    assert by_import.sandbox.postgrid.received() == []


@pytest.mark.parametrize(
    "columns", [{"skip_verification": True}, *({"properties": {name: 1}} for name in ("a.b", "a[b]", ""))], ids=str
)
def test_p9_what_an_import_cannot_say_is_rejected(by_import, columns):
    assert by_import.deliver(rows(0, **columns)).outcomes["reasons"] == {"not_by_import": 1}


def test_p7_no_address_no_key_and_no_signature_in_log_or_journal(by_import):
    told = [household(1), household(2, address_country="Kosovo"), state(1)]
    by_import.sandbox.postgrid.plan_imports([{"invalid": [2]}])
    by_import.sandbox.faults.add(kind="status", status=500, method="GET", path="/postgrid-files/*", times=2)
    result = by_import.deliver([households(), *told])
    journal = (by_import.folder / "journal.sqlite").read_bytes()
    said = result.log + json.dumps(result.rejects) + str(result.error)
    for secret in ("signature=", "postgrid-files", by_import.sandbox.postgrid.test_key):
        assert secret not in said
        assert secret.encode() not in journal
    assert "Mill Lane" not in result.log
    # As the setting `list` has it: when the stream begins, and as titles of the table.
    naming, *titles = [line for line in result.log.splitlines() if LIST in line]
    assert naming.endswith(f", {LIST!r} (addnoforce)")
    assert titles == [f"households to {LIST}:", f"Jobs at {LIST}:"]


def test_p9_not_more_than_allowed_leave_with_the_earlier_contents(by_import):
    assert by_import.deliver(rows(*range(60))).error is None
    result = replace(by_import, [households(), *map(household, range(39)), state(2)])
    assert "21 contacts would be removed; the limit is 20 (10% of its 60 in the journal, but at least 20)." in str(
        result.error
    )
    assert "`allow_removals_once: 21`" in str(result.error)
    assert result.states == []
    told = [households(), *map(household, range(39)), state(2)]
    assert replace(by_import, told, allow_removals_once=21).states == [2]
    assert len(people(by_import)) == 39
    assert replace(by_import, [households(), *map(household, range(20)), state(3)]).states == [3]
    again = replace(by_import, [households(), *map(household, range(10)), state(4)])
    assert "10 contacts would be removed (19 more left within the last 24 hours)" in str(again.error)


def test_p9_contents_that_a_former_version_delivered_are_counted_when_they_leave(by_import):
    assert by_import.deliver(rows(*range(60))).error is None
    with closing(sqlite3.connect(by_import.config["journal"])) as journal, journal:
        journal.execute("DELETE FROM contents")
        journal.execute("UPDATE contacts SET streams = 1")
    told = [households(), *map(household, range(39)), state(2)]
    held = replace(by_import, told)
    assert "21 contacts would be removed; the limit is 20 (10% of its 60 in the journal" in str(held.error)
    assert replace(by_import, told, allow_removals_once=21).states == [2]
    assert replace(by_import, [households(), *map(household, range(20)), state(3)]).states == [3]
    again = replace(by_import, [households(), *map(household, range(10)), state(4)])
    assert "10 contacts would be removed (19 more left within the last 24 hours)" in str(again.error)


OTHER = "Other households"


@pytest.fixture
def two_lists(by_import):
    """Two lists of sixty households each, which a run replaces."""
    by_import.sandbox.postgrid.add_list(OTHER)
    by_import.config |= {"postgrid_replace": True, "streams": {"others": {"list": OTHER}}}
    assert by_import.deliver(both(range(60), range(60))).error is None
    return by_import


def both(here, there):
    others = [household(n, stream="others") for n in there]
    return [households(), *map(household, here), households() | {"stream": "others"}, *others, state(2)]


def sizes(postgrid):
    there = {one["description"]: one["id"] for one in postgrid.sandbox.postgrid.lists().values()}
    members = [postgrid.sandbox.postgrid.members(there[name])["imports"] for name in (LIST, OTHER)]
    return [sum(map(len, imports.values())) for imports in members]


def test_p9_of_two_lists_that_are_replaced_the_allowance_is_the_sum(two_lists):
    told = both(range(35), range(30))
    for number in (None, 25, 30):
        result = two_lists.deliver(told, **({"allow_removals_once": number} if number else {}))
        assert "25 contacts would be removed" in str(result.error)
        assert "30 contacts would be removed" in str(result.error)
        assert "set `allow_removals_once: 55`" in str(result.error)
    assert two_lists.deliver(told, allow_removals_once=55).states == [2]
    assert sizes(two_lists) == [35, 30]
    again = two_lists.deliver(both(range(10), range(5)), allow_removals_once=55)
    assert "set `allow_removals_once: 50` instead of 55" in str(again.error)


def test_p9_a_list_that_was_not_replaced_because_of_another_one_still_has_its_contents(two_lists):
    for day in (1, 2, 3):
        held = two_lists.deliver(both(range(15 * day, 60), range(30)))
        assert "30 contacts would be removed" in str(held.error)
        a_day_later(two_lists)
    result = two_lists.deliver(both([59], range(60)))
    assert "59 contacts would be removed" in str(result.error)


def test_p9_contents_that_the_provider_did_not_take_off_are_still_there(by_import):
    assert by_import.deliver(rows(*range(60))).error is None
    for day in (1, 2):
        by_import.sandbox.postgrid.plan_jobs([{}, {"errors": ["internal_service_error"]}])
        assert "internal_service_error" in str(replace(by_import, rows(*range(10 * day, 60))).error)
        a_day_later(by_import)
    assert "59 contacts would be removed" in str(replace(by_import, rows(59)).error)


def a_day_later(postgrid):
    with closing(sqlite3.connect(postgrid.config["journal"])) as journal, journal:
        journal.execute("UPDATE removed SET at = at - 86400")


@pytest.mark.parametrize("resumes", [True, False])
def test_p9_whoever_arrived_with_a_batch_of_an_earlier_run_is_counted_when_they_leave(by_import, resumes):
    listed = f"{ROOT}/mailing_lists/*"
    by_import.sandbox.faults.add(kind="status", status=403, method="GET", path=listed, skip=5, times=None)
    assert by_import.deliver(rows(*range(60))).error is not None
    by_import.sandbox.faults.clear()
    assert len(people(by_import)) == 60
    if resumes:
        assert by_import.deliver(rows(*range(60))).counts() == {"unchanged": 60}
    result = replace(by_import, [households(), household(7, name="Other"), state(2)])
    assert "59 contacts would be removed" in str(result.error)
    assert len(people(by_import)) == 61


def test_p9_the_share_is_of_whoever_was_on_the_list_before(by_import):
    assert by_import.deliver(rows(*range(60))).error is None
    result = replace(by_import, rows(*range(100, 400)))
    assert "60 contacts would be removed; the limit is 20 (10% of its 60 in the journal" in str(result.error)


def test_p9_a_row_that_changed_is_nobody_who_leaves(by_import):
    assert by_import.deliver(rows(*range(60))).error is None
    assert replace(by_import, rows(*range(5, 60), description="new")).error is None
    assert replace(by_import, rows(*range(20, 60), description="newer")).error is None
    result = replace(by_import, rows(*range(26, 60), description="newest"))
    assert "6 contacts would be removed (20 more left within the last 24 hours)" in str(result.error)


def test_p9_whoever_arrived_is_noted_before_the_end_of_their_batch(by_import, monkeypatch):
    def kill(*_args, **_kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, contextlib.suppress(KeyboardInterrupt):
        patched.setattr(Journal, "settle", kill)
        by_import.deliver(rows(1, 2))
    assert len(people(by_import)) == 2
    with closing(sqlite3.connect(by_import.config["journal"])) as journal:
        assert journal.execute("SELECT count(*) FROM contents").fetchone() == (2,)
    assert "2 contacts would be removed" in str(replace(by_import, rows(3), max_removals=1).error)


@pytest.mark.parametrize("of", ["row", "key", "former contact", "deleted row"])
def test_p9_who_opted_out_leaves_with_the_earlier_contents_and_is_not_counted(by_import, of):
    assert by_import.deliver(rows(*range(60))).error is None
    out = {
        "row": {"subscription_status": "unsubscribed"},
        "key": {"subscription_status": "unsubscribed", "address_line1": None},
        "former contact": {"subscription_status": "unsubscribed", "description": "new"},
        "deleted row": {"subscription_status": "unsubscribed", "_sdc_deleted_at": "2026-11-30T10:00:00Z"},
    }[of]
    leaves = [household(n, **out) for n in range(25)]
    # One is missing beside them.
    result = replace(by_import, [households(), *leaves, *map(household, range(26, 60)), state(2)], max_removals=0)
    assert "1 contact would be removed; the limit is 0" in str(result.error)
    told = [households(), *leaves, *map(household, range(25, 60)), state(2)]
    assert replace(by_import, told, max_removals=0).states == [2]
    assert len(people(by_import)) == 35


def test_p9_of_a_key_with_several_contacts_only_the_one_that_opted_out_leaves_uncounted(by_import):
    keeps = {"on_key_change": "keep"}
    assert by_import.deliver(rows(0, 1), **keeps).error is None
    assert by_import.deliver(rows(1, description="other"), **keeps).error is None
    told = [*rows(0), household(1, subscription_status="unsubscribed"), state(2)]
    result = replace(by_import, told, max_removals=0, **keeps)
    assert "1 contact would be removed" in str(result.error)
