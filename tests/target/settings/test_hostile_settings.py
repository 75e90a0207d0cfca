"""Every setting of the target with values that none has: accepted, or one error that names it."""

from __future__ import annotations

from contextlib import closing

import pytest

from target_mailing.settings.settings import StreamSettings
from target_mailing.target import TargetMailing
from tests.hostile import COMPLETE, check, light, provider_of, settings_of

__all__ = ["light"]

pytestmark = pytest.mark.slow

SETTINGS = settings_of(TargetMailing)
#: What may differ between streams; the others follow from it.
BY_STREAM = [name for name in StreamSettings.__struct_fields__ if name not in {"named", "left_out", "unset"}]


def use(config):
    """All that a run does with its settings before anything is made."""
    target = TargetMailing(config=config)
    target._check_settings()
    with closing(target._router()) as router:
        store, _ = target._places(router)
        store.close()
        router.provider.with_route(StreamSettings.resolve(target.config, "people"))


@pytest.mark.parametrize("name", SETTINGS)
def test_p9_a_setting_of_any_value_is_accepted_or_named(name, light):
    base = COMPLETE[provider_of(name)] | {"list": "L", "journal": str(light / "journal.sqlite")}
    check(name, use, base, is_secret=SETTINGS[name].get("secret", False))
    assert not [one for one in light.rglob("*") if one.is_file()]


@pytest.mark.parametrize("name", BY_STREAM)
def test_p9_a_setting_of_a_stream_of_any_value_is_accepted_or_named(name, light):
    base = COMPLETE["mailjet"] | {"list": "L", "journal": str(light / "journal.sqlite")}

    def use_in_entry(config):
        use(base | {"streams": {"people": {name: config[name]}}})

    check(f"streams.people.{name}", lambda config: use_in_entry({name: config.popitem()[1]}), {}, is_secret=False)
