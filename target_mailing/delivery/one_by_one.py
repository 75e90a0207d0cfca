"""Contacts that take calls of their own, and those for which the provider fails while it answers about others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from mailing_api.errors import MailingError, NotFound, ProviderFault
from target_mailing.contacts.effects import Effect
from target_mailing.destination import Finished, Refusal

__all__ = ["finished", "take_each", "take_each_that_works", "why_failing"]

T = TypeVar("T")

#: Contacts in a row that may fail before it counts as the provider's trouble. For each the client was patient.
_MOST_FAILING: Final = 3
#: What gateways and overloaded servers answer, whatever was sent.
_UNAVAILABLE: Final = frozenset({502, 503, 504})


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
    another one, which went through before, goes through again after that: else one contact would end every run.

    Where no other went through, a read about somebody else tells that the provider answers reads. That is enough for
    reads that fail. It is enough for a single write, unless its status is that of a provider that is not available.

    Args:
        positions: of the contacts.
        take: takes one contact. It may be called again for one that went through.
        probe: a read like those for a contact, about somebody else; that there is nobody is an answer.

    Raises:
        ProviderFault: none went through, too many failed in a row, or no answer came.
    """
    taken: dict[int, T] = {}
    failed: dict[int, ProviderFault] = {}
    in_a_row = 0
    for at in positions:
        try:
            taken[at] = take(at)
        except ProviderFault as error:
            if error.status is None or in_a_row == _MOST_FAILING:
                raise
            in_a_row += 1
            failed[at] = error
        else:
            in_a_row = 0
    is_single = not taken and len(failed) == 1
    if failed:
        failed = _fail_again(failed, taken, take)
    if failed and taken:
        take(next(reversed(taken)))
    elif failed:
        _require_answer(failed.values(), probe, is_single=is_single)
    return taken, failed


def _fail_again(failed: Iterable[int], taken: dict[int, T], take: Callable[[int], T]) -> dict[int, ProviderFault]:
    """Take contacts once more; the errors of those that fail again."""
    again: dict[int, ProviderFault] = {}
    for at in failed:
        try:
            taken[at] = take(at)
        except ProviderFault as error:
            if error.status is None:
                raise
            again[at] = error
    return again


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
        if not error.is_read and (not is_single or error.status in _UNAVAILABLE):
            raise error
    try:
        probe()
    except NotFound:
        return
    except MailingError:
        raise next(iter(errors)) from None
