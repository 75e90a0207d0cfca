"""The SDK's own contract for targets."""

from __future__ import annotations

import pytest
from singer_sdk.testing import get_target_test_class
from singer_sdk.testing.suites import SingerTestSuite, target_tests
from singer_sdk.testing.target_tests import TargetRecordMissingKeyProperty

from target_mailing.target import TargetMailing

CONFIG = {
    "mailjet_api_key": "key",
    "mailjet_secret_key": "secret",
    "mailjet_base_url": "http://127.0.0.1:9",
    "journal": "off",
    "on_unknown_stream": "skip",
    "mapping": {"email": "no_such_column"},
}

# A record without its key is not an error of the run here: it is a reject (tests/target/delivery/test_rows.py).
SUITE = SingerTestSuite(
    kind="target", tests=[one for one in target_tests.tests if one is not TargetRecordMissingKeyProperty]
)

_Contract = get_target_test_class(TargetMailing, config=CONFIG, custom_suites=[SUITE], include_target_tests=False)


class TestContract(_Contract):
    """The suite's streams are not of contacts: they are skipped, and no call is made."""

    @pytest.fixture(autouse=True)
    def _own_state_folder(self, monkeypatch, tmp_path):
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
