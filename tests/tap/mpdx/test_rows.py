"""What MPDX's rows become: canonical columns, types, and requested fields."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from mailing_api.kinds import KINDS, column_schemas
from tap_mailing.tap import TapMailing

from .conftest import ACCOUNT_LISTS, CONTACTS, DELETED, EXPORT_ROWS, EXPORTS, PEOPLE

STREAMS = {
    ACCOUNT_LISTS: None,
    CONTACTS: "contacts",
    PEOPLE: "contacts",
    DELETED: None,
    EXPORTS: "contact_exports",
    EXPORT_ROWS: None,
}
HARBOR = {
    "street": "12 Harbor Rd\r\nApt 4\r\nRear", "city": "Portland", "state": "ME", "postal_code": "04101",
    "country": "United States", "primary_mailing_address": True,
}  # fmt: skip


def test_every_stream_is_offered_and_exports_are_not_selected():
    tap = TapMailing(config={"mpdx_token": "x"}, validate_config=False, setup_mapper=False)
    assert tap.streams.keys() == STREAMS.keys()
    assert {name for name, stream in tap.streams.items() if not stream.selected} == {EXPORTS, EXPORT_ROWS}
    for name, kind in STREAMS.items():
        shared = [*column_schemas(KINDS[kind])] if kind else ["provider", "account", "id"]
        assert [*tap.streams[name].schema["properties"]][: len(shared)] == shared


@pytest.mark.slow
def test_rows_of_all_streams_equal_their_schemas(sandbox, mpdx, read, caplog):
    mpdx.seed(120)
    mpdx.delete_contact(next(iter(mpdx.contacts())))
    run = read()
    assert run.error is None
    for stream in STREAMS:
        records = run.records(stream)
        assert records, stream
        check = Draft202012Validator(run.schema(stream), format_checker=Draft202012Validator.FORMAT_CHECKER)
        for record in records:
            check.validate(record)
            assert list(record) == [*run.schema(stream)["properties"]]
            assert (record["provider"], record["account"]) == ("mpdx", "default")
        key = run_key(run, stream)
        assert len({tuple(record[name] for name in key) for record in records}) == len(records)
    assert len(run.records(CONTACTS)) == 119
    assert "does not know" not in caplog.text


def run_key(run, stream):
    return next(m["key_properties"] for m in run.messages if m["type"] == "SCHEMA" and m["stream"] == stream)


def test_a_household_has_the_canonical_columns(make, mpdx, home, read):
    people = [{"first_name": "Tom"}, {"first_name": "Nina"}]
    (key,) = make(
        {
            "name": "Albright, Tom and Nina", "people": people, "addresses": [HARBOR], "send_newsletter": "Both",
            "status": "Partner - Pray", "pledge_amount": "100.0", "pledge_frequency": "0.23076923076923", "tags": ["a"],
        }
    )  # fmt: skip
    (record,) = read(CONTACTS, mpdx_account="field").records(CONTACTS)
    first, second = (person["id"] for person in mpdx.contacts()[key]["people"])
    expected = {
        "account": "field",
        "id": key,
        "email": None,
        "name": "Tom and Nina Albright",
        "company": None,
        "address_line1": "12 Harbor Rd",
        "address_line2": "Apt 4, Rear",
        "address_city": "Portland",
        "address_region": "ME",
        "address_postal_code": "04101",
        "address_country": "US",
        "subscription_status": "subscribed",
        "account_list_id": home,
        "file_as": "Albright, Tom and Nina",
        "greeting": "Tom and Nina",
        "person_ids": [first, second],
        "primary_person_id": first,
        "spouse_id": second,
        "tags": ["a"],
        "pledge_amount": 100.0,
        "pledge_frequency": 0.23076923076923,
    }
    assert {name: record[name] for name in expected} == expected
    assert record["addresses"][0]["street"] == "12 Harbor Rd\r\nApt 4\r\nRear"


@pytest.mark.parametrize(
    ("given", "name", "company"),
    [
        ({"name": "Castillo Community Church"}, None, "Castillo Community Church"),
        ({"name": "Castillo Church", "envelope_greeting": "Our friends"}, "Our friends", "Castillo Church"),
        ({"name": "Bauer, Lena", "envelope_greeting": "Ms Bauer"}, "Ms Bauer", None),
        ({"name": "Bauer, Lena", "envelope_greeting": ""}, "Lena Bauer", None),
    ],
)
def test_an_organisation_is_a_company(make, read, given, name, company):
    make(given)
    (record,) = read(CONTACTS).records(CONTACTS)
    assert (record["name"], record["company"]) == (name, company)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("Physical", "Partner - Pray", False), "subscribed"),
        (("Both", None, False), "subscribed"),
        (("Email", "Partner - Pray", False), "excluded"),
        (("None", "Partner - Pray", False), "unsubscribed"),
        (("", "Partner - Pray", False), "unknown"),
        ((None, "Partner - Pray", False), "unknown"),
        (("Physical", "Never Ask", False), "excluded"),
        (("Physical", "Partner - Pray", True), "excluded"),
    ],
)
def test_who_may_be_written_to_by_post(make, read, given, expected):
    newsletter, status, deceased = given
    people = [{"first_name": "Tom", "deceased": deceased}]
    make({"name": "A", "send_newsletter": newsletter, "status": status, "people": people})
    assert [record["subscription_status"] for record in read(CONTACTS).records(CONTACTS)] == [expected]


@pytest.mark.parametrize(
    ("addresses", "line"),
    [
        ([], None),
        ([{"street": "Old", "historic": True, "primary_mailing_address": True}], None),
        ([{"street": "(UNDELIVERABLE)", "primary_mailing_address": True}, {"street": "Good"}], "Good"),
        ([{"street": "First"}, {"street": "Main", "primary_mailing_address": True}], "Main"),
        ([{"street": "A", "primary_mailing_address": True}, {"street": "B", "primary_mailing_address": True}], "A"),
    ],
)
def test_which_address_is_the_one_to_write_to(make, read, addresses, line):
    make({"name": "A", "addresses": addresses})
    (record,) = read(CONTACTS).records(CONTACTS)
    assert record["address_line1"] == line
    assert (record["address_country"] is None) == (line is None)
    assert len(record["addresses"]) == len(addresses)


@pytest.mark.parametrize("primary", [None, 0, 1, 2])
def test_the_address_is_that_of_mpdxs_own_export_whatever_their_age(mpdx, make, read, primary):
    addresses = [
        {"street": name, "city": name, "primary_mailing_address": primary == at} for at, name in enumerate("abc")
    ]
    (key,) = make({"name": "A", "addresses": addresses, "send_newsletter": "Both"})
    mpdx._store.contacts[key].addresses.reverse()  # the linkage is no longer by age, as after a merge
    run = read(CONTACTS, EXPORT_ROWS)
    (household,), (exported,) = run.records(CONTACTS), run.records(EXPORT_ROWS)
    assert (
        household["address_line1"] == exported["mailing_street_address"] == ("c" if primary is None else "abc"[primary])
    )


@pytest.mark.parametrize(
    ("home_country", "country", "code"),
    [("Canada", None, "CA"), ("Canada", "Germany", "DE"), (None, None, "US"), ("Canada", "Atlantis", None)],
)
def test_an_omitted_country_is_that_of_the_account_list(mpdx, read, home_country, country, code):
    there = mpdx.add_account_list("There", home_country)
    mpdx.add_contacts([{"account_list": there, "name": "A", "addresses": [{"city": "X", "country": country}]}])
    assert [record["address_country"] for record in read(CONTACTS).records(CONTACTS)] == [code]


def test_a_person_has_the_canonical_columns(make, read):
    person = {
        "first_name": "Tom", "last_name": "Albright", "employer": "Mill", "occupation": "Miller", "birthday_year": 1960,
        "emails": [{"email": "old@example.com", "primary": False}, {"email": "tom@example.com", "primary": True}],
        "phones": ["(207) 555-0142"],
    }  # fmt: skip
    (key,) = make({"name": "Albright", "people": [person]})
    (record,) = read(PEOPLE).records(PEOPLE)
    expected = {
        "email": "tom@example.com",
        "name": "Tom Albright",
        "first_name": "Tom",
        "last_name": "Albright",
        "company": "Mill",
        "job_title": "Miller",
        "phone": "(207) 555-0142",
        "subscription_status": "unknown",
        "contact_ids": [key],
        "birthday_year": 1960,
    }
    assert {name: record[name] for name in expected} == expected
    assert [one["email"] for one in record["email_addresses"]] == ["old@example.com", "tom@example.com"]


@pytest.mark.parametrize(
    ("fields", "email", "status"),
    [
        ({"optout_enewsletter": True}, "tom@example.com", "unsubscribed"),
        ({"deceased": True}, "tom@example.com", "excluded"),
        ({"deceased": True, "optout_enewsletter": True}, "tom@example.com", "unsubscribed"),
        ({"emails": [{"email": "old@example.com", "historic": True}]}, None, "unknown"),
        ({"emails": []}, None, "unknown"),
    ],
)
def test_p5_an_opt_out_is_an_opt_out(make, read, fields, email, status):
    make({"name": "Albright", "people": [{"first_name": "Tom", "emails": ["tom@example.com"], **fields}]})
    (record,) = read(PEOPLE).records(PEOPLE)
    assert (record["email"], record["subscription_status"]) == (email, status)


@pytest.mark.parametrize(
    ("households", "status"),
    [
        ([{"send_newsletter": "Email"}], "subscribed"),
        ([{"send_newsletter": "Both"}], "subscribed"),
        ([{"send_newsletter": "Physical"}], "excluded"),
        ([{"send_newsletter": "None"}], "excluded"),
        ([{"send_newsletter": ""}], "unknown"),
        ([{"send_newsletter": None}], "unknown"),
        ([{"send_newsletter": "Email", "status": "Never Ask"}], "excluded"),
        ([{"send_newsletter": "Email"}, {"send_newsletter": "None"}], "subscribed"),
        ([{"send_newsletter": "None"}, {"send_newsletter": None}], "unknown"),
    ],
)
def test_p5_people_of_households_that_want_no_e_mail_are_excluded(make, mpdx, read, households, status):
    first, *others = make({"name": "A", "people": [{"first_name": "Tom"}], **households[0]}, *(
        {"name": "B", **household} for household in households[1:]
    ))  # fmt: skip
    for other in others:
        mpdx.join_contact(other, mpdx.contacts()[first]["people"][0]["id"])
    assert [record["subscription_status"] for record in read(PEOPLE).records(PEOPLE)] == [status]


@pytest.mark.slow
def test_households_are_read_only_if_their_status_is_selected(make, read, wire):
    make({"name": "A", "people": [{"first_name": "Tom"}]})
    read(PEOPLE, without={"subscription_status"})
    assert wire.asked("contacts") == []
    read(PEOPLE)
    assert len(wire.asked("contacts")) >= 1


@pytest.mark.parametrize("repeated", ["always", "never"])
def test_a_person_of_two_households_comes_once(make, mpdx, sandbox, read, repeated):
    sandbox.switches.change({"mpdx_people_repeated": repeated})
    first, second = make({"name": "A", "people": [{"first_name": "Tom"}]}, "B")
    mpdx.join_contact(second, mpdx.contacts()[first]["people"][0]["id"])
    (record,) = read(PEOPLE).records(PEOPLE)
    assert record["contact_ids"] == [first, second]


@pytest.mark.parametrize("rule", ["honoured", "default", "ignored"])
def test_people_of_hidden_households_are_read_whatever_mpdx_makes_of_the_filter(make, sandbox, read, rule):
    sandbox.switches.change({"mpdx_contact_status": rule})
    make({"name": "Hidden", "status": "Never Ask", "people": [{"first_name": "Tom"}]})
    assert len(read(PEOPLE).records(PEOPLE)) == 1


def test_only_what_is_selected_is_requested(make, wire, read):
    make({"name": "A", "addresses": [HARBOR]})
    columns = TapMailing(config={"mpdx_token": "x"}, validate_config=False).streams[CONTACTS].schema["properties"]
    (record,) = read(CONTACTS, without=columns.keys() - {"id", "greeting"}).records(CONTACTS)
    assert record["greeting"] == "A"
    (asked, _) = wire.asked("contacts")
    assert asked["fields[contacts]"] == "greeting,updated_at"
    assert "include" not in asked
    assert asked["filter[status]"] == "active,hidden,null"
    assert wire.asked("account_lists") == []


def test_requests_carry_the_headers_that_mpdx_wants(make, wire, read):
    make("A")
    read()
    for request in wire.requests:
        assert request.headers["Accept"] == request.headers["Content-Type"] == "application/vnd.api+json"
        assert request.headers["Accept-Language"] == "en-US"
        assert request.headers["User-Agent"].startswith("tap-mailing/")
        assert "access_token" not in request.url.params


@pytest.mark.slow
def test_account_lists_are_chosen_by_id_or_name(mpdx, home, read):
    other = mpdx.add_account_list("Up north", "Canada")
    third = mpdx.add_account_list("Third")
    mpdx.add_contacts([{"account_list": one, "name": f"In {one}"} for one in (home, other, third)])
    run = read(ACCOUNT_LISTS, CONTACTS, mpdx_account_lists=[home.upper(), "Up north"])
    assert run.ids(ACCOUNT_LISTS) == [home, other]
    assert [record["account_list_id"] for record in run.records(CONTACTS)] == [home, other]
    assert len(read(CONTACTS).records(CONTACTS)) == 3


@pytest.mark.parametrize("path", ["", "/", "/api/v2", "/api/v2/"])
def test_the_base_url_may_end_in_the_path(make, sandbox, read, path):
    make("A")
    assert len(read(CONTACTS, mpdx_base_url=f"{sandbox.url}{path}").records(CONTACTS)) == 1
