"""Households on a PostGrid list by route `contacts`: who comes, who changes, who leaves."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from mailing_api.errors import ConfigurationError
from mailing_api.http import client as http_client
from mailing_api.http.retry import RetryPolicy
from tests.target.conftest import schema, state
from tests.target.postgrid.conftest import COLUMNS, TEXT, delete, household, households, start

#: Each waits for answers of a sandbox of its own.
pytestmark = pytest.mark.slow


def test_p1_households_are_delivered_and_state_leaves_after_them(postgrid):
    result = postgrid.deliver([households(), *(household(n) for n in range(3)), state(1)])
    assert result.error is None
    assert result.counts() == {"delivered": 3}
    assert result.states == [1]
    assert postgrid.streets() == ["0 Mill Lane", "1 Mill Lane", "2 Mill Lane"]
    assert postgrid.jobs() == [("addContacts", 3)]


def test_every_column_arrives(postgrid):
    told = {
        "email": "noor@example.com", "first_name": "Noor", "last_name": "Haddad", "company": "Mill Ltd",
        "job_title": "Miller", "phone": "+44 113 4960000", "address_line2": "Flat 4", "address_region": "West Yorks",
        "address_postal_code": "LS1 4AA", "address_country": "United Kingdom", "description": "Long-time friend",
        "skip_verification": True, "properties": {"tier": "gold", "since": 1999, "vip": True, "tags": ["a"]},
    }  # fmt: skip
    assert postgrid.deliver([households(), household(7, **told)]).counts() == {"delivered": 1}
    (sent,) = postgrid.on_list().values()
    assert sent == {
        "firstName": "Noor", "lastName": "Haddad", "companyName": "Mill Ltd", "jobTitle": "Miller",
        "email": "noor@example.com", "phoneNumber": "+44 113 4960000", "addressLine1": "7 Mill Lane",
        "addressLine2": "Flat 4", "city": "Leeds", "provinceOrState": "West Yorks", "postalOrZip": "LS1 4AA",
        "countryCode": "GB", "description": "Long-time friend", "skipVerification": True,
        "metadata": {
            "tier": "gold", "since": "1999", "vip": "true", "tags": '["a"]',
            "external_id": "7", "external_stream": "households",
        },
    }  # fmt: skip


def test_rows_that_did_not_change_cost_no_call(postgrid):
    rows = [households(), *(household(n) for n in range(3))]
    postgrid.deliver(rows)
    posts = len(postgrid.sandbox.postgrid.received())
    assert postgrid.deliver(rows).counts() == {"unchanged": 3}
    assert len(postgrid.sandbox.postgrid.received()) == posts


def test_a_list_takes_one_job_of_500_after_the_other(postgrid):
    result = postgrid.deliver([households(), *(household(n) for n in range(1100)), state(1)])
    assert result.counts() == {"delivered": 1100}
    assert postgrid.jobs() == [("addContacts", 500), ("addContacts", 500), ("addContacts", 100)]
    assert len(postgrid.on_list()) == 1100


# Changes


def test_a_changed_row_makes_a_new_contact_before_the_old_one_leaves(postgrid):
    postgrid.deliver([households(), household(1), household(2)])
    result = postgrid.deliver([households(), household(1, address_line1="9 New Street"), household(2), state(2)])
    assert result.counts() == {"delivered": 1, "unchanged": 1}
    assert result.states == [2]
    assert postgrid.streets() == ["2 Mill Lane", "9 New Street"]
    assert postgrid.jobs() == [("addContacts", 2), ("addContacts", 1), ("removeContacts", 1)]
    assert len(postgrid.sandbox.postgrid.contacts()) == 3


def test_a_row_that_changes_there_and_back_in_one_input_ends_as_it_says(postgrid):
    postgrid.deliver([households(), household(1)])
    moves = [household(1, address_line1=line) for line in ("2 A", "3 B", "1 Mill Lane", "4 C", "1 Mill Lane")]
    result = postgrid.deliver([households(), *moves, state(1)], batch_rows=2)
    assert result.error is None
    assert result.states == [1]
    assert postgrid.streets() == ["1 Mill Lane"]


def test_two_rows_that_swap_their_addresses_keep_one_letter_each(postgrid):
    postgrid.deliver([households(), household(1), household(2)])
    one, two = household(1)["record"], household(2)["record"]
    swapped = [
        {"type": "RECORD", "stream": "households", "record": two | {"id": 1}},
        {"type": "RECORD", "stream": "households", "record": one | {"id": 2}},
    ]
    result = postgrid.deliver([households(), *swapped, state(1)])
    assert result.states == [1]
    assert postgrid.streets() == ["1 Mill Lane", "2 Mill Lane"]


@pytest.mark.parametrize("compares", ["standardised", "sent"])
def test_a_change_that_postgrid_takes_for_none_leaves_the_contact_on_the_list(postgrid, compares):
    postgrid.sandbox.switches.change({"postgrid_dedupe_compares": compares})
    postgrid.deliver([households(), household(1)])
    result = postgrid.deliver([households(), household(1, address_line1="1 MILL LANE"), state(1)])
    assert result.counts() == {"delivered": 1}
    assert len(postgrid.on_list()) == 1
    assert postgrid.deliver([households(), delete(1)]).counts() == {"delivered": 1}
    assert postgrid.on_list() == {}


def test_where_the_new_address_is_refused_the_old_one_stays(postgrid):
    postgrid.deliver([households(), household(1), household(2)])
    postgrid.sandbox.switches.change({"postgrid_email_check": True})
    changed = [household(1, email="no address"), household(2, address_line1="9 New Street"), state(1)]
    result = postgrid.deliver([households(), *changed])
    assert result.counts() == {"rejected": 1, "delivered": 1}
    assert result.states == [1]
    assert [(one["record"]["id"], one["record"]["_reject_code"]) for one in result.rejects] == [
        (1, "refused_by_provider")
    ]
    assert postgrid.streets() == ["1 Mill Lane", "9 New Street"]
    assert postgrid.deliver([households(), household(1)]).counts() == {"unchanged": 1}
    assert postgrid.deliver([households(), household(1, email="no@example.com")]).counts() == {"delivered": 1}
    assert {one.get("email") for one in postgrid.on_list().values()} == {"no@example.com", None}
    assert len(postgrid.on_list()) == 2


def test_where_the_same_contact_is_refused_with_another_description_the_old_one_stays(postgrid):
    postgrid.deliver([households(), household(1)])
    postgrid.sandbox.faults.add(kind="status", status=422, method="POST", path="/print-mail/v1/contacts")
    result = postgrid.deliver([households(), household(1, description="Friend"), household(2)])
    assert result.counts() == {"rejected": 1, "delivered": 1}
    assert postgrid.streets() == ["1 Mill Lane", "2 Mill Lane"]


def test_old_contacts_may_be_kept(postgrid):
    postgrid.deliver([households(), household(1)])
    postgrid.deliver([households(), household(1, address_line1="9 New Street")], on_key_change="keep")
    assert postgrid.streets() == ["1 Mill Lane", "9 New Street"]


# Leaving


def test_p9_deletes_of_keys_that_only_postgrid_knows_count(postgrid):
    postgrid.deliver([households(), *map(household, range(5)), state(1)])
    other = str(postgrid.folder / "other.sqlite")
    assert postgrid.deliver([households(), household(9), state(2)], journal=other).error is None
    held = postgrid.deliver([households(), *map(delete, range(5)), state(3)], journal=other, max_removals=0)
    assert "5 contacts would be removed" in str(held.error)
    assert len(postgrid.on_list()) == 6


def test_a_delete_by_key_finds_its_contact(postgrid):
    postgrid.deliver([households(), household(1), household(2)])
    result = postgrid.deliver([households(), delete(1), state(1)])
    assert result.counts() == {"delivered": 1}
    assert postgrid.streets() == ["2 Mill Lane"]
    assert postgrid.deliver([households(), delete(1)]).counts() == {"unchanged": 1}


def test_a_contact_of_two_rows_is_removed_with_the_last_of_them(postgrid):
    same = {"name": "Family Both", "address_line1": "5 Both Road"}
    postgrid.deliver([households(), household(1, **same), household(2, **same)])
    assert len(postgrid.on_list()) == 1
    postgrid.deliver([households(), delete(1)])
    assert postgrid.streets() == ["5 Both Road"]
    postgrid.deliver([households(), delete(2)])
    assert postgrid.streets() == []


@pytest.mark.parametrize("leaves", ["delete", "change"])
def test_a_contact_that_only_postgrid_takes_for_the_same_is_removed_with_the_last(postgrid, leaves):
    postgrid.deliver([households(), household(1, name="Both"), household(2, name="Both", address_line1="1 MILL LANE")])
    assert len(postgrid.on_list()) == 1
    postgrid.deliver([households(), delete(1) if leaves == "delete" else household(1, address_line1="9 New Street")])
    assert len(postgrid.on_list()) == (1 if leaves == "delete" else 2)
    postgrid.deliver([households(), delete(2)])
    assert postgrid.streets() == ([] if leaves == "delete" else ["9 New Street"])


def test_two_rows_that_only_postgrid_takes_for_the_same_leave_together(postgrid):
    postgrid.deliver([households(), household(1, name="Both"), household(2, name="Both", address_line1="1 MILL LANE")])
    postgrid.deliver([households(), delete(1), delete(2)])
    assert postgrid.on_list() == {}


@pytest.mark.parametrize("value", [[None], 5, "9" * 400, "?"], ids=str)
@pytest.mark.parametrize("name", ["target_mailing_journal", "target_mailing_replacing", "target_mailing_replaced_at"])
@pytest.mark.parametrize("route", ["contacts", "import"])
def test_p9_whatever_somebody_else_wrote_into_the_metadata_of_the_list_is_understood(postgrid, route, name, value):
    others = postgrid.sandbox.postgrid.add_list("Odd", {"target_mailing_route": route, name: value})
    result = postgrid.deliver([households(), household(1), state(1)], list=others, route=route)
    assert result.error is None or isinstance(result.error, ConfigurationError)
    assert (result.states == [1]) is (result.error is None)


def test_what_else_a_key_had_is_not_taken_for_the_contact_whose_id_another_one_needs(postgrid):
    """So it leaves again when the key comes to it and goes."""
    postgrid.sandbox.switches.change({"postgrid_dedupe_compares": "standardised"})

    def to(key, street):
        return household(key, name="Same", address_line1=street)

    runs = [
        [to(1, "1 Mill Lane")],
        [to(1, "2 Mill Lane"), to(2, "1 MILL LANE"), to(1, "1 Mill Lane"), delete(1)],
        [to(1, "2 Mill Lane"), to(2, "1 Mill Lane"), to(1, "1 Mill Lane")],
    ]
    for number, rows in enumerate(runs):
        for row in rows:
            postgrid.deliver([households(), row, state(number)])
    assert postgrid.streets() == ["1 Mill Lane"]


def test_nobody_is_on_the_list_twice_after_a_key_left_a_contact_and_came_back_to_it(postgrid):
    """To PostGrid both spellings are one contact of the key, and that of another key is another one."""
    changed = {"postgrid_dedupe_compares": "standardised", "postgrid_dedupe_includes_metadata": True}
    postgrid.sandbox.switches.change(changed)
    ways = [(2, "1 MILL LANE"), (2, "1 Mill Lane"), (1, "1 MILL LANE"), (2, "1 MILL LANE")]
    for number, (key, street) in enumerate(ways):
        postgrid.deliver([households(), household(key, name="Same", address_line1=street), state(number)])
    assert postgrid.streets() == ["1 MILL LANE"]


@pytest.mark.parametrize("rows_at_once", [1, 5])
def test_a_household_of_two_rows_gets_one_letter_where_the_row_is_part_of_the_contact(postgrid, rows_at_once):
    postgrid.sandbox.switches.change({"postgrid_dedupe_includes_metadata": True})
    same = {"name": "Both", "address_line1": "5 Both Road"}
    rows = [household(1, **same), household(3), household(2, **same)]
    postgrid.deliver([households(), *rows], batch_rows=rows_at_once)
    assert postgrid.streets() == ["3 Mill Lane", "5 Both Road"]
    postgrid.deliver([households(), household(1, **same)], send="all")
    assert postgrid.streets() == ["3 Mill Lane", "5 Both Road"]
    postgrid.deliver([households(), delete(1)])
    assert postgrid.streets() == ["3 Mill Lane", "5 Both Road"]
    postgrid.deliver([households(), delete(2)])
    assert postgrid.streets() == ["3 Mill Lane"]


def test_p5_who_opted_out_does_not_keep_the_contact_of_another_row_on_the_list(postgrid):
    both = {"name": "Both", "address_line1": "5 Both Road"}
    postgrid.deliver([households(), household(1, **both), household(2, **both), state(1)])
    opted_out = household(1, subscription_status="unsubscribed", **both)
    assert postgrid.deliver([households(), opted_out, state(2)]).counts() == {"delivered": 1}
    assert postgrid.deliver([households(), household(2, **both), state(3)]).counts() == {"delivered": 1}
    assert postgrid.deliver([households(), delete(2), state(4)]).counts() == {"delivered": 1}
    assert postgrid.on_list() == {}
    assert postgrid.deliver([households(), opted_out, delete(1), state(5)]).counts()["unchanged"] >= 1


def test_a_delete_that_the_journal_does_not_know_finds_its_contact_by_its_external_id(postgrid):
    postgrid.deliver([households(), household(1), household(2)])
    other = str(postgrid.folder / "another.sqlite")
    assert postgrid.deliver([households(), delete(1), delete(3)], journal=other).counts() == {"delivered": 2}
    assert postgrid.streets() == ["2 Mill Lane"]


def test_another_stream_with_the_same_ids_is_left_alone(postgrid):
    postgrid.deliver([households(), household(1)])
    churches = households() | {"stream": "churches"}
    gone = delete(1) | {"stream": "churches"}
    assert postgrid.deliver([churches, gone]).counts() == {"delivered": 1}
    assert postgrid.streets() == ["1 Mill Lane"]


def test_a_changed_row_replaces_its_contact_also_with_a_new_journal(postgrid):
    postgrid.deliver([households(), household(1), household(2)])
    other = str(postgrid.folder / "another.sqlite")
    rows = [households(), household(1, address_line1="9 New Street"), household(2), state(1)]
    assert postgrid.deliver(rows, journal=other).counts() == {"delivered": 2}
    assert postgrid.streets() == ["2 Mill Lane", "9 New Street"]


def test_without_a_journal_a_changed_row_replaces_its_contact(postgrid):
    postgrid.deliver([households(), household(1)], journal="off")
    postgrid.deliver([households(), household(1, address_line1="9 New Street")], journal="off")
    assert postgrid.streets() == ["9 New Street"]


def test_a_changed_row_replaces_what_another_journal_put_there_meanwhile(postgrid):
    postgrid.deliver([households(), household(1), household(2)])
    other = str(postgrid.folder / "another.sqlite")
    postgrid.deliver([households(), household(1, address_line1="9 New Street")], journal=other)
    assert postgrid.streets() == ["2 Mill Lane", "9 New Street"]
    postgrid.deliver([households(), household(1, address_line1="10 Last Street")])
    assert postgrid.streets() == ["10 Last Street", "2 Mill Lane"]


def test_a_known_list_is_not_searched(postgrid):
    postgrid.deliver([households(), household(1)])
    postgrid.deliver([households(), household(1, address_line1="9 New Street"), household(2), delete(1)])
    assert "GET /print-mail/v1/contacts" not in postgrid.sandbox.counters.calls


def test_old_contacts_are_deleted_where_that_is_set(postgrid):
    other = postgrid.sandbox.postgrid.add_list("Other")
    postgrid.deliver([households(), household(1), household(2), household(3)])
    kept = next(number for number, one in postgrid.on_list().items() if one["addressLine1"] == "3 Mill Lane")
    postgrid.sandbox.postgrid._account.test.store.join(
        postgrid.sandbox.postgrid._account.test.store.lists.get(other), [kept], 0.0
    )
    rows = [household(1, address_line1="9 New Street"), delete(2), delete(3)]
    postgrid.deliver([households(), *rows], postgrid_delete_old_contacts=True)
    assert sorted(one["addressLine1"] for one in postgrid.sandbox.postgrid.contacts().values()) == [
        "3 MILL LANE", "9 NEW STREET",
    ]  # fmt: skip
    # The IDs of contacts that are gone have left the journal.
    assert names_in(postgrid) == sorted({kept, *postgrid.on_list()})
    back = postgrid.deliver([households(), household(1), household(2)])
    assert back.counts() == {"delivered": 2}
    assert postgrid.streets() == ["1 Mill Lane", "2 Mill Lane"]


def test_a_contact_that_postgrid_fails_to_delete_ends_no_run(postgrid, monkeypatch):
    monkeypatch.setattr(http_client, "RetryPolicy", lambda: RetryPolicy(fault_base=0.001))
    postgrid.deliver([households(), household(1), household(2)])
    odd, other = sorted(postgrid.on_list())
    postgrid.sandbox.faults.add(kind="status", status=500, method="GET", path=f"*/contacts/{odd}", times=None)
    rows = [delete(1), delete(2), state(1)]
    result = postgrid.deliver([households(), *rows], postgrid_delete_old_contacts=True)
    assert (result.error, result.states, result.counts()) == (None, [1], {"delivered": 2})
    assert (postgrid.on_list(), names_in(postgrid)) == ({}, [odd])
    assert postgrid.sandbox.postgrid.contacts().keys() == {odd}
    assert "1 contact that left the list was not deleted" in result.log
    assert other not in result.log


def test_a_contact_that_joins_another_list_before_its_removal_is_repeated_stays(postgrid, monkeypatch):
    monkeypatch.setattr(http_client, "RetryPolicy", lambda: RetryPolicy(fault_base=0.001))
    other = postgrid.sandbox.postgrid.add_list("Other")
    postgrid.deliver([households(), household(1), household(2)])
    first, second = postgrid.on_list()
    failing = [
        postgrid.sandbox.faults.add(kind="status", status=500, method="DELETE", path=f"*/contacts/{number}")
        for number in (first, second)
    ]
    hold = postgrid.sandbox.faults.add(kind="hold", when="before", method="GET", path=f"*/contacts/{first}", skip=1)
    run, results = start(postgrid, [households(), delete(1), delete(2)], postgrid_delete_old_contacts=True)
    hold.wait_until_held()
    store = postgrid.sandbox.postgrid._account.test.store
    store.join(store.lists.get(other), [first], 0.0)
    hold.release()
    run.join(60)
    assert results[0].counts() == {"delivered": 2}
    assert [fault.hits for fault in failing] == [1, 1]
    assert postgrid.sandbox.postgrid.contacts().keys() == {first}


def names_in(postgrid):
    """The IDs in the journal."""
    with closing(sqlite3.connect(postgrid.config["journal"])) as journal:
        return sorted(name for (name,) in journal.execute("SELECT name FROM names"))


# Consent


def test_p5_an_unsubscribed_row_leaves_the_list(postgrid):
    postgrid.deliver([households(), *(household(n) for n in (1, 2, 3))])
    told = [
        household(1, subscription_status="unsubscribed"),
        household(2, subscription_status="unsubscribed", address_line1=None),
        household(3, subscription_status="excluded"),
        household(4, subscription_status="pending"),
        household(5, subscription_status="unsubscribed"),
    ]
    result = postgrid.deliver([households(), *told, state(1)])
    assert result.counts() == {"delivered": 3, "withheld": 2}
    assert postgrid.streets() == ["3 Mill Lane"]
    assert postgrid.deliver([households(), *told]).counts()["unchanged"] >= 2
    assert postgrid.streets() == ["3 Mill Lane"]


def test_p5_an_opt_out_and_a_new_address_at_once_leave_neither_on_the_list(postgrid):
    postgrid.deliver([households(), household(1)])
    row = household(1, subscription_status="unsubscribed", address_line1="9 New Street")
    postgrid.deliver([households(), row])
    assert postgrid.on_list() == {}
    assert not [one for one in postgrid.sandbox.postgrid.contacts().values() if one["addressLine1"] == "9 NEW STREET"]


def test_p5_an_opt_out_holds_for_all_rows_of_the_contact_in_a_run(postgrid):
    same = {"name": "Family Both", "address_line1": "5 Both Road"}
    rows = [household(1, **same), household(2, **same, subscription_status="unsubscribed"), household(3, **same)]
    postgrid.deliver([households(), *rows])
    assert postgrid.on_list() == {}


def test_somebody_who_subscribes_again_comes_back(postgrid):
    postgrid.deliver([households(), household(1)])
    postgrid.deliver([households(), household(1, subscription_status="unsubscribed")])
    assert postgrid.on_list() == {}
    assert postgrid.deliver([households(), household(1, subscription_status="subscribed")]).counts() == {"delivered": 1}
    assert postgrid.streets() == ["1 Mill Lane"]


# Bad input


@pytest.mark.parametrize(
    "columns",
    [
        {"address_line1": None},
        {"address_line1": " "},
        {"address_country": None},
        {"address_country": "Atlantis"},
        {"name": None},
        {"address_city": "x" * 201},
    ],
    ids="-".join,
)
def test_what_the_post_cannot_deliver_to_is_rejected_before_any_call(postgrid, columns):
    result = postgrid.deliver([households(), household(1, **columns), state(1)])
    assert result.counts() == {"rejected": 1}
    assert result.outcomes["reasons"] == {"bad_address": 1}
    assert postgrid.sandbox.postgrid.received() == []


def test_what_a_row_lacks_is_told_by_the_columns_of_the_input(postgrid):
    lacking = [household(1), household(2, address_country=" "), household(3, address_country="Atlantis")]
    for message in lacking:
        message["record"]["street"] = message["record"].pop("address_line1")
    lacking[0]["record"]["street"] = None
    streets = households()
    properties = streets["schema"]["properties"]
    properties["street"] = properties.pop("address_line1")
    result = postgrid.deliver([streets, *lacking, state(1)], mapping={"address_line1": "street"}, max_rejected="100%")
    assert [one["record"]["_reject_reason"] for one in result.rejects] == [
        "column 'street' is missing or empty",
        "column 'address_country' is missing or empty",
        "column 'address_country' is 'Atlantis', which is not a known country",
    ]


def test_a_stream_of_people_by_e_mail_is_refused_before_any_call(postgrid):
    columns = COLUMNS | {"provider": {"type": "string"}}
    for stream in ("mpdx_people", "mailjet_contacts"):
        result = postgrid.deliver([households() | {"stream": stream}])
        assert "postal addresses" in str(result.error)
    assert "address_line1" in str(postgrid.deliver([{**households(), "stream": "x"} | {
        "schema": {"properties": {"id": columns["id"]}}
    }]).error)  # fmt: skip
    assert not postgrid.sandbox.counters.calls


def test_p7_no_address_and_no_key_in_the_log(postgrid):
    result = postgrid.deliver([households(), household(1, email="secret@example.com"), household(2, name=None)])
    for secret in ("secret@example.com", "Mill Lane", "Family", postgrid.sandbox.postgrid.test_key):
        assert secret not in result.log
        assert secret not in json.dumps(result.states)


@pytest.mark.parametrize("send", ["changed", "all"])
@pytest.mark.parametrize(("streets", "jobs"), [([7] * 6, 2), (range(10, 16), 2)], ids=["together", "apart"])
def test_keys_that_leave_one_household_take_one_removal(postgrid, send, streets, jobs):
    postgrid.deliver([households(), *(household(1, id=n) for n in range(6))])
    moved = [household(street, id=n) for n, street in enumerate(streets)]
    result = postgrid.deliver([households(), *moved, state(1)], send=send, max_removals="100%")
    assert (result.error, result.states) == (None, [1])
    assert postgrid.streets() == sorted({f"{street} Mill Lane" for street in streets})
    assert len(postgrid.jobs()) == 1 + jobs
    assert result.outcomes["former_removed"] == 1


def test_p5_households_that_opt_out_leave_where_nobody_may_be_removed(postgrid):
    assert postgrid.deliver([households(), *(household(n) for n in range(4)), state(1)]).states == [1]
    out = {"subscription_status": "unsubscribed"}
    rows = [delete(0), delete(1, **out), household(2, address_line1="9 New Road", **out)]
    rows += [delete(3), household(3, **out)]  # which waits behind the delete
    result = postgrid.deliver([households(), *rows, state(2)], max_removals=0)
    assert "2 contacts would be removed; the limit is 0" in str(result.error)
    assert result.states == []
    assert postgrid.streets() == ["0 Mill Lane"]


def test_whom_a_stream_without_a_key_names_stays_when_a_key_leaves(postgrid):
    news = schema("news", COLUMNS, ())
    named = [news, household(1, stream="news")]
    assert postgrid.deliver([households(), household(1), *named]).rejects == []
    assert postgrid.deliver([households(), household(1, address_line1="9 Hill Road")]).rejects == []
    assert postgrid.streets() == ["1 Mill Lane", "9 Hill Road"]
    assert postgrid.deliver([households(), household(1)]).rejects == []
    news["schema"]["properties"]["op"] = TEXT
    assert postgrid.deliver([news, household(1, stream="news", op="remove")], action_column="op").rejects == []
    assert postgrid.streets() == ["1 Mill Lane"]  # which the key has, too
    assert postgrid.deliver([households(), delete(1)]).rejects == []
    assert postgrid.streets() == []
