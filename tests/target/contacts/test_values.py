"""What a row's values become: texts, numbers, flags, date-times, JSON; and which of them are nulls."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_mailing.contacts import values
from target_mailing.contacts.values import decimal, digits, flag, json_value, moment, postal_code, shown, text, whole

CONVERTERS = [text, digits, postal_code, whole, decimal, flag, moment, json_value]
#: What a CSV file, a spreadsheet or a mainframe has where it has no value.
BLANKS = [
    "",
    " ",
    "\t\r\n",
    "\u00a0",
    "\u3000",
    "\u200b",
    "\ufeff",
    "\u2060\u00ad",
    "\x00\x00",
    "\x1f",
    "\u2800",
    "\u3164",
    "\ufe0f",
]

every_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("convert", CONVERTERS)
@pytest.mark.parametrize("blank", BLANKS)
def test_a_blank_text_is_a_null_for_every_type(convert, blank):
    assert convert(blank) is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (" Bo\t", "Bo"),
        ("\u200bAda\ufeff", "Ada"),
        ("Ada\x00\x00", "Ada"),
        ("A\x00d\x07a", "Ada"),
        ("two\nlines", "two\nlines"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("\u2764\ufe0f", "\u2764\ufe0f"),
        ("\U0001f3f4\U000e0067\U000e0062\U000e007f", "\U0001f3f4\U000e0067\U000e0062\U000e007f"),
        (2139, "2139"),
        (2139.0, "2139"),
        (15550100123.0, "15550100123"),
        (1e22, "1" + "0" * 22),
        (1e-7, "0.0000001"),
        (-0.0, "0"),
        (0.1, "0.1"),
    ],
)
def test_texts_are_trimmed_and_numbers_have_neither_point_zero_nor_exponent(given, expected):
    assert text(given) == expected


@given(st.integers(min_value=-(2**53), max_value=2**53))
def test_a_whole_number_is_the_same_however_it_came(number):
    as_float = float(number)
    assert text(as_float) == text(number) == str(number)
    assert digits(as_float) == digits(number) == digits(f"{number}") == str(number)
    assert whole(as_float) == whole(number) == whole(f"{number}.0") == whole(f" {number} ") == number
    assert json.dumps(json_value({"a": [as_float]})) == json.dumps(json_value({"a": [number]}))
    assert values.whole_float(as_float) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_as_text_is_the_same_number(number):
    found = text(number)
    assert "e" not in found.lower()
    assert not found.endswith(".0")
    assert float(found) == number
    assert Decimal(found) == Decimal(repr(number))


@pytest.mark.parametrize(
    ("convert", "given", "expected"),
    [
        (digits, "2139.0", "2139"),
        (digits, "555.1234", "555.1234"),
        (digits, "1.55501E+10", ValueError),
        (digits, 12.5, ValueError),
        (postal_code, 2139.5, ValueError),
        (postal_code, "2139.5", ValueError),
        (postal_code, "2139.00", "2139"),
        (postal_code, "K1A 0B6", "K1A 0B6"),
        (whole, "1e3", 1000),
        (whole, "1e9999", ValueError),
        (whole, "1_000", ValueError),
        (whole, "\u0663", ValueError),
        (whole, 3.5, ValueError),
        (whole, True, ValueError),
        (whole, 2**63, ValueError),
        (whole, str(2**63), ValueError),
        (whole, 1e19, ValueError),
        (whole, 2**63 - 1, 2**63 - 1),
        (decimal, "1.5", 1.5),
        (decimal, " 2 ", 2.0),
        (decimal, "nan", ValueError),
        (decimal, "Infinity", ValueError),
        (decimal, "1e999", ValueError),
        (decimal, 10**400, OverflowError),
        (decimal, False, ValueError),
        (lambda value: str(decimal(value)), -0.0, "0.0"),
        (lambda value: str(decimal(value)), "-0", "0.0"),
        (flag, "TRUE", True),
        (flag, " t ", True),
        (flag, "F", False),
        (flag, "Yes", True),
        (flag, "n", False),
        (flag, "off", False),
        (flag, 0.0, False),
        (flag, "1.0", True),
        (flag, 2, ValueError),
        (flag, "maybe", ValueError),
        (json_value, float("nan"), ValueError),
        (text, "\ud800", ValueError),
        (json_value, ["\ud800"], ValueError),
    ],
)
def test_a_value_fits_exactly_or_not_at_all(convert, given, expected):
    if isinstance(expected, type):
        with pytest.raises(expected):
            convert(given)
    else:
        found = convert(given)
        assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2024-03-05T09:41:07Z", "2024-03-05T09:41:07Z"),
        ("2024-03-05t09:41:07z", "2024-03-05T09:41:07Z"),
        ("2024-03-05T09:41:07.123456789+02:00", "2024-03-05T07:41:07Z"),
        ("2024-03-05 09:41:07+00", "2024-03-05T09:41:07Z"),
        ("2024-03-05 09:41:07 UTC", "2024-03-05T09:41:07Z"),
        ("2024-03-05 09:41:07 -0500", "2024-03-05T14:41:07Z"),
        ("2024-03-05T09:41", "2024-03-05T09:41:00Z"),
        ("2024-03-05", "2024-03-05T00:00:00Z"),
        ("0001-01-01", "0001-01-01T00:00:00Z"),
        ("0999-12-31T00:00:00+00:00", "0999-12-31T00:00:00Z"),
        (-62135596800, "0001-01-01T00:00:00Z"),
        (0, "1970-01-01T00:00:00Z"),
        (1.5, "1970-01-01T00:00:01Z"),
        ("0001-01-01T00:00:00+02:00", None),
        ("9999-12-31T23:59:59-01:00", None),
        ("0000-00-00", None),
        ("2024-02-30", None),
        ("2024-02-30T00:00:00Z", None),
        ("2024", None),
        ("12:30", None),
        ("2024-03-05 soon", None),
        ("2024-03-05T09:41:07+99:00", None),
        (1e18, None),
        (True, None),
        ([], None),
    ],
)
def test_date_times_have_four_digits_for_the_year_and_are_never_guessed(given, expected):
    if expected is None:
        with pytest.raises(ValueError, match="date-time"):
            moment(given)
    else:
        assert moment(given) == expected


@pytest.mark.slow
@given(st.datetimes())
def test_every_date_time_comes_out_in_one_form(value):
    found = moment(value.isoformat())
    assert len(found) == len("2024-03-05T09:41:07Z")
    assert found == f"{value.replace(microsecond=0).isoformat()}Z"


@pytest.mark.slow
@given(every_value)
def test_p9_whatever_the_value_is_it_fits_or_is_said_to_be_unfit(value):
    for convert in CONVERTERS:
        try:
            found = convert(value)
        except (ValueError, OverflowError):
            assert shown(value)
        else:
            assert found != ""
            json.dumps(found, allow_nan=False)


def test_p9_depth_and_length_have_bounds():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueError, match="deep"):
        json_value(deep)
    assert len(shown("x" * 10_000)) < 300
    assert shown(10**5000) == "a value of type int"
    while deep:  # taken apart here, since doing so by recursion would overflow the stack
        deep = deep[0]
