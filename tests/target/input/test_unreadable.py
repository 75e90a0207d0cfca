"""Values that are no JSON, lines that are no messages: a reject, or one error after everything before it went."""

from __future__ import annotations

import fcntl
import io
import json
import os
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_mailing.input.reader import LineReader
from target_mailing.rows import unreadable
from target_mailing.rows.lines import InputError, Lines
from target_mailing.rows.unreadable import decode, defect, is_deep, recovered
from target_mailing.target import TargetMailing
from tests.faults.pairs import crossed
from tests.growth import grows_with_length
from tests.target.conftest import COLUMNS, person, schema, state
from tests.target.input.test_intake import WIDE, take
from tests.target.input.test_intake import schema as table

DEEP = b"[" * 1000 + b"]" * 1000

#: Values that no decoder takes, and what is said of each.
NO_VALUES = {
    b"NaN": "NaN is not a JSON number",
    b"Infinity": "Infinity is not a JSON number",
    b"-Infinity": "-Infinity is not a JSON number",
    b'{"a": [1, NaN]}': "NaN is not a JSON number",
    b"1e400": "out of range",
    b"-1e400": "out of range",
    b"1" * 5000: "out of range",
    b'"\\ud800"': "surrogate",
    b'"\\udfffx"': "surrogate",
    b'{"\\ud800": "NaN"}': "surrogate",
    b'"\xff"': "not UTF-8",
    b'["\xc3\x28"]': "not UTF-8",
    b'{"\xff": 1}': "not UTF-8",
    b'"a\x00b"': "control character",
    b'"a\tb"': "control character",
    DEEP: "nested deeper than 100",
    b'{"a":' * 1000 + b"1" + b"}" * 1000: "nested deeper than 100",
    b"01": "not JSON",
    b"undefined": "not JSON",
    b"True": "not JSON",
    b'"\\x41"': "not JSON",
}


def record(value, column=b"city", email=b"x@y.test", stream=b"a"):
    head = b'{"type": "RECORD", "stream": "' + stream + b'", "record": {"email": "' + email + b'", "'
    return head + column + b'": ' + value + b"}}\n"


def piece(*lines, **columns):
    return json.dumps(table("a", **(columns or WIDE))).encode() + b"\n" + b"".join(lines)


@pytest.mark.parametrize(
    ("value", "column", "columns"),
    crossed(
        [*NO_VALUES],
        [b"name", b"city", b"other"],
        [WIDE, WIDE | {"name": ["array", "object", "number", "string", "null"]}, {"email": "string"}],
    ),
    ids=lambda one: str(one)[:20],
)
def test_p9_a_value_that_is_no_json_costs_its_row_at_most(value, column, columns):
    lines = [
        record(b'"Lyon"', email=b"1@y.test"),
        record(value, column, b"2@y.test"),
        record(b'"Rome"', email=b"3@y.test"),
    ]
    rows, _, rejects, _, messages, error = take([piece(*lines, **columns)])
    assert error is None
    assert [row[0] for row in rows if row[2] != "2@y.test"] == [(2,), (4,)]
    assert messages["RECORD"] == 3
    for _, kept, code, attempt in rejects:
        assert (code, attempt) == ("unreadable", 1)
        assert json.loads(kept)["email"] == "2@y.test"
        assert isinstance(json.loads(kept)[column.decode()], str)
    if not rejects:  # the decoder passes over what nobody needs
        assert column != b"name" or "name" not in columns
        assert len(rows) == 3


@pytest.mark.parametrize(("value", "said"), NO_VALUES.items(), ids=lambda one: str(one)[:20])
def test_the_reason_names_column_and_defect(value, said):
    found = recovered(record(value))
    assert found.reason.startswith("column city: ")
    assert said in found.reason
    assert found.record["email"] == "x@y.test"


@pytest.mark.parametrize(
    "value", [b"5", b"1" * 30, b"9" * 300, b"1e300", b"1e-400", b'"\\ud83d\\ude00"', b"[" * 98 + b"]" * 98, b"-0"]
)
def test_what_is_json_is_read(value):
    decode(value)
    *_, rejects, _, _, error = take([piece(record(value, b"other"))])
    assert (rejects, error) == ([], None)


@pytest.mark.parametrize("attempt", [b"5", b"99999999999999999999", b"-1", b"true", b'"x"', b"1.5", b"9" * 1000])
def test_p9_an_attempt_of_any_size_can_be_counted(attempt):
    *_, rejects, _, _, error = take([piece(record(attempt, b"_reject_attempt", b"nobody"))])
    assert error is None
    assert [found[-1] for found in rejects] == [6 if attempt == b"5" else 1]


@pytest.mark.parametrize("name", [b"ci\xffty", b"ci\\ud800ty", b"ci\x00ty", b"ci\\xffty"])
def test_p9_a_row_with_a_name_that_cannot_be_read_is_a_reject_whoever_needs_the_column(name):
    lines = [record(b'"Lyon"'), record(b'"Nice"', name, b"2@y.test"), record(b'"Rome"', b"other")]
    rows, _, rejects, _, _, error = take([piece(*lines)])
    assert ([row[0] for row in rows], error) == ([(2,), (4,)], None)
    ((_, kept, code, _),) = rejects
    assert (code, [*json.loads(kept)]) == ("unreadable", ["_unreadable"])
    found = recovered(lines[1])
    assert found.reason.startswith("column ci\\")
    assert "its name cannot be read: it " in found.reason
    assert found.damaged.isdisjoint({"email"})


def test_p9_a_name_that_cannot_be_read_stands_for_no_column_that_can():
    line = record(b"1", rb"ci\\xffty").replace(b"}}", b', "ci\xffty": 2}}')
    assert recovered(line).damaged == {r"ci\xffty"}
    assert recovered(line.replace(b"\xff", b"x")).is_whole


def test_a_reason_names_few_of_many_damaged_columns():
    columns = b"".join(b'"%s%d": NaN, "%d\xff": 1, ' % (b"x" * 1000, at, at) for at in range(1000))
    reason = recovered(record(b"1").replace(b'"email"', columns + b'"email"')).reason
    assert reason.count("column ") == 10
    assert reason.count("more such columns: 995") == 2
    assert len(reason) < 2000


def test_p9_line_numbers_are_told():
    source = Lines(7, [record(b"NaN")])
    assert json.loads(source.record(7)[0]) == {"email": "x@y.test", "city": "NaN"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"type": "STATE", "value": NaN}', "not a Singer message: NaN is not a JSON number"),
        (b'{"type": "STATE", "value": {"a": NaN}}', "not a Singer message: NaN is not a JSON number"),
        (b'{"type": "STATE", "value": {"a": 1e400}}', "STATE that cannot be read: .*out of range"),
        (b'{"type": "STATE", "value": {"a": "\xff"}}', "STATE that cannot be read: .*not UTF-8"),
        (b'{"type": "STATE", "value": {"a": ' + DEEP + b"}}", "not a Singer message: it is nested deeper"),
        (b'{"type": "STATE", "value": "x"}', "STATE whose value is not an object but a string"),
        (b'{"type": "STATE", "value": 1}', "STATE whose value is not an object but a number"),
        (b'{"type": "STATE", "value": true}', "STATE whose value is not an object but true or false"),
        (b'{"type": "STATE", "value": []}', "STATE whose value is not an object but an array"),
        (b'{"type": "STATE", "value": null}', "STATE whose value is not an object but null"),
        (b'{"type": "STATE"}', "STATE without a value"),
        (
            b'{"type": "SCHEMA", "stream": "b", "schema": {"properties": {"a": {"minimum": NaN}}}}',
            "NaN is not a JSON number",
        ),
        (
            b'{"type": "SCHEMA", "stream": "b", "schema": {"properties": {"a": {"maximum": 1e400}}}}',
            "SCHEMA of stream 'b' that cannot be read: .*range",
        ),
        (b'{"type": "SCHEMA", "stream": "b", "schema": {"properties": {"a": ' + DEEP + b"}}}", "nested deeper"),
        (
            b'{"type": "SCHEMA", "stream": "b", "schema": {"properties": {}}, "key_properties": "id"}',
            "'b' whose `key_properties` is not an array",
        ),
        (
            b'{"type": "SCHEMA", "stream": "b", "schema": {"properties": {}}, "key_properties": [["id"]]}',
            "`key_properties`",
        ),
        (
            b'{"type": "SCHEMA", "stream": "b", "schema": {"properties": {}}, "key_properties": [null]}',
            "`key_properties`",
        ),
        (b'{"type": "SCHEMA", "stream": "b", "schema": []}', "SCHEMA of stream 'b' without properties"),
        (b'{"type": "BATCH", "stream": "a"}', "'BATCH', which is not supported. .*remove `batch_config`"),
        (b'{"type": "ada@example.com"}', "`type` that is not a Singer message type"),
        (b'{"type": "LOG"}', "type 'LOG', which is not supported"),
        (b'{"type": 5}', "not a Singer message: it is JSON, but not an object with a `type`"),
        (b'{"type": "RECORD", "stream": "c", "record": {}}', "record of stream 'c', but no SCHEMA of that stream came"),
        (b'{"type": "RECORD", "stream": "a", "record": {"email": "x@y.test"}', "not a Singer message: it is not JSON"),
        (b'{"type": "RECORD", "stream": "a", "record": [NaN]}', "not a Singer message: NaN is not a JSON number"),
        (b"\x1f\x8b\x08\x00", "compressed with gzip"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b"\xff\xfe{\x00}\x00", "UTF-16"),
        (b"{\x00}\x00", "UTF-16"),
        (b"\x00{\x00}", "UTF-16"),
        (b"\xff\xfe\x00\x00{\x00\x00\x00", "UTF-32"),
        (b"\xfd7zXZ\x00\x00", "compressed with xz"),
        (b'{"type":"STATE"}\r{"type":"STATE"}\r', "carriage return alone"),
        (b"\x00" * 9, "consists of zero bytes"),
        (b'{"type": "record"}', "`type` that is not a Singer message type"),
        (b'{"type": "RECORD", "stream": "a"}', "RECORD without a record"),
        (b"Traceback (most recent call last):", "not a Singer message: it is not JSON"),
        (b"\x00", "not a Singer message"),
    ],
)
def test_p9_a_line_that_cannot_be_read_is_named_with_its_defect_and_those_before_it_count(line, said):
    rows, *_, error = take([piece(record(b'"Lyon"')), line + b"\n" + record(b'"Rome"')])
    assert [row[0] for row in rows] == [(2,)]
    assert re.search(f"^Line 3 of the input .*{said}", error), error
    assert "ada@" not in error


@pytest.mark.parametrize(
    ("record", "said"),
    [("null", "null"), ("[]", "an array"), ('"x"', "a text"), ("5", "a number"), ("false", "true or false")],
)
def test_p9_a_record_that_is_no_object_costs_its_row(record, said):
    line = b'{"type": "RECORD", "stream": "a", "record": ' + record.encode() + b"}\n"
    with_time = line.replace(b'"stream"', b'"time_extracted": "2026-01-01", "stream"')
    rows, _, rejects, _, messages, error = take([piece(globals()["record"](b'"Lyon"')), line, with_time])
    assert (error, messages["RECORD"]) == (None, 3)
    assert [row[0] for row in rows] == [(2,)]
    assert [found[1:3] for found in rejects] == [(b"{}", "unreadable")] * 2


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        (b"\x1f\x8b\x08\x00abc", "not a Singer message: it is compressed with gzip"),
        (b'{"type":"STATE"}\r{"type":"STATE"}\r', "not a Singer message: its lines end with a carriage return"),
        (b'{\x00"\x00}\x00', "not a Singer message: it is text in UTF-16"),
        (b"\x00\x00", "not a Singer message: it consists of zero bytes"),
        (b'{"type":"STATE"}', "cut off"),
    ],
)
def test_p9_an_input_without_a_line_end_is_told_as_what_it_is(rest, said):
    _, (error,) = read(Chunks(b"a\n", rest))
    assert str(error).startswith("Line 2 of the input is ")
    assert said in str(error)


@pytest.mark.parametrize(
    ("made", "deep"),
    [
        (lambda levels: b"[" * levels + b"]" * levels, True),
        (lambda levels: b'{"a":[' * (levels // 2) + b"]}" * (levels // 2) + b"[]", True),
        (lambda levels: b"[1,[]," * levels + b"[]" + b"]" * levels, True),
        (lambda levels: b"[" + b"[]," * 9 * levels + b'{"a":"' + b"[" * levels + b'"}]', False),
        (lambda levels: b'"' + b'\\"[' * 9 * levels + b'"', False),
        (lambda levels: b"]" * levels + b"[]", False),
        (lambda levels: (b"[" * levels + b"]" * levels) * 3 + b"[", True),
        (lambda levels: b"[" * levels + b"[]," * levels, True),
        (lambda levels: b'{"a":"' + b'{\\"a\\":[' * levels, False),
        (lambda levels: b"[" * levels + b'"' + b"]" * levels, True),
    ],
)
def test_levels_are_told_from_brackets_in_texts_and_side_by_side(made, deep):
    assert [is_deep(made(levels)) for levels in (90, 120)] == [False, deep]


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"{}x", b'{"a"}', b'{"a":}', b'{"a":1,}', b'{"a":1 "b":2}', b"[]", b'{"a":{]', b'{"a":1}}', b"{5:1}",
     b'{"a":[}'],
)  # fmt: skip
def test_no_object_is_recovered_from_what_is_none(text):
    assert recovered(text) is None
    assert recovered(b'{"type":"RECORD","stream":"a","record":' + text + b"}") is None
    assert defect(text)


DAMAGED = st.recursive(
    st.sampled_from([b"NaN", b"x:", b'"]{"', b'"\\\\"', b'"\\"]"', b"1 1", b",,", b""]),
    lambda inner: st.tuples(st.sampled_from([b"[]", b"{}", b"[}"]), st.lists(inner, max_size=3)).map(
        lambda one: one[0][:1] + b" ".join(one[1]) + one[0][1:]
    ),
    max_leaves=12,
)


@given(DAMAGED)
def test_a_damaged_value_ends_with_the_bracket_that_closes_it(value):
    found = recovered(b'{"type":"RECORD","stream":"a","record":{"a":1,"b":[' + value + b'],"c":[2]}}')
    assert (found.record["a"], found.record["c"], found.record.keys()) == (1, [2], {*"abc"})


def large(marks):
    """Values that no decoder takes, each of a kind of brackets or texts, of more marks than so many."""
    return {
        "deep": b"[" * (marks + 1) + b"]" * (marks + 1),
        "side by side": b"[" + b"[]," * marks + b"NaN]",
        "objects": b"[" + b'{"a":1},' * marks + b"NaN]",
        "texts": b"[" + b'"a",' * marks + b"NaN]",
        "columns": b"{" + b'"a":[1],' * marks + b'"b":NaN}',
        "open": b"[" * (marks + 1),
        "levels": (b"[" * 99 + b"]" * 99 + b",") * (marks // 99 + 1) + b"NaN",
    }


@pytest.mark.parametrize("value", large(500).values(), ids=large(500))
def test_p9_a_row_of_many_brackets_is_a_reject_without_its_content_and_looked_into_once(monkeypatch, value):
    looked: list[int] = []
    monkeypatch.setattr("target_mailing.rows.lines.recovered", lambda line: looked.append(len(line)) or recovered(line))
    monkeypatch.setattr(unreadable, "_MOST_MARKS", 500)
    behind = b'{"type":"RECORD","record":{"email":"x@y.test","b":' + value + b'},"stream":"a"}\n'
    before = b'{"time_extracted":"2026-01-01",' + record(value)[1:]
    lines = [record(b'"Lyon"'), record(value), behind, before, record(b'"Rome"')]
    rows, _, rejects, _, _, error = take([piece(*lines)])
    assert (error, [row[0] for row in rows]) == (None, [(2,), (6,)])
    assert rejects == [("a", b"{}", "unreadable", 1)] * 3
    assert len(looked) == 3
    assert "more than 500 brackets and quotes" in recovered(behind).reason


@pytest.mark.slow
@pytest.mark.parametrize("value", [*large(1_000_000).values(), b"[" + b"1," * 8_000_000 + b"NaN]"], ids=lambda _: "")
def test_p9_that_takes_a_moment_however_large_it_is(value):
    began = time.process_time()
    *_, rejects, _, _, error = take([piece(record(value))])
    assert (len(rejects), error) == (1, None)
    assert time.process_time() - began < 8  # step by step it takes minutes


#: Pieces of which a damaged line may hold many, within a text or not.
REPEATED = [
    b'{\\"a\\":[', b'{\\"a\\":[1]}', b'"[',
    b'\\"{', b"\\[", b'"a":[', b"[ ", b"{}\r", b'\\\\"[', b"\x01[", b"NaN[", b'"",[',
]  # fmt: skip


@pytest.mark.parametrize("end", [b"", b"\\", b'"}}'], ids=["cut off", "cut off in an escape", "ended"])
@pytest.mark.parametrize(
    "head", [b'{"type":"RECORD","stream":"a","record":{"raw":"', b'{"type":"RECORD","size":"5" x","a":"']
)
def test_p9_the_time_for_a_damaged_line_grows_with_its_length(head, end):
    for piece in REPEATED:
        for look in (is_deep, defect, recovered):
            assert grows_with_length(look, lambda size: head + piece * size + end, 200), (piece, look)  # noqa: B023


@given(st.lists(st.sampled_from([b'"', b"\\", b"[", b"x", b"\n"])).map(b"".join))
def test_a_search_for_a_text_begins_once_at_each_quote_at_most(text):
    found = [*unreadable._STRING.finditer(text)]
    assert [one.start() for one in found] == [text.find(b'"', before) for before in [0, *(one.end() for one in found)]][
        : len(found)
    ]
    assert b'"' not in unreadable._STRING.sub(b"", text)


@pytest.mark.parametrize(
    ("head", "end"),
    [
        (b"", b"}}"),
        (b'{"type":"STATE","value":', b"}}"),
        (b'{"type":"RECORD","record":', b"}}"),
        (b'["RECORD",', b"}}"),
        (b'{"type":"RECORD","stream":"a","record":', b""),
    ],
)
def test_p9_a_line_of_many_brackets_that_names_no_stream_or_does_not_end_is_an_error(head, end):
    *_, error = take([piece(), head + b'{"x":' + b"[" + b"[]," * 1_000_000 + b"NaN]" + end + b"\n"])
    assert error.startswith("Line 2 of the input is not a Singer message: ")


def test_a_large_text_costs_nothing_but_its_own_row():
    found = recovered(record(b'"' + b"x" * 5_000_000 + b'", "other": NaN'))
    assert (found.record["email"], len(found.record["city"])) == ("x@y.test", 5_000_000)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.slow
@given(st.dictionaries(st.text(max_size=4), JSON, max_size=5), st.sampled_from([None, 1]))
def test_all_columns_of_a_readable_record_are_recovered(columns, indent):
    message = {"type": "RECORD", "stream": "a", "record": columns, "time_extracted": float("nan")}
    assert recovered(json.dumps(message, indent=indent).encode()).record == columns


@pytest.mark.slow
@given(st.data())
def test_no_change_of_a_byte_stops_more_than_one_line(data):
    line = bytearray(record(b'{"a": [1, "\\u00e9"], "b": null}', b"properties"))[:-1]
    for _ in range(data.draw(st.integers(1, 3))):
        line[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.integers(0, 255).filter(lambda one: one != 10))
    cut = data.draw(st.integers(0, len(line)))
    rows, *_, messages, error = take([piece(record(b'"Lyon"'), bytes(line[:cut]) + b"\n", record(b'"Rome"'))])
    assert rows[0][0] == (2,)
    assert error is None or error.startswith("Line 3 of the input ")
    assert (error is None) == (rows[-1][0] == (4,)) or messages["RECORD"] == 1


# Reading


def read(source, max_line_bytes=100):
    lines, ends = [], []
    reader = LineReader(source, take=lines.append, end=ends.append, max_line_bytes=max_line_bytes, credits_=99)
    reader._run()
    return [(one.first + at, line) for one in lines for at, line in enumerate(one.each)], ends


@pytest.mark.skipif(not hasattr(fcntl, "F_GETPIPE_SZ"), reason="pipes have one size here")
def test_a_pipe_holds_more_lines_than_usual():
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb"):
        LineReader(source, take=print, end=print, max_line_bytes=100)
        assert fcntl.fcntl(source, fcntl.F_GETPIPE_SZ) >= 1 << 18


class Chunks:
    """A source that gives its bytes in these pieces."""

    def __init__(self, *chunks):
        self.chunks = list(chunks)

    def read(self, _):
        return self.chunks.pop(0) if self.chunks else b""


@given(st.lists(st.binary(max_size=8).map(lambda one: one.replace(b"\x00", b"\n")), max_size=8))
def test_lines_are_the_same_however_they_arrive(chunks):
    whole = b"".join(chunks)
    lines, (error,) = read(Chunks(*[one for one in chunks if one]))
    *each, rest = whole.split(b"\n")
    assert [line for _, line in lines] == each
    assert [number for number, _ in lines] == list(range(1, len(each) + 1))
    assert (error is None) == (not rest.strip())


@pytest.mark.parametrize(
    "chunks",
    [[b"a\nb\n" + b"c" * 101 + b"\nd\n"], [b"a\nb\n", b"c" * 60, b"c" * 60, b"\n"], [b"a\nb\n" + b"c" * 99, b"cc"]],
)
def test_p9_a_line_that_is_too_long_is_named_and_those_before_it_are_given(chunks):
    lines, (error,) = read(Chunks(*chunks))
    assert lines == [(1, b"a"), (2, b"b")]
    assert re.search("^Line 3 of the input is longer than 100 bytes.*`max_line_bytes`", str(error))


def test_a_line_as_long_as_may_be_is_read():
    assert read(Chunks(b"c" * 50, b"c" * 50 + b"\n"))[0] == [(1, b"c" * 100)]


@pytest.mark.parametrize("failure", [OSError(), ValueError("x"), RuntimeError("x"), MemoryError(), AttributeError("x")])
def test_p9_whatever_fails_while_reading_ends_the_run(failure):
    class Failing:
        def read(self, _):
            raise failure

    lines, (error,) = read(Failing())
    assert lines == []
    assert isinstance(error, InputError)
    assert type(failure).__name__ in str(error)


def test_a_long_line_is_joined_once():
    source = Chunks(*[b"x" * 1000 for _ in range(5000)], b"\n")
    lines, _ = read(source, max_line_bytes=10**8)
    assert len(lines[0][1]) == 5_000_000


# Delivering


@pytest.mark.slow
@pytest.mark.parametrize("route", ["json", "csv", "contact"])
def test_p9_rows_around_an_unreadable_one_are_delivered_and_state_leaves(mailjet, route):
    lines = [json.dumps(one) for one in (schema(), person(1), person(2), person(3), state(1))]
    lines[2] = lines[2].replace('"Lyon"', "NaN")
    result = mailjet.deliver("\n".join(lines) + "\n", route=route)
    assert (result.error, result.states) == (None, [1])
    assert result.counts() == {"delivered": 2, "rejected": 1}
    (reject,) = result.rejects
    assert reject["record"]["_reject_code"] == "unreadable"
    assert reject["record"]["_reject_reason"] == "line 3 of the input: column city: NaN is not a JSON number"
    assert reject["record"]["city"] == "NaN"


@pytest.mark.slow
@pytest.mark.parametrize(
    "last", ['{"type": "STATE", "value": "x"}\n', "nonsense\n", '{"type": "RECORD"', '{"type": "BATCH"}\n']
)
def test_p9_what_stands_before_a_line_that_cannot_be_read_is_delivered_and_its_state_leaves(mailjet, last):
    lines = [json.dumps(one) + "\n" for one in (schema(), person(1), state(1), person(2))]
    result = mailjet.deliver("".join(lines) + last + json.dumps(person(3)))
    assert str(result.error).startswith("Line 5 of the input ")
    assert result.states == [1]
    assert result.counts() == {"delivered": 2}
    assert sorted(mailjet.members()) == ["person1@example.com", "person2@example.com"]


@pytest.mark.slow
def test_p9_a_line_longer_than_the_setting_is_named(mailjet):
    rows = [schema(), person(1), state(1), person(2, name="x" * 5000)]
    result = mailjet.deliver(rows, max_line_bytes=2000)
    assert (str(result.error)[:34], result.states) == ("Line 4 of the input is longer than", [1])


@pytest.mark.slow
def test_an_unreadable_row_of_a_mapped_stream_is_rejected_once(mailjet):
    lines = [json.dumps(one) for one in (schema(), person(1), person(2), state(1))]
    lines[1] = lines[1].replace('"Lyon"', "Infinity")
    maps = {"people": {"city": "city"}, "others": {"__source__": "people", "city": "city"}}
    result = mailjet.deliver("\n".join(lines) + "\n", stream_maps=maps)
    assert (result.error, result.states) == (None, [1])
    assert result.counts()["rejected"] == 1


def test_a_text_source_is_read():
    assert read(io.StringIO("\u00e9\n"))[0] == [(1, "\u00e9".encode())]


@pytest.mark.parametrize(
    ("column", "name", "what"),
    [
        ("stream", r"pe\u0000ople", r"Line 3 .*SCHEMA of stream 'pe\\x00ople', whose name holds a NUL"),
        ("stream", r"pe\ud800ople", "Line 3 .*half of a surrogate pair"),
        ("note", r"no\ud800te", "Line 3 .*half of a surrogate pair"),
        ("id", r"i\udc00d", "Line 3 .*half of a surrogate pair"),
        ("note", r"no\u0000te", None),
        ("id", r"i\u0000d", None),
    ],
)
def test_p9_a_name_that_is_no_text_is_refused_at_its_schema_and_what_came_before_it_counts(mailjet, column, name, what):
    if column == "stream":
        text = mailjet.text([schema("other"), person(1, stream="other")])
        text += mailjet.text([schema("people"), person(2, email="no address")]).replace('"people"', f'"{name}"')
    else:
        text = mailjet.text([schema(), person(1)])
        message = schema(columns=COLUMNS | {"note": {}})
        text += mailjet.text([message, person(2, email="no address", note="x")]).replace(f'"{column}"', f'"{name}"')
    result = mailjet.deliver(text)
    if what is None:
        assert (result.error, result.counts()) == (None, {"delivered": 1, "rejected": 1})
        return
    assert isinstance(result.error, InputError)
    assert re.match(what, str(result.error))
    assert result.counts() == {"delivered": 1}
    with pytest.raises(InputError, match=what):
        TargetMailing(config=mailjet.settings()).check(io.StringIO(text))
