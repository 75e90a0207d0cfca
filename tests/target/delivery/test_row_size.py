"""A row is refused as too large only if its size is the likely cause, and other calls are answered."""

from __future__ import annotations

import pytest

from mailing_api.errors import NotFound, ProviderFault, RateLimited, Unreachable
from target_mailing.delivery.row_size import refusal_by_size

LARGE = 50_000_000
CUT = ProviderFault("The connection was closed.")


def refused(error, *, size=LARGE, answered=0, other=None):
    probes = []

    def probe():
        probes.append(1)
        if other is not None:
            raise other

    refusal = refusal_by_size(error, size=size, answered=answered, probe=probe)
    assert refusal is None or refusal.code == "too_large"
    return refusal is not None, len(probes)


def test_a_large_row_whose_connection_is_closed_is_refused_if_another_call_is_answered():
    assert refused(CUT) == (True, 1)
    assert refused(CUT, other=NotFound("Wrong.", status=404)) == (True, 1)


@pytest.mark.parametrize("other", [CUT, ProviderFault("Failed.", status=500), ProviderFault("Failed.", status=503)])
def test_p3_it_is_not_where_no_call_is_answered(other):
    assert refused(CUT, other=other) == (False, 1)


@pytest.mark.parametrize(
    ("error", "more"),
    [
        (Unreachable("No route."), {}),
        (ProviderFault("Failed.", status=500), {}),
        (RateLimited("Too many."), {}),
        (CUT, {"size": 10}),
        (CUT, {"answered": LARGE}),
    ],
)
def test_p3_other_errors_and_sizes_that_were_answered_before_are_not_for_the_size(error, more):
    assert refused(error, **more) == (False, 0)


def test_a_status_that_says_so_needs_no_other_call():
    assert refused(ProviderFault("Too large.", status=413), size=10) == (True, 0)
