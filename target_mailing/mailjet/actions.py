"""What Mailjet can do with a contact."""

from __future__ import annotations

from typing import Final

from target_mailing.contacts.consent import Actions

__all__ = ["ACTIONS"]

ACTIONS: Final = Actions(
    known=frozenset({"addnoforce", "addforce", "remove", "unsub", "excludemarketing", "includemarketing"}),
    remove="remove",
    ask="ask",
    unsubscribe="unsub",
    respectful={"addforce": "addnoforce"},
    only_forced=frozenset({"includemarketing"}),
    account_wide=frozenset({"excludemarketing", "includemarketing"}),
    removing_erases_opt_out=True,  # the membership is deleted, and its opt-out with it
)
