"""The newest outcomes of a person's rows, from the history files."""

from __future__ import annotations

import json
import re

import pytest

from mailing_api.errors import ConfigurationError
from tests.target.conftest import people, person, schema, state
from tests.target.explain.answers import answer, explained

WITHHELD = "stream 'people': withheld, opted_out_at_provider"


def columns(**types):
    return {name: {"type": kind} for name, kind in types.items()} | {"email": {"type": "string"}}


def row(**record):
    return {"type": "RECORD", "stream": "people", "record": record}


@pytest.fixture
def reader(mailjet):
    """Somebody who was delivered, opted out, and whose deleted row was withheld."""
    mailjet.deliver([schema(), *people(range(3)), state(1)])
    mailjet.opt_out("person1@example.com")
    mailjet.deliver([schema(), person(1, _sdc_deleted_at="2026-01-01T00:00:00Z"), state(2)])
    return mailjet


@pytest.mark.parametrize("asked", ["1", "person1@example.com"])
def test_the_last_outcomes_are_told_newest_first(reader, asked):
    (job,) = {job["id"] for job in reader.sandbox.mailjet.jobs() if job["route"] == "json"}
    said = answer(reader, asked)
    outcomes = said.partition("last outcomes ")[2]
    assert outcomes.count("stream 'people'") == 2
    first, second = outcomes.split(" UTC, ")[1:]
    assert first.startswith(WITHHELD)
    assert second == f"stream 'people': delivered, added or updated, job {job}"
    assert WITHHELD not in answer(reader, "2")
    assert "last outcomes none in the history" in answer(reader, "nobody@example.com")
    assert "last outcomes none in the history" in answer(reader, "1\nothers")


def test_without_a_history_nothing_is_said_of_it(reader):
    assert "last outcomes" not in answer(reader, "1", history_path="off")
    assert "none in the history" in answer(reader, "1", history_path=str(reader.folder / "none"))


@pytest.mark.parametrize("is_plain", [False, True])
@pytest.mark.parametrize("asked", ["ada@example.com", "ADA@example.com "])
def test_a_key_that_is_the_address_is_found_hashed_or_plain(mailjet, is_plain, asked):
    messages = [schema(columns=columns(), keys=["email"]), row(email="ada@example.com"), state(1)]
    mailjet.deliver(messages, properties=None)
    (file,) = (mailjet.folder / "history").iterdir()
    text = file.read_text()
    assert '"key":"hashed:' in text
    if is_plain:
        file.write_text(re.sub('"key":"hashed:[0-9a-f]+"', '"key":"ada@example.com"', text))
    assert "delivered, added or updated" in answer(mailjet, asked, properties=None)


@pytest.mark.parametrize(
    ("keys", "asked"),
    [
        ({"id": 7}, "[7]"),
        ({"id": 7}, "7.0"),
        ({"id": "x"}, '["x"]'),
        ({"id": 7, "land": "de"}, "7/de"),
        ({"id": 7, "land": "de"}, '[7, "de"]'),
        ({"id": "{}"}, "{}"),
        ({"id": "7"}, "7"),
    ],
)
@pytest.mark.parametrize("by_address", [False, True])
def test_keys_of_any_form_are_found(mailjet, keys, asked, by_address):
    kinds = columns(id=["integer", "string"], land="string")
    message = schema(columns=kinds, keys=[*keys])
    mailjet.deliver([message, row(**keys, email="ada@example.com"), state(1)], properties=None)
    said = answer(mailjet, "ada@example.com" if by_address else asked, properties=None)
    assert "delivered, added or updated" in said


def test_the_newest_five_are_told_also_of_a_run_that_has_not_ended(mailjet):
    for number in range(6):
        mailjet.deliver([schema(), person(1, city=f"City {number}"), state(number)])
    folder = mailjet.folder / "history"
    last = max(folder.iterdir())
    torn = last.read_bytes() + b'{"type":"RECORD","stream":"mailing_outcomes","re'
    last.rename(last.with_name(f"{last.name}.part")).write_bytes(torn)
    (folder / "others.singer").write_text("not ours")
    outcomes = answer(mailjet, "1").partition("last outcomes ")[2]
    assert outcomes.count("delivered") == 5
    jobs = [job["id"] for job in mailjet.sandbox.mailjet.jobs()]
    assert str(max(jobs)) in outcomes
    assert str(min(jobs)) not in outcomes


def test_destinations_are_named_where_there_are_several(mailjet):
    mailjet.sandbox.mailjet.add_list("Clients")
    streams = {"clients": {"list": "Clients"}}
    mailjet.deliver([schema(), person(1), state(1)])
    mailjet.deliver([schema("clients"), person(1, stream="clients"), state(2)], streams=streams)
    outcomes = answer(mailjet, "1", streams=streams).partition("last outcomes ")[2]
    assert outcomes.count(", at mailjet:default:") == 2


def test_p9_a_history_that_cannot_be_read_leaves_the_rest(reader):
    (reader.folder / "no-folder").write_text("")
    out, error = explained(reader, "1", history_path=str(reader.folder / "no-folder"))
    assert isinstance(error, ConfigurationError)
    assert "Setting `history_path`" in str(error)
    assert "open rejects none" in " ".join(out.split())


def test_p9_a_wrong_history_path_leaves_the_rest(reader, monkeypatch):
    def wrong(*_):
        raise ConfigurationError("Setting `history_path` is wrong.")

    monkeypatch.setattr("target_mailing.explain.explain.history_folder", wrong)
    out, error = explained(reader, "1")
    assert str(error) == "Setting `history_path` is wrong."
    assert "open rejects none" in " ".join(out.split())


def test_the_columns_are_those_of_the_history(reader):
    (file, *_) = (reader.folder / "history").iterdir()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    (outcome, *_) = [one["record"] for one in lines if one["type"] == "RECORD" and one["stream"] == "mailing_outcomes"]
    assert {"stream", "key", "destination", "outcome", "effect", "code", "job_id", "settled_at"} <= outcome.keys()
