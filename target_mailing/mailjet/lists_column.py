"""The column `lists`: which lists a row names, and what is to be done on each of them; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from mailing_api.mailjet.answers import id_of
from mailing_api.values import boolean
from target_mailing.contacts.consent import Consent
from target_mailing.contacts.consent_words import asks_for_opt_out
from target_mailing.contacts.fields import RowRejected
from target_mailing.contacts.values import from_json_text, whole_float
from target_mailing.mailjet.json_route import ACTIONS

__all__ = ["ListsColumn", "action_on", "actions_of", "laid_over"]

_KEYS: Final = frozenset({"list", "action"})
_SHAPE: Final = 'no array of objects such as {"list": 91822, "action": "addnoforce"}'


class ListsColumn:
    """Reads the column: an array of objects with `list` (ID, name or address) and, if it has its own, `action`."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take the account's lists as Mailjet lists them."""
        self._ids: set[int] = set()
        self._named: dict[str, set[int]] = {}
        self._addressed: dict[str, int] = {}
        for row in rows:
            if not boolean(row.get("IsDeleted")):
                number = id_of(dict(row))
                self._ids.add(number)
                self._named.setdefault(str(row.get("Name", "")), set()).add(number)
                self._addressed[str(row.get("Address", ""))] = number

    def __call__(self, value: Any) -> list[tuple[int, str | None]] | None:
        """The lists of a row by ID, each with the entry's own action, if it has one; None for a blank.

        Raises:
            ValueError: the value is of another shape.
            RowRejected: unknown_list, unknown_action.
        """
        found = from_json_text(value, "an array")
        if found is None:
            return None
        if not isinstance(found, list):
            raise ValueError(_SHAPE)
        return [(self._list(one), _own_action(one)) for one in found]

    def readable(self, value: Any) -> list[tuple[int, str | None]]:
        """The entries that can be read.

        Raises:
            ValueError: the value is of another shape.
        """
        found = from_json_text(value, "an array")
        read: list[tuple[int, str | None]] = []
        for one in found if isinstance(found, list) else ():
            with suppress(RowRejected, ValueError):
                read.append((self._list(one), _own_action(one)))
        return read

    @staticmethod
    def opt_outs(entries: Sequence[tuple[int, str | None]]) -> list[tuple[int, str | None]] | None:
        """Those by which somebody opts out of a list; None for none."""
        return [(one, own) for one, own in entries if own == ACTIONS.unsubscribe] or None

    def _list(self, entry: Any) -> int:
        if not isinstance(entry, dict) or not entry.keys() <= _KEYS:
            raise ValueError(_SHAPE)
        wanted = entry.get("list")
        if isinstance(wanted, float):
            wanted = whole_float(wanted)
        if isinstance(wanted, bool) or not isinstance(wanted, (int, str)):
            raise ValueError(_SHAPE)
        if isinstance(wanted, int) or wanted.isdecimal():
            found = {int(wanted)} & self._ids
        else:
            found = self._named.get(wanted) or {self._addressed[one] for one in (wanted,) if one in self._addressed}
        if len(found) != 1:
            why = "several lists have that name" if found else "the account has no such list"
            raise RowRejected("unknown_list", f"list {wanted!r}: {why}")
        (number,) = found
        return number


def _own_action(entry: Mapping[str, Any]) -> str | None:
    action = entry.get("action")
    if action is not None and not isinstance(action, str):
        raise ValueError(_SHAPE)
    if action is not None:
        action = ACTIONS.unsubscribe if asks_for_opt_out(action) else action.strip().lower() or None
    if action is not None and action not in ACTIONS.known - ACTIONS.account_wide:
        raise RowRejected("unknown_action", f"list {entry.get('list')!r}: {action!r} is no action")
    return action


def actions_of(named: Sequence[tuple[int, str | None]], action: str, consent: Consent) -> dict[str, str]:
    """List ID, as text -> what is done there, for a row of this action; None is an entry without its own."""
    found: dict[str, str] = {}
    for number, own in named:
        found = laid_over(found, {str(number): action_on(action, own, consent)})
    return found


def action_on(action: str, own: str | None, consent: Consent) -> str:
    """What is done on one list, given the row's action and the entry's own.

    A row that leaves leaves all its lists, and one that opts out opts out of all that it does not leave.
    """
    for strong in (ACTIONS.remove, ACTIONS.unsubscribe):
        if strong in (action, own):
            return strong
    wanted = action if own is None else own
    return ACTIONS.respectful.get(wanted, wanted) if consent == "respect" else wanted


def laid_over(earlier: Mapping[str, str], later: Mapping[str, str]) -> dict[str, str]:
    """List ID, as text -> the one action that has the effect of the earlier followed by the later, or less of it."""
    found = dict(earlier)
    for number, action in later.items():
        before = earlier.get(number)
        # An opt-out is neither undone by adding nor forgotten by removing; nor is a forced adding undone by adding.
        stays = action in ACTIONS.respectful.values() and before in {ACTIONS.unsubscribe, *ACTIONS.respectful}
        stays = stays or (action == ACTIONS.remove and before == ACTIONS.unsubscribe)
        found[number] = before if before is not None and stays else action
    return found
