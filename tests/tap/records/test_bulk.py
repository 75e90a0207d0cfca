"""Many values at once become what each becomes alone, or are left to that."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailing_api import values
from tap_mailing.records import bulk

PAIRS = {
    "strings": values.text,
    "integers": values.integer,
    "numbers": values.number,
    "booleans": values.boolean,
    "date_times": values.date_time,
    "timestamps": values.timestamp,
}

USUAL = {
    "strings": ["a", "Ŝ", " "],
    "integers": ["0", "-12", "9" * 30],
    "numbers": ["0", "-1.50", "2e3", "1E-4"],
    "booleans": ["true", "false", "1", "0"],
    "date_times": ["2024-02-29T23:59:59Z", "1957-06-20T17:11:47Z"],
    "timestamps": ["2024-02-29T23:59:59Z", "", None],
}

STRINGS = [
    "", "0", "1", "-1", "007", "1_000", " 1", "1\n", "1\n2", "1.5", ".5", "1e5", "1e999", "nan", "True", "FALSE", "٣",
    "2024-01-01T00:00:00Z", "2024-13-01T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01", "2024-01-01T00:00:00+01:00",
    "2024-01-01T00:00:00Z\n2024-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "9" * 5000,
    "1,2", "-0", "-0.0", "-0e1", "1e-400", "1\t", '"1"', "null", "1],[1", "\ud800", "2024-W09-2T00:00:00Z",
]  # fmt: skip
OTHERS = [None, 0, 1, 2.5, True, False, [], {}]


def alone(name, column):
    found = []
    for value in column:
        try:
            found.append(PAIRS[name](value))
        except (ArithmeticError, TypeError, ValueError) as exc:
            return type(exc)
    return found


def check(name, column):
    try:
        together = getattr(bulk, name)(column)
    except TypeError:
        together = TypeError
    expected = alone(name, column)
    assert together is None or repr(together) == repr(expected)


@pytest.mark.parametrize("name", PAIRS)
def test_each_value_among_usual_ones_becomes_what_it_becomes_alone(name):
    for value in [*STRINGS, *OTHERS]:
        check(name, [*USUAL[name], value])


@pytest.mark.parametrize("name", PAIRS)
@given(data=st.data())
@settings(max_examples=60)
def test_a_column_becomes_what_its_values_become_alone(name, data):
    usual = st.sampled_from(USUAL[name])
    column = data.draw(st.lists(st.one_of(usual, usual, usual, st.sampled_from([*STRINGS, *OTHERS])), max_size=5))
    check(name, column)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False).map(repr) | st.decimals().map(str)))
def test_numbers_are_as_exact_together(column):
    check("numbers", column)


@pytest.mark.parametrize("name", PAIRS)
def test_usual_values_are_converted_together(name):
    assert getattr(bulk, name)(USUAL[name]) == alone(name, USUAL[name])
