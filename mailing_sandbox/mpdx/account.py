"""What one request may see and do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailing_sandbox.mpdx.filters import words
from mailing_sandbox.mpdx.refusal import unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailing_sandbox.counters import Counters
    from mailing_sandbox.mpdx.store import Store
    from mailing_sandbox.mpdx.switches import Switches
    from mailing_sandbox.provider import Call


@dataclass(frozen=True)
class Request:
    """A call by a user who has signed in."""

    store: Store
    switches: Switches
    counters: Counters
    call: Call
    user: str

    def account_lists(self, values: Mapping[str, str]) -> set[str]:
        """Return the account lists that a filter means: by default all visible ones; 404 if none of them is."""
        visible = {each.id for each in self.store.visible(self.user)}
        wanted = words(values.get("account_list_id", ""))
        if not wanted:
            return visible
        found = visible.intersection(wanted)
        if not found:
            raise unknown("AccountList", ",".join(wanted))
        return found
