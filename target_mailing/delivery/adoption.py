"""Whose a job is that a lost reply may have started, and the rows that show it; pure, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from target_mailing.interface.destination import Candidate
from target_mailing.journal.known import Known
from target_mailing.rows.row import Row

__all__ = ["changed", "free_size", "owners", "sample"]

#: Rows of a batch that are read back before a job is believed to be its own.
_SAMPLE: Final = 5


def owners(sizes: Sequence[int], candidates: Iterable[Candidate]) -> dict[int, Candidate]:
    """By position, the jobs of batches of these sizes, as far as their counts show; each still needs a sample.

    Every candidate has ended, and any may be of another program. So a size needs as many jobs as it has batches,
    whichever is whose. With one more, or one that ended with errors and may have any size, none of them is anybody's. A
    job that shows no count may have any size, too.
    """
    jobs = [one for one in candidates if not one.is_clean or one.count is None or one.count in sizes]
    if any(one.count is None for one in jobs):
        groups = [(list(range(len(sizes))), jobs)]
    else:
        groups = [
            (
                [at for at, own in enumerate(sizes) if own == size],
                [one for one in jobs if not one.is_clean or one.count == size],
            )
            for size in set(sizes)
        ]
    found: dict[int, Candidate] = {}
    for positions, fitting in groups:
        if len(positions) == len(fitting) and all(one.is_clean for one in fitting):
            found |= _paired(positions, sizes, fitting)
    return found


def _paired(positions: list[int], sizes: Sequence[int], jobs: Sequence[Candidate]) -> dict[int, Candidate]:
    """As many batches and jobs, one for each; none if the counts that are shown do not allow it."""
    pairs: dict[int, Candidate] = {}
    for job in sorted(jobs, key=lambda one: one.count is None):
        fitting = (at for at in positions if at not in pairs and job.count in {None, sizes[at]})
        at = next(fitting, None)
        if at is None:
            return {}
        pairs[at] = job
    return pairs


def changed(rows: Sequence[Row], positions: Iterable[int], known: Mapping[int, Known]) -> list[int]:
    """Positions of rows whose content, as far as the journal knows, the provider did not have before."""
    return [
        at
        for at in positions
        if rows[at].size and ((before := known.get(rows[at].id)) is None or before.fingerprint != rows[at].fingerprint)
    ]


def sample(positions: Sequence[int]) -> Sequence[int]:
    """A few of these positions, from the first to the last."""
    return positions[:: -(-len(positions) // _SAMPLE)] if positions else ()


def free_size(most: int, taken: Iterable[int]) -> int:
    """The largest size of a batch, of so many rows at most, that is not taken; if each is, so many rows."""
    used = {*taken}
    return next((size for size in range(most, 0, -1) if size not in used), most)
