from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailing_api import values
from mailing_api.values import is_identifier


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-03-05T09:41:07Z", "2024-03-05T09:41:07.000000Z"),
        ("2024-03-05T09:41:07", "2024-03-05T09:41:07.000000Z"),
        ("2024-03-05 09:41:07", "2024-03-05T09:41:07.000000Z"),
        ("2024-03-05T11:41:07+02:00", "2024-03-05T09:41:07.000000Z"),
        ("2024-03-05T09:41:07.25Z", "2024-03-05T09:41:07.250000Z"),
        ("2024-03-05T09:41:07.250Z", "2024-03-05T09:41:07.250000Z"),
        ("2024-03-05T09:41:07.2503Z", "2024-03-05T09:41:07.250300Z"),
        ("2024-03-05", "2024-03-05T00:00:00.000000Z"),
        ("2024-03-05t09:41:07z", "2024-03-05T09:41:07.000000Z"),
        ("2024-03-05 09:41:07 +0200", "2024-03-05T07:41:07.000000Z"),
        ("2024-03-05T09:41:07.123456789Z", "2024-03-05T09:41:07.123456Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        ("", None),
        (None, None),
    ],
)
def test_timestamps(value, expected):
    assert values.timestamp(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "soon",
        "P1D",
        "2024-13-05T09:41:07Z",
        "2024-03-05T0x:41:07Z",
        "2024-13-05T09:41:07.250Z",
        "2024-03-05/2024-03-06",
        "12:30",
        "12:30:00",
        "2024",
        "2024-03",
        "202403",
        "2024-W10-2",
        "2024-W10-2T09:41:07Z",
        "2024-W10-2T09:41:07.250Z",
        "2024-065",
        "20240305T094107Z",
        "2024-03-05T09",
        "2024-03-05T09:41",
        "2024-03-05T25:41:07Z",
        "2024-02-30",
        "24-03-05",
        "T09:41:07",
        "now",
        "\u0661\u0669\u0669\u0669-\u0660\u0661-\u0660\u0661",
        "2024-03-05T09:41:07Z ",
        "0001-01-01T00:00:00+02:00",
        "9999-12-31T23:59:59-02:00",
    ],
)
def test_what_is_no_timestamp_is_refused(value):
    with pytest.raises(ValueError):  # noqa: PT011
        values.timestamp(value)


@pytest.mark.parametrize("value", [0, 1709632800, False, [], {}, ["2024-03-05"]])
def test_what_is_no_text_is_no_timestamp(value):
    with pytest.raises(TypeError):
        values.timestamp(value)


@given(st.text(alphabet="0123456789-:TZ.W+ ", max_size=30))
def test_a_date_time_tells_its_own_day_and_second(value):
    try:
        found = values.date_time(value)
    except ValueError:
        return
    if found is not None:
        parsed = datetime.fromisoformat(found)
        own = datetime.fromisoformat(value[:19].replace(" ", "T")).replace(tzinfo=UTC)
        assert abs(parsed - own) < timedelta(days=1, seconds=1)


@pytest.mark.slow
@given(st.text(alphabet="0123456789-+_.eEnaif ", max_size=9) | st.text(max_size=5))
def test_a_number_in_text_is_what_a_json_reader_makes_of_it(value):
    for read, kind in ((values.integer, int), (values.number, float)):
        try:
            found = read(value)
        except (ValueError, OverflowError):
            continue
        if value:
            assert found == json.loads(value)
            assert type(found) is kind


@pytest.mark.parametrize(
    ("moment", "seconds", "expected"),
    [
        ("2024-03-05T09:41:07.000000Z", 7, "2024-03-05T09:41:00.000000Z"),
        ("2024-03-05T09:41:07.000000Z", 1e30, values.EARLIEST),
        ("2024-03-05T09:41:07.000000Z", 1e11, values.EARLIEST),
        ("0001-01-01T00:00:00.000000Z", 60, values.EARLIEST),
        ("1970-01-01T00:00:01.000000Z", 60, values.EARLIEST),
    ],
)
def test_earlier_ends_where_no_provider_has_anything(moment, seconds, expected):
    assert values.earlier(moment, seconds) == expected


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001
def test_timestamps_compare_as_text(moment):
    aware = moment.replace(tzinfo=UTC)
    later = aware + timedelta(microseconds=1)
    assert values.timestamp_of(aware) < values.timestamp_of(later)
    east = aware.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert values.timestamp_of(east) == values.timestamp_of(aware)
    assert values.to_epoch(values.timestamp_of(aware)) == int(aware.timestamp())


@pytest.mark.parametrize(("value", "expected"), [(0, None), ("0", None), ("", None), (None, None)])
def test_an_unset_epoch_is_none(value, expected):
    assert values.epoch(value) is expected


def test_an_epoch_is_a_moment_in_utc():
    assert values.epoch(1709632800) == values.epoch("1709632800") == "2024-03-05T10:00:00.000000Z"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1709632800, "2024-03-05T10:00:00.000000Z"),
        (1709632800.25, "2024-03-05T10:00:00.250000Z"),
        ("2024-03-05T10:00:00.250Z", "2024-03-05T10:00:00.250000Z"),
        (0, None),
        (0.0, None),
        ("", None),
        (None, None),
    ],
)
def test_a_moment_is_a_number_or_a_text(value, expected):
    assert values.moment(value) == expected


@pytest.mark.parametrize("value", [True, "soon", [1], 1e18])
def test_what_is_no_moment_is_refused(value):
    with pytest.raises((ValueError, TypeError, OverflowError, OSError)):
        values.moment(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(5, 5), ("5", 5), (5.0, 5), ("-5", -5), ("", None), (None, None), (98765432123456789, 98765432123456789)],
)
def test_integers(value, expected):
    assert values.integer(value) == expected


@pytest.mark.parametrize(
    "value", [1.5, "1.5", "many", True, "1_000", "007", "+5", " 5", "\u0663", "0x5", [5], float("nan")]
)
def test_what_is_no_integer_is_refused(value):
    with pytest.raises(ValueError):  # noqa: PT011
        values.integer(value)


@pytest.mark.parametrize(("value", "expected"), [(1, 1.0), ("1.5", 1.5), ("", None), (None, None)])
def test_numbers(value, expected):
    assert values.number(value) == expected


@pytest.mark.parametrize("value", ["NaN", "inf", "-Infinity", "1e999", "1_000.5", "007.5", ".5", "5.", " 5", True, [5]])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(ValueError):  # noqa: PT011
        values.number(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, True), (False, False), ("true", True), ("False", False), (1, True), ("0", False), ("", None), (None, None)],
)
def test_booleans(value, expected):
    assert values.boolean(value) is expected


def test_what_is_no_boolean_is_refused():
    with pytest.raises(ValueError, match="neither"):
        values.boolean("maybe")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *(("a", "a"), ("", None), (None, None)),
        *((5, "5"), (5.0, "5"), (5.5, "5.5"), (True, "true"), (False, "false")),
    ],
)
def test_texts(value, expected):
    assert values.text(value) == expected


@pytest.mark.parametrize("year", [1, 9, 99, 999, 1000, 9999])
def test_years_have_four_digits(year):
    expected = f"{year:04}-03-05T09:41:07.000000Z"
    assert values.timestamp_of(datetime(year, 3, 5, 9, 41, 7, tzinfo=UTC)) == expected
    assert values.timestamp(f"{year:04}-03-05 09:41:07+00:00") == expected


@pytest.mark.parametrize(
    "value",
    [None, 5, True, [], {}, "", " ", "a b", "ada@example.com", "../x", "a/b", "a?b", "a#b", "a\n", "\u0430", "x" * 201],
)
def test_p7_what_may_be_an_address_or_a_path_is_no_identifier(value):
    assert not is_identifier(value)


@pytest.mark.parametrize("value", ["contact_1", "8b3f6c3e-0000-4000-8000-000000000001", "arn:aws:ses:x", "a.b", "7"])
def test_names_that_providers_give_are_identifiers(value):
    assert is_identifier(value)
