"""Many rows of one address, of one key or of many: the time grows as the number of rows does."""

from __future__ import annotations

import json
import time

import pytest

from tests.target.conftest import schema, state
from tests.target.delivery.test_mutated_answers import _in_a_hurry, begun
from tests.target.ses.conftest import _no_aws_of_this_machine

__all__ = ["_in_a_hurry", "_no_aws_of_this_machine"]

FEW, MANY = 8_000, 32_000

SHAPES = {
    "one key with one address": lambda at: {"id": 1, "email": "one@example.com", "city": f"c{at}"},
    "many keys with one address": lambda at: {"id": at, "email": "one@example.com", "city": f"c{at}"},
}


def seconds(name, row, rows, monkeypatch):
    messages = [{"type": "RECORD", "stream": "people", "record": row(at)} for at in range(rows)]
    columns = {"id": {}, "email": {}, "city": {}}
    text = "".join(json.dumps(one) + "\n" for one in [schema(columns=columns), *messages, state(1)])
    with begun(name, monkeypatch) as (world, _):
        started = time.process_time()
        result = world.target.deliver(text)
        took = time.process_time() - started
        assert (result.error, result.states) == (None, [1])
        assert result.counts()["superseded"] >= rows - 10
    return took


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_p8_four_times_the_rows_of_one_address_take_no_sixteen_times_as_long(shape, monkeypatch):
    few = seconds("mailjet-json", SHAPES[shape], FEW, monkeypatch)
    assert seconds("mailjet-json", SHAPES[shape], MANY, monkeypatch) < 8 * few + 1
