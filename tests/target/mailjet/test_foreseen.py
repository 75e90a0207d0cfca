"""What a plan notes of a contact at Mailjet shows as if it had been done, read as late as a run reads it."""

from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from mailing_api.errors import NotFound
from target_mailing.mailjet.foreseen import ForeseenCalls

ACTIONS = st.sampled_from(["addnoforce", "addforce", "unsub", "remove"])
LISTS = st.dictionaries(st.integers(1, 2), ACTIONS, min_size=1)


def done(lists, actions):
    """The lists of a contact, and whether it opted out, after some actions."""
    for list_id, action in actions.items():
        if action == "remove":
            lists.pop(list_id, None)
        elif action == "addnoforce":
            lists.setdefault(list_id, False)
        else:
            lists[list_id] = action == "unsub"


@given(there=st.none() | st.dictionaries(st.integers(1, 2), st.booleans()), rows=st.lists(LISTS, max_size=5))
def test_opt_outs_are_those_after_all_actions_that_were_foreseen(there, rows):
    counted = []

    def memberships(_):
        if there is None:
            raise NotFound("no contact")
        return [{"ListID": list_id, "IsUnsubscribed": is_out} for list_id, is_out in there.items()]

    calls = ForeseenCalls(SimpleNamespace(memberships=memberships), counted.append)
    lists = dict(there or {})
    for actions in rows:
        calls.act_on_lists("Ada@example.com", actions)
        done(lists, actions)
        assert calls.opt_outs("ada@EXAMPLE.com") == lists
    assert sum(counted) == len(rows)


def test_a_contact_that_would_be_created_is_found():
    calls = ForeseenCalls(SimpleNamespace(one=lambda *_: None), lambda _: None)
    calls.put("ada@example.com", None, None)
    assert calls.find("ada@example.com") == {"Email": "ada@example.com"}
