"""Exactly those leave who were on the list before, whom no line names, and no other stream or opt-out keeps."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.target.conftest import COLUMNS, person, schema, state
from tests.target.ses.conftest import REGION, bare, ses  # noqa: F401 - fixtures

TOTAL = {"total": {"type": ["integer", "null"]}}
MOST = 6
PEOPLE = st.frozensets(st.integers(1, MOST), max_size=MOST)
#: How a row names its person.
FORMS = {
    "usual": {},
    "other key": None,
    "rejected": {"visits": {}},
    "upper case": None,
    "withheld": {"subscription_status": "excluded"},
    "omitted": {"name": "omitted"},
    "changed": {"city": "Rome"},
    "known key alone": {"email": None},
    "key alone": None,
    "opting out": {"subscription_status": "unsubscribed"},
}
#: Forms that put their person on the list.
ADDING = {"usual", "other key", "changed", "upper case"}
#: Forms whose rows tell no address.
ALONE = {"known key alone", "key alone"}
ROWS = st.lists(
    st.tuples(st.integers(1, MOST), st.sampled_from([*FORMS, "usual", "usual"])),
    max_size=MOST,
    unique_by=lambda row: row[0],
)
FLAWS = st.sampled_from(["none"] * 5 + ["cut", "unreadable"])
RUN = st.tuples(ROWS, PEOPLE, FLAWS, PEOPLE, PEOPLE)
NAMES = itertools.count()


def address(number):
    return f"person{number}@example.com"


def row(number, form, total, stream="people"):
    if form == "other key":
        columns = {"id": 100 + number}
    elif form == "key alone":
        columns = {"id": 200 + number, "email": None}
    elif form == "upper case":
        columns = {"email": address(number).upper()}
    else:
        columns = FORMS[form]
    return person(number, stream=stream, total=total, **columns)


def messages(rows, others, flaw):
    total = len(rows) + (flaw == "cut")
    records = [row(number, form, total) for number, form in rows]
    records += [schema("others", COLUMNS | TOTAL), *(row(number, "usual", 0, "others") for number in sorted(others))]
    return [schema("people", COLUMNS | TOTAL), *records, state(1)]


class World:
    """What is known without the target: who is on the list, who was put there by which streams, and who opted out."""

    def __init__(self, provider, journal, **own):
        self.provider = provider
        self.settings = {
            "journal": journal, "sync": "mirror", "whole_count": "total", "mirror_scope": "list",
            "max_rejected": "100%", "properties": ["city", "visits"],
            "streams": {"people": {}, "others": {"sync": "upsert", "whole_count": None, "mirror_scope": "stream"}},
            "stream_maps": {"people": {"__filter__": "record['name'] != 'omitted'"}}, **own,
        }  # fmt: skip
        #: By person, the streams that put them there by a run.
        self.placed: dict[int, set[str]] = {}
        #: By key, its person, as the journal knows it.
        self.keys: dict[int, int] = {}
        #: A whole input was compared with the list.
        self.has_compared = False

    def members(self):
        """By person, whether they opted out."""
        raise NotImplementedError

    def put(self, numbers, *, unsubscribed=False):
        raise NotImplementedError

    def run(self, rows, others, flaw):
        before = self.members()
        text = self.provider.text(messages(rows, others, flaw))
        if flaw == "unreadable":
            text += '{"type": "RECORD", "stream": "people", "record": {"id": 9, "email": "\\ud800"}}\n'
        plan = self.provider.deliver(text, **self.settings, mode="plan")
        assert (plan.error, self.members()) == (None, before)
        result = self.provider.deliver(text, **self.settings)
        assert result.error is None
        names = ("absent_delivered", "absent_withheld", "absent_rejected", "delivered", "unchanged", "rejected")
        assert [plan.outcomes[name] for name in names] == [result.outcomes[name] for name in names]
        leaving = self._leaving(before, rows, others, flaw)
        for number, form in rows:
            if form in ADDING:
                self.placed.setdefault(number, set()).add("people")
        for number in others:
            self.placed.setdefault(number, set()).add("others")
        for number, form in rows:
            if form in ADDING or form == "opting out":
                self.keys[row(number, form, 0)["record"]["id"]] = number
        for number in leaving:
            self.placed.pop(number, None)
        self.keys = {key: one for key, one in self.keys.items() if one not in leaving}
        added = {number for number, form in rows if form in ADDING} | others
        after = self.members()
        assert before.keys() - after.keys() == leaving - added
        assert after.keys() >= added

    def _leaving(self, before, rows, others, flaw):
        """Who is to leave."""
        opted_out = {one for one, is_out in before.items() if is_out}
        keys = {row(number, form, 0)["record"]["id"]: form for number, form in rows}
        named = others | {number for number, form in rows if form not in ALONE}
        named |= {self.keys[key] for key in keys.keys() & self.keys.keys()}
        is_certain = all(key in self.keys for key, form in keys.items() if form in ALONE)
        if flaw != "none" or not rows or not is_certain:
            return set()
        of_others = {one for one, streams in self.placed.items() if "others" in streams}
        # Of a key the stream is not known.
        of_others |= {*self.keys.values()} - self.placed.keys()
        theirs = {one for one in before if self.placed.get(one) == {"people"}}
        leaving = {one for one in before if self.has_compared or one in theirs} - named - of_others - opted_out
        self.has_compared = True
        return leaving


class MailjetWorld(World):
    def __init__(self, provider, name):
        super().__init__(provider, str(provider.folder / f"{name}.sqlite"), list=name)
        provider.sandbox.mailjet.add_list(name)
        self.name = name

    def members(self):
        found = self.provider.statuses(self.name)
        return {
            number: found[address(number)] == "unsubscribed"
            for number in range(1, MOST + 1)
            if address(number) in found
        }

    def put(self, numbers, *, unsubscribed=False):
        more = {"unsubscribed": True} if unsubscribed else {}
        list_id = self.provider.ids[self.name]
        self.provider.sandbox.mailjet.add_contacts([{"email": address(one), "list": list_id} | more for one in numbers])


class SesWorld(World):
    def __init__(self, provider, name):
        super().__init__(provider, str(provider.folder / f"{name}.sqlite"), route="direct")
        provider.ses.remove_contacts([*provider.contacts()], region=REGION)

    def members(self):
        found = {email.lower(): one["unsubscribed"] for email, one in self.provider.contacts().items()}
        return {number: found[address(number)] for number in range(1, MOST + 1) if address(number) in found}

    def put(self, numbers, *, unsubscribed=False):
        there = self.members()
        self.provider.add(
            *({"email": address(one), "unsubscribed": unsubscribed or there.get(one, False)} for one in numbers)
        )


def play(world, runs, limit):
    world.settings["max_removals"] = limit
    for rows, others, flaw, joining, leaving in runs:
        world.put(sorted(joining))
        world.put([one for one in sorted(leaving) if one in world.members()], unsubscribed=True)
        world.run(rows, others, flaw)


SLOW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.slow
@SLOW
@given(st.lists(RUN, min_size=2, max_size=5), st.sampled_from(["10%", "100%"]))
def test_the_list_of_mailjet_equals_the_stream_but_for_who_may_stay(mailjet, runs, limit):
    play(MailjetWorld(mailjet, f"Scope {next(NAMES)}"), runs, limit)


@pytest.mark.slow
@SLOW
@given(st.lists(RUN, min_size=2, max_size=5), st.sampled_from(["10%", "100%"]))
def test_the_list_of_amazon_ses_equals_the_stream_but_for_who_may_stay(bare, runs, limit):  # noqa: F811
    play(SesWorld(bare, f"Scope {next(NAMES)}"), runs, limit)
