"""The SDK's own suite for taps, every stream read to its end from the sandbox."""

from __future__ import annotations

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class

from mailing_sandbox.server import Sandbox
from tap_mailing.tap import TapMailing

CONFIG = {"mailjet_api_key": "sandbox-key", "mailjet_secret_key": "sandbox-secret"}


@pytest.fixture(scope="module", autouse=True)
def _running():
    with Sandbox(contacts=60, seed=3) as sandbox:
        CONFIG["mailjet_base_url"] = sandbox.url
        yield


TestContract = get_tap_test_class(
    TapMailing,
    config=CONFIG,
    suite_config=SuiteConfig(max_records_limit=None),
    parse_env_config=False,
)
