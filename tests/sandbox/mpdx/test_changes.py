"""Which change moves whose `updated_at`, tombstones, the control API and invented data."""

from __future__ import annotations

import httpx
import pytest

from mailing_sandbox import Sandbox
from mailing_sandbox.mpdx.records import ACTIVE, HIDDEN

EVERYONE = {"status": "active,hidden,null"}


@pytest.fixture
def couple(make, mpdx, sandbox):
    """A couple; the time stands still, a minute after they were made."""
    sandbox.clock.freeze()
    people = [{"first_name": "Tom", "emails": ["tom@example.com"]}, {"first_name": "Nina", "emails": ["n@example.com"]}]
    (key,) = make({"name": "Albright", "send_newsletter": "Both", "people": people, "addresses": [{"city": "Austin"}]})
    sandbox.clock.advance(60)
    return mpdx.contacts()[key]


@pytest.fixture
def moved(api, couple, sandbox):
    """Tells which of the contact and the first person were changed just now."""

    def check():
        contact = api.rows("contacts", EVERYONE)[0]["attributes"]
        person = api.rows("contacts/people")[0]["attributes"]
        return [contact["updated_at"] != contact["created_at"], person["updated_at"] != person["created_at"]]

    assert check() == [False, False]
    return check


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda mpdx, row: mpdx.change_contact(row["id"], status="Never Ask"), [True, False]),
        (lambda mpdx, row: mpdx.change_contact(row["id"], tags=["new"]), [True, False]),
        (lambda mpdx, row: mpdx.add_address(row["id"], city="Berlin"), [True, False]),
        (lambda mpdx, row: mpdx.change_address(row["addresses"][0]["id"], historic=True), [True, False]),
        (lambda mpdx, row: mpdx.delete_address(row["addresses"][0]["id"]), [True, False]),
        (lambda mpdx, row: mpdx.add_person(row["id"], first_name="Baby"), [True, False]),
        (lambda mpdx, row: mpdx.delete_person(row["people"][1]["id"]), [True, False]),
        (lambda mpdx, row: mpdx.change_person(row["people"][0]["id"], optout_enewsletter=True), [False, True]),
        (lambda mpdx, row: mpdx.add_email(row["people"][0]["id"], email="new@example.com"), [False, True]),
        (lambda mpdx, row: mpdx.change_email(row["people"][0]["emails"][0]["id"], historic=True), [False, True]),
        (lambda mpdx, row: mpdx.delete_email(row["people"][0]["emails"][0]["id"]), [False, True]),
        (lambda mpdx, row: mpdx.change_person(row["people"][0]["id"], deceased=True), [False, True]),
        (lambda mpdx, row: mpdx.mailchimp(row["people"][0]["id"], subscribed=False), [False, False]),
    ],
)
def test_what_moves_updated_at(moved, mpdx, couple, change, expected):
    change(mpdx, couple)
    assert moved() == expected


def test_an_opt_out_from_mailchimp_touches_the_contact_only_when_nobody_is_left(moved, mpdx, couple):
    first, second = (person["id"] for person in couple["people"])
    mpdx.mailchimp(first, subscribed=False)
    assert mpdx.contacts()[couple["id"]]["people"][0]["optout_enewsletter"] is True
    assert (moved(), mpdx.contacts()[couple["id"]]["send_newsletter"]) == ([False, False], "Both")
    mpdx.mailchimp(second, subscribed=False)
    assert (moved(), mpdx.contacts()[couple["id"]]["send_newsletter"]) == ([True, False], "Physical")


def test_a_subscription_from_mailchimp_touches_nothing(moved, mpdx, couple, sandbox):
    person = couple["people"][0]["id"]
    mpdx._store.contacts[couple["id"]].send_newsletter = "Physical"
    mpdx.mailchimp(person, subscribed=True)
    assert (moved(), mpdx.contacts()[couple["id"]]["send_newsletter"]) == ([False, False], "Both")


def test_a_household_that_died_gets_no_newsletter(api, mpdx, couple):
    for person in couple["people"]:
        mpdx.change_person(person["id"], deceased=True)
    (row,) = api.rows("contacts", {"status": "hidden"})
    attributes = row["attributes"]
    assert (attributes["deceased"], attributes["send_newsletter"], attributes["status"]) == (True, "None", "Never Ask")
    assert all(person["attributes"]["optout_enewsletter"] for person in api.rows("contacts/people"))


def test_a_deleted_contact_leaves_a_tombstone_and_nothing_else_does(api, mpdx, couple, home):
    mpdx.delete_address(couple["addresses"][0]["id"])
    mpdx.delete_person(couple["people"][1]["id"])
    assert api.rows("deleted_records") == []
    mpdx.delete_contact(couple["id"])
    assert api.names(EVERYONE) == []
    assert api.rows("contacts/people") == []
    (row,) = api.rows("deleted_records", {"types": "Contact", "account_list_id": home})
    assert row["attributes"]["deletable_id"] == couple["id"]
    assert row["attributes"]["deleted_from_id"] == home
    assert row["relationships"]["deletable"]["data"] == {"id": couple["id"], "type": "contacts"}
    assert row["relationships"]["deleted_by"]["data"]["type"] == "people"
    assert api.rows("deleted_records", {"types": "Activity,Donation"}) == []


def test_a_merge_touches_the_winner_and_buries_the_loser(api, mpdx, make, couple, moved):
    (loser,) = make({"name": "Alias", "people": [{"first_name": "Ann"}], "addresses": [{"city": "Oslo"}]})
    mpdx.join_contact(loser, couple["people"][0]["id"])
    mpdx.merge_contacts(loser, couple["id"])
    assert api.names() == ["Albright"]
    assert moved() == [True, False]
    (row,) = api.rows("deleted_records")
    assert row["relationships"]["deleted_by"] == {"data": None}
    winner = mpdx.contacts()[couple["id"]]
    assert [person["first_name"] for person in winner["people"]] == ["Tom", "Nina", "Ann"]
    assert [address["city"] for address in winner["addresses"]] == ["Austin", "Oslo"]
    assert {key for person in winner["people"] for key in person["contacts"]} == {couple["id"]}


def test_since_date_ends_tomorrow_by_itself(api, mpdx, make, sandbox):
    sandbox.clock.freeze()
    first, second = make("First", "Second")
    mpdx.delete_contact(first)
    sandbox.clock.advance(3 * 86400)
    from datetime import UTC, datetime

    now = datetime.fromtimestamp(sandbox.clock.now(), UTC)
    mpdx.delete_contact(second)

    def count(since):
        return len(api.rows("deleted_records", {"since_date": since}))

    assert count(f"{now:%Y-%m-%d}") == 1
    assert count(f"{now:%Y-%m-%dT%H:%M:%SZ}") == 1
    assert count("2020-01-01") == 2
    assert count("2020-01-01T00:00:00Z") == 2
    assert count("2020-01-01T00:00:00.000Z") == 0, "a fraction makes it one day"
    assert count("2020-01-01..2020-01-02") == 0
    assert count("soon") == 0, "the end that is added is the only date"
    assert api.get("deleted_records", **{"filter[since_date]": "soon..later"}).status_code == 400


def test_the_control_api_does_what_the_methods_do(sandbox, api):
    with httpx.Client(base_url=f"{sandbox.url}/_sandbox/mpdx", verify=False) as control:

        def post(path, body):
            return control.post(path, json=body).json()

        token = post("/tokens", {"seconds": 600})["token"]
        assert api.get("user", {"Authorization": token}).status_code == 200
        user = post("/users", {})["id"]
        post("/account_lists", {"name": "Theirs", "user": user})
        home = post("/account_lists", {"name": "Mine", "home_country": "Canada"})["id"]
        assert set(control.get("/account_lists").json().values()) == {"Theirs", "Mine"}
        first, second = post("/contacts", [{"account_list": home, "name": one} for one in ("One", "Two")])["ids"]
        person = post(f"/contacts/{first}/people", {"first_name": "Tom"})["id"]
        assert control.put(f"/contacts/{second}/people/{person}").json() == {}
        email = post(f"/people/{person}/emails", {"email": "tom@example.com"})["id"]
        address = post(f"/contacts/{first}/addresses", {"city": "Oslo"})["id"]
        control.patch(f"/contacts/{first}", json={"status": "Never Ask"})
        control.patch(f"/people/{person}", json={"last_name": "A"})
        control.patch(f"/emails/{email}", json={"primary": True})
        control.patch(f"/addresses/{address}", json={"city": "Bergen"})
        post(f"/people/{person}/mailchimp", {"subscribed": False})
        found = control.get("/contacts").json()[first]
        assert found["status"] == "Never Ask"
        assert found["people"][0]["last_name"] == "A"
        assert found["people"][0]["optout_enewsletter"] is True
        assert found["people"][0]["emails"][0]["primary"] is True
        assert found["addresses"][0]["city"] == "Bergen"
        for path in (f"/emails/{email}", f"/addresses/{address}", f"/people/{person}"):
            assert control.delete(path).status_code == 200
        post(f"/contacts/{first}/merge", {"into": second})
        assert control.delete(f"/contacts/{second}").status_code == 200
        assert control.get("/contacts").json() == {}
        api.export()
        assert [log["used"] for log in control.get("/exports").json()] == [False]
        control.delete("/tokens")
        assert api.get("user").status_code == 401


def test_what_does_not_fit_is_refused_by_the_control_api(sandbox, home, make):
    (key,) = make("One")
    with httpx.Client(base_url=f"{sandbox.url}/_sandbox/mpdx", verify=False) as control:
        for method, path, body in (
            ("POST", "/contacts", {}),
            ("POST", "/contacts", [{"name": "x"}]),
            ("POST", "/contacts", [{"account_list": home}]),
            ("POST", "/contacts", [{"account_list": home, "name": "x", "shoe": 1}]),
            ("PATCH", f"/contacts/{key}", {"id": "x"}),
            ("PATCH", f"/contacts/{home}", {"name": "x"}),
            ("POST", f"/contacts/{key}/people", {"contact": "x"}),
            ("POST", f"/contacts/{key}/merge", {}),
            ("POST", "/people/1/mailchimp", {"subscribed": "no"}),
            ("POST", "/people/1/mailchimp", {"subscribed": True}),
            ("DELETE", "/emails/1", None),
            ("POST", "/account_lists", {}),
            ("POST", "/tokens", {"user": "nobody"}),
        ):
            answer = control.request(method, path, json=body)
            assert (answer.status_code, list(answer.json())) == (400, ["error"]), path


def everything(api):
    paths = ("account_lists", "contacts", "contacts/people", "deleted_records")
    return {path: api.rows(path, EVERYONE if path == "contacts" else (), per_page=500) for path in paths}


@pytest.fixture
def seeded():
    from .conftest import Api

    with Sandbox(contacts=150, switches={"mpdx_rate_limit": 0}) as sandbox:
        api = Api(sandbox)
        yield api
        api.client.close()


@pytest.mark.slow
def test_invented_data_is_the_same_for_the_same_number(seeded):
    from .conftest import Api

    with Sandbox(contacts=150, switches={"mpdx_rate_limit": 0}) as sandbox:
        api = Api(sandbox)
        assert everything(api) == everything(seeded)
        api.client.close()


def test_invented_households_of_every_sort(seeded):
    found = everything(seeded)
    contacts = [row["attributes"] for row in found["contacts"]]
    people = [row["attributes"] for row in found["contacts/people"]]
    assert [row["attributes"]["home_country"] for row in found["account_lists"]] == ["United States", "Canada"]
    assert len(contacts) == 150
    assert {row["status"] for row in contacts} == {*ACTIVE, *HIDDEN, None}
    assert {row["send_newsletter"] for row in contacts} == {"Physical", "Email", "Both", "None", None, ""}
    assert any(row["deceased"] for row in contacts)
    assert any(row["optout_enewsletter"] for row in people)
    assert any(len(row["parent_contacts"]) == 2 for row in people)
    assert any(not row["relationships"]["addresses"]["data"] for row in found["contacts"])
    assert len({row["updated_at"] for row in contacts}) < len(contacts)
    assert max(row["updated_at"] for row in contacts) < "2025-01-02"


def test_reset_and_seed_again(seeded):
    sandbox = seeded.sandbox
    with pytest.raises(ValueError, match="seed 1 was used already"):
        sandbox.mpdx.seed(3, 1)
    sandbox.mpdx.reset()
    assert everything(seeded) == {"account_lists": [], "contacts": [], "contacts/people": [], "deleted_records": []}
    sandbox.mpdx.seed(3, 1)
    assert len(seeded.names(EVERYONE)) == 3


def test_contacts_are_made_when_they_are_first_needed():
    import time

    began = time.monotonic()
    sandbox = Sandbox()
    sandbox.mpdx.seed(1_000_000)
    assert time.monotonic() - began < 20
