"""A contact whose call is cut or refused because of its size, contact by contact."""

from __future__ import annotations

import pytest

from tests.target.conftest import person, schema, state


@pytest.mark.parametrize("fault", [{"kind": "reset", "times": 5}, {"kind": "status", "status": 413}])
def test_a_contact_too_large_for_a_call_is_rejected_and_the_others_go(bare, fault):
    bare.sandbox.faults.add(method="POST", path="*/contacts", skip=1, **fault)
    rows = [person(1), person(2, city="x" * 1500), person(3)]
    result = bare.deliver([schema(), *rows, state({"n": 1})], route="direct")
    assert result.error is None
    assert result.outcomes["reasons"] == {"too_large": 1}
    assert bare.contacts().keys() == {"person1@example.com", "person3@example.com"}


def test_no_contact_is_blamed_where_nothing_is_answered(bare):
    bare.sandbox.faults.add(kind="reset", method="POST", path="*/contacts", times=None)
    result = bare.deliver([schema(), person(1), state({"n": 1})], route="direct")
    assert result.error is not None
    assert (result.states, result.rejects) == ([], [])
