"""The people of the fault table: what each row says in the first run and in the rerun, and who opts out when.

Each situation is one key of the stream. What is held after the rerun does not depend on how far the first run
came: every situation's last record decides, and an opt-out stays whatever comes. Every value that must never be
printed holds the word "canary".
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Record = dict[str, Any]

STREAM = "people"
PROPERTIES = {"city": "str", "visits": "int"}
COLUMNS = {
    "id": {"type": "integer"},
    "email": {"type": ["string", "null"]},
    "name": {"type": ["string", "null"]},
    "city": {"type": ["string", "null"]},
    "visits": {"type": ["integer", "null"]},
    "properties": {"type": ["object", "string", "null"]},
    "action": {"type": ["string", "null"]},
    "subscription_status": {"type": ["string", "null"]},
    "_sdc_deleted_at": {"type": ["string", "null"], "format": "date-time"},
}
SETTINGS = {"properties": ["city", "visits"], "action_column": "action"}
ROWS_PER_STATE = 6


@dataclass(frozen=True)
class Situation:
    """What happens to one key.

    Attributes:
        name: of the situation, for people.
        before: its record in the run before the first, if it was in one.
        first: its record in the first run.
        again: its record in the rerun; None: the same.
        member: an address that was put on the list by somebody else.
        opted_out: an address, and when its owner opted out at the provider: before the first run, or before the rerun.
    """

    name: str
    first: Record
    again: Record | None = None
    before: Record | None = None
    member: str | None = None
    opted_out: tuple[str, Literal["before", "between"]] | None = None


def address(who: str) -> str:
    return f"{who}@canary.example"


def add(who: str, visit: int = 1, **columns: Any) -> Record:
    about = {"email": address(who), "name": f"Canary {who}", "city": f"Canaryville {visit}", "visits": visit}
    return about | columns


def off(who: str) -> Record:
    return {"email": address(who), "action": "remove"}


def unsubscribed(who: str) -> Record:
    return add(who, subscription_status="unsubscribed")


def gone(who: str | None = None) -> Record:
    return {"_sdc_deleted_at": "2026-01-01T00:00:00Z"} | ({"email": address(who)} if who else {})


def plain(number: int) -> Situation:
    who = f"plain{number}"
    return Situation(f"added, number {number}", add(who), again=add(who, 2) if number % 3 == 0 else None)


REFUSED = (address("refused1"), address("refused2"))
"""Addresses that the provider refuses, although nothing is wrong with their form."""

SPECIAL = (
    Situation("an address that is none", add("bad") | {"email": "canary.without.at"}),
    Situation("removed by the row's action", off("removed"), member=address("removed")),
    Situation("unsubscribed at the source, unknown to the provider", unsubscribed("leaver1")),
    Situation("changed its address", add("new1"), before=add("old1")),
    Situation("deleted by its key", gone(), before=add("deleted1")),
    Situation("opted out, then added", add("out1", 2), member=address("out1"), opted_out=(address("out1"), "before")),
    Situation("opted out, then removed", off("out2"), member=address("out2"), opted_out=(address("out2"), "before")),
    Situation("refused by the provider", add("refused1")),
    Situation("moved between the runs", add("there1"), again=add("elsewhere1")),
    Situation("added, deleted by its key between the runs", add("short1"), again=gone()),
    Situation("a value of the wrong type", add("wrong", properties="canary-visits")),
    Situation("opted out, changed its address", add("new2"), before=add("old2"), opted_out=(address("old2"), "before")),
    Situation("one of two keys of an address, then deleted", gone(), before=add("shared1")),
    Situation("the other of these keys", add("shared1"), before=add("shared1")),
    Situation("an address of two rows", add("twin", 1)),
    Situation("the same address, spelled differently", add("twin", 2, email="Twin@Canary.example")),
    Situation("refused by the provider, in another batch", add("refused2")),
    Situation("removed, then added", off("back1"), again=add("back1"), member=address("back1")),
    Situation("unknown to the provider, removed", off("stranger")),
    Situation("excluded at the source", add("excluded", subscription_status="excluded")),
    Situation("unsubscribed at the source, a member", unsubscribed("leaver2"), member=address("leaver2")),
    Situation("unsubscribed at the source between the runs", add("leaver3"), again=unsubscribed("leaver3")),
    Situation("deleted with its address", gone("deleted2"), before=add("deleted2")),
    Situation("unchanged since the run before", add("same1"), before=add("same1")),
    Situation("deleted by its key, then back", gone(), again=add("back2"), before=add("back2")),
    Situation(
        "opted out, deleted by its key, then back", gone(), again=add("back3", 2),
        before=add("back3"), opted_out=(address("back3"), "before"),
    ),
    Situation("moved twice", add("second2"), again=add("third2"), before=add("first2")),
    Situation("moved there and back", add("there3"), again=add("home3"), before=add("home3")),
    Situation(
        "opts out between the runs", add("out4", 2), again=add("out4", 3),
        before=add("out4"), opted_out=(address("out4"), "between"),
    ),
    Situation(
        "opts out between the runs, then moves", add("out5"), again=add("new5"),
        before=add("out5"), opted_out=(address("out5"), "between"),
    ),
    Situation(
        "moves, then opts out", add("new6"),
        before=add("old6"), opted_out=(address("new6"), "between"),
    ),
)  # fmt: skip


def in_order(plain_ones: int = 24, alone: int = 8) -> tuple[Situation, ...]:
    """Plain situations and a reject, so that a STATE leaves soon; then the special ones, a plain one after each."""
    bad, *special = SPECIAL
    found = [*map(plain, range(alone)), bad]
    for at, one in enumerate(special, alone):
        found += [plain(at), one] if at < plain_ones else [one]
    return tuple(found)


SITUATIONS = in_order()


def rows_before() -> list[Record]:
    """The rows of the run before the first."""
    return [{"id": at, **one.before} for at, one in enumerate(SITUATIONS, 1) if one.before is not None]


def rows_first() -> list[Record]:
    """The rows of the first run."""
    return [{"id": at, **one.first} for at, one in enumerate(SITUATIONS, 1)]


def rows_again(*, done: int, rejected: Iterable[int], seed: str) -> list[Record]:
    """The rows of the rerun, in another order: those that changed, were rejected, or come after the STATE given.

    Args:
        done: how many of the first run's rows are before that STATE.
        rejected: keys of rows that the first run rejected, whose rejects are piped back in.
        seed: of the order.
    """
    once_more = set(rejected)
    rows = [
        {"id": at, **(one.first if one.again is None else one.again)}
        for at, one in enumerate(SITUATIONS, 1)
        if at > done or one.again is not None or at in once_more
    ]
    random.Random(seed).shuffle(rows)
    return rows


def opting_out(when: Literal["before", "between"]) -> list[str]:
    """Addresses of those who opt out at the provider then."""
    return [one.opted_out[0] for one in SITUATIONS if one.opted_out is not None and one.opted_out[1] == when]


def members() -> list[str]:
    """Addresses that somebody else put on the list."""
    return [one.member for one in SITUATIONS if one.member is not None]


def lines(rows: Sequence[Record], more: Mapping[str, Mapping[str, Any]], *, without: Sequence[str] = ()) -> list[bytes]:
    """A Singer stream of these rows, with more columns, or fewer; each STATE tells how many of them are before it."""
    found: list[Record] = [
        {
            "type": "SCHEMA",
            "stream": STREAM,
            "schema": {
                "type": "object",
                "properties": {
                    column: schema for column, schema in {**COLUMNS, **more}.items() if column not in without
                },
            },
            "key_properties": ["id"],
        }
    ]
    for count, row in enumerate(rows, 1):
        found.append({"type": "RECORD", "stream": STREAM, "record": row})
        if count % ROWS_PER_STATE == 0 or count == len(rows):
            found.append({"type": "STATE", "value": {"rows": count}})
    return [json.dumps(one).encode() + b"\n" for one in found]
