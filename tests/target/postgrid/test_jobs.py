"""A PostGrid list's jobs: one at a time, whatever the list says of itself, and judged by its errors."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import pytest

from mailing_api.errors import ConfigurationError
from mailing_api.http.pace import Pace
from target_mailing.journal.journal import Journal
from target_mailing.journal.stores import FileStore
from target_mailing.target import TargetMailing
from tests.target.conftest import state
from tests.target.postgrid.conftest import LIST, delete, household, households, start

#: Each waits for jobs of a sandbox of its own.
pytestmark = pytest.mark.slow

JOBS = "/print-mail/v1/mailing_lists/*/jobs"


@pytest.fixture
def plan(postgrid):
    return lambda *plans: postgrid.sandbox.postgrid.plan_jobs(plans)


def rows(count, **columns):
    return [households(), *(household(n, **columns) for n in range(count)), state(1)]


def until(condition):
    deadline = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("status", [400, 409, 422])
def test_a_busy_list_is_waited_for(postgrid, plan, status):
    postgrid.sandbox.switches.change({"postgrid_busy_status": status})
    someone = postgrid.sandbox.postgrid.add_contacts([{"firstName": "A", "addressLine1": "1 B", "countryCode": "GB"}])
    plan({"hold": True, "status": "tidying_up"})
    account = postgrid.sandbox.postgrid._account.test
    account.jobs.submit(account.store.lists.get(postgrid.number), "addContacts", someone)
    thread, results = start(postgrid, rows(3))
    until(lambda: len(postgrid.sandbox.postgrid.contacts()) == 4)
    time.sleep(0.2)
    assert len(postgrid.jobs()) == 1
    assert not results
    postgrid.sandbox.postgrid.finish_job(postgrid.number)
    thread.join(30)
    assert results[0].counts() == {"delivered": 3}
    assert len(postgrid.on_list()) == 4


@pytest.mark.parametrize("status", [400, 409, 422])
def test_a_list_that_becomes_busy_just_before_the_job_is_waited_for(postgrid, status):
    fault = postgrid.sandbox.faults.add(kind="status", status=status, method="POST", path=JOBS)
    assert postgrid.deliver(rows(3)).counts() == {"delivered": 3}
    assert fault.hits == 1
    assert postgrid.jobs() == [("addContacts", 3)]


def test_p1_a_list_that_is_busy_for_ever_fails_the_run_and_the_next_one_delivers(postgrid, plan):
    someone = postgrid.sandbox.postgrid.add_contacts([{"firstName": "A", "addressLine1": "1 B", "countryCode": "GB"}])
    plan({"hold": True})
    account = postgrid.sandbox.postgrid._account.test
    account.jobs.submit(account.store.lists.get(postgrid.number), "addContacts", someone)
    result = postgrid.deliver(rows(3), job_timeout=0.3)
    assert "job_timeout" in str(result.error)
    assert result.states == []
    postgrid.sandbox.postgrid.finish_job(postgrid.number)
    again = postgrid.deliver(rows(3))
    assert again.counts() == {"delivered": 3}
    assert again.outcomes["resubmitted"] == 0
    assert again.states == [1]


def test_p1_no_state_leaves_while_the_job_is_under_way_and_the_next_run_follows_it(postgrid, plan):
    plan({"hold": True, "status": "brand_new_status"})
    result = postgrid.deliver(rows(3), job_timeout=0.3)
    assert "job_timeout" in str(result.error)
    assert result.states == []
    postgrid.sandbox.postgrid.finish_job(postgrid.number)
    again = postgrid.deliver(rows(3))
    assert again.counts() == {"unchanged": 3}
    assert again.outcomes["resumed"] == 1
    assert again.states == [1]
    assert postgrid.jobs() == [("addContacts", 3)]


@pytest.mark.parametrize(
    "error",
    ["mailing_list_imports_not_found_error", "download_file_error", "operational_error", "internal_service_error"],
)
@pytest.mark.parametrize("applied", ["all", "half", "none"])
def test_p1_a_job_that_ends_with_errors_delivers_those_on_the_list_only(postgrid, plan, error, applied):
    plan({"errors": [error], "applied": applied})
    result = postgrid.deliver(rows(4))
    assert result.counts() == {"delivered": 4}
    assert result.states == [1]
    assert len(postgrid.on_list()) == 4
    sent = {"all": [4], "half": [4, 2], "none": [4, 2, 2]}[applied]
    assert [ids for _, ids in postgrid.jobs()] == sent
    assert result.outcomes["resubmitted"] == sum(sent[1:])


def test_a_job_of_removals_that_ends_with_errors_is_made_again_for_those_still_there(postgrid, plan):
    postgrid.deliver(rows(4))
    plan({"errors": ["internal_service_error"], "applied": "half"})
    result = postgrid.deliver([households(), *(delete(n) for n in range(4)), state(2)])
    assert result.counts() == {"delivered": 4}
    assert postgrid.on_list() == {}
    assert postgrid.jobs()[1:] == [("removeContacts", 4), ("removeContacts", 2)]


def test_p4_what_never_gets_on_the_list_is_rejected(postgrid, plan):
    plan(*({"errors": ["internal_service_error"]} for _ in range(60)))
    result = postgrid.deliver(rows(2))
    assert result.counts() == {"rejected": 2}
    assert {one["record"]["_reject_code"] for one in result.rejects} == {"not_imported"}
    assert postgrid.on_list() == {}


def test_where_postgrid_does_not_tell_lists_a_failed_job_delivers_nobody(postgrid, plan):
    postgrid.sandbox.switches.change({"postgrid_contact_lists": "absent"})
    plan({"errors": ["operational_error"], "applied": "all"})
    result = postgrid.deliver(rows(2))
    assert result.counts() == {"delivered": 2}
    assert postgrid.jobs() == [("addContacts", 2), ("addContacts", 1), ("addContacts", 1)]


def test_errors_that_stay_from_an_earlier_job_reject_nobody(postgrid, plan):
    postgrid.sandbox.switches.change({"postgrid_errors_cleared": False})
    plan({"errors": ["internal_service_error"]})
    assert postgrid.deliver(rows(4)).counts() == {"delivered": 4}
    assert len(postgrid.on_list()) == 4


@pytest.mark.parametrize("switch", [{}, {"postgrid_unknown_contact": "reject"}, {"postgrid_partial_jobs": "nothing"}])
def test_contacts_that_somebody_deleted_do_not_keep_others_from_leaving(postgrid, switch):
    postgrid.deliver(rows(4))
    account = postgrid.sandbox.postgrid._account.test
    gone = next(number for number, one in postgrid.on_list().items() if one["addressLine1"] == "1 Mill Lane")
    account.store.delete_contact(account.store.contacts.get(gone))
    postgrid.sandbox.switches.change(switch)
    result = postgrid.deliver([households(), delete(0), delete(1), household(2, name="New name"), state(2)])
    assert result.counts() == {"delivered": 3}
    assert sorted(one["firstName"] for one in postgrid.on_list().values()) == ["Family 3", "New name"]


@pytest.mark.parametrize("kind", ["reply_lost", "reset", "cut_body", "html"])
@pytest.mark.parametrize("action", ["add", "remove"])
def test_p3_a_job_whose_reply_was_lost_is_made_again_and_counted(postgrid, kind, action):
    postgrid.deliver(rows(3))
    messages = rows(3, address_city="York") if action == "add" else [households(), *(delete(n) for n in range(3))]
    postgrid.sandbox.faults.add(kind=kind, method="POST", path=JOBS)
    result = postgrid.deliver(messages)
    assert result.error is None
    assert result.counts() == {"delivered": 3}
    assert {one["city"] for one in postgrid.on_list().values()} == ({"York"} if action == "add" else set())
    assert result.outcomes["resubmitted"] == 3


@pytest.mark.parametrize("kind", ["reply_lost", "cut_body", "html"])
def test_p3_a_contact_whose_reply_was_lost_is_made_once(postgrid, kind):
    postgrid.sandbox.faults.add(kind=kind, method="POST", path="/print-mail/v1/contacts")
    assert postgrid.deliver(rows(2)).counts() == {"delivered": 2}
    assert len(postgrid.sandbox.postgrid.contacts()) == 2


@pytest.mark.parametrize(
    "switches",
    [
        {"postgrid_job_response_status": "completed"},
        {"postgrid_create_status": 200, "postgrid_job_status": 202},
        {"postgrid_list_update_body": "partial", "postgrid_metadata_update": "merge"},
        {"postgrid_counting_share": 0.0},
        {"postgrid_unset_fields": "null"},
        {"postgrid_contact_lists": "objects"},
        {"postgrid_dedupe_includes_metadata": True},
        {"postgrid_dedupe_includes_email": False},
        {"postgrid_object_member": True, "postgrid_deleted": "shown"},
        {"postgrid_job_polls": 2},
    ],
    ids="-".join,
)
def test_whatever_postgrid_does_the_list_ends_as_the_rows_say(postgrid, switches):
    postgrid.sandbox.switches.change(switches)
    postgrid.deliver(rows(4))
    changed = [
        household(0, name="New name"),
        household(1, email="a@example.com"),
        delete(2),
        household(3),
        household(4),
    ]
    result = postgrid.deliver([households(), *changed, state(2)])
    assert result.states == [2]
    assert sorted(one["firstName"] for one in postgrid.on_list().values()) == [
        "Family 1", "Family 3", "Family 4", "New name",
    ]  # fmt: skip


def test_lists_are_filled_side_by_side(postgrid, plan):
    postgrid.sandbox.postgrid.add_list("Other")
    plan({"hold": True}, {"hold": True})
    others = [households() | {"stream": "others"}, *(household(n, stream="others") for n in range(2))]
    thread, results = start(postgrid, [*rows(2), *others], streams={"others": {"list": "Other"}}, batch_rows=1)
    lists = postgrid.sandbox.postgrid.lists
    until(lambda: sum(one["status"] != "completed" for one in lists().values()) == 2)
    time.sleep(0.1)
    assert len(postgrid.jobs()) == 2
    assert len(postgrid.sandbox.postgrid.contacts()) == 1  # of each list the first, which is the same one
    for number in lists():
        postgrid.sandbox.postgrid.finish_job(number)
    thread.join(30)
    assert results[0].counts() == {"delivered": 4}
    assert len(postgrid.jobs()) == 4


# Settings


def test_p9_a_live_key_needs_postgrid_live(postgrid):
    key = {"postgrid_api_key": postgrid.sandbox.postgrid.live_key}
    for live in (None, False):
        result = postgrid.deliver(rows(1), **key, postgrid_live=live)
        assert "postgrid_live" in str(result.error)
    assert not postgrid.sandbox.counters.calls
    postgrid.sandbox.postgrid.add_list(LIST, live=True)
    assert postgrid.deliver(rows(1), **key, postgrid_live=True).counts() == {"delivered": 1}


def test_p9_a_list_that_is_missing_or_ambiguous_or_an_import_is_said(postgrid):
    assert "create_list" in str(postgrid.deliver(rows(1), list="Nowhere").error)
    assert "ID of an import" in str(postgrid.deliver(rows(1), list="mailing_list_import_abc").error)
    assert "mailing_list_abc" in str(postgrid.deliver(rows(1), list="mailing_list_abc").error)
    assert "Setting `list`" in str(postgrid.deliver(rows(1), list=None).error)
    postgrid.sandbox.postgrid.add_list(LIST)
    assert "several" in str(postgrid.deliver(rows(1)).error)
    assert postgrid.deliver(rows(1), list=next(iter(postgrid.sandbox.postgrid.lists()))).counts() == {"delivered": 1}


def test_a_list_is_made_where_that_is_set(postgrid):
    assert postgrid.deliver(rows(1), list="Easter", create_list=True).counts() == {"delivered": 1}
    assert postgrid.deliver(rows(2), list="Easter", create_list=True).counts() == {"delivered": 1, "unchanged": 1}
    assert [one["description"] for one in postgrid.sandbox.postgrid.lists().values()] == [LIST, "Easter"]


def test_of_two_lists_made_at_the_same_time_the_older_one_is_filled(postgrid):
    nothing = '{"object": "list", "data": [], "totalCount": 0, "skip": 0, "limit": 100}'
    path = "/print-mail/v1/mailing_lists"
    postgrid.sandbox.faults.add(kind="status", status=200, content=nothing, method="GET", path=path)
    assert postgrid.deliver(rows(1), create_list=True).counts() == {"delivered": 1}
    assert len(postgrid.sandbox.postgrid.lists()) == 1
    assert len(postgrid.on_list()) == 1


@pytest.mark.parametrize("status", [400, 403])
def test_a_list_that_postgrid_refuses_to_make_is_named(postgrid, status):
    path = "/print-mail/v1/mailing_lists"
    postgrid.sandbox.faults.add(kind="status", status=status, method="POST", path=path, times=None)
    error = postgrid.deliver(rows(1), list="Easter", create_list=True).error
    assert isinstance(error, ConfigurationError)
    assert "`create_list`" in str(error)
    assert "'Easter'" in str(error)


def test_p9_a_list_that_another_route_fills_is_refused(postgrid):
    mark = {"target_mailing_route": "import"}
    number = postgrid.sandbox.postgrid.add_list("By file", mark)
    assert "two letters" in str(postgrid.deliver(rows(1), list=number).error)
    assert postgrid.sandbox.postgrid.received() == []


def test_p7_a_route_that_is_none_of_ours_is_not_quoted(postgrid):
    number = postgrid.sandbox.postgrid.add_list("By hand", {"target_mailing_route": "https://somebody.example"})
    error = str(postgrid.deliver(rows(1), list=number).error)
    assert "another route" in error
    assert "somebody" not in error


def test_the_list_remembers_route_and_journal_and_keeps_its_own_metadata(postgrid):
    number = postgrid.sandbox.postgrid.add_list("Mine", {"colour": "red"})
    postgrid.deliver(rows(1), list=number)
    metadata = postgrid.sandbox.postgrid.lists()[number]["metadata"]
    assert metadata.pop("target_mailing_journal")
    assert metadata == {"colour": "red", "target_mailing_route": "contacts"}


def test_p9_a_route_of_mailjets_and_a_wrong_action_are_said(postgrid):
    assert "`route`" in str(postgrid.deliver(rows(1), route="csv").error)
    assert "`action`" in str(postgrid.deliver(rows(1), action="excludemarketing").error)


def test_check_tries_everything_and_writes_nothing(postgrid, capsys):
    TargetMailing(config=postgrid.settings()).check()
    assert "PostGrid" in capsys.readouterr().out
    assert all(call.startswith("GET ") for call in postgrid.sandbox.counters.calls)


def test_one_household_that_cannot_be_looked_for_does_not_stop_the_removals_of_others(postgrid):
    postgrid.deliver(rows(3))
    fault = postgrid.sandbox.faults.add(
        kind="status", status=400, method="GET", path="/print-mail/v1/contacts", skip=1, times=1
    )
    other = str(postgrid.folder / "other.sqlite")
    result = postgrid.deliver([households(), *map(delete, range(3)), state({"n": 1})], journal=other)
    assert fault.hits == 1
    assert result.error is None
    assert result.counts() == {"delivered": 2, "rejected": 1}
    assert len(postgrid.on_list()) == 1


def test_before_a_job_that_was_refused_for_pace_is_posted_again_the_list_is_read_again(postgrid, monkeypatch):
    """Another program's job may have changed it meanwhile, which must not be taken for the effect of this one."""
    monkeypatch.setattr("mailing_api.http.client.random.random", lambda: 0.0)
    monkeypatch.setitem(Pace.__init__.__kwdefaults__, "floor", 1000.0)
    fault = postgrid.sandbox.faults.add(kind="status", status=429, method="POST", path=JOBS, times=3)
    read = postgrid.sandbox.faults.add(
        kind="slow", seconds=0.0, method="GET", path=JOBS.removesuffix("/jobs"), times=None
    )
    reads = []
    fault_take = fault.take
    monkeypatch.setattr(fault, "take", lambda *call: fault_take(*call) and (reads.append(read.hits) or True))
    assert postgrid.deliver(rows(3)).counts() == {"delivered": 3}
    assert len({*reads}) == 3


@pytest.mark.parametrize("columns", [{}, {"address_line1": "1 Mill Lane"}], ids=["key only", "with columns"])
def test_p9_a_table_that_keeps_its_deleted_rows_counts_them_once(postgrid, columns):
    table = [households(), household(99), *(delete(n, **columns) for n in range(5)), state(1)]
    postgrid.deliver([households(), household(99), *(household(n) for n in range(5)), state(1)])
    assert "5 contacts would be removed" in str(postgrid.deliver(table, max_removals=2).error)
    assert postgrid.deliver(table, max_removals=2, allow_removals_once=5).states == [1]
    for _ in range(2):
        with closing(Journal(FileStore(Path(postgrid.config["journal"])))) as journal:
            journal.retention.forget_before(time.time() + 1)
        assert postgrid.deliver(table, max_removals=2).error is None
    more = [*table[:-1], *(delete(n, **columns) for n in range(20, 23)), state(1)]
    assert "3 contacts would be removed" in str(postgrid.deliver(more, max_removals=2).error)
