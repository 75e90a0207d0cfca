"""One account of Amazon SES, in one region, and the destinations in it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

from mailing_api.aws.s3_encryption import Encryption, encryption_of
from mailing_api.errors import ConfigurationError
from mailing_api.http.retry import RetryPolicy
from mailing_api.http.urls import check_url
from mailing_api.ses.client import SesClient
from mailing_api.ses.writer import SesWriter
from mailing_api.settings import lookup
from target_mailing.interface.destination import Destination
from target_mailing.interface.provider import Account
from target_mailing.ses.contact import TOPIC_PREFIX, fields_of
from target_mailing.ses.contact_list import ContactList
from target_mailing.ses.destination import Contacts, Suppressions
from target_mailing.ses.direct_route import MAX_ROWS
from target_mailing.ses.foreseen import ForeseenStates, ForeseenWriter, UncheckedWriter
from target_mailing.ses.list import ACTIONS
from target_mailing.ses.provider import OWN_SETTINGS, PROVIDER
from target_mailing.ses.setup import existing_lists, topics_of
from target_mailing.ses.stage import Stage
from target_mailing.ses.suppression_list import SuppressionList
from target_mailing.settings.settings import StreamSettings

__all__ = ["SesAccount", "connect"]

logger = logging.getLogger("target-mailing.ses")

#: Waits through throttling, which others who use the account may cause, for about a quarter of an hour.
PATIENCE: Final = RetryPolicy(throttle_base=1.0, throttle_cap=30.0, throttle_tries=60, fault_cap=30.0, fault_tries=8)

#: Without a bucket, the most rows in a batch.
_MOST_UNSTAGED: Final = 5000
#: Without import jobs, the most batches under way.
_MOST_DIRECT: Final = 4


class SesAccount(Account):
    """One account of Amazon SES, in one region."""

    def __init__(self, client: SesClient, config: Mapping[str, Any]) -> None:
        """Take the client and the configuration; no call is made.

        Raises:
            ConfigurationError: a setting is wrong.
        """
        if len(client.regions) != 1:
            raise ConfigurationError(
                f"Setting `ses_regions` names {len(client.regions)} regions, but the target delivers to one: name one."
            )
        self._client = client
        self._region = client.regions[0]
        self._writer = SesWriter(client, self._region)
        own = {setting.name: lookup(setting, config) for setting in OWN_SETTINGS}
        self._suppresses = own["ses_target"] == "suppression_list"
        self._preserves = bool(own["ses_preserve_unsubscribes"])
        self._may_unsuppress = bool(own["ses_allow_unsuppress"])
        self._stage = self._stage_of(own, encryption_of("ses_s3_", config))
        self._is_bucket_checked = False
        self._topics: dict[str, list[str]] = {}
        self.label = client.account

    def _stage_of(self, own: Mapping[str, Any], encryption: Encryption) -> Stage | None:
        name, prefix, url = own["ses_s3_bucket"], own["ses_s3_prefix"], own["ses_s3_endpoint_url"]
        if url:
            check_url("ses_s3_endpoint_url", url, "https://s3.eu-west-1.amazonaws.com")
        if not name:
            return None
        if prefix.startswith("/"):
            raise ConfigurationError("Setting `ses_s3_prefix` begins with a slash, which S3 would take as a folder.")
        bucket = self._client.bucket(self._region, name, endpoint_url=url, encryption=encryption)
        return Stage(bucket, prefix, keeps=bool(own["ses_s3_keep_objects"]))

    @property
    def tenant(self) -> str:
        """By endpoint, region and AWS account."""
        return self._client.tenant(self._region)

    @property
    def rate(self) -> float | None:
        """Of its client."""
        return self._client.operation_rate

    def close(self) -> None:
        """Close the connections."""
        if self._stage is not None:
            self._stage.bucket.close()
        self._client.close()

    def check(self, settings: StreamSettings) -> None:
        """Check that the settings fit each other; if `list` is missing, the error names the lists of the region."""
        if settings.scope != "list":
            raise ConfigurationError("Setting `scope` is 'account', which Amazon SES does not support: remove it.")
        if settings.route == "import" and self._stage is None:
            raise ConfigurationError(
                "Setting `route` is 'import', which needs a bucket: set `ses_s3_bucket`, or `route: direct`."
            )
        if self._suppresses:
            self._check_suppressing(settings)
        else:
            self._check_contact_list(settings)

    def destination(self, settings: StreamSettings, *, dry_run: bool = False) -> Destination:
        """The contact list or the suppression list, after checks of settings, account, list and bucket."""
        self.check(settings)
        has_imports = self._stage is not None and settings.route != "direct"
        self._check_account(has_imports=has_imports)
        where = f"ses:{self.label}:{self._region}"
        gate = self._client.gate
        destination: Destination
        if self._suppresses:
            writer = self._writer if gate is None else UncheckedWriter(self._client, self._region, gate.foresee)
            suppressions = SuppressionList(writer, may_remove=self._may_unsuppress)
            destination = Suppressions(
                suppressions, where=where, name="suppression-list", settings=settings, stage=self._stage
            )
        else:
            name = settings.lists[0]
            topics = self._topics_of(name, settings, dry_run=dry_run)
            foreseen = None if gate is None else ForeseenStates(gate.foresee)
            writer = self._writer if foreseen is None else ForeseenWriter(self._client, self._region, foreseen)
            contacts = ContactList(writer, name, preserves=self._preserves, foreseen=foreseen)
            destination = Contacts(
                contacts, topics, where=where, name=f"contact-list:{name}", settings=settings, stage=self._stage
            )
        if self._stage is not None and has_imports and not self._is_bucket_checked:
            self._stage.bucket.check(self._stage.prefix)
            self._is_bucket_checked = True
        return destination

    def most_rows(self, settings: StreamSettings) -> int:
        """Few where they are sent one by one; without a bucket only questions about contacts are asked together."""
        if settings.route == "direct":
            return MAX_ROWS
        return _MOST_UNSTAGED if self._stage is None else PROVIDER.most_rows

    def batches_at_once(self, settings: StreamSettings) -> int | None:
        """Few where they are sent one by one: a contact is read, and then waits for its turn to be written."""
        return _MOST_DIRECT if settings.route == "direct" or self._stage is None else None

    # Checks

    @cached_property
    def _is_sandboxed(self) -> bool:
        return self._client.describe(self._region).get("ProductionAccessEnabled") is False

    def _check_account(self, *, has_imports: bool) -> None:
        """Check that the account is not in Amazon SES's sandbox, which has no import jobs and no suppressions."""
        if self._is_sandboxed and (self._suppresses or has_imports):
            way_out = "" if self._suppresses else ", or set `route: direct`, which also delivers to the contact list"
            raise ConfigurationError(
                f"Amazon SES {self._region} account {self.label!r}: the AWS account is in Amazon SES's sandbox in this "
                "region, which runs no import jobs and suppresses no addresses. Request production access in Amazon "
                f"SES's console{way_out}."
            )

    def _check_suppressing(self, settings: StreamSettings) -> None:
        if settings.lists:
            raise ConfigurationError(
                "Setting `list` is set, but `ses_target: suppression_list` delivers to the account's suppression list, "
                "which has no name: remove `list`."
            )
        if settings.action == ACTIONS.remove and not self._may_unsuppress:
            raise ConfigurationError(
                "Setting `action` is 'remove', which removes addresses from the suppression list, so that they get "
                "mail again: it needs `ses_allow_unsuppress: true`. Set both, or choose another action."
            )

    def _check_contact_list(self, settings: StreamSettings) -> None:
        if len(settings.lists) != 1:
            raise ConfigurationError(
                f"Setting `list`: name one contact list of Amazon SES {self._region} ({existing_lists(self._writer)}), "
                "or set `ses_target: suppression_list`."
            )
        if not self._preserves and settings.consent != "force":
            raise ConfigurationError(
                "Setting `ses_preserve_unsubscribes` is false, which overwrites opt-outs at Amazon SES: it needs "
                "`consent: force`. Set both, or neither."
            )

    def _topics_of(self, name: str, settings: StreamSettings, *, dry_run: bool) -> list[str]:
        """The topics of a contact list, after a check that it has those of `mapping`."""
        if name not in self._topics:
            self._topics[name] = topics_of(self._writer, name, create=settings.create_list, dry_run=dry_run)
        topics = self._topics[name]
        known = fields_of(topics).columns
        unknown = [column for column in settings.mapping if column.startswith(TOPIC_PREFIX) and column not in known]
        if unknown:
            raise ConfigurationError(
                f"Setting `mapping` has {unknown[0]!r}, but the contact list has no such topic. It has: "
                f"{', '.join(topics) or 'none'}."
            )
        return topics


def connect(config: Mapping[str, Any], **options: Any) -> SesAccount:
    """See `Provider.connect`."""
    client = SesClient.from_settings(config, retry=PATIENCE, **options)
    try:
        return SesAccount(client, config)
    except ConfigurationError:
        client.close()
        raise
