"""Looking at the provider for rows of which no job can tell whether they arrived."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import msgspec

from target_mailing.destination import Finished, Step, Work

__all__ = ["ReadBack"]


@dataclass(frozen=True)
class ReadBack(Step):
    """Asks what is there of each doubtful row; those of which all is there were delivered.

    Attributes:
        verdict: how the batch ends if none of the rows is found.
        doubtful: positions of the rows to look for.
    """

    verdict: Finished
    doubtful: Sequence[int]
    name = "read_back"

    def run(self, work: Work) -> Finished:
        """Look for the rows."""
        withheld = {*self.verdict.withheld, *work.withheld}
        there = self.arrived([at for at in self.doubtful if at not in withheld], work)
        rejected = {at: why for at, why in self.verdict.rejected.items() if at not in withheld and at not in there}
        return msgspec.structs.replace(self.verdict, rejected=rejected, withheld=sorted(withheld))

    @abstractmethod
    def arrived(self, positions: Sequence[int], work: Work) -> Collection[int]:
        """Those of these rows of which all is there."""
