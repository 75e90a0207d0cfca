"""`--explain` at Amazon SES: the contact list, and the suppression list beside it."""

from __future__ import annotations

import pytest

from tests.target.conftest import people, schema, state
from tests.target.explain.answers import answer
from tests.target.ses.conftest import REGION, _little_patience, _no_aws_of_this_machine, bare, ses  # noqa: F401 - fixtures

pytestmark = pytest.mark.slow


def test_who_opted_out_or_is_suppressed_at_another_provider_is_told_so(ses):  # noqa: F811
    ses.config["properties"] = ["city"]
    ses.deliver([schema(), *people(range(2)), state(1)])
    ses.add({"email": "ada@example.com", "unsubscribed": True, "topics": {"News": "OPT_OUT"}})
    ses.ses.add_suppressions([{"email": "person1@example.com", "reason": "BOUNCE"}], region=REGION)
    said = answer(ses, "ada@example.com")
    assert "unsubscribed from everything (UnsubscribeAll) topic News: OPT_OUT" in said
    said = answer(ses, "PERSON1@example.com")
    assert "not unsubscribed (UnsubscribeAll)" in said
    assert "on the suppression list (BOUNCE), since 20" in said


def test_without_permission_the_suppression_list_is_left_out(ses):  # noqa: F811
    ses.deliver([schema(), *people(range(2), city=None), state(1)], properties=None)
    ses.ses.deny("ses:GetSuppressedDestination")
    said = answer(ses, "person1@example.com", properties=None)
    assert "on the contact list, since 20" in said
    assert "whether it is suppressed is unknown: ses:GetSuppressedDestination is not permitted" in said
