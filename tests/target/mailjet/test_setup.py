"""What is made before contacts go: lists and properties, also when another worker makes them, or they are refused."""

from __future__ import annotations

import json

import pytest

from mailing_api.errors import ConfigurationError
from tests.target.conftest import LIST, person, schema, state

NOTHING = json.dumps({"Count": 0, "Data": [], "Total": 0})


def town():
    return schema(columns=schema()["schema"]["properties"] | {"Code postal": {"type": "string"}})


def look_too_early(mailjet, resource, times=1):
    """The first look shows nothing: another worker makes it right after."""
    mailjet.sandbox.faults.add(
        kind="status", status=200, content=NOTHING, method="GET", path=f"/v3/REST/{resource}", times=times
    )


def test_a_list_that_another_worker_made_meanwhile_is_taken(mailjet):
    look_too_early(mailjet, "contactslist")
    result = mailjet.deliver([schema(), person(1), state(1)], create_list=True)
    assert result.error is None
    assert mailjet.statuses() == {"person1@example.com": "subscribed"}
    assert list(mailjet.ids) == [LIST]


@pytest.mark.parametrize("old_error_codes", [True, False])
def test_properties_that_another_worker_defined_meanwhile_are_taken(mailjet, old_error_codes):
    mailjet.sandbox.switches.change({"old_error_codes": old_error_codes})
    look_too_early(mailjet, "contactmetadata")
    result = mailjet.deliver([schema(), person(1, visits=3), state(1)], create_properties=True)
    assert result.error is None
    assert mailjet.members()["person1@example.com"]["properties"] == {"city": "Lyon", "visits": "3"}


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("resource", ["contactslist", "contactmetadata"])
def test_what_mailjet_refuses_to_make_is_named_with_what_to_do(mailjet, resource, status):
    mailjet.sandbox.faults.add(
        kind="status", status=status, message="No", method="POST", path=f"/v3/REST/{resource}", times=None
    )
    options = {"list": "Odd name", "create_list": True} if resource == "contactslist" else {"create_properties": True}
    result = mailjet.deliver([town(), person(1), state(1)], properties=["Code postal"], **options)
    assert isinstance(result.error, ConfigurationError)
    for part in ("create_list", "'Odd name'") if resource == "contactslist" else ("create_properties", "'Code postal'"):
        assert part in str(result.error)
    assert str(status) in str(result.error)
    assert "yourself" in str(result.error)
    assert result.states == []


@pytest.mark.slow
@pytest.mark.parametrize("switches", [{"property_names": "lowercase"}, {"max_name_length": 5}])
def test_a_property_whose_name_is_refused_has_a_better_one_suggested(mailjet, switches):
    mailjet.sandbox.switches.change(switches)
    result = mailjet.deliver([town(), person(1)], properties=["Code postal"], create_properties=True)
    assert isinstance(result.error, ConfigurationError)
    assert '{"code_postal": "Code postal"}' in str(result.error)


@pytest.mark.parametrize("name", [".", "..", ""])
def test_a_list_that_no_path_can_name_is_not_looked_for_elsewhere(mailjet, name):
    result = mailjet.deliver([schema(), person(1)], list=name)
    assert isinstance(result.error, ConfigurationError)
    assert "`list`" in str(result.error)
    assert not any(call.endswith("{contact}") for call in mailjet.sandbox.counters.calls)
