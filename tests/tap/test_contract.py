"""The SDK's own suite for taps, every stream read to its end from the sandbox."""

from __future__ import annotations

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class

from mailing_sandbox.server import Sandbox
from tap_mailing.tap import TapMailing
from tests.tap.conftest import catalog

CONFIG = {"mailjet_api_key": "sandbox-key", "mailjet_secret_key": "sandbox-secret"}
MPDX_CONFIG = {"mpdx_access_token": "sandbox-secret"}
SES_CONFIG = {
    "ses_regions": ["us-east-1", "eu-west-1"],
    "ses_aws_access_key_id": "sandbox-key",
    "ses_aws_secret_access_key": "sandbox-secret",
    "ses_requests_per_second": 1e6,
}
POSTGRID_CONFIG = {"postgrid_api_key": "test_sk_sandbox", "max_requests_per_second": 1e6}


@pytest.fixture(scope="module", autouse=True)
def _running():
    with Sandbox(contacts=60, seed=3) as sandbox:
        CONFIG["mailjet_base_url"] = MPDX_CONFIG["mpdx_base_url"] = SES_CONFIG["ses_endpoint_url"] = sandbox.url
        POSTGRID_CONFIG["postgrid_base_url"] = sandbox.url
        sandbox.mpdx.delete_contact(next(iter(sandbox.mpdx.contacts())))
        yield


TestContract = get_tap_test_class(
    TapMailing,
    config=CONFIG,
    suite_config=SuiteConfig(max_records_limit=None),
    parse_env_config=False,
)

# Some columns are null in every household of the sandbox, and exports are read on demand only.
TestMpdxContract = pytest.mark.filterwarnings("ignore:No records were available to test")(
    get_tap_test_class(
        TapMailing,
        config=MPDX_CONFIG,
        suite_config=SuiteConfig(
            max_records_limit=None,
            ignore_no_records_for_streams=["mpdx_contact_exports", "mpdx_contact_export_rows"],
        ),
        parse_env_config=False,
    )
)

# Some columns are null in every account of the sandbox. The suite reads streams that are not selected by default too,
# but holds their records against a catalog without them, so they are selected.
TestSesContract = pytest.mark.filterwarnings("ignore:No records were available to test")(
    get_tap_test_class(
        TapMailing,
        config=SES_CONFIG,
        catalog=catalog(config=SES_CONFIG),
        suite_config=SuiteConfig(max_records_limit=None),
        parse_env_config=False,
    )
)

# Senders are mapped in none of the sandbox's imports, and signed URLs are omitted.
TestPostgridContract = pytest.mark.filterwarnings("ignore:No records were available to test")(
    get_tap_test_class(
        TapMailing,
        config=POSTGRID_CONFIG,
        suite_config=SuiteConfig(max_records_limit=None),
        parse_env_config=False,
        catalog=catalog(config=POSTGRID_CONFIG),  # the suite reads what is not selected by default, too
    )
)
