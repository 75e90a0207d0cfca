"""Inputs of which some bytes, or some members of a SCHEMA, are others: right, a reject, or one error with its line."""

from __future__ import annotations

import io
import json
import random
from typing import Any

import pytest

from target_mailing.command.cli import TargetCommand
from target_mailing.rows.lines import InputError
from tests.searching import LENGTH, examples
from tests.target.conftest import schema
from tests.target.delivery.test_mutated_answers import _in_a_hurry, begun
from tests.target.mutations import VALUES, part, places, put
from tests.target.ses.conftest import _no_aws_of_this_machine

__all__ = ["_in_a_hurry", "_no_aws_of_this_machine"]

#: Bytes that matter to somebody who reads JSON, UTF-8 or numbers.
BYTES = b'\x00\t\r "\\/,:[]{}0123456789-+.eEuntf\x7f\x80\xc3\xed\xf4\xff'

COLUMNS = {
    "id": {"type": ["integer", "null"]},
    "email": {"type": ["string", "null"], "format": "email"},
    "city": {"anyOf": [{"type": "string", "maxLength": 50}, {"type": "null"}]},
    "visits": {"type": ["number", "null"], "minimum": 0, "exclusiveMaximum": 1000, "multipleOf": 1},
    "tags": {"type": "array", "items": {"type": ["string", "null"]}},
    "subscription_status": {"$ref": "#/definitions/status"},
    "_sdc_deleted_at": {"type": ["null", "string"], "format": "date-time"},
}
MORE = {"definitions": {"status": {"type": ["string", "null"], "enum": ["subscribed", "unsubscribed", None]}}}

#: In the place of a part of a SCHEMA: what some draft, tool or database tap writes there, or nobody.
PARTS = [
    *VALUES, '"any"', '["any"]', '["string", {"type": "integer"}]', '"integer"', '["null"]', '"file"', '["null", null]',
    '{"$ref": "#"}', '{"$ref": "#/properties/email"}', '{"$ref": "#/definitions/no"}', '{"$ref": "http://a.test/b"}',
    '{"$ref": "file:///etc/passwd"}', '{"$ref": 5}', '{"$dynamicRef": "#x"}', '{"$recursiveRef": "#"}',
    '{"$ref": "#/definitions/%zz~2"}', '{"allOf": [{"$ref": "#/properties/city"}]}', '{"$id": "http://a.test/%"}',
    '{"pattern": "^(a+)+$"}', '{"pattern": "("}', '{"patternProperties": {"(": {}}}', '{"format": "regex"}',
    '{"exclusiveMinimum": true, "minimum": 0}', '{"divisibleBy": 0}', '{"multipleOf": 1e-300}', '{"maxLength": -1}',
    '{"maxLength": 1.5}', '{"minItems": "1"}', '{"required": true}', '{"required": ["no"]}', '{"enum": "a"}',
    '{"disallow": "string"}', '{"extends": [{}]}', '{"dependencies": {"a": "b", "c": ["d"], "e": {}}}',
    '{"const": NaN}',
    '{"not": {}}', '{"if": 1, "then": 2}', '{"items": [[]]}', '{"prefixItems": [{}], "items": false}',
    '{"unevaluatedProperties": false}', '{"propertyNames": {"maxLength": 0}}', '{"contains": {}, "minContains": -1}',
    '{"oneOf": []}', '{"anyOf": {}}', '{"type": "string", "nullable": true}', '{"additionalProperties": 5}',
    '"http://json-schema.org/draft-03/schema#"', '"https://json-schema.org/draft/2020-12/schema"', '["id", "id"]',
]  # fmt: skip
DRAFTS = [
    "http://json-schema.org/draft-03/schema#", "http://json-schema.org/draft-04/schema#",
    "http://json-schema.org/draft-06/schema#", "http://json-schema.org/draft-07/schema#",
    "https://json-schema.org/draft/2019-09/schema", "https://json-schema.org/draft/2020-12/schema", "urn:no", 5, None,
]  # fmt: skip


def record(number: int, **columns: Any) -> dict[str, Any]:
    row = {"id": number, "email": f"person{number}@example.com", "city": "Lyon", "visits": number, "tags": ["a", None]}
    return {"type": "RECORD", "stream": "people", "record": row | columns}


def described(more: dict[str, Any]) -> dict[str, Any]:
    found = schema(columns=COLUMNS)
    found["schema"] |= MORE | more
    return found


def lines(more: dict[str, Any]) -> list[bytes]:
    messages = [
        described(more), record(1), {"type": "STATE", "value": {"bookmarks": {"people": {"at": 1}}}},
        {"type": "ACTIVATE_VERSION", "stream": "people", "version": 1700000000000},
        record(2, subscription_status="unsubscribed"), record(3, email="declined@example.com"),
        record(4, _sdc_deleted_at="2026-01-01T00:00:00Z", email="gone@example.com"),
        {"type": "BATCH", "stream": "people", "encoding": {"format": "jsonl"}, "manifest": ["file:///tmp/a"]},
        record(5), {"type": "STATE", "value": {"bookmarks": {"people": {"at": 2}}}},
    ]  # fmt: skip
    return [json.dumps(one).encode() for one in messages]


def state_of(line: bytes) -> Any:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found.get("value") if isinstance(found, dict) else None


def judged(world, content: bytes, described_by: str) -> Any:
    """Deliver, and look at what holds whatever stands in the input."""
    states = [value for line in content.split(b"\n") if (value := state_of(line)) is not None]
    result = world.target.deliver_from(io.TextIOWrapper(io.BytesIO(content)))
    text = f"{result.log} {result.error}"
    try:
        assert result.error is None or isinstance(result.error, TargetCommand.user_errors), repr(result.error)
        assert "Traceback" not in text
        assert "report this" not in text
        assert "@example" not in text, [line for line in text.splitlines() if "@example" in line][:2]
        assert str(result.error).count("\n") == 0
        assert [one for one in result.states if one not in states] == []
        assert result.states or result.error is not None
        # Nobody who opted out is subscribed, whatever became of a row about them.
        assert world.held()["declined@example.com"] == "unsubscribed"
    except AssertionError as error:
        raise AssertionError(f"{described_by}: {error}") from error
    return result


@pytest.fixture
def seeds(request):
    begin = str(request.config.getoption("hypothesis_seed", None))
    first = int(begin) * 10_000 if begin.isdecimal() and LENGTH != "short" else 0
    return range(first, first + examples(15, 600))


@pytest.mark.slow
@pytest.mark.machine
def test_p1_p7_p9_changed_bytes_of_any_line(monkeypatch, seeds):
    for seed in seeds:
        draw = random.Random(f"bytes {seed}")
        given = [one for one in lines({}) if b'"BATCH"' not in one or draw.random() < 0.1]
        at_line = draw.randrange(len(given))
        line = bytearray(given[at_line])
        for _ in range(draw.choice([1, 1, 2, 5])):
            place = draw.randrange(len(line))
            how = draw.choice(["other", "other", "out", "in", "twice", "cut"])
            if how == "other":
                line[place] = draw.choice(BYTES)
            elif how == "out":
                del line[place : place + draw.choice([1, 1, 10])]
            elif how == "in":
                line[place:place] = bytes([draw.choice(BYTES)])
            elif how == "twice":
                line[place:place] = line[max(0, place - 20) : place]
            else:
                del line[place:]
            line = line or bytearray(b" ")
        changed = [*given[:at_line], bytes(line), *given[at_line + 1 :]]
        with begun("mailjet-json", monkeypatch) as (world, _):
            judged(world, b"\n".join(changed) + b"\n", f"seed {seed}: {bytes(line)!r}")


@pytest.mark.slow
@pytest.mark.machine
def test_p7_p9_changed_schemas_of_any_draft(monkeypatch, seeds):
    for seed in seeds:
        draw = random.Random(f"schema {seed}")
        draft = draw.choice(DRAFTS)
        found = described({} if draft is None else {"$schema": draft})
        told = []
        for _ in range(draw.choice([1, 1, 2, 3])):
            path = draw.choice([one for one in places(found) if one and one[0] in {"schema", "key_properties"}])
            new = draw.choice(PARTS)
            old = part(found, path)
            if isinstance(old, dict) and draw.random() < 0.5 and new[0] == "{" and "\\ud" not in new:
                value: Any = {**old, **json.loads(new)}
            else:
                value = f"\x01{len(told)}\x01"
            found = put(found, path, value)
            told.append((path, new))
        text = json.dumps(found)
        for number, (_, new) in enumerate(told):
            text = text.replace(json.dumps(f"\x01{number}\x01"), new)
        content = [text.encode(), *[one for one in lines({})[1:] if b'"BATCH"' not in one]]
        with begun("mailjet-json", monkeypatch) as (world, _):
            result = judged(world, b"\n".join(content) + b"\n", f"seed {seed}: {draft} {told}")
            if result.error is None:
                assert sum(result.counts().values()) == 5
            else:
                assert not isinstance(result.error, InputError) or "Line 1" in str(result.error), told
