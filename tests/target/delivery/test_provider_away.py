"""A provider that does not answer while jobs are under way: one warning, and one when it is back."""

from __future__ import annotations

import pytest

from mailing_api.http import client as http_client
from mailing_api.http.retry import RetryPolicy
from tests.target.conftest import people, schema, state

#: Each waits for retries.
pytestmark = pytest.mark.slow

POLLS = {"method": "GET", "path": "*managemanycontacts/*"}
AWAY = "Jobs under way cannot be polled."
BACK = "The provider answers again, after "


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(http_client, "RetryPolicy", lambda: RetryPolicy(fault_base=0.001))
    monkeypatch.setattr("target_mailing.run.progress._EVERY", 0.0)


def test_a_provider_that_is_away_for_a_while_is_told_once_and_so_is_its_return(mailjet):
    fault = mailjet.sandbox.faults.add(kind="status", status=503, times=20, **POLLS)
    result = mailjet.deliver([schema(), *people(range(9)), state(1)], batch_rows=3)
    assert fault.hits == 20
    assert (result.error, result.states) == (None, [1])
    lines = result.log.splitlines()
    (away,) = [at for at, line in enumerate(lines) if line.startswith(AWAY)]
    (back,) = [at for at, line in enumerate(lines) if line.startswith(BACK)]
    assert "HTTP 503" in lines[away]
    told = [(at, line) for at, line in enumerate(lines) if line.startswith("After ")]
    assert any(away < at < back for at, _ in told)
    for at, line in told:
        assert ("the provider does not answer" in line) == (away < at < back), line
        assert not (away < at < back and "to go" in line)


def test_a_provider_that_stays_away_fails_the_run_and_the_next_one_polls_the_job(mailjet):
    mailjet.sandbox.faults.add(kind="status", status=503, times=None, **POLLS)
    result = mailjet.deliver([schema(), *people(range(3)), state(1)])
    assert "HTTP 503" in str(result.error)
    assert result.states == []
    assert result.log.count(AWAY) == 1
    assert BACK not in result.log
    mailjet.sandbox.faults.clear()
    assert mailjet.deliver([schema(), *people(range(3)), state(1)]).states == [1]
    assert len(mailjet.sandbox.mailjet.jobs()) == 1
