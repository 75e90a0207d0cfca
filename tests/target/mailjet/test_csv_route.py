"""The CSV route: the same contacts as by JSON, exclusions, and who goes which way."""

from __future__ import annotations

import csv
import io
import threading
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailing_api.errors import ConfigurationError
from tests.target.conftest import LIST, PROPERTIES, files, imports, person, reader, readers, schema, state

#: Everything that a file may hold, and what makes quotes necessary.
RICH = {"city": 'Saint-"Étienne", Loire', "visits": 12, "score": 30.39, "vip": True, "birthday": "1990-02-03T04:05:06Z"}


# What arrives


def test_p1_rows_go_as_a_file_and_state_leaves_after_them(by_csv):
    result = by_csv.deliver([schema(), *readers(range(10), visits=3), state(1)])
    assert result.counts() == {"delivered": 10}
    assert result.states == [1]
    assert by_csv.sandbox.counters.rows_received == {"csvimport": 10}
    assert by_csv.members()["person3@example.com"] == {
        "status": "subscribed", "name": "", "properties": {"city": "Lyon", "visits": "3"}, "excluded": False,
    }  # fmt: skip
    assert files(by_csv)[0].startswith("email,city,visits\nperson0@example.com,Lyon,3\n")
    again = by_csv.deliver([schema(), *readers(range(10), visits=3), state(2)])
    assert again.counts() == {"unchanged": 10}


def test_datetimes_go_in_a_file_without_header(by_csv):
    result = by_csv.deliver([schema(), *readers(range(3), properties=RICH), state(1)])
    assert result.counts() == {"delivered": 3}
    member = by_csv.members()["person1@example.com"]
    assert member["properties"] == {"city": "Lyon"} | {
        name: {"vip": "true"}.get(name, str(value)) for name, value in RICH.items() if name != "city"
    }
    (text,) = files(by_csv)
    assert "email" not in text
    assert "1990-02-03 04:05:06" in text


def test_a_cell_that_needs_quotes_arrives_as_it_was(by_csv):
    odd = "Saint-\"Étienne\", ### Loire; \\n 'x'"
    by_csv.deliver([schema(), reader(1, city=odd), reader(2)])
    assert by_csv.members()["person1@example.com"]["properties"] == {"city": odd}


texts = st.one_of(st.text("aé\",;'\\# \n\t", max_size=6), st.sampled_from(["", " ", "x\u2028y", "### a", '"', "=1+1"]))
properties = st.fixed_dictionaries(
    {},
    optional={
        "city": st.none() | texts,
        "visits": st.none() | st.integers(-(2**40), 2**40),
        "score": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "vip": st.none() | st.booleans(),
        "birthday": st.none() | st.datetimes(min_value=datetime(1000, 1, 1)).map(datetime.isoformat),  # noqa: DTZ001
    },
)
rows = st.lists(st.tuples(st.none() | st.sampled_from(["Ada", ""]), properties), min_size=1, max_size=12)
actions = st.sampled_from(["addnoforce", "addforce", "unsub", "remove"])


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows, actions, st.sampled_from(["skip", "clear"]), st.booleans())
def test_what_mailjet_ends_up_holding_is_the_same_by_either_route(mailjet, batch, action, nulls, opted_out):
    records = [
        {"id": n, "email": f"p{n}@x.test", "name": name, "properties": given} for n, (name, given) in enumerate(batch)
    ]
    messages = [{"type": "RECORD", "stream": "people", "record": record} for record in records]
    held = []
    for route in ("json", "csv"):
        account = mailjet.sandbox.mailjet
        account.reset()
        account.add_list(LIST)
        for name, datatype in PROPERTIES.items():
            account.add_property(name, datatype)
        before = {"city": "Paris", "visits": 1, "vip": False}
        account.add_contacts([{"email": "p0@x.test", "list": mailjet.list_id, "unsubscribed": opted_out}])
        account.add_contacts([{"email": "p1@x.test", "name": "Before", "properties": before}])
        result = mailjet.deliver(
            [schema(), *messages, state(1)],
            route=route, action=action, nulls=nulls, properties=None, journal="off", consent="force",
        )  # fmt: skip
        assert result.states == [1]
        contacts = {email: one | {"id": None} for email, one in account.contacts().items()}
        held.append((result.counts(), contacts, mailjet.members()))
    assert held[0] == held[1]


@pytest.mark.parametrize("action", ["addnoforce", "addforce", "unsub"])
@pytest.mark.parametrize("consent", ["respect", "force"])
def test_p5_opt_outs_are_treated_as_by_json(mailjet, action, consent):
    found = []
    for n, route in enumerate(("json", "csv")):
        name = f"List {n}"
        mailjet.sandbox.mailjet.add_list(name)
        opted_out = {"email": "person1@example.com", "list": mailjet.ids[name], "unsubscribed": True}
        mailjet.sandbox.mailjet.add_contacts([opted_out])
        told = [reader(3, subscription_status="unsubscribed"), reader(4, subscription_status="pending")]
        result = mailjet.deliver(
            [schema(), *readers(range(3)), *told], list=name, route=route, action=action, consent=consent
        )
        assert result.counts() == {"delivered": 4, "withheld": 1}
        found.append(mailjet.statuses(name))
    assert found[0] == found[1]
    resubscribed = action == "addforce" and consent == "force"
    assert found[0]["person1@example.com"] == ("subscribed" if resubscribed else "unsubscribed")
    assert len(imports(mailjet)) == len({action, "unsub"})


def test_p5_removing_an_opted_out_member_by_csv_is_withheld(by_csv):
    by_csv.deliver([schema(), *readers([1, 2])])
    by_csv.opt_out("person1@example.com")
    gone = {"_sdc_deleted_at": "2026-01-01T00:00:00Z"}
    absent = reader(3, **gone)
    result = by_csv.deliver([schema(), reader(1, **gone), reader(2, **gone), absent, state(1)])
    assert result.counts() == {"delivered": 2, "withheld": 1}
    assert by_csv.statuses() == {"person1@example.com": "unsubscribed"}
    assert files(by_csv)[-1] == "email\nperson2@example.com\n"
    assert "person3@example.com" not in by_csv.sandbox.mailjet.contacts()


# Which way


@pytest.mark.slow
def test_rows_that_a_file_cannot_hold_go_by_json_and_that_is_told_once(by_csv):
    rows = [*readers(range(3)), person(3), reader(4, city="a\tb"), reader(5, city=""), reader(6, city="Ly\non")]
    result = by_csv.deliver([schema(), *rows, person(7), state(1)], batch_rows=4)
    assert result.counts() == {"delivered": 8}
    assert by_csv.sandbox.counters.rows_received == {"csvimport": 4, "contactslist/managemanycontacts": 4}
    assert result.log.count("Setting `route` is 'csv': rows that a file cannot hold") == 1
    assert by_csv.members()["person6@example.com"]["properties"] == {"city": "Ly\non"}
    assert by_csv.members()["person3@example.com"]["name"] == "Person 3"


def test_rows_of_other_columns_go_in_another_file_and_no_cell_is_empty(by_csv):
    by_csv.sandbox.switches.change({"empty_cell": "clear"})
    by_csv.deliver([schema(), *readers(range(4), visits=3)])
    rows = [*readers([0, 1], visits=None), *readers([2, 3], visits=4, city=None)]
    result = by_csv.deliver([schema(), *rows, state(1)])
    assert (result.counts(), result.outcomes["batches"]) == ({"delivered": 4}, 2)
    assert by_csv.members()["person0@example.com"]["properties"] == {"city": "Lyon", "visits": "3"}
    assert by_csv.members()["person2@example.com"]["properties"] == {"city": "Lyon", "visits": "4"}
    for text in files(by_csv):
        assert all(cell for line in csv.reader(io.StringIO(text)) for cell in line)


def test_parts_of_a_batch_wait_for_their_turn(by_csv):
    most, over = [], threading.Event()

    def watch():
        while not over.wait(0.005):
            most.append(sum(job["status"] not in {"Completed", "Error"} for job in by_csv.sandbox.mailjet.jobs()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    rows = [reader(1), reader(2, visits=1), reader(3, city=None), person(4), reader(5, city=None, visits=1)]
    result = by_csv.deliver([schema(), *rows, state(1)], jobs_in_flight=1)
    over.set()
    watcher.join()
    assert (result.counts(), result.outcomes["batches"]) == ({"delivered": 5}, 5)
    assert max(most) == 1


def test_a_property_that_no_longer_exists_is_never_made_as_text(by_csv):
    """The account's properties are those of the start; what the file names is among them."""
    columns = schema()["schema"]["properties"] | {"shoe_size": {"type": ["integer", "null"]}}
    refused = by_csv.deliver([schema(columns=columns), reader(1, shoe_size=44)], properties=["shoe_size"])
    assert "'shoe_size'" in str(refused.error)
    made = by_csv.deliver(
        [schema(columns=columns), reader(1, shoe_size=44), state(1)], properties=["shoe_size"], create_properties=True
    )
    assert made.counts() == {"delivered": 1}
    kinds = {row.name: row.datatype for row in by_csv.sandbox.mailjet._account.store.properties.rows}
    assert kinds == PROPERTIES | {"shoe_size": "int"}


MANY = 2500


@pytest.mark.slow
def test_auto_sends_many_rows_of_the_same_columns_as_a_file_and_the_others_by_json(mailjet):
    rows = [*readers(range(MANY)), person(MANY), reader(MANY + 1, visits=1), reader(MANY + 2, city=None)]
    result = mailjet.deliver([schema(), *rows, state(1)], route="auto")
    assert (result.counts(), result.states) == ({"delivered": MANY + 3}, [1])
    assert mailjet.sandbox.counters.rows_received == {"csvimport": MANY, "contactslist/managemanycontacts": 3}


def test_auto_sends_fewer_rows_by_json(mailjet):
    result = mailjet.deliver([schema(), *readers(range(MANY - 1)), state(1)], route="auto")
    assert result.counts() == {"delivered": MANY - 1}
    assert mailjet.sandbox.counters.rows_received == {"contactslist/managemanycontacts": MANY - 1}


def test_auto_account_wide_goes_by_json(mailjet):
    result = mailjet.deliver([schema(), *readers(range(MANY)), state(1)], route="auto", scope="account", list=[LIST])
    assert result.counts() == {"delivered": MANY}
    assert imports(mailjet) == []


def test_p9_csv_account_wide_is_refused(mailjet):
    result = mailjet.deliver([schema(), reader(1)], route="csv", scope="account", list=[LIST])
    assert isinstance(result.error, ConfigurationError)
    assert "`route`" in str(result.error)
    assert mailjet.received() == []


# Exclusion from campaigns


@pytest.mark.parametrize("route", ["json", "csv", "auto"])
@pytest.mark.parametrize("scope", ["list", "account"])
def test_excluding_goes_by_csv_whatever_the_route_and_concerns_no_list(mailjet, route, scope):
    mailjet.deliver([schema(), *readers([1, 2])])
    if scope == "account":
        route = "auto" if route == "csv" else route
    rows = [reader(1, city="Nice"), reader(3), person(4), reader(5, email="O'Neil+x@example.com")]
    result = mailjet.deliver([schema(), *rows, state(1)], route=route, scope=scope, action="excludemarketing")
    assert (result.counts(), result.states) == ({"delivered": 4}, [1])
    people = mailjet.sandbox.mailjet.contacts()
    assert {email for email, one in people.items() if one["excluded"]} == {
        "person1@example.com", "person3@example.com", "person4@example.com", "O'Neil+x@example.com",
    }  # fmt: skip
    assert mailjet.statuses().keys() == {"person1@example.com", "person2@example.com"}
    assert people["person1@example.com"]["properties"] == {"city": "Lyon"}
    assert files(mailjet)[-1].splitlines()[0] == "email"


def test_p5_an_exclusion_is_lifted_only_by_force(mailjet):
    mailjet.deliver([schema(), *readers([1, 2])], action="excludemarketing")
    refused = mailjet.deliver([schema(), reader(1), state(1)], action="includemarketing")
    assert isinstance(refused.error, ConfigurationError)
    assert "consent: force" in str(refused.error)
    columns = schema()["schema"]["properties"] | {"verb": {"type": ["string", "null"]}}
    rows = [schema(columns=columns), reader(1, verb="includemarketing"), state(1)]
    withheld = mailjet.deliver(rows, action_column="verb")
    assert withheld.counts() == {"withheld": 1}
    assert withheld.outcomes["reasons"] == {"exclusion_kept": 1}
    assert all(one["excluded"] for one in mailjet.sandbox.mailjet.contacts().values())
    forced = mailjet.deliver(rows, action_column="verb", consent="force")
    assert forced.counts() == {"delivered": 1}
    assert [one["excluded"] for one in mailjet.sandbox.mailjet.contacts().values()] == [False, True]


def test_p5_a_rows_own_status_comes_before_including(mailjet):
    mailjet.deliver([schema(), *readers([1, 2, 3])], action="excludemarketing")
    rows = [reader(1, subscription_status="excluded"), reader(2, subscription_status="unsubscribed"), reader(3)]
    result = mailjet.deliver([schema(), *rows, state(1)], action="includemarketing", consent="force")
    assert result.counts() == {"delivered": 2, "withheld": 1}
    people = mailjet.sandbox.mailjet.contacts()
    assert {email for email, one in people.items() if one["excluded"]} == {"person1@example.com", "person2@example.com"}
    assert mailjet.statuses() == {"person2@example.com": "unsubscribed"}


def test_p5_who_changes_the_address_is_excluded_under_the_new_one_and_stays_so_under_the_old(mailjet):
    mailjet.deliver([schema(), reader(1)], action="excludemarketing")
    mailjet.opt_out("person1@example.com")
    result = mailjet.deliver([schema(), reader(1, email="new@example.com"), state(1)], action="excludemarketing")
    assert result.counts() == {"delivered": 1}
    people = mailjet.sandbox.mailjet.contacts()
    assert {email: one["excluded"] for email, one in people.items()} == {
        "person1@example.com": True, "new@example.com": True,
    }  # fmt: skip
    assert mailjet.statuses() == {"person1@example.com": "unsubscribed"}


def test_without_a_list_there_is_no_place_for_a_file(mailjet):
    result = mailjet.deliver([schema(), reader(1)], scope="account", list=None, action="excludemarketing")
    assert "`action`" in str(result.error)
    assert "`list`" in str(result.error)
