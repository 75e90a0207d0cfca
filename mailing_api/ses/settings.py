"""Amazon SES's settings, and checks of their values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from mailing_api.errors import ConfigurationError
from mailing_api.http.urls import check_url
from mailing_api.settings import Setting, is_aws_region, positive

__all__ = ["SES_SETTINGS", "check"]

SES_SETTINGS: Final = (
    Setting(
        name="ses_regions",
        title="Amazon SES regions",
        description=(
            "The AWS regions to read from, or an array with the one region to deliver to, such as eu-west-1. Amazon "
            "SES keeps all data by region."
        ),
        type="array",
    ),
    Setting(
        name="ses_aws_access_key_id",
        title="AWS access key ID",
        description="An access key. Unset: AWS's own credential chain is used, such as environment variables, "
        "profiles, single sign-on, or the role of the machine.",
        secret=True,
        credential=True,
    ),
    Setting(
        name="ses_aws_secret_access_key",
        title="AWS secret access key",
        description="The secret of `ses_aws_access_key_id`.",
        secret=True,
        credential=True,
    ),
    Setting(
        name="ses_aws_session_token",
        title="AWS session token",
        description="The session token, if the key is temporary.",
        secret=True,
        credential=True,
    ),
    Setting(
        name="ses_aws_profile",
        title="AWS profile",
        description="A profile of AWS's configuration files. It takes precedence over keys in the environment.",
    ),
    Setting(
        name="ses_assume_role_arn",
        title="AWS role",
        description="ARN of a role to assume with these credentials. Its credentials are renewed before they expire.",
    ),
    Setting(
        name="ses_assume_role_external_id",
        title="AWS external ID",
        description="The external ID, if the role requires one.",
    ),
    Setting(
        name="ses_endpoint_url",
        title="Amazon SES endpoint",
        description="The endpoint of Amazon SES, for every region. Unset: AWS's own endpoints, or those in AWS's "
        "environment variables and profiles.",
    ),
    Setting(
        name="ses_requests_per_second",
        title="Amazon SES requests per second",
        description="The greatest number of calls a second for each operation in each region; AWS documents 1. "
        "Default: 1.",
        type="number",
        default=1,
    ),
    Setting(
        name="ses_account",
        title="Amazon SES account label",
        description=(
            "A name of your choice for this AWS account. The tap writes it to the column `account`; the target's "
            "journal identifies the account by it. Not a credential."
        ),
        default="default",
    ),
)


_ROLE: Final = re.compile(r"arn:[a-z-]+:iam::\d{12}:role/[!-~]+")
_EXTERNAL_ID: Final = re.compile(r"[A-Za-z0-9_+=,.@:/\\-]{2,1224}")


def check(own: Mapping[str, Any]) -> None:
    """Check the values, by names without `ses_`.

    Raises:
        ConfigurationError: a value is wrong; the message names the setting.
    """
    _check_regions(own["regions"])
    _check_credentials(own)
    if own["endpoint_url"]:
        check_url("ses_endpoint_url", own["endpoint_url"], "https://email.eu-west-1.amazonaws.com")
    positive("ses_requests_per_second", own["requests_per_second"])


def _check_regions(regions: Sequence[Any] | None) -> None:
    if not regions:
        raise ConfigurationError("Setting `ses_regions` is missing: name at least one region, such as eu-west-1.")
    for region in regions:
        if not is_aws_region(region):
            raise ConfigurationError(f"Setting `ses_regions` has {region!r}, which is not a region such as eu-west-1.")


def _check_credentials(own: Mapping[str, Any]) -> None:
    if bool(own["aws_access_key_id"]) is not bool(own["aws_secret_access_key"]):
        raise ConfigurationError(
            "Settings `ses_aws_access_key_id` and `ses_aws_secret_access_key` belong together: set both, or neither."
        )
    if own["aws_session_token"] and not own["aws_access_key_id"]:
        raise ConfigurationError("Setting `ses_aws_session_token` needs `ses_aws_access_key_id` and its secret.")
    if own["aws_profile"] and own["aws_access_key_id"]:
        raise ConfigurationError("Settings `ses_aws_profile` and `ses_aws_access_key_id` exclude each other: set one.")
    if own["assume_role_arn"] and _ROLE.fullmatch(own["assume_role_arn"]) is None:
        raise ConfigurationError(
            "Setting `ses_assume_role_arn` is not the ARN of a role, such as arn:aws:iam::123456789012:role/mailing."
        )
    if own["assume_role_external_id"] and not own["assume_role_arn"]:
        raise ConfigurationError("Setting `ses_assume_role_external_id` needs `ses_assume_role_arn`.")
    if own["assume_role_external_id"] and _EXTERNAL_ID.fullmatch(own["assume_role_external_id"]) is None:
        raise ConfigurationError(
            "Setting `ses_assume_role_external_id` is not an external ID, which has 2 to 1224 letters, digits and any "
            "of + = , . @ : / \\ _ and hyphens."
        )
