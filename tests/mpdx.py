"""An MPDX in a sandbox, for tests of the sandbox itself and of the tap."""

from __future__ import annotations

import pytest

from mailing_sandbox import Sandbox

__all__ = ["home", "make", "mpdx", "sandbox"]


@pytest.fixture
def sandbox():
    """An empty sandbox without a limit of requests."""
    with Sandbox(switches={"mpdx_rate_limit": 0}) as running:
        yield running


@pytest.fixture
def mpdx(sandbox):
    return sandbox.mpdx


@pytest.fixture
def home(mpdx):
    """An account list in the United States."""
    return mpdx.add_account_list("Stateside")


@pytest.fixture
def make(mpdx, home):
    """Make contacts of names, or of names with attributes; returns their IDs."""

    def contacts(*given, **shared):
        rows = [{"name": one} if isinstance(one, str) else one for one in given]
        return mpdx.add_contacts([{"account_list": home, **shared, **row} for row in rows])

    return contacts
