"""Years before 1000 keep their four digits."""

from __future__ import annotations

import pytest

from mailing_sandbox.mailjet.values import cast


@pytest.mark.parametrize("given", ["0001-01-01T00:00:00Z", "0999-12-31T00:00:00Z", "1984-05-06T00:00:00Z"])
def test_a_moment_is_kept_as_it_was_given(given):
    assert cast("datetime", given) == given
