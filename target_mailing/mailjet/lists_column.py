"""The column `lists`: the lists that a row names, and the action on each; pure."""

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
from target_mailing.mailjet.actions import ACTIONS

__all__ = ["ListsColumn", "action_on", "actions_of", "laid_over"]

#: A list by ID, and the entry's own action; None if it has none.
Entry = tuple[int, str | None]

_KEYS: Final = frozenset({"list", "action"})
_SHAPE: Final = 'not an array of objects such as {"list": 91822, "action": "addnoforce"}'


class ListsColumn:
    """Reads the column: an array of objects with `list` (ID, name or address) and, optionally, `action`."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take the account's lists as Mailjet lists them."""
        live = [row for row in rows if not boolean(row.get("IsDeleted"))]
        #: By ID, name or address.
        self._lists: dict[int | str, set[int]] = {}
        for row in live:
            list_id = id_of(dict(row))
            self._lists[list_id] = {list_id}
            self._lists.setdefault(str(row.get("Name", "")), set()).add(list_id)
        for row in live:  # after the names, which take precedence
            self._lists.setdefault(str(row.get("Address", "")), {id_of(dict(row))})

    def __call__(self, value: Any) -> list[Entry] | None:
        """The entries of a row; None for a blank.

        Raises:
            ValueError: the value has another shape.
            RowRejected: unknown_list, unknown_action.
        """
        entries = from_json_text(value, "an array")
        if entries is None:
            return None
        if not isinstance(entries, list):
            raise ValueError(_SHAPE)
        return [self._read(entry) for entry in entries]

    def readable(self, value: Any) -> list[Entry]:
        """The entries that can be read.

        Raises:
            ValueError: the value has another shape.
        """
        entries = from_json_text(value, "an array")
        read: list[Entry] = []
        for entry in entries if isinstance(entries, list) else ():
            with suppress(RowRejected, ValueError):
                read.append(self._read(entry))
        return read

    @staticmethod
    def opt_outs(entries: Sequence[Entry]) -> list[Entry] | None:
        """The entries that opt the contact out of a list; None if there are none."""
        return [(list_id, own) for list_id, own in entries if own == ACTIONS.unsubscribe] or None

    def _read(self, entry: Any) -> Entry:
        if not isinstance(entry, dict) or not entry.keys() <= _KEYS:
            raise ValueError(_SHAPE)
        return self._list(entry.get("list")), _own_action(entry)

    def _list(self, value: Any) -> int:
        name = whole_float(value) if isinstance(value, float) else value
        if isinstance(name, bool) or not isinstance(name, (int, str)):
            raise ValueError(_SHAPE)
        list_ids = self._lists.get(int(name) if str(name).isdecimal() else name, set())
        if len(list_ids) != 1:
            why = "several lists have this name" if list_ids else "the account has no such list"
            raise RowRejected("unknown_list", f"list {name!r}: {why}")
        return next(iter(list_ids))


def _own_action(entry: Mapping[str, Any]) -> str | None:
    value = entry.get("action")
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError(_SHAPE)
    action = ACTIONS.unsubscribe if asks_for_opt_out(value) else value.strip().lower() or None
    if action is not None and action not in ACTIONS.known - ACTIONS.account_wide:
        raise RowRejected("unknown_action", f"list {entry.get('list')!r}: unknown action {action!r}")
    return action


def actions_of(entries: Sequence[Entry], action: str, consent: Consent) -> dict[str, str]:
    """List ID, as a string -> the action there, for a row of this action."""
    actions: dict[str, str] = {}
    for list_id, own in entries:
        actions = laid_over(actions, {str(list_id): action_on(action, own, consent)})
    return actions


def action_on(action: str, own: str | None, consent: Consent) -> str:
    """The action on one list, given the row's action and the entry's own.

    A row that leaves leaves all its lists, and a row that opts out opts out of all lists that it does not leave.
    """
    for strong in (ACTIONS.remove, ACTIONS.unsubscribe):
        if strong in (action, own):
            return strong
    chosen = action if own is None else own
    return ACTIONS.respectful.get(chosen, chosen) if consent == "respect" else chosen


def laid_over(earlier: Mapping[str, str], later: Mapping[str, str]) -> dict[str, str]:
    """List ID, as a string -> the one action with the effect of the earlier followed by the later, or less of it."""
    merged = dict(earlier)
    for list_id, action in later.items():
        before = earlier.get(list_id)
        # Adding undoes no opt-out and no forced adding; removing erases no opt-out.
        stays = before == ACTIONS.unsubscribe and action in {ACTIONS.remove, *ACTIONS.respectful.values()}
        stays = stays or (before in ACTIONS.respectful and action in ACTIONS.respectful.values())
        merged[list_id] = before if before is not None and stays else action
    return merged
