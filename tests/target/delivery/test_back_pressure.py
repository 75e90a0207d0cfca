"""P8: rows are read as batches leave, whatever an input holds."""

from __future__ import annotations

import json
import threading

from tests.target.conftest import people, schema


class Rows:
    """An input without waiting: ten rows come whenever they are asked for."""

    def __init__(self, groups: int) -> None:
        self.reads = 0
        self._groups = groups

    def read(self, _size: int = -1) -> bytes:
        self.reads += 1
        if self.reads > self._groups:
            return b""
        messages = [*([schema()] if self.reads == 1 else []), *people(range(10 * self.reads, 10 * self.reads + 10))]
        return "".join(json.dumps(one) + "\n" for one in messages).encode()


def test_p8_an_input_is_not_read_on_while_the_only_job_that_may_run_does_not_end(mailjet):
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}])
    rows, looks, read = Rows(20), 0, []
    count = type(mailjet.sandbox.counters).call

    def finish():
        (job,) = mailjet.sandbox.mailjet.jobs()
        mailjet.sandbox.mailjet.finish_job(job["id"])

    def called(route):
        nonlocal looks
        count(mailjet.sandbox.counters, route)
        looks += route.startswith("GET") and "job" in route
        if looks >= 10 and not read:
            read.append(rows.reads)
            threading.Thread(target=finish).start()  # the thread that calls this answers requests

    mailjet.sandbox.counters.call = called
    result = mailjet.deliver_from(rows, batch_rows=10, jobs_in_flight=1, poll_interval=0.01, poll_max_interval=0.01)
    assert (result.error, result.counts()) == (None, {"delivered": 200})
    assert read[0] <= 8, "a batch under way, a full one, and what the reader holds ready"
