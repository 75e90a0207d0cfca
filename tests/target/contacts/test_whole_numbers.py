"""A whole number is the same whether it came as a float or not: as a text, a choice and a key, at every destination."""

from __future__ import annotations

import json

import pytest

from tests.target.conftest import schema, state
from tests.target.postgrid.conftest import LIST as HOUSEHOLDS
from tests.target.postgrid.conftest import postgrid  # noqa: F401 - a fixture
from tests.target.ses.conftest import bare, ses  # noqa: F401 - fixtures

GONE = "2026-01-01T00:00:00Z"


def row(**columns):
    return {"type": "RECORD", "stream": "people", "record": columns}


def table(*rows):
    names = dict.fromkeys(name for one in rows for name in one["record"])
    return [schema(columns={name: {} for name in names}), *rows, state(1)]


@pytest.mark.parametrize("validate", [True, False])
@pytest.mark.parametrize(("first", "then"), [(1, 1.0), (1.0, 1), (10**22, 1e22)])
def test_a_delete_by_key_finds_who_was_delivered_under_the_other_form(mailjet, first, then, validate):
    mailjet.deliver(table(row(id=first, email="a@example.com")), properties=None)
    assert mailjet.statuses() == {"a@example.com": "subscribed"}
    gone = row(id=then, email=None, _sdc_deleted_at=GONE)
    result = mailjet.deliver(table(gone), properties=None, validate_records=validate)
    assert (result.counts(), mailjet.statuses()) == ({"delivered": 1}, {})


def test_a_declared_integer_that_comes_as_a_float_is_one(mailjet):
    columns = {"id": {"type": "integer"}, "email": {"type": "string"}, "visits": {"type": ["integer", "null"]}}
    rows = [row(id=1, email="a@example.com", visits=3), row(id=2.0, email="b@example.com", visits=3.0)]
    mailjet.deliver([schema(columns=columns), *rows, state(1)], properties=["visits"])
    again = [row(id=1.0, email="a@example.com", visits=3.0), row(id=2, email="b@example.com", visits=3)]
    result = mailjet.deliver([schema(columns=columns), *again, state(2)], properties=["visits"])
    assert result.counts() == {"unchanged": 2}


@pytest.mark.parametrize("route", ["contacts", "import"])
def test_letters_have_neither_point_zero_nor_exponent_and_no_second_one_goes_out(postgrid, route):  # noqa: F811
    numbers = {
        "id": 1,
        "address_line1": 12,
        "address_postal_code": 2139,
        "phone": 15550100123,
        "level": 3,
        "big": 10**22,
    }
    fixed = {"first_name": "Ann", "address_country": "US"}
    floats = {name: float(value) for name, value in numbers.items()}
    settings = {
        "route": route,
        "properties": ["level", "big"],
        "list": HOUSEHOLDS if route == "contacts" else "Letters",
    }
    first = postgrid.deliver(table(row(**floats, **fixed)), create_list=True, **settings)
    assert (first.error, first.counts()) == (None, {"delivered": 1})
    again = postgrid.deliver(table(row(**numbers, **fixed)), create_list=True, **settings)
    assert again.counts() == {"unchanged": 1}
    if route == "contacts":
        (contact,) = postgrid.on_list().values()
        sent = [contact[name] for name in ("addressLine1", "postalOrZip", "phoneNumber")]
        assert sent == ["12", "2139", "15550100123"]
        assert contact["metadata"]["level"] == "3"
        assert contact["metadata"]["big"] == "1" + "0" * 22
        assert contact["metadata"]["external_id"] == "1"


@pytest.mark.parametrize("name", ["address_postal_code", "address_line1", "phone", "first_name", "address_city"])
def test_a_fraction_is_no_part_of_an_address(postgrid, name):  # noqa: F811
    record = {"id": 1, "first_name": "Ann", "address_line1": "1 Mill Lane", "address_country": "US", name: 2139.5}
    result = postgrid.deliver(table(row(**record)), properties=None)
    assert result.outcomes["reasons"] == {"wrong_type": 1}
    assert "fraction" in result.rejects[0]["record"]["_reject_reason"]


@pytest.mark.parametrize("route", ["import", "direct"])
def test_attributes_and_topics_of_ses(ses, route):  # noqa: F811
    record = {
        "id": 1.0,
        "email": "a@example.com",
        "visits": 3.0,
        "phone": 15550100123.0,
        "topic_News": 0.0,
        "tags": [1.0],
    }
    ses.deliver(table(row(**record)), properties=["visits", "tags"], route=route)
    contact = ses.contacts()["a@example.com"]
    assert contact["topics"] == {"News": "OPT_OUT"}
    assert json.loads(contact["attributes"]) == {"phone": 15550100123, "tags": [1], "visits": 3}
    assert ".0" not in contact["attributes"]


def test_lists_by_number(mailjet):
    record = row(id=1, email="a@example.com", lists=[{"list": float(mailjet.list_id)}])
    assert mailjet.deliver(table(record), properties=None, list=None, route="contact").counts() == {"delivered": 1}


@pytest.mark.parametrize("nulls", ["skip", "clear"])
@pytest.mark.parametrize("route", ["json", "csv", "contact"])
def test_a_blank_cell_is_a_null_for_every_type(mailjet, route, nulls):
    names = ["city", "visits", "score", "vip", "birthday"]
    full = row(id="1", email="a@example.com", city="Lyon", visits="3", score="1.5", vip="true", birthday="1984-05-06")
    blank = row(id="1", email="a@example.com", **dict.fromkeys(names, " "))
    mailjet.deliver(table(full), properties=names, route=route)
    before = mailjet.members()["a@example.com"]["properties"]
    assert len(before) == len(names)
    result = mailjet.deliver(table(blank), properties=names, route=route, nulls=nulls)
    assert (result.error, result.rejects) == (None, [])
    assert mailjet.members()["a@example.com"]["properties"] == (before if nulls == "skip" else {})
