"""Somebody whom another stream names by address alone stays when a key leaves that address."""

from __future__ import annotations

import pytest

from tests.faults.pairs import crossed
from tests.target.conftest import reader, schema, state
from tests.target.ses.conftest import GONE, _no_aws_of_this_machine, bare, ses  # noqa: F401 - fixtures

NEWS = schema("news", keys=("email",))
ADA = "ada@example.com"
MOVED = reader(1, email="new@example.com")
#: The columns of a stream without any key.
KEYLESS = schema("news", keys=())


@pytest.mark.parametrize(
    ("route", "together", "news"),
    crossed(["json", "csv", "contact"], ["one run", "runs", "news are not read again"], [NEWS, KEYLESS]),
)
def test_whom_another_stream_names_by_address_stays_when_a_key_moves(mailjet, route, together, news):
    config = {"route": route, "properties": None}
    named = [news, reader(7, stream="news", email=ADA)]
    first = [schema(), reader(1, email=ADA), *named]
    assert mailjet.deliver([*first, state(1)], **config).rejects == []
    again = named if together != "news are not read again" else []
    for some in [[*again, schema(), MOVED]] if together == "one run" else [again, [schema(), MOVED]]:
        result = mailjet.deliver([*some, state(2)], **config)
        assert (result.error, result.rejects) == (None, [])
    assert mailjet.statuses() == {ADA: "subscribed", "new@example.com": "subscribed"}
    mailjet.deliver([*named, schema(), MOVED], **config)  # who was asked about is sent once more
    assert mailjet.deliver([*named, schema(), MOVED], **config).counts() == {"unchanged": 2}


@pytest.mark.parametrize("email", [ADA, "other@example.com", None])
def test_a_deleted_row_takes_off_whom_another_stream_named_by_address(mailjet, email):
    """The list may have been filled once, by a stream that nobody reads any more."""
    mailjet.deliver([NEWS, reader(7, stream="news", email=ADA), schema(), reader(1, email=ADA)], properties=None)
    result = mailjet.deliver([schema(), reader(1, email=email, **GONE)], properties=None)
    assert (result.counts(), mailjet.statuses()) == ({"delivered": 1}, {})


@pytest.mark.parametrize("route", ["import", "direct"])
def test_whom_another_stream_names_by_address_stays_at_ses(ses, route):  # noqa: F811
    config = {"route": route, "properties": None}
    ses.deliver([schema(), reader(1, email=ADA), NEWS, reader(7, stream="news", email=ADA)], **config)
    ses.deliver([schema(), MOVED], **config)
    assert {*ses.contacts()} == {ADA, "new@example.com"}


def test_whom_the_other_stream_names_for_the_first_time_in_the_same_run_stays(mailjet):
    mailjet.deliver([schema(), reader(1, email=ADA)], properties=None)
    result = mailjet.deliver([NEWS, reader(7, stream="news", email=ADA), schema(), MOVED], properties=None)
    assert result.counts() == {"unchanged": 1, "delivered": 1}
    assert {*mailjet.statuses()} == {ADA, "new@example.com"}


def test_the_last_who_names_an_address_takes_it_off(mailjet):
    mailjet.deliver([schema(), reader(1, email=ADA), NEWS, reader(7, stream="news", email=ADA)], properties=None)
    mailjet.deliver([schema(), MOVED], properties=None)
    assert mailjet.statuses()[ADA] == "subscribed"
    mailjet.deliver([NEWS, reader(7, stream="news", email=ADA, **GONE)], properties=None)
    assert ADA not in mailjet.statuses()


def test_a_delete_by_address_takes_off_whom_another_stream_names_by_address(mailjet):
    mail = schema("mail", keys=("email",))
    named = [NEWS, reader(7, stream="news", email=ADA), mail, reader(8, stream="mail", email=ADA)]
    mailjet.deliver(named, properties=None)
    result = mailjet.deliver([mail, reader(8, stream="mail", email=ADA, **GONE)], properties=None)
    assert result.outcomes["effects"] == {"removed": 1}
    assert mailjet.statuses() == {}


def test_a_stream_that_has_keys_by_now_holds_nobody_by_address(mailjet):
    mailjet.deliver([NEWS, reader(7, stream="news", email=ADA), schema(), reader(1, email=ADA)], properties=None)
    by_id = schema("news")
    mailjet.deliver([by_id, reader(7, stream="news", email=ADA)], properties=None)
    mailjet.deliver([by_id, reader(7, stream="news", email="other@example.com")], properties=None)
    mailjet.deliver([schema(), MOVED], properties=None)
    assert {*mailjet.statuses()} == {"other@example.com", "new@example.com"}
