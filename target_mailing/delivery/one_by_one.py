"""Contacts sent one by one, and contacts for which the provider fails while it answers for others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from typing import Final, Generic, TypeVar

from mailing_api.answered_calls import answered_calls
from mailing_api.errors import MailingError, NotFound, ProviderFault
from target_mailing.contacts.effects import Effect
from target_mailing.interface.destination import Finished, Refusal

__all__ = ["UNAVAILABLE", "finished", "take_each", "take_each_that_works", "why_failing"]

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

#: Contacts in a row that may fail before the provider is considered down. For each, the client retried.
_MOST_FAILING: Final = 3
#: Contacts that succeeded which are sent again to see whether writes still work.
_MOST_PROOFS: Final = 3
#: Statuses of gateways and overloaded servers, whatever was sent.
UNAVAILABLE: Final = frozenset({502, 503, 504})


def take_each(
    positions: Iterable[int], take: Callable[[int], T], *, probe: Callable[[], object], only_reads: bool = False
) -> tuple[dict[int, T], dict[int, Refusal]]:
    """Process rows one by one; the result of each, or why it is refused. See `take_each_that_works`.

    Args:
        positions: of the rows.
        take: processes one row.
        probe: a read like those for a row, about another contact.
        only_reads: nothing is written for a row, so a row that fails certainly did not arrive.
    """
    taken, failing = take_each_that_works(positions, take, probe=probe)
    reasons = {at: why_failing(error) for at, error in failing.items()}
    if only_reads:
        return taken, {at: Refusal("refused_by_provider", why, is_unasked=True) for at, why in reasons.items()}
    return taken, {at: Refusal("unconfirmed", why, is_unasked=True) for at, why in reasons.items()}


def take_each_that_works(
    contacts: Iterable[K], take: Callable[[K], T], *, probe: Callable[[], object]
) -> tuple[dict[K, T], dict[K, ProviderFault]]:
    """Process contacts one by one; the result of each, and the errors of those that the provider fails for.

    A contact whose call ends in a server error, despite retries, is put aside. The contact is to blame if it fails once
    more, and another contact succeeds after that; otherwise one contact would end every run. The other contact is
    evidence only if the call that failed was answered for it: a contact that needs only reads succeeds while writes
    fail.

    If no other contact succeeded, a read about another contact shows whether the provider answers reads. That is enough
    for reads that fail. It is enough for a single write, unless its status is that of an unavailable provider.

    Args:
        contacts: their positions or addresses.
        take: processes one contact. It may be called again for a contact that succeeded.
        probe: a read like those for a contact, about another contact; NotFound is an answer.

    Raises:
        ProviderFault: no contact succeeded, too many failed in a row, or there was no response.
    """
    turns = _Turns(take)
    in_a_row = total = 0
    for at in contacts:
        if turns.take(at):
            in_a_row = 0
            # Now, while others are left: later, a contact that succeeded may have nothing to write.
            for failing in [one for one in turns.put_aside if one in turns.cleared and not turns.failed[one].is_read]:
                turns.take_again(failing)
        elif in_a_row == _MOST_FAILING:
            raise turns.failed[at]
        else:
            in_a_row += 1
            total += 1
    for failing in list(turns.put_aside):
        turns.take_again(failing)
    turns.clear_others()
    doubtful = [error for at, error in turns.failed.items() if at not in turns.cleared]
    if doubtful:
        _require_answer(doubtful, probe, is_single=total == 1)
    return turns.taken, turns.failed


class _Turns(Generic[K, T]):
    """The contacts that succeeded, and those that the provider fails for.

    Attributes:
        taken: the results of those that succeeded.
        failed: the last error of each of the others.
        put_aside: contacts that failed once.
        cleared: failed contacts for which it is clear that the provider answered the same call for another contact
            since.
    """

    def __init__(self, take: Callable[[K], T]) -> None:
        self.taken: dict[K, T] = {}
        self.failed: dict[K, ProviderFault] = {}
        self.put_aside: list[K] = []
        self.cleared: set[K] = set()
        self._take = take

    def take(self, at: K) -> bool:
        """Process a contact; whether it succeeded."""
        try:
            with answered_calls() as answered:
                self.taken[at] = self._take(at)
        except ProviderFault as error:
            if error.status is None:
                raise
            if at not in self.failed:
                self.put_aside.append(at)
            self.failed[at] = error
            self.cleared.discard(at)
            return False
        self.failed.pop(at, None)
        self._note(answered)
        return True

    def take_again(self, at: K) -> None:
        """Process once more a contact that was put aside."""
        self.put_aside.remove(at)
        self.take(at)

    def clear_others(self) -> None:
        """Repeat contacts that succeeded, until the provider has answered every call that failed for others."""
        for at in [*reversed(self.taken)][:_MOST_PROOFS]:
            if self.cleared.issuperset(self.failed):
                return
            with answered_calls() as answered:
                self._take(at)
            self._note(answered)

    def _note(self, answered: Collection[str]) -> None:
        """A contact succeeded, for which these calls were answered."""
        self.cleared.update(at for at, error in self.failed.items() if error.call in answered)


def finished(taken: Mapping[int, Refusal | Effect | bool], refused: Mapping[int, Refusal]) -> Finished:
    """The end of a batch of rows processed one by one, given why each is refused, its effect, or True if withheld."""
    return Finished(
        rejected={**{at: end for at, end in taken.items() if isinstance(end, Refusal)}, **refused},
        withheld=[at for at, end in taken.items() if end is True],
        effects={at: end for at, end in taken.items() if isinstance(end, Effect)},
    )


def why_failing(error: ProviderFault) -> str:
    """Why a contact is refused for which the provider fails."""
    return f"HTTP {error.status} on every attempt, while other contacts succeeded"


def _require_answer(errors: Iterable[ProviderFault], probe: Callable[[], object], *, is_single: bool) -> None:
    """Raise one of the errors, unless a read about another contact shows that the contacts are to blame."""
    for error in errors:
        if not error.is_read and (not is_single or error.status in UNAVAILABLE):
            raise error
    try:
        probe()
    except NotFound:
        return
    except MailingError:
        raise next(iter(errors)) from None
