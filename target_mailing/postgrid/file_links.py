"""Links to files for PostGrid to fetch, in a private bucket; they expire."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from mailing_api.aws.s3_encryption import encryption_of
from mailing_api.errors import ConfigurationError, MailingError, PermissionDenied
from mailing_api.http.urls import check_url
from mailing_api.settings import is_aws_region, lookup
from target_mailing.postgrid.provider import LINK_SETTINGS

if TYPE_CHECKING:
    from mailing_api.aws.s3 import Bucket

__all__ = ["Links"]

logger = logging.getLogger("target-mailing.postgrid")

#: Seconds after which a link expires. It is unknown when PostGrid fetches a file; the file is deleted after that.
_LIFETIME: Final = 24 * 3600


@dataclass(frozen=True)
class Links:
    """Links to files in a bucket.

    Attributes:
        prefix: start of the files' keys.
    """

    bucket: Bucket
    prefix: str

    @classmethod
    def from_settings(
        cls, config: Mapping[str, Any], *, environ: Mapping[str, str] = os.environ, **connection: Any
    ) -> Self | None:
        """Make a client of the bucket in the settings, without any call; None if they name no bucket.

        Raises:
            ConfigurationError: a setting is missing or wrong, or botocore is not installed.
        """
        bucket, region, prefix, url, *_ = (lookup(setting, config, environ) for setting in LINK_SETTINGS)
        encryption = encryption_of("postgrid_s3_", config)
        if not bucket:
            return None
        if prefix.startswith("/"):
            raise ConfigurationError("Setting `postgrid_s3_prefix` begins with a slash; remove the slash.")
        if not is_aws_region(region):
            raise ConfigurationError(
                "Setting `postgrid_s3_region` must be the region of `postgrid_s3_bucket`, such as us-east-1."
            )
        if url:
            check_url("postgrid_s3_endpoint_url", url, "https://s3.us-east-1.amazonaws.com")
        try:
            from mailing_api.aws.s3 import Bucket  # noqa: PLC0415 - loads botocore
            from mailing_api.aws.session import AwsSession  # noqa: PLC0415 - loads botocore
        except ImportError:
            raise ConfigurationError(
                "Setting `postgrid_s3_bucket` is set, but the package botocore is not installed: install this project "
                "with its extra `s3`."
            ) from None
        session = AwsSession(
            region=region,
            timeout=connection.get("timeout", 60.0),
            allow_http=connection.get("allow_http", False),
        )
        return cls(
            Bucket(
                session,
                region,
                bucket,
                endpoint_url=url,
                endpoint_setting="postgrid_s3_endpoint_url",
                setting="postgrid_s3_bucket",
                region_setting="postgrid_s3_region",
                encryption=encryption,
                **connection,
            ),
            prefix,
        )

    def put(self, name: str, file: bytes) -> str:
        """Write a file; returns its link, which is a secret.

        Raises:
            ConfigurationError: the credentials may write the file, but not read it, so the link would not work.
            MailingError: the file could not be written.
        """
        key = self._key(name)
        self.bucket.put(key, [file], content_type="text/csv")
        try:
            self.bucket.has(key)
        except PermissionDenied:
            raise ConfigurationError(
                f"Setting `postgrid_s3_bucket`: the credentials may write to the bucket {self.bucket.name!r} below "
                f"{self.prefix!r}, but not read from it, so links to its files do not work: add the permission "
                "s3:GetObject."
            ) from None
        return self.bucket.link(key, seconds=_LIFETIME)

    def clear(self, name: str) -> None:
        """Delete a file. It holds contact data, but a failure does not concern the rows."""
        try:
            self.bucket.delete(self._key(name))
        except MailingError as error:
            logger.warning("Could not delete a file from the bucket of `postgrid_s3_bucket`: %s", error)

    def _key(self, name: str) -> str:
        return f"{self.prefix}{name}.csv"
