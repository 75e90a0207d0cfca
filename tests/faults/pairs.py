"""Cases that cover every pair of values of their factors, found greedily; the same every time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations, product
from typing import Any

import pytest

__all__ = ["cover", "crossed", "few", "pairs_of"]

Case = dict[str, Any]
Pair = tuple[tuple[str, Any], tuple[str, Any]]


def cover(
    factors: Mapping[str, Sequence[Any]], is_possible: Callable[[Case], bool], given: Sequence[Case] = ()
) -> list[Case]:
    """Cases such that every pair of values that is in any possible case is in one of these.

    Args:
        factors: their values; the first ones should have the most, for fewer cases.
        is_possible: whether a whole case makes sense.
        given: cases that there are already; they are not among those returned.
    """
    possible = [case for case in _all(factors) if is_possible(case)]
    pairs = [pairs_of(case) for case in possible]
    having: dict[Pair, list[int]] = {}
    for at, of_case in enumerate(pairs):
        for pair in of_case:
            having.setdefault(pair, []).append(at)
    covered = {pair for case in given for pair in pairs_of(case)}
    missing = dict.fromkeys(pair for pair in having if pair not in covered)
    gains = [sum(pair in missing for pair in of_case) for of_case in pairs]
    found: list[Case] = []
    while missing:
        best = max(having[next(iter(missing))], key=gains.__getitem__)
        found.append(possible[best])
        for pair in pairs[best]:
            if missing.pop(pair, pair) is None:
                for at in having[pair]:
                    gains[at] -= 1
    return found


def pairs_of(case: Case) -> list[Pair]:
    """Every pair of a case's values."""
    return list(combinations(case.items(), 2))


def few(cases: Iterable[Any], *kinds: Callable[[Any], Any], name: Callable[[Any], str]) -> list[Any]:
    """The cases as parameters of a test; those that are not needed to have everything once are `exhaustive`.

    Args:
        cases: of a table.
        kinds: each tells of a case of which kind it is; one case of every kind stays.
        name: of a case.
    """
    cases = list(cases)
    kinds_of = [{(number, kind(case)) for number, kind in enumerate(kinds)} for case in cases]
    missing, kept = set().union(*kinds_of), set()
    while missing:
        best = max(range(len(cases)), key=lambda at: len(kinds_of[at] & missing))
        kept.add(best)
        missing -= kinds_of[best]
    return [
        pytest.param(case, id=name(case), marks=() if at in kept else pytest.mark.exhaustive)
        for at, case in enumerate(cases)
    ]


def crossed(*factors: Sequence[Any]) -> list[Any]:
    """All combinations of values as parameters of a test; those not needed to have each pair once are `exhaustive`.

    Args:
        factors: the values of each parameter.
    """
    by_length = sorted(range(len(factors)), key=lambda factor: -len(factors[factor]))
    wanted = cover({str(factor): range(len(factors[factor])) for factor in by_length}, lambda _: True)
    kept = {tuple(case[str(factor)] for factor in range(len(factors))) for case in wanted}
    return [
        pytest.param(
            *(values[at] for values, at in zip(factors, places, strict=True)),
            marks=() if places in kept else pytest.mark.exhaustive,
        )
        for places in product(*(range(len(values)) for values in factors))
    ]


def _all(factors: Mapping[str, Sequence[Any]]) -> list[Case]:
    return [dict(zip(factors, values, strict=True)) for values in product(*factors.values())]
