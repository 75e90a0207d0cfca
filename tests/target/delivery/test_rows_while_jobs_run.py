"""P1: rows of few keys and addresses come while jobs of any length run; who is on the list is who the rows say."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mailing_sandbox.server import Sandbox
from tests.searching import examples
from tests.target.conftest import LIST, Mailjet, person, schema, state
from tests.target.machines import keys_of_one_person
from tests.target.postgrid.conftest import Postgrid, delete, household, households
from tests.target.ses.conftest import BUCKET, REGION, Ses
from tests.target.ses.conftest import LIST as SES_LIST

A, B, C = "a", "b", "c"
GONE = {"_sdc_deleted_at": "2026-01-01T00:00:00Z"}
#: What follows a group of rows: so many calls of the target, while jobs take so many looks.
PAUSES = st.tuples(st.integers(0, 12), st.integers(1, 5))
CHANGES = st.tuples(st.integers(1, 2), st.sampled_from([A, B, C, None]))
GROUPS = st.lists(st.tuples(st.lists(CHANGES, min_size=1, max_size=3), PAUSES), min_size=2, max_size=7)
#: A key that comes back to its first address while the jobs of its older rows end, and is deleted then.
THERE_AND_BACK = [
    ([(1, A)], (2, 1)),
    ([(1, B)], (0, 5)),
    ([(1, A)], (4, 2)),
    ([(2, C)], (4, 5)),
    ([(2, C)], (4, 5)),
    ([(1, None)], (1, 1)),
]


class Feed:
    """An input that comes in groups of messages, each when the target has made so many more calls, or stopped to."""

    def __init__(self, sandbox: Sandbox, groups: Iterable[tuple[list[Any], tuple[int, int]]], tail: list[Any]) -> None:
        self._sandbox = sandbox
        self._groups = [*groups, (tail, (0, 1))]
        self._called = threading.Condition()
        self._calls = 0
        self._pause = (0, 1)

    def __enter__(self) -> None:
        count = type(self._sandbox.counters).call

        def called(route: str) -> None:
            count(self._sandbox.counters, route)
            with self._called:
                self._calls += 1
                self._called.notify_all()

        self._sandbox.counters.call = called  # type: ignore[method-assign]

    def __exit__(self, *_: object) -> None:
        del self._sandbox.counters.call

    def read(self, _size: int = -1) -> bytes:
        calls, looks = self._pause
        self._sandbox.switches.change(dict.fromkeys(("job_polls", "ses_job_polls", "postgrid_job_polls"), looks))
        with self._called:
            until = self._calls + calls
            while self._calls < until:
                seen = self._calls
                if not self._called.wait_for(lambda: self._calls > seen, timeout=0.1):  # noqa: B023 - called at once
                    break
        if not self._groups:
            return b""
        messages, self._pause = self._groups.pop(0)
        return "".join(json.dumps(one) + "\n" for one in messages).encode()


class World:
    """An account of one provider, by one route."""

    def __init__(self, sandbox: Sandbox, provider: str, route: str) -> None:
        self.sandbox = sandbox
        self.provider = provider
        self.route = route

    def open(self, folder: Path) -> Mailjet:
        self.sandbox.reset()
        config: dict[str, Any] = {
            "route": self.route,
            "journal": f"{folder}/journal.sqlite",
            "poll_interval": 0.01,
            "poll_max_interval": 0.01,
            "batch_max_age": 0.01,
            "max_rejected": "100%",
        }
        if self.provider == "mailjet":
            self.sandbox.mailjet.add_list(LIST)
            keys = {"mailjet_api_key": self.sandbox.api_key, "mailjet_secret_key": self.sandbox.secret_key}
            return Mailjet(self.sandbox, folder, config | keys | {"mailjet_base_url": self.sandbox.url, "list": LIST})
        if self.provider == "ses":
            self.sandbox.ses.add_list(SES_LIST, {}, region=REGION)
            self.sandbox.storage.add_bucket(BUCKET, REGION)
            bucket = {"ses_s3_bucket": BUCKET, "ses_s3_endpoint_url": f"{self.sandbox.url}/s3"}
            keys = {
                "ses_aws_access_key_id": self.sandbox.api_key,
                "ses_aws_secret_access_key": self.sandbox.secret_key,
            }
            place = {"ses_regions": [REGION], "ses_endpoint_url": self.sandbox.url, "ses_requests_per_second": 1e6}
            return Ses(self.sandbox, folder, config | keys | place | bucket | {"list": SES_LIST})
        self.sandbox.postgrid.add_list("Christmas letter")
        keys = {"postgrid_api_key": self.sandbox.postgrid.test_key, "postgrid_base_url": self.sandbox.url}
        more = {"max_requests_per_second": 1000, "list": "Christmas letter"}
        return Postgrid(self.sandbox, folder, config | keys | more)

    def schema(self) -> Any:
        return households() if self.provider == "postgrid" else schema()

    def row(self, key: int, place: str | None) -> Any:
        if self.provider == "postgrid":
            return delete(key) if place is None else household(key, name="Same", address_line1=f"{place} Mill Lane")
        if place is None:
            return {"type": "RECORD", "stream": "people", "record": {"id": key} | GONE}
        return person(key, email=f"{place}@example.com", name="Same")

    def places(self, account: Mailjet) -> set[str]:
        if isinstance(account, Postgrid):
            return {street[0] for street in account.streets()}
        people = account.contacts() if isinstance(account, Ses) else account.statuses()
        return {email[0] for email in people}


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(job_seconds=0.0) as sandbox, keys_of_one_person():
        yield sandbox


@pytest.fixture(
    params=[
        ("mailjet", "json"),
        ("mailjet", "csv"),
        ("mailjet", "contact"),
        ("ses", "import"),
        ("ses", "direct"),
        ("postgrid", "contacts"),
    ],
    ids="-".join,
)
def world(sandbox, request):
    return World(sandbox, *request.param)


def ends_as_the_rows_say(world: World, groups: Any, *, tries: int = 1) -> None:
    with tempfile.TemporaryDirectory() as folder:
        account = world.open(Path(folder))
        wanted: dict[int, str | None] = {}
        for number in range(tries):
            rows = [([world.row(*one) for one in changes], pause) for changes, pause in groups]
            rows[0][0].insert(0, world.schema())
            feed = Feed(world.sandbox, rows, [state(number)])
            with feed:
                result = account.deliver_from(feed)
            assert result.error is None
            assert result.states[-1] == number
            assert sum(result.counts().values()) == sum(len(changes) for changes, _ in groups)
            for changes, _ in groups:
                wanted |= dict(changes)
            assert world.places(account) == {place for place in wanted.values() if place is not None}


@pytest.mark.slow
def test_p1_a_delete_finds_an_address_that_its_key_left_and_came_back_to(world):
    for looks in (3, 5):
        ends_as_the_rows_say(world, [(rows, (calls * looks // 2, looks)) for rows, (calls, _) in THERE_AND_BACK])


@pytest.mark.slow
@pytest.mark.machine
@settings(max_examples=examples(5, 40), suppress_health_check=list(HealthCheck))
@example(THERE_AND_BACK)
@given(groups=GROUPS)
def test_p1_rows_that_come_while_jobs_run_end_as_in_their_order(world, groups):
    ends_as_the_rows_say(world, groups)
