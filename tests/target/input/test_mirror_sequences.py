"""Over any sequence of inputs, nobody leaves a mirrored list who should stay, and everybody who should leave does."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.target.conftest import COLUMNS, person, schema, state

TOTAL = {"total": {"type": ["integer", "null"]}}
PEOPLE = st.frozensets(st.integers(1, 5), max_size=5)
#: How a row names its person.
FORMS = {
    "usual": {},
    "other key": None,
    "rejected": {"visits": {}},
    "bad address": {"email": "?"},
    "withheld": {"subscription_status": "excluded"},
    "omitted": {"name": "omitted"},
    "changed": {"city": "Rome"},
}
#: Forms that put their person on the list.
ADDING = {"usual", "other key", "changed"}
ROWS = st.lists(st.tuples(st.integers(1, 5), st.sampled_from([*FORMS])), max_size=6, unique_by=lambda row: row[0])
FLAWS = st.sampled_from(["none"] * 4 + ["cut", "unreadable", "bookmark", "position", "unnamed"])
RUN = st.tuples(ROWS, PEOPLE, FLAWS, PEOPLE)
NAMES = itertools.count()


def address(number):
    return f"person{number}@example.com"


def row(number, form, total, stream="people"):
    columns = {"id": 100 + number} if form == "other key" else FORMS[form]
    return person(number, stream=stream, total=total, **columns)


def messages(rows, others, flaw):
    table = schema("people", COLUMNS | TOTAL)
    total = len(rows) + (flaw == "cut") + (flaw == "unnamed")
    if flaw == "bookmark":
        table["bookmark_properties"] = ["updated_at"]
    records = [row(number, form, total) for number, form in rows]
    if flaw == "unnamed":
        records.append(person(9, id=None, email=None, total=total))
    records += [schema("others", COLUMNS | TOTAL), *(row(number, "usual", 0, "others") for number in sorted(others))]
    return [table, *records, state({"bookmarks": {"people": {"lsn": 5}}} if flaw == "position" else 1)]


class World:
    """What is known without the target: who is on the list, by which streams, and who opted out."""

    def __init__(self, mailjet, name, journal):
        self.mailjet, self.name = mailjet, name
        self.settings = {
            "list": name, "journal": journal, "sync": "mirror", "whole_count": "total", "max_rejected": "100%",
            "streams": {"people": {}, "others": {"sync": "upsert", "whole_count": None}},
            "stream_maps": {"people": {"__filter__": "record['name'] != 'omitted'"}},
        }  # fmt: skip
        self.placed: dict[int, set[str]] = {}
        self.opted_out: set[int] = set()

    def members(self):
        return {*self.mailjet.members(self.name)}

    def run(self, rows, others, flaw):
        before = self.members()
        text = self.mailjet.text(messages(rows, others, flaw))
        if flaw == "unreadable":
            text += '{"type": "RECORD", "stream": "people", "record": {"id": 9, "email": "\\ud800"}}\n'
        result = self.mailjet.deliver(text, **self.settings)
        assert result.error is None
        assert result.outcomes["rows"] == sum('"RECORD"' in line for line in text.splitlines())
        named = {number for number, _ in rows} | others
        for number, form in rows:
            if form in ADDING:
                self.placed.setdefault(number, set()).add("people")
        for number in others:
            self.placed.setdefault(number, set()).add("others")
        leaving = set()
        if flaw == "none" and rows:
            ours = {number for number, streams in self.placed.items() if streams == {"people"}}
            leaving = ours - named - self.opted_out
        for number in leaving:
            del self.placed[number]
        expected = (before | {address(number) for number in self.placed}) - {address(number) for number in leaving}
        assert self.members() == expected

    def opt_out(self, numbers):
        there = {number for number in numbers if address(number) in self.members()}
        lists = [{"email": address(one), "list": self.mailjet.ids[self.name], "unsubscribed": True} for one in there]
        self.mailjet.sandbox.mailjet.add_contacts(lists)
        self.opted_out |= there


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(RUN, min_size=2, max_size=5))
def test_the_list_follows_the_stream_and_nobody_else_leaves(mailjet, runs):
    name = f"Mirror {next(NAMES)}"
    mailjet.sandbox.mailjet.add_list(name)
    mailjet.sandbox.mailjet.add_contacts([{"email": "guest@example.com", "list": mailjet.ids[name]}])
    world = World(mailjet, name, str(mailjet.folder / f"{name}.sqlite"))
    for rows, others, flaw, opting_out in runs:
        world.run(rows, others, flaw)
        world.opt_out(opting_out)
