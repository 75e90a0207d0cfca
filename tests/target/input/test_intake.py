"""Lines become rows: decoded many at once or one by one, with the same result."""

from __future__ import annotations

import itertools
import json
from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_mailing.contacts.fields import Field, Fields
from target_mailing.contacts.row_address import require_valid
from target_mailing.delivery.checkpoints import Ledger
from target_mailing.delivery.stream_tallies import StreamTallies
from target_mailing.input.intake import Intake
from target_mailing.interface.channel import BY_EMAIL
from target_mailing.interface.destination import Destination
from target_mailing.journal.hashes import Hashes
from target_mailing.journal.journal import Journal
from target_mailing.journal.stores import MemoryStore
from target_mailing.mailjet.actions import ACTIONS, ADDING
from target_mailing.rows.lines import InputError, Lines
from target_mailing.run_events import History

TEXT = Field(str)


class Anywhere:
    """A destination that only encodes."""

    name = "anywhere"
    actions = msgspec.structs.replace(ACTIONS, decline="decline")
    fields = Fields(
        columns={"name": TEXT, "topic": Field(str, opt_outs=lambda choice: choice if choice == "out" else None)},
        properties={"city": TEXT},
    )

    def encode(self, contact, action):
        if action in ADDING:
            require_valid(contact.email)
        return msgspec.json.encode([contact.email, contact.columns, contact.properties, action])

    encode_all = Destination.encode_all


class Gathered:
    """What an intake hands on."""

    destination = Anywhere()
    history = History()

    settled_up_to = 0

    def __init__(self):
        self.rows = []
        self.rejects = []
        self.ends = []
        self.expected = []
        self.streams = StreamTallies(lambda: 0)

    def offer(self, rows):
        for row in rows:
            more = row.raw, row.key, row.drops_key, row.tells_changes, row.lost_address
            self.rows.append((row.lines, row.stream, row.email, row.action, row.contact.content, *more))

    def expect(self, line, parts, *, is_opt_out):
        self.expected.append((line, parts, is_opt_out))

    def note_rows(self, rejects):
        self.rejects.extend((one.stream, one.record, one.code, one.attempt) for one in rejects)

    def at(self, _):
        return self

    def settle_all(self, ends):
        self.ends.extend(ends)


def take(pieces, **config):
    """Take in pieces of an input; returns what came of them, and the prefix of lines that are no rows."""
    gathered, ledger, journal = Gathered(), Ledger(), Journal(MemoryStore())
    journal.hashes = Hashes(b"key")
    intake = Intake(
        config=config, mapper=None, ledger=ledger, outcomes=gathered, delivery=gathered,
        journal=SimpleNamespace(
            hashes=journal.hashes, absent=journal.absent, open_rejects=journal.open_rejects,
            note_rows=gathered.note_rows,
        ),
        rejects=SimpleNamespace(declare=lambda *_: None),
        router=SimpleNamespace(
            provider=SimpleNamespace(channel=BY_EMAIL),
            queue=lambda *_: gathered,
        ),
    )  # fmt: skip
    number, error = 1, None
    try:
        for piece in pieces:
            each = piece.split(b"\n")[:-1]
            intake.take(Lines(number, each))
            number += len(each)
    except InputError as exc:
        error = str(exc)
    finally:
        journal.close()
    ends = gathered.ends, sorted(gathered.expected), intake.ends_in_state
    return gathered.rows, ends, gathered.rejects, ledger.prefix, intake.messages, error


def schema(stream, keys=(), **columns):
    body = {"type": "object", "properties": {name: {"type": kinds} for name, kinds in columns.items()}}
    return {"type": "SCHEMA", "stream": stream, "schema": body, "key_properties": [*keys]}


WIDE = {"email": ["string", "null"], "name": ["string", "null"], "city": ["string", "null"], "properties": "object"}
MESSAGES = st.one_of(
    st.sampled_from(
        [
            schema("a", **WIDE),
            schema("a", email="string", name="integer"),
            schema("b", **WIDE),
            {"type": "STATE", "value": {"at": 1}},
            None,
        ]
    ),
    st.builds(
        lambda stream, record: {"type": "RECORD", "stream": stream, "record": record},
        st.sampled_from("ab"),
        st.fixed_dictionaries(
            {},
            optional={
                "email": st.sampled_from(["x@y.test", "z@y.test", "nobody", None, 7]),
                "name": st.sampled_from(["Ada", 5, None]),
                "city": st.sampled_from(["Lyon", None, True]),
                "properties": st.sampled_from([{}, {"city": "Rome"}, {"unknown": 1}, None]),
                "subscription_status": st.sampled_from(["subscribed", "excluded"]),
                "_sdc_deleted_at": st.sampled_from([None, "2026-01-01T00:00:00Z"]),
                "_reject_attempt": st.just(2),
                "other": st.just({"any": "thing"}),
            },
        ),
    ),
)


@pytest.mark.slow
@given(messages=st.lists(MESSAGES, max_size=25), data=st.data())
@settings(max_examples=60, deadline=None)
def test_lines_decoded_at_once_become_what_they_become_one_by_one(messages, data):
    messages = [schema("a", **WIDE), schema("b", **WIDE), *messages]
    lines = [b"  \n" if one is None else json.dumps(one).encode() + b"\n" for one in messages]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(lines) - 1), max_size=4)))
    pieces = [b"".join(lines[start:end]) for start, end in zip([0, *cuts], [*cuts, len(lines)], strict=True)]
    assert take(pieces) == take(lines)


ODD = {
    "email": ["x@y.test", "z@y.test", "nobody", "X@y.test", None, "u@v.test, z@y.test", "a..b@c.de", "", "w@y.test"],
    "id": [1, 2, "", 7.0, None, 7, True],
    "tenant": ["a", "b", "a", " ", None],
    "name": ["Ada", 5, None, "Bob"],
    "subscription_status": [None, "subscribed", None, "unsubscribed", "excluded", "?", None, None],
    "_sdc_deleted_at": [None, None, None, "2026-01-01T00:00:00Z", None, "perhaps", None, None, None, None, None],
    "act": [None, "unsub", None, "fly", None, None, "remove", None, None, None, None, None, "addforce"],
    "topic": [None, None, "out", "in", None],
}


@pytest.mark.parametrize(
    ("keys", "more"),
    [(["id"], {}), (["tenant", "id"], {}), (["email"], {}), ([], {}), (["id"], {"provider": ["here"]})],
)
def test_odd_records_become_together_what_they_become_one_by_one(keys, more):
    columns = {name: itertools.cycle(values) for name, values in (ODD | more).items()}
    records = [{name: next(values) for name, values in columns.items()} for _ in range(60)]
    kinds = ["string", "null", "integer", "number", "boolean"]
    streams = ["all_contacts", "more_contacts"]
    messages = [
        *(schema(stream, keys, **dict.fromkeys(columns, kinds)) for stream in streams),
        *({"type": "RECORD", "stream": streams[at % 7 % 2], "record": record} for at, record in enumerate(records)),
    ]
    lines = [json.dumps(one).encode() + b"\n" for one in messages]
    config = {"action_column": "act", "properties": []}
    together = take([*lines[:2], b"".join(lines[2:])], **config)
    assert together == take(lines, **config)
    assert [row[0] for row in together[0]] == sorted(row[0] for row in together[0])
    assert len(together[0]) >= 15


def test_a_log_leaves_the_deletion_mark_empty_or_fills_it_with_a_time():
    record = {"type": "RECORD", "stream": "a"}
    marks = {"x@y.test": None, "y@y.test": "2026-01-01T00:00:00Z", "z@y.test": "no"}
    messages = [
        schema("a", email=["string"], _sdc_deleted_at=["string", "null"]),
        *(record | {"record": {"email": email, "_sdc_deleted_at": mark}} for email, mark in marks.items()),
    ]
    rows, *_ = take([json.dumps(one).encode() + b"\n" for one in messages])
    assert [row[8] for row in rows] == [True, True, False]


@pytest.mark.parametrize(("keys", "codes"), [([], ["unknown_key"]), (["id"], [])])
def test_a_deleted_row_needs_an_address_or_a_key(keys, codes):
    record = {"id": 7, "email": "", "_sdc_deleted_at": "2026-01-01T00:00:00Z"}
    table = schema("a", keys, email=["string"], id=["integer"], _sdc_deleted_at=["string"])
    messages = [table, {"type": "RECORD", "stream": "a", "record": record}]
    rows, _, rejects, *_ = take([json.dumps(one).encode() + b"\n" for one in messages])
    assert [one[2] for one in rejects] == codes
    assert len(rows) + len(codes) == 1


def test_a_state_after_the_last_record_covers_all():
    table, state = schema("a", email=["string"]), {"type": "STATE", "value": {}}
    record = {"type": "RECORD", "stream": "a", "record": {"email": "x@y.test"}}
    for messages, is_covered in (([record, state], True), ([state, record], False), ([record, state, record], False)):
        lines = b"".join(json.dumps(one).encode() + b"\n" for one in messages)
        assert take([json.dumps(table).encode() + b"\n", lines])[1][2] is is_covered


@pytest.mark.parametrize(
    "line",
    ['{"type":"RECORD","stream":"a"}', '{"type":"RECORD","str', "[]"],
)
def test_p9_a_line_that_is_no_message_is_named_and_those_before_it_count(line):
    good = json.dumps({"type": "RECORD", "stream": "a", "record": {"email": "x@y.test"}})
    first = (json.dumps(schema("a", **WIDE)) + "\n").encode()
    rows, _, _, prefix, _, error = take([first, f"{good}\n{good}\n{line}\n{good}\n".encode()])
    assert [row[0] for row in rows] == [(2,), (3,)]
    assert prefix == 1
    assert error.startswith("Line 4 of the input is ")


@pytest.mark.parametrize(
    ("first", "advice"),
    [
        (b"id;email\n", "standard output; a CSV file must be read by a tap first."),
        (b'{"type": "RECORD", "stre\n', "standard output."),
    ],
)
def test_a_first_line_that_is_none_of_a_tap_is_perhaps_that_of_a_csv_file(first, advice):
    *_, error = take([first])
    assert error.startswith("Line 1 of the input is not a Singer message: it is not JSON.")
    assert error.endswith(f" Check what the tap writes to {advice}")


def test_two_objects_in_one_line_are_no_message():
    good = json.dumps({"type": "RECORD", "stream": "a", "record": {"email": "x@y.test"}})
    first = (json.dumps(schema("a", **WIDE)) + "\n" + good + "\n").encode()
    *_, error = take([first, f"{good}{good}\n\n".encode()])
    assert error.startswith("Line 3 of the input is not a Singer message")


def test_a_column_used_twice_is_absent_for_the_one_and_null_for_the_other():
    columns = {"email": ["string", "null"], "town": ["string", "null"]}
    config = {"mapping": {"name": "town", "city": "town"}, "nulls": "clear"}
    records = [{"email": "x@y.test"}, {"email": "y@y.test", "town": None}, {"email": "z@y.test", "town": "Rome"}]
    lines = [schema("a", **columns), *({"type": "RECORD", "stream": "a", "record": one} for one in records)]
    rows, *_ = take([json.dumps(one).encode() + b"\n" for one in lines], **config)
    assert [json.loads(row[4])[1:3] for row in rows] == [
        [{}, {}],
        [{}, {"city": None}],
        [{"name": "Rome"}, {"city": "Rome"}],
    ]
