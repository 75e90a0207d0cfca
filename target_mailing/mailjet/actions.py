"""What Mailjet can do with a contact."""

from __future__ import annotations

from typing import Final

from target_mailing.contacts.consent import Actions

__all__ = ["ACTIONS", "ADDING", "BY_ADDRESS"]

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
#: Actions after which a contact may get messages that it did not get before.
ADDING: Final = frozenset({"addnoforce", "addforce", "includemarketing"})
#: Actions that need only the address.
BY_ADDRESS: Final = frozenset({ACTIONS.ask, ACTIONS.remove, *ACTIONS.account_wide})
