"""Every setting of the tap with values that none has: accepted, or one error that names it."""

from __future__ import annotations

import pytest

from tap_mailing.streams.base import MailingStream
from tap_mailing.tap import TapMailing
from tests.hostile import COMPLETE, check, light, provider_of, settings_of

__all__ = ["light"]

pytestmark = pytest.mark.slow

SETTINGS = settings_of(TapMailing)


def use(config):
    """All that a run does with its settings before anything is read."""
    tap = TapMailing(config=config)
    tap._check_providers()
    with tap._connected(one for one in tap.streams.values() if isinstance(one, MailingStream)):
        pass


@pytest.mark.usefixtures("light")
@pytest.mark.parametrize("name", SETTINGS)
def test_p9_a_setting_of_any_value_is_accepted_or_named(name):
    check(name, use, COMPLETE[provider_of(name)], is_secret=SETTINGS[name].get("secret", False))
