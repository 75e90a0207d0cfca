"""Whatever rows come in whatever order, over several runs: who is on the list is who the rows say (P1)."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailing_sandbox.server import Sandbox
from tests.searching import machine
from tests.target.conftest import LIST, Mailjet, person, schema, state
from tests.target.machines import keys_of_one_person

#: The first two are one address.
ADDRESSES = ("ada@example.com", "Ada@example.com", "bob@example.com", "eve@example.com")
#: A key comes to an address, or is deleted: by its key alone, or with an address, be it its own or another's.
CHANGES = st.tuples(st.integers(1, 4), st.sampled_from((*ADDRESSES, None, *(f"-{one}" for one in ADDRESSES))))
ROUTES = st.sampled_from(["json", "csv", "contact"])
#: A call of which the answer is lost, or that stops the run; its rows come again.
STOPS = st.none() | st.tuples(st.sampled_from(["reply_lost", "status"]), st.integers(0, 20))
RUNS = st.lists(
    st.tuples(st.lists(CHANGES, min_size=1, max_size=7), st.integers(1, 4), ROUTES, STOPS), min_size=1, max_size=4
)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(job_seconds=0.0) as sandbox, keys_of_one_person():
        yield sandbox


def is_gone(address):
    return address is None or address.startswith("-")


def row(key, address):
    if is_gone(address):
        told = {} if address is None else {"email": address.removeprefix("-")}
        gone = {"id": key, "_sdc_deleted_at": "2026-01-01T00:00:00Z"}
        return {"type": "RECORD", "stream": "people", "record": gone | told}
    return person(key, email=address, name="Same")


def reasons(result):
    return set(result.outcomes.get("reasons", ()))


def stop(sandbox, stopped):
    """Let one call fail."""
    if stopped is not None:
        kind, skip = stopped
        sandbox.faults.add(kind=kind, skip=skip, **({"status": 403} if kind == "status" else {}))


@pytest.mark.slow
@pytest.mark.machine
@machine(short=8, long=120)
@example([([(1, ADDRESSES[2]), (1, ADDRESSES[0]), (1, ADDRESSES[0]), (2, ADDRESSES[0])], 2, "json", None),
          ([(1, ADDRESSES[2])], 1, "json", None)])  # fmt: skip
@example([([(1, ADDRESSES[2]), (1, ADDRESSES[2]), (2, ADDRESSES[0]), (2, ADDRESSES[0]), (1, ADDRESSES[0])], 1, "json",
           ("status", 10))])  # fmt: skip
@example([([(1, ADDRESSES[0]), (2, ADDRESSES[2])], 4, "json", None), ([(2, f"-{ADDRESSES[1]}")], 4, "json", None)])
@example([([(2, ADDRESSES[2])], 1, "json", None),
          ([(2, f"-{ADDRESSES[2]}"), (2, ADDRESSES[0]), (2, ADDRESSES[3])], 1, "json", None)])  # fmt: skip
@given(runs=RUNS)
def test_p1_the_list_is_what_the_rows_say_whatever_comes(sandbox, runs):
    sandbox.reset()
    sandbox.mailjet.add_list(LIST)
    wanted = {}
    with tempfile.TemporaryDirectory() as folder:
        config = {
            "mailjet_api_key": sandbox.api_key,
            "mailjet_secret_key": sandbox.secret_key,
            "mailjet_base_url": sandbox.url,
            "list": LIST,
            "journal": f"{folder}/journal.sqlite",
            "poll_interval": 0.01,
            "poll_max_interval": 0.02,
            "max_rejected": "100%",
        }
        mailjet = Mailjet(sandbox, Path(folder), config)
        for number, (changes, size, route, stopped) in enumerate(runs):
            rows = [row(*change) for change in changes]
            stop(sandbox, stopped)
            result = mailjet.deliver([schema(), *rows, state(number)], batch_rows=size, route=route)
            sandbox.faults.clear()
            if result.error is not None:
                assert result.states == []
            # A refusal may be about one contact alone.
            if result.error is not None or "refused_by_provider" in reasons(result):
                assert stopped is not None
                result = mailjet.deliver([schema(), *rows, state(number)], batch_rows=size, route=route)
            assert (result.error, reasons(result) - {"unknown_key"}) == (None, set())
            assert result.states == [number]
            assert sum(result.counts().values()) == len(changes)
            wanted |= dict(changes)
            here = {address.lower() for address in wanted.values() if not is_gone(address)}
            assert {email.lower() for email in mailjet.statuses()} == here
