"""The contact list that is made before contacts go: also when another worker makes it, or it is refused."""

from __future__ import annotations

import pytest

from mailing_api.errors import ConfigurationError
from tests.target.conftest import person, schema, state
from tests.target.ses.conftest import LIST, REGION

LISTS = "/v2/email/contact-lists"


def look_too_early(ses, *, listing):
    """The first looks show nothing: another worker makes the list right after."""
    ses.sandbox.faults.add(
        kind="status", status=404, message="NotFoundException: none", method="GET", path=f"{LISTS}/{LIST}"
    )
    if listing:
        ses.sandbox.faults.add(kind="status", status=200, content="{}", method="GET", path=LISTS)


@pytest.mark.parametrize("listing", [True, False])
def test_a_list_that_another_worker_made_meanwhile_is_taken_with_its_topics(bare, listing):
    look_too_early(bare, listing=listing)
    row = person(1, topic_News="OPT_OUT")
    columns = schema()["schema"]["properties"] | {"topic_News": {"type": "string"}}
    result = bare.deliver([schema(columns=columns), row, state(1)], create_list=True)
    assert result.error is None
    assert bare.seen("person1@example.com")[1] == {"News": "OPT_OUT"}


def test_a_list_whose_reply_was_lost_is_taken(bare):
    bare.sandbox.ses._account.region(REGION).contact_list = None
    bare.sandbox.faults.add(kind="reply_lost", method="POST", path=LISTS)
    assert bare.deliver([schema(), person(1), state(1)], create_list=True).counts() == {"delivered": 1}


def test_a_list_that_could_not_be_made_for_a_fault_is_that_fault(bare):
    bare.sandbox.ses._account.region(REGION).contact_list = None
    bare.sandbox.faults.add(kind="status", status=500, method="POST", path=LISTS, times=None)
    error = bare.deliver([schema(), person(1)], create_list=True).error
    assert "CreateContactList: HTTP 500" in str(error)


@pytest.mark.parametrize(
    ("name", "code", "status"),
    [
        ("News", "AccessDeniedException", 403),
        ("News", "BadRequestException", 400),
        ("News", "LimitExceededException", 400),
    ],
)
def test_a_list_that_is_refused_is_named_with_what_to_do(bare, name, code, status):
    bare.sandbox.ses._account.region(REGION).contact_list = None
    bare.sandbox.faults.add(
        kind="status", status=status, message=f"{code}: canary@example.com", method="POST", path=LISTS
    )
    result = bare.deliver([schema(), person(1), state(1)], create_list=True, list=name)
    assert isinstance(result.error, ConfigurationError)
    for part in ("`create_list`", repr(name), code, "by hand"):
        assert part in str(result.error)
    assert "canary" not in str(result.error)
    assert result.states == []


@pytest.mark.parametrize("checked", [True, False])
@pytest.mark.parametrize("create", [True, False])
def test_what_cannot_be_a_name_is_named(bare, create, checked):
    bare.sandbox.switches.change({"ses_path_checked": checked})
    bare.sandbox.ses._account.region(REGION).contact_list = None
    error = bare.deliver([schema(), person(1)], create_list=create, list="News & offers").error
    assert isinstance(error, ConfigurationError)
    assert "'News & offers'" in str(error)
    assert "`list`" in str(error)
