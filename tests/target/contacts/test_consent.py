"""P5: who may be written to, as a table and as properties of all questions."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_mailing.contacts.consent import Actions, Withheld, decide, is_obeyed, may_remove
from target_mailing.mailjet.actions import ACTIONS

#: A provider that remembers opt-outs of whoever was removed.
KEEPING = Actions(
    known=frozenset({"add", "drop", "stop"}),
    remove="drop",
    ask="ask",
    unsubscribe="stop",
    respectful={},
    removing_erases_opt_out=False,
)

QUESTIONS = {
    "status": st.sampled_from([None, "subscribed", "unsubscribed", "excluded", "pending", "unknown"]),
    "action": st.sampled_from([*ACTIONS.known, "nonsense"]),
    "deleted": st.booleans(),
    "consent": st.sampled_from(["respect", "force"]),
}


@pytest.mark.parametrize(
    ("status", "action", "consent", "expected"),
    [
        (None, "addnoforce", "respect", "addnoforce"),
        ("subscribed", "addnoforce", "respect", "addnoforce"),
        ("unknown", "remove", "respect", "remove"),
        ("unsubscribed", "addnoforce", "respect", "unsub"),
        ("unsubscribed", "addforce", "force", "unsub"),
        ("unsubscribed", "remove", "respect", "unsub"),
        ("excluded", "addforce", "force", Withheld("excluded")),
        ("pending", "addnoforce", "respect", Withheld("pending")),
        (None, "addforce", "respect", "addnoforce"),
        ("subscribed", "addforce", "respect", "addnoforce"),
        (None, "addforce", "force", "addforce"),
        (None, "excludemarketing", "respect", "excludemarketing"),
        ("unsubscribed", "excludemarketing", "respect", "unsub"),
        ("excluded", "excludemarketing", "respect", Withheld("excluded")),
        (None, "includemarketing", "respect", Withheld("exclusion_kept")),
        ("subscribed", "includemarketing", "respect", Withheld("exclusion_kept")),
        ("excluded", "includemarketing", "force", Withheld("excluded")),
        ("unsubscribed", "includemarketing", "force", "unsub"),
        (None, "includemarketing", "force", "includemarketing"),
    ],
)
def test_p5_a_rows_own_status_comes_before_the_action(status, action, consent, expected):
    assert decide(ACTIONS, status=status, action=action, deleted=False, consent=consent) == expected


@pytest.mark.parametrize(
    ("actions", "status", "expected"),
    [
        *((ACTIONS, status, "remove") for status in (None, "subscribed", "excluded", "pending")),
        (ACTIONS, "unsubscribed", "unsub"),  # the removal would erase it
        (msgspec.structs.replace(KEEPING, records_opt_outs=False), "unsubscribed", "stop"),  # it is only a removal
        (KEEPING, "unsubscribed", "drop"),
    ],
)
def test_p5_a_deleted_row_is_a_removal_unless_it_tells_of_an_opt_out(actions, status, expected):
    assert decide(actions, status=status, action="addnoforce", deleted=True, consent="force") == expected


@pytest.mark.parametrize("unsubscribed", [True, False])
def test_p5_a_removal_never_erases_an_opt_out(unsubscribed):
    assert may_remove(ACTIONS, unsubscribed=unsubscribed) is not unsubscribed
    assert may_remove(KEEPING, unsubscribed=unsubscribed)


@given(**QUESTIONS)
def test_p5_only_addforce_with_force_ever_undoes_an_opt_out(status, action, deleted, consent):
    found = decide(ACTIONS, status=status, action=action, deleted=deleted, consent=consent)
    undoes = action == "addforce" and consent == "force" and not deleted and status in {None, "subscribed", "unknown"}
    assert (found == "addforce") is undoes


@given(**QUESTIONS)
def test_p5_an_opt_out_in_the_row_is_recorded_whatever_else_is_asked(status, action, deleted, consent):
    found = decide(ACTIONS, status=status, action=action, deleted=deleted, consent=consent)
    if status == "unsubscribed":
        assert found == "unsub"
    if status in {"excluded", "pending"}:
        assert found == ("remove" if deleted else Withheld(status))


@given(**QUESTIONS)
def test_no_answer_but_those_of_a_row_are_given(status, action, deleted, consent):
    found = decide(ACTIONS, status=status, action=action, deleted=deleted, consent=consent)
    assert isinstance(found, Withheld) or found in {action, "addnoforce", "remove", "unsub"}
    assert found != ACTIONS.ask


@pytest.mark.parametrize(
    ("actions", "obeyed"),
    [
        (ACTIONS, {"remove", "unsub", "excludemarketing"}),
        (KEEPING, {"drop", "stop"}),
        (msgspec.structs.replace(KEEPING, removing_undoes_opt_out=True), {"stop"}),
    ],
)
def test_p5_of_a_row_that_is_rejected_only_an_action_by_which_somebody_gets_less_is_obeyed(actions, obeyed):
    assert {one for one in (*actions.known, "nonsense") if is_obeyed(actions, one)} == obeyed
