"""The setting `allow_removals_once`: how many contacts it has to name, and whether it still allows them."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

import msgspec

from target_mailing.journal.allowances import Allowed
from target_mailing.journal.journal import Journal
from target_mailing.journal.removals import LATELY

__all__ = ["Allowance"]


class Allowance:
    """The setting in one run, by the journal's notes about the runs before.

    The number counts the contacts that are to leave at the destinations beyond their limits, and those that left under
    an allowance there that did not end: one that was begun within a day, and not all of whose removals were made. The
    number of such an allowance works as long as no others are to leave, also where some of them are within the limits.
    A number works in the first run that judges removals with it, and within a day after an error named it, until all
    that it allowed was made.

    Attributes:
        number: the setting; 0 if it is unset.
        needed: the number that would allow all that were judged beyond their limits.
        made: those of `needed` that left in earlier runs.
    """

    def __init__(self, journal: Journal, number: int) -> None:
        """Begin with nothing judged."""
        self.number = number
        self.needed = self.made = 0
        self._removals = journal.removals
        self._allowances = journal.removals.allowances
        #: The allowance of this run, as the journal notes it, while not all that it allowed was made; 0 for none.
        self._under_way = 0

    def judge(self, beyond: Mapping[int, int], within: Mapping[int, int]) -> tuple[int, Collection[int]]:
        """Judge removals.

        Args:
            beyond: how many contacts are to leave, by the destinations beyond their limits (their hashes).
            within: the same, of the destinations within their limits.

        Returns:
            The allowance under which contacts may leave, and from where; 0 if none may but those within the limits.
        """
        moment = time.time()
        known = self._allowances.of([*beyond, *within])
        unfinished = {
            one.destination: one.allowance for one in known if one.allowance and one.began_at > moment - LATELY
        }
        earlier = {unfinished[one] for one in beyond or within if one in unfinished}
        self.made = self._removals.made(earlier)
        also = {one: count for one, count in within.items() if unfinished.get(one) in earlier}
        self.needed = sum(beyond.values()) + self.made if beyond else 0
        for covered in (beyond, {**beyond, **also}):
            here = [one for one in known if one.destination in covered]
            if (
                self.number
                and covered
                and sum(covered.values()) + self.made == self.number
                and all(map(self._may_work, here))
            ):
                self._under_way = self._allowances.join(earlier, self.number)
                began = min((one.began_at for one in here if one.allowance in earlier), default=moment)
                self._allowances.put([
                    Allowed(one.destination, self.number, 0, 0.0, self._under_way, self.number, began) for one in here
                ])  # fmt: skip
                return self._under_way, covered
        self._refuse([one for one in known if one.destination in beyond], moment)
        return 0, ()

    def base(self, destination: int, known: int) -> int:
        """Of how many contacts the limit is a share: those that were known before, or when a run was refused lately.

        Else what that run added to the list would allow the next one more.
        """
        (one,) = self._allowances.of([destination])
        return min(known, one.base) if one.base_at > time.time() - LATELY else known

    def note_bases(self, bases: Mapping[int, int]) -> None:
        """The run was refused, by limits that were shares of so many contacts."""
        for one in self._allowances.of([*bases]):
            noted = msgspec.structs.replace(one, base=bases[one.destination], base_at=time.time())
            self._allowances.put([noted])

    def _refuse(self, known: Collection[Allowed], moment: float) -> None:
        """Note the number that is needed, unless it is the one that does not work."""
        for one in known:
            names = {} if self.number == self.needed else {"named": self.needed, "named_at": moment}
            self._allowances.put([msgspec.structs.replace(one, last=self.number, **names)])

    @property
    def is_under_way(self) -> bool:
        """Whether removals that were allowed are still to be made."""
        return bool(self._under_way)

    def end(self) -> None:
        """All that was allowed was made."""
        self._allowances.end(self._under_way)
        self._under_way = 0

    def remember(self, destinations: Collection[int]) -> None:
        """The run has ended, and nothing failed, whether or not these destinations needed the number."""
        known = self._allowances.of(destinations)
        self._allowances.put([
            msgspec.structs.replace(one, last=self.number) for one in known if one.last != self.number
        ])  # fmt: skip

    def _may_work(self, known: Allowed) -> bool:
        """Whether the number, which is the right one, continues what it allowed, answers an error, or is new."""
        since = time.time() - LATELY
        continues = known.number == self.number and known.began_at > since
        return continues or (known.named == self.number and known.named_at > since) or known.last != self.number
