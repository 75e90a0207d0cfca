"""Values that a setting may be given by mistake, and what may become of them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from mailing_api.aws.session import AwsSession
from mailing_api.errors import ConfigurationError
from target_mailing.journal.stores import JournalError

#: What each provider needs to be set; whoever sees one of these in a message has found a leak.
COMPLETE = {
    "mailjet": {"mailjet_api_key": "canary1key", "mailjet_secret_key": "canary2key"},
    "ses": {
        "ses_regions": ["eu-west-1"],
        "ses_aws_access_key_id": "canary3key",
        "ses_aws_secret_access_key": "canary4key",
    },
    "postgrid": {"postgrid_api_key": "test_sk_canary5"},
    "mpdx": {"mpdx_token": "canary6key"},
}

VALUES = [
    None, "", "  ", "\n", "a\0b", "\ud800", 1e30, 10**30, float("nan"), float("inf"), -1, 0, -0.5, True, False, [], {},
    [None], {"a": None}, {"a": {"b": {"c": 1}}}, "x" * 20_000, "x" * 100_000, "LIST", "Äé", "\u200b", "\ufeff1", "-",
    "nan", "1e400", "P1Y", "PT", "9" * 30, "http://[::1", "https://ex ample/", "https://u:canary7pw@h/",
    "postgresql://u:pre@canary8pw@h/d", "canary9 \x1b[31m", "${X}", "on",
]  # fmt: skip


def provider_of(setting: str) -> str:
    return next((name for name in COMPLETE if setting.startswith(f"{name}_")), "mailjet")


def settings_of(plugin: Any) -> dict[str, Any]:
    schema = copy.deepcopy(plugin.config_jsonschema)
    plugin.append_builtin_config(schema)
    return schema["properties"]


def check(name: str, use: Callable[[dict[str, Any]], None], base: dict[str, Any], *, is_secret: bool) -> None:
    """Give a setting each of the values: it is accepted, or the one error is short, and names it."""
    for value in VALUES:
        config = copy.deepcopy(base | {name: value})
        try:
            use(config)
        except ConfigValidationError as exc:
            told = " ".join(exc.errors)
        except (ConfigurationError, JournalError) as exc:
            told = str(exc)
        else:
            continue
        assert any(f"`{one}" in told for one in (name, name.rpartition(".")[2])), (value, told)
        assert len(told) < 600, (value, told)
        assert told.isprintable(), (value, told)
        assert not any(one in told for one in ("canary1", "canary2", "canary3", "canary4", "canary5", "canary6")), told
        assert not is_secret or "canary" not in told, told


@pytest.fixture
def light(monkeypatch, tmp_path):
    """No look into the files of AWS, which takes most of the time, and none of this machine's own settings."""
    monkeypatch.setattr(AwsSession, "authorities", lambda _: None)
    monkeypatch.setattr(AwsSession, "regions", lambda *_: {"eu-west-1"})
    monkeypatch.setattr(
        AwsSession, "endpoints", lambda _, service, regions: dict.fromkeys(regions, f"https://{service}.example")
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("MJ_APIKEY_PUBLIC", "MJ_APIKEY_PRIVATE", "POSTGRID_PRINT_MAIL_API_KEY", "MELTANO_PROJECT_ROOT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path
