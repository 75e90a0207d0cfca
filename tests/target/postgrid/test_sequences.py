"""Whatever rows come in whatever order, over several runs: who is on the list is who the rows say (P1, P5)."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailing_sandbox.server import Sandbox
from tests.searching import machine
from tests.target.conftest import state
from tests.target.machines import keys_of_one_person
from tests.target.postgrid.conftest import GONE, LIST, Postgrid, delete, household, households

#: Some are one contact to PostGrid alone, and to us two.
STREETS = ("1 Mill Lane", "1 MILL LANE", "2 Mill Lane", "3 Mill Lane")
KEYS = st.integers(1, 4)
#: A key comes to a street, or is deleted: by its key alone, or with a street, be it its own or another's.
CHANGES = st.tuples(KEYS, st.sampled_from((*STREETS, None, *(f"-{one}" for one in STREETS))))
#: A call of which the answer is lost, or that stops the run; its rows come again.
STOPS = st.none() | st.tuples(st.sampled_from(["reply_lost", "status"]), st.integers(0, 20))
RUNS = st.lists(st.tuples(st.lists(CHANGES, min_size=1, max_size=7), st.integers(1, 4), STOPS), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(job_seconds=0.0) as sandbox, keys_of_one_person():
        yield sandbox


def is_gone(street):
    return street is None or street.startswith("-")


def row(key, street):
    if street is None:
        return delete(key)
    gone = GONE if is_gone(street) else {}
    return household(key, name="Same", address_line1=street.removeprefix("-"), **gone)


def stop(sandbox, stop):
    """Let one call fail."""
    if stop is not None:
        kind, skip = stop
        sandbox.faults.add(kind=kind, skip=skip, **({"status": 403} if kind == "status" else {}))


@pytest.mark.slow
@pytest.mark.machine
@pytest.mark.parametrize("by_row", [False, True], ids=["one-of-all-rows", "one-of-each-row"])
@machine(short=5, long=60)
@example(  # the key that came to share a contact within one batch
    [
        ([(1, STREETS[1]), (1, STREETS[0]), (1, STREETS[0]), (2, STREETS[0])], 2, None),
        ([(1, STREETS[2])], 1, None),
    ],
    "standardised",
)
@example(  # one key deletes a contact while the other is on its way to a new one
    [([(1, STREETS[2]), (2, STREETS[2]), (1, STREETS[0]), (2, None)], 1, None)], "sent"
)
@example([([(1, None), (1, STREETS[2]), (2, STREETS[0])], 2, None)], "sent")  # a delete of what only PostGrid may know
@example([([(1, STREETS[1])], 2, None), ([(1, None), (1, STREETS[0]), (2, STREETS[3])], 2, None)], "standardised")
@example(  # a name that stood for two contacts, one of which has another since
    [
        ([(2, STREETS[0]), (1, STREETS[0]), (2, STREETS[1])], 1, None),
        ([(2, STREETS[0])], 1, None),
    ],
    "standardised",
)
@example(  # a contact whose only ID another one needs, and whose key had other contacts before
    [
        ([(1, STREETS[0])], 1, None),
        ([(1, STREETS[2]), (2, STREETS[1]), (1, STREETS[0]), (1, None)], 1, None),
        ([(1, STREETS[2]), (2, STREETS[0]), (1, STREETS[0])], 1, None),
    ],
    "standardised",
)
@example(  # a contact that was left for another one of the same name, and was made anew for another key
    [([(2, STREETS[1]), (2, STREETS[0]), (1, STREETS[1]), (2, STREETS[1])], 1, None)], "standardised"
)
@given(runs=RUNS, compares=st.sampled_from(["standardised", "sent"]))
def test_p1_the_list_is_what_the_rows_say_whatever_comes(sandbox, by_row, runs, compares):
    sandbox.postgrid.reset()
    sandbox.switches.change({"postgrid_dedupe_compares": compares, "postgrid_dedupe_includes_metadata": by_row})
    sandbox.postgrid.add_list(LIST)
    wanted = {}
    with tempfile.TemporaryDirectory() as folder:
        config = {
            "postgrid_api_key": sandbox.postgrid.test_key,
            "postgrid_base_url": sandbox.url,
            "list": LIST,
            "journal": f"{folder}/journal.sqlite",
            "poll_interval": 0.01,
            "poll_max_interval": 0.02,
            "max_requests_per_second": 1000,
            "max_rejected": "100%",
        }
        postgrid = Postgrid(sandbox, Path(folder), config)
        for number, (changes, size, stopped) in enumerate(runs):
            rows = [row(*change) for change in changes]
            wanted |= dict(changes)
            stop(sandbox, stopped)
            result = postgrid.deliver([households(), *rows, state(number)], batch_rows=size)
            sandbox.faults.clear()
            if result.error is not None:
                assert stopped is not None
                assert result.states == []
                result = postgrid.deliver([households(), *rows, state(number)], batch_rows=size)
            assert result.error is None
            assert result.states == [number]
            assert sum(result.counts().values()) == len(rows)
            streets = {street for street in wanted.values() if not is_gone(street)}
            if compares == "standardised":
                on_list = sorted(street.upper() for street in postgrid.streets())
                assert set(on_list) == {street.upper() for street in streets}
                # Spellings of different rows are different contacts then, if not to PostGrid alone.
                assert len(on_list) <= (len(streets) if by_row else len(set(on_list)))
            else:
                assert postgrid.streets() == sorted(streets)
