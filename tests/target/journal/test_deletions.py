"""How many people whom a stream takes off, and of whom nothing is known, are not counted."""

from __future__ import annotations

import pytest

from target_mailing.journal.deletions import Deletions


@pytest.mark.parametrize("forgotten", [0, 1, 3])
def test_p9_as_many_unknown_people_as_were_forgotten_do_not_count(forgotten):
    deletions = Deletions(forgotten)
    counted = [deletions.counts(is_known=False) for _ in range(5)]
    assert counted == [False] * forgotten + [True] * (5 - forgotten)


def test_p9_who_is_known_counts_and_takes_no_place_of_the_unknown():
    deletions = Deletions(1)
    assert [deletions.counts(is_known=known) for known in (True, True, False, False)] == [True, True, False, True]


def test_where_an_earlier_version_noted_no_number_nobody_unknown_counts_and_those_it_took_off_are_noted():
    deletions = Deletions(None)
    assert not any(deletions.counts(is_known=False) for _ in range(5))
    assert deletions.counts(is_known=True)
    deletions.was_done(7, 100.0)
    deletions.was_done(8, None)
    assert deletions.before == {7: 100.0}
    known = Deletions(0)
    known.was_done(7, 100.0)
    assert known.before == {}
