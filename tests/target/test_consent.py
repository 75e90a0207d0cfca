"""P5: who may be written to, as a table."""

from __future__ import annotations

import pytest

from target_mailing.consent import Withheld, decide, may_remove
from target_mailing.mailjet_steps import ACTIONS


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


@pytest.mark.parametrize("status", [None, "subscribed", "unsubscribed", "excluded"])
def test_a_deleted_row_is_a_removal(status):
    assert decide(ACTIONS, status=status, action="addnoforce", deleted=True, consent="respect") == "remove"


@pytest.mark.parametrize(
    ("unsubscribed", "consent", "expected"),
    [(True, "respect", False), (True, "force", True), (False, "respect", True), (False, "force", True)],
)
def test_p5_removing_never_erases_an_opt_out_unless_forced(unsubscribed, consent, expected):
    assert may_remove(ACTIONS, unsubscribed=unsubscribed, consent=consent) is expected
