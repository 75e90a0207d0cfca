"""Contacts that take calls of their own, and those for which the provider fails while it answers about others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final, Generic, TypeVar

from mailing_api.answered_calls import answered_calls
from mailing_api.errors import MailingError, NotFound, ProviderFault
from target_mailing.contacts.effects import Effect
from target_mailing.destination import Finished, Refusal

__all__ = ["UNAVAILABLE", "finished", "take_each", "take_each_that_works", "why_failing"]

T = TypeVar("T")

#: Contacts in a row that may fail before it counts as the provider's trouble. For each the client was patient.
_MOST_FAILING: Final = 3
#: Contacts that went through which are taken again to see whether writes still do.
_MOST_PROOFS: Final = 3
#: What gateways and overloaded servers answer, whatever was sent.
UNAVAILABLE: Final = frozenset({502, 503, 504})


def take_each(
    positions: Iterable[int], take: Callable[[int], T], *, probe: Callable[[], object], only_reads: bool = False
) -> tuple[dict[int, T], dict[int, Refusal]]:
    """Take rows one by one; what came of each, and why others are refused. See `take_each_that_works`.

    Args:
        positions: of the rows.
        take: takes one row.
        probe: a read like those for a row, about somebody else.
        only_reads: nothing is written for a row, so that one that fails certainly did not arrive.
    """
    taken, failing = take_each_that_works(positions, take, probe=probe)
    return taken, {at: _refusal(error, only_reads=only_reads) for at, error in failing.items()}


def take_each_that_works(
    positions: Iterable[int], take: Callable[[int], T], *, probe: Callable[[], object]
) -> tuple[dict[int, T], dict[int, ProviderFault]]:
    """Take contacts one by one; what came of each, and the errors of those that the provider fails for.

    A contact whose call ends in a server error, each time, is put aside. It fails by itself if it fails once more, and
    another one goes through after that: else one contact would end every run. The other one counts only if the call
    that failed was answered for it then: one that needs only reads goes through while writes fail.

    Where no other went through, a read about somebody else tells that the provider answers reads. That is enough for
    reads that fail. It is enough for a single write, unless its status is that of a provider that is not available.

    Args:
        positions: of the contacts.
        take: takes one contact. It may be called again for one that went through.
        probe: a read like those for a contact, about somebody else; that there is nobody is an answer.

    Raises:
        ProviderFault: none went through, too many failed in a row, or no answer came.
    """
    turns = _Turns(take)
    in_a_row = total = 0
    for at in positions:
        if turns.take(at):
            in_a_row = 0
            # While others are left, since one that went through may have nothing to write when it is taken again.
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


class _Turns(Generic[T]):
    """The contacts that went through, and those that the provider fails for.

    Attributes:
        taken: what came of those that went through.
        failed: the last error of each of the others.
        put_aside: those of them that failed once.
        cleared: those of them since whose last failure the provider answered the same for another.
    """

    def __init__(self, take: Callable[[int], T]) -> None:
        self.taken: dict[int, T] = {}
        self.failed: dict[int, ProviderFault] = {}
        self.put_aside: list[int] = []
        self.cleared: set[int] = set()
        self._take = take

    def take(self, at: int) -> bool:
        """Take a contact; whether it went through."""
        if self._try(at):
            return True
        self.put_aside.append(at)
        return False

    def take_again(self, at: int) -> None:
        """Take once more one that was put aside."""
        self.put_aside.remove(at)
        self._try(at)

    def clear_others(self) -> None:
        """Take some that went through once more, until the provider has answered the same for them as it fails for."""
        for at in [*reversed(self.taken)][:_MOST_PROOFS]:
            if self.cleared.issuperset(self.failed):
                return
            with answered_calls() as answered:
                self._take(at)
            self._note(answered)

    def _try(self, at: int) -> bool:
        try:
            with answered_calls() as answered:
                self.taken[at] = self._take(at)
        except ProviderFault as error:
            if error.status is None:
                raise
            self.failed[at] = error
            self.cleared.discard(at)
            return False
        self.failed.pop(at, None)
        self._note(answered)
        return True

    def _note(self, answered: Collection[str]) -> None:
        """A contact went through, for which these calls were answered."""
        self.cleared.update(at for at, error in self.failed.items() if error.call in answered)


def finished(taken: Mapping[int, Refusal | Effect | bool], refused: Mapping[int, Refusal]) -> Finished:
    """The end of a batch whose rows were taken one by one: why each is refused, what was done, or if it is withheld."""
    return Finished(
        rejected={**{at: end for at, end in taken.items() if isinstance(end, Refusal)}, **refused},
        withheld=[at for at, end in taken.items() if end is True],
        effects={at: end for at, end in taken.items() if isinstance(end, Effect)},
    )


def _refusal(error: ProviderFault, *, only_reads: bool) -> Refusal:
    why = why_failing(error)
    if only_reads:
        return Refusal("refused_by_provider", why, is_unasked=True)
    return Refusal("unconfirmed", why, is_unasked=True)


def why_failing(error: ProviderFault) -> str:
    """Why a contact is refused for which the provider fails."""
    return f"HTTP {error.status} each time that it was tried, while other contacts went through"


def _require_answer(errors: Iterable[ProviderFault], probe: Callable[[], object], *, is_single: bool) -> None:
    """Raise one of the errors, unless the contacts are to blame for them, by what a read about somebody else tells."""
    for error in errors:
        if not error.is_read and (not is_single or error.status in UNAVAILABLE):
            raise error
    try:
        probe()
    except NotFound:
        return
    except MailingError:
        raise next(iter(errors)) from None
