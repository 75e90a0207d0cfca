"""Rows to contacts: names, types, addresses, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailing_api.errors import ConfigurationError
from target_mailing.contacts.fields import Field, Fields, RowRejected
from target_mailing.contacts.mapping import StreamMapping
from target_mailing.contacts.row_address import clean_address
from target_mailing.contacts.stream_columns import StreamColumns
from target_mailing.settings.settings import StreamSettings


def whole(value):
    if not isinstance(value, int):
        raise ValueError("not a whole number")
    return value


TEXT = Field(str)
FIELDS = Fields(
    columns={"name": TEXT, "first_name": TEXT},
    properties={"city": TEXT, "visits": Field(whole), "company": TEXT},
)
COLUMNS = ["id", "email", "name", "city", "visits", "company", "properties", "subscription_status", "op"]


def mapping(columns=COLUMNS, **options):
    columns = StreamColumns("people", dict.fromkeys(columns, ()))
    compiled = StreamMapping(columns, FIELDS, StreamSettings.resolve(options, None))

    def contact(record):
        result = compiled.contacts([tuple(record.get(name, absent) for name, absent in compiled.needed)])[0]
        if isinstance(result, RowRejected):
            raise result
        return result

    return contact


def test_canonical_columns_need_no_mapping_and_others_are_left_alone():
    found = mapping()({"id": 1, "email": "A.B@Example.COM", "name": "Ada", "city": "Lyon"})
    assert found.email == "A.B@example.com"
    assert found.columns == {"name": "Ada"}
    assert found.properties == {}


def test_listed_columns_and_the_properties_object_become_properties():
    record = {"email": "a@b.test", "city": "Lyon", "properties": {"visits": 3}}
    assert mapping(properties=["city"])(record).properties == {"visits": 3, "city": "Lyon"}


def test_mapping_renames_canonical_columns_and_properties():
    found = mapping(["mail", "full", "town"], mapping={"email": "mail", "name": "full", "city": "town"})
    contact = found({"mail": "a@b.test", "full": "Ada", "town": "Lyon"})
    assert (contact.email, contact.columns, contact.properties) == ("a@b.test", {"name": "Ada"}, {"city": "Lyon"})


def test_all_takes_every_column_that_is_no_canonical_one():
    found = mapping(["id", "email", "city", "visits", "created_at", "_sdc_batched_at", "company"], properties="all")
    record = {"id": 9, "email": "a@b.test", "city": "Lyon", "visits": 2, "created_at": "x", "company": "Acme"}
    assert found(record).properties == {"city": "Lyon", "visits": 2, "company": "Acme"}


def test_nulls_are_skipped_or_cleared():
    record = {"email": "a@b.test", "city": None, "properties": {"visits": None}}
    assert mapping(properties=["city"])(record).properties == {}
    assert mapping(properties=["city"], nulls="clear")(record).properties == {"city": None, "visits": None}


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ({"email": None}, "bad_address"),
        ({"email": "nobody"}, "bad_address"),
        ({"email": "a b@c.test"}, "bad_address"),
        ({"email": "a@b@c.test"}, "bad_address"),
        ({"email": 7}, "bad_address"),
        ({"email": "a@b.test", "visits": "many"}, "wrong_type"),
        ({"email": "a@b.test", "properties": {"visits": "many"}}, "wrong_type"),
        ({"email": "a@b.test", "properties": ["visits"]}, "wrong_type"),
        ({"email": "a@b.test", "properties": {"shoe_size": 44}}, "unknown_property"),
        ({"email": "a@b.test", "subscription_status": "maybe"}, "bad_subscription_status"),
    ],
)
def test_p9_a_row_that_does_not_fit_is_refused_with_a_stable_code(record, code):
    with pytest.raises(RowRejected) as no:
        mapping(properties=["visits"])(record)
    assert no.value.code == code
    assert str(no.value) == code  # P7: the reason, which quotes the row, is not in the exception's text


@pytest.mark.parametrize(
    ("columns", "options", "named"),
    [
        (["id"], {}, "email"),
        (COLUMNS, {"properties": ["shoe_size"]}, "shoe_size"),
        ([*COLUMNS, "shoe_size"], {"properties": ["shoe_size"]}, "shoe_size"),
        ([*COLUMNS, "shoe_size"], {"properties": "all"}, "shoe_size"),
        (COLUMNS, {"mapping": {"name": "full"}}, "full"),
        (COLUMNS, {"action_column": "verb"}, "verb"),
    ],
)
def test_p9_settings_that_do_not_fit_the_stream_name_stream_and_column(columns, options, named):
    with pytest.raises(ConfigurationError, match="'people'.*" + named):
        mapping(columns, **options)


@given(st.text())
def test_an_address_is_cleaned_or_refused_and_cleaning_is_idempotent(text):
    try:
        cleaned = clean_address(text)
    except RowRejected:
        return
    assert cleaned.count("@") == 1
    assert clean_address(cleaned) == cleaned
