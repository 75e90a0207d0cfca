"""Destinations where whoever arrived stays as they are: what rows ask for is compared with who is there."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mailing_api.addresses import fold_address
from target_mailing.delivery.outcomes import End, Outcome
from target_mailing.destination import AppendOnlyDestination, Refusal
from target_mailing.journal.journal import Journal, Known, Reject
from target_mailing.row import Row

__all__ = ["AppendOnly", "Judged"]

_CANNOT_LEAVE = Refusal("cannot_leave", "was delivered for good: all can be replaced, but nobody taken off alone")
_CANNOT_CHANGE = Refusal("cannot_change", "an earlier version was delivered for good: there would be two")
_IN_DOUBT = Refusal("unconfirmed", "may be there from an earlier attempt: sent again there might be two")


class Judged(msgspec.Struct):
    """What becomes of rows: those that go, and those that end here, with their ends for `Outcomes`."""

    going: list[Row]
    ended: list[Row]
    ends: list[End]


class AppendOnly:
    """Judges rows of one destination when all that came before for their contacts and keys has ended."""

    def __init__(self, destination: AppendOnlyDestination, journal: Journal, *, may_replace: bool) -> None:
        """Tell the journal to forget nobody.

        Args:
            destination: where rows go.
            journal: knows who arrived.
            may_replace: a new contact of a key would stand for the old one, and not beside it.
        """
        journal.keep_contacts()
        self._journal = journal
        self._name = destination.name
        self._actions = destination.actions
        self._since = destination.holds_since
        self._starts_over = destination.replaces_contents
        self._may_replace = may_replace

    def judge(self, rows: Sequence[Row]) -> Judged:
        """Tell rows that go from those that end here, and note these in the journal."""
        keys = [row.key for row in rows if row.key is not None]
        emails = self._journal.emails(keys) if keys else {}
        former = {
            row.key: self._journal.contact_id(self._name, fold_address(email))
            for row in rows
            if row.key is not None and (email := emails.get(row.key))
        }
        known = self._journal.contacts([*{row.id for row in rows}, *former.values()])
        judged = Judged([], [], [])
        unchanged: list[Row] = []
        rejects: list[Reject] = []
        for row in rows:
            end = self._end(row, known, None if row.key is None else former.get(row.key))
            if end is None:
                judged.going.append(row)
                continue
            judged.ended.append(row)
            if isinstance(end, Refusal):
                rejects.extend(Reject.of(row, end.code, end.reason))
                judged.ends.append((row.lines, Outcome.REJECTED, end.code))
            elif end is Outcome.WITHHELD:
                judged.ends.append((row.lines, end, "unsubscribed"))
            else:
                unchanged.append(row)
                judged.ends.append((row.lines, end, None))
        if unchanged or rejects:
            self._journal.note_rows(unchanged=unchanged, rejects=rejects)
        return judged

    def _end(self, row: Row, known: dict[int, Known], former: int | None) -> Outcome | Refusal | None:
        """How a row ends here, if it does; `former` is the contact that its key has."""
        if row.action == self._actions.ask:
            return None
        is_there = self._is_there(known.get(row.id))
        has_other = former is not None and former != row.id and self._is_there(known.get(former))
        if row.action in {self._actions.remove, self._actions.unsubscribe}:
            if is_there or has_other:
                return _CANNOT_LEAVE
            return Outcome.UNCHANGED if row.action == self._actions.remove else Outcome.WITHHELD
        if has_other and self._may_replace:
            return _CANNOT_CHANGE
        if is_there:
            return Outcome.UNCHANGED
        is_doubtful = row.id in known and known[row.id].confirmed_at is None
        return _IN_DOUBT if is_doubtful and not self._starts_over else None

    def _is_there(self, known: Known | None) -> bool:
        return known is not None and known.confirmed_at is not None and known.confirmed_at >= self._since
