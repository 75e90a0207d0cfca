"""A reconciliation finds what differs between the input and the list, and nothing else; it writes nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailing_sandbox.server import Sandbox
from target_mailing.reconcile.tolerance import TooManyDifferencesError
from tests.searching import machine
from tests.target.plan.worlds import world
from tests.target.reconcile.cases import CASES, COUNTED, OF_MAILJET, OF_SES, expected, found, messages, put

WORLDS = {
    "mailjet-json": OF_MAILJET,
    "mailjet-csv": OF_MAILJET,
    "mailjet-contact": OF_MAILJET,
    "ses-import": OF_SES,
    "ses-direct": OF_SES,
}


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(job_seconds=0.0) as sandbox:
        yield sandbox


def reconcile(here, cases, folder, *, on_ses, **config):
    """Put people on both sides, compare, and check that nothing was written."""
    if not on_ses:
        here.account.sandbox.mailjet.add_property("visits", "int")
        here.account.config["properties"] = ["city", "visits"]
    put(here, cases, on_ses=on_ses)
    before = here.writes(), here.hashes()
    path = folder / "found.jsonl"
    config = {"mode": "reconcile", "reconcile_path": str(path)} | config
    result = here.account.deliver(messages(cases, on_ses=on_ses), **config)
    hashes = here.hashes()
    hashes.pop(str(path), None)
    before[1].pop(str(path), None)
    assert (here.writes(), hashes) == before
    assert (result.states, result.outcomes) == ([], {})
    return result, found(path)


@pytest.mark.parametrize("name", ["mailjet-json", "mailjet-contact", "ses-direct"])
def test_each_difference_is_found(sandbox, tmp_path, name):
    with world(name, sandbox, tmp_path) as here:
        cases = [*CASES, *WORLDS[name]]
        result, findings = reconcile(here, cases, tmp_path, on_ses=name.startswith("ses"))
    assert findings == expected(cases)
    assert isinstance(result.error, TooManyDifferencesError)


@pytest.mark.slow
@pytest.mark.machine
@pytest.mark.parametrize("name", WORLDS)
@machine(short=6, long=200)
@given(data=st.data())
def test_what_was_put_there_is_found_and_nothing_else(sandbox, name, data):
    cases = data.draw(st.lists(st.sampled_from([*CASES, *WORLDS[name]]), max_size=30))
    with tempfile.TemporaryDirectory() as folder, world(name, sandbox, Path(folder)) as here:
        result, findings = reconcile(here, cases, Path(folder), on_ses=name.startswith("ses"))
    assert findings == expected(cases)
    differ = any(kind in COUNTED and reason != "opted_out" for kind, reason in findings.values())
    assert isinstance(result.error, TooManyDifferencesError) is differ
