"""Somebody whom Amazon SES has in another letter case is the same person, in small batches and in large ones (P5)."""

from __future__ import annotations

import pytest

from target_mailing.ses import spellings
from tests.target.conftest import person, schema, state
from tests.target.ses.conftest import GONE

#: As the row has it, and as Amazon SES has it.
SPELLINGS = [
    ("ADA@example.com", "Ada@example.com"),
    ("ada@example.com", "ADA@example.com"),
    ("aDa@EXAMPLE.com", "AdA@example.com"),
    ("ada@example.com", "ada@example.com"),
]


@pytest.fixture(params=["direct", "import", "auto"])
def exact(ses, request):
    ses.config["route"] = request.param
    ses.ses.change(ses_contact_case="exact")
    return ses


@pytest.mark.parametrize("there", ["unsubscribed", "declined", "removed", "opts out"])
def test_p5_no_letter_case_gets_around_an_opt_out(exact, there):
    opt_out = {
        "unsubscribed": {"unsubscribed": True},
        "declined": {"topics": {"News": "OPT_OUT"}},
        "removed": {"unsubscribed": True},
        "opts out": {},
    }[there]
    theirs = [f"{n}{email}" for n, (_, email) in enumerate(SPELLINGS)]
    exact.add(*({"email": email, **opt_out} for email in theirs))
    extra = {"removed": GONE, "opts out": {"subscription_status": "unsubscribed"}}.get(there, {})
    rows = [person(n, email=f"{n}{email}", **extra) for n, (email, _) in enumerate(SPELLINGS)]
    result = exact.deliver([schema(), *rows, state(1)])
    assert (result.error, result.states) == (None, [1])
    assert set(exact.contacts()) == set(theirs)
    for contact in exact.contacts().values():
        assert contact["topics"] == {"News": "OPT_OUT"} if there == "declined" else contact["unsubscribed"]


def test_p5_one_whom_this_run_wrote_in_capitals_is_found_by_the_rows_after(exact):
    rows = [person(1, email="ADA@example.com"), person(2, email="ada@example.com", subscription_status="unsubscribed")]
    exact.deliver([schema(), *rows, state(1)])
    assert {email: one["unsubscribed"] for email, one in exact.contacts().items()} == {"ADA@example.com": True}


def test_the_listing_is_read_once_a_run_and_not_without_end(ses, monkeypatch):
    monkeypatch.setattr(spellings, "_MOST_PAGES", 2)
    ses.ses.change(ses_max_page=5)
    ses.add(*({"email": f"other{n}@example.com"} for n in range(30)))
    result = ses.deliver([schema(), *(person(n) for n in range(5)), state(1)], batch_rows=1, route="direct")
    assert result.counts() == {"delivered": 5}
    assert ses.calls() == {"create": 5, "list": 4}  # the first of them for more rows than a page may have
    assert "more than 2 pages of contacts" in result.log
