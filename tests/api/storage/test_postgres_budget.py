"""What is written into the statements of shared rates."""

from __future__ import annotations

import json

import pytest

from mailing_api.storage.postgres_budget import _literal


@pytest.mark.parametrize("value", [0, 3, 0.1, 1e-9, 1e300])
def test_a_number_is_written_in_full(value):
    assert type(value)(_literal(value)) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_finite_number_is_0(value):
    assert _literal(value) == "0"


@pytest.mark.parametrize("name", ["a", "a'b", "a''; DROP TABLE x; --", "a\\'b", 'a"b', "\u00e9\n"])
def test_names_of_workers_never_end_the_literal(name):
    literal = _literal({name: 1.5})
    assert literal[0] == literal[-1] == "'"
    assert "'" not in literal[1:-1]
    assert json.loads(literal[1:-1]) == {name: 1.5}
