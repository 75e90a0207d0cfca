"""One account of Amazon SES, in one region, and the destinations in it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from mailing_api.aws.s3_encryption import Encryption, encryption_of
from mailing_api.errors import ConfigurationError
from mailing_api.http.pace import Pace
from mailing_api.http.retry import RetryPolicy
from mailing_api.http.urls import check_url
from mailing_api.ses.client import SesClient
from mailing_api.ses.writer import SesWriter
from mailing_api.settings import lookup
from target_mailing.destination import Destination
from target_mailing.provider import Account
from target_mailing.ses.contact import TOPIC_PREFIX, fields_of
from target_mailing.ses.contact_list import ContactList
from target_mailing.ses.destination import Contacts, Suppressions
from target_mailing.ses.direct_route import MAX_ROWS
from target_mailing.ses.list import ACTIONS
from target_mailing.ses.provider import OWN_SETTINGS, PROVIDER
from target_mailing.ses.setup import lists_there, topics_of
from target_mailing.ses.stage import Stage
from target_mailing.ses.suppression_list import SuppressionList
from target_mailing.settings import StreamSettings

__all__ = ["SesAccount", "connect"]

logger = logging.getLogger("target-mailing.ses")

#: To be told "too many" means to wait, and others may use the account, too: about a quarter of an hour.
PATIENCE: Final = RetryPolicy(throttle_base=1.0, throttle_cap=30.0, throttle_tries=60, fault_cap=30.0, fault_tries=8)


class SesAccount(Account):
    """One account of Amazon SES, in one region."""

    def __init__(self, client: SesClient, config: Mapping[str, Any]) -> None:
        """Take the client, and the configuration; nothing is asked yet.

        Raises:
            ConfigurationError: a setting is wrong.
        """
        if len(client.regions) != 1:
            raise ConfigurationError(
                f"Setting `ses_regions` names {len(client.regions)} regions; the target delivers to one: name that."
            )
        self._client = client
        self._region = client.regions[0]
        self._writer = SesWriter(client, self._region)
        own = {setting.name: lookup(setting, config) for setting in OWN_SETTINGS}
        self._suppresses = own["ses_target"] == "suppression_list"
        self._preserves = bool(own["ses_preserve_unsubscribes"])
        self._may_unsuppress = bool(own["ses_allow_unsuppress"])
        self._stage = self._stage_of(own, encryption_of("ses_s3_", config))
        self._checked: set[str] = set()
        self._topics: dict[str, list[str]] = {}
        self.label = client.account

    def _stage_of(self, own: Mapping[str, Any], encryption: Encryption) -> Stage | None:
        bucket, prefix, url = own["ses_s3_bucket"], own["ses_s3_prefix"], own["ses_s3_endpoint_url"]
        if url:
            check_url("ses_s3_endpoint_url", url, "https://s3.eu-west-1.amazonaws.com")
        if not bucket:
            return None
        if "/" in bucket:
            raise ConfigurationError("Setting `ses_s3_bucket` has a slash: give the bucket's name alone.")
        if prefix.startswith("/"):
            raise ConfigurationError("Setting `ses_s3_prefix` begins with a slash, which S3 would take as a folder.")
        found = self._client.bucket(self._region, bucket, endpoint_url=url, encryption=encryption)
        return Stage(found, prefix, keeps=bool(own["ses_s3_keep_objects"]))

    @property
    def tenant(self) -> str:
        """By endpoint, region and AWS account."""
        return self._client.tenant(self._region)

    def close(self) -> None:
        """Close the connections."""
        if self._stage is not None:
            self._stage.bucket.close()
        self._client.close()

    def check(self, settings: StreamSettings) -> None:
        """See that the settings fit each other; where the list is missing, Amazon SES is asked what lists there are."""
        if settings.scope != "list":
            raise ConfigurationError("Setting `scope` is 'account', which Amazon SES does not have: leave it out.")
        if settings.route == "import" and self._stage is None:
            raise ConfigurationError(
                "Setting `route` is 'import', which needs a bucket: set `ses_s3_bucket`, or `route: direct`."
            )
        if self._suppresses:
            self._check_suppressing(settings)
        else:
            self._check_contact_list(settings)

    def destination(self, settings: StreamSettings, *, dry_run: bool = False) -> Destination:
        """The contact list or the suppression list, after a look at whatever could stand in the way."""
        self.check(settings)
        route = settings.route or PROVIDER.routes[0]
        self._check_account(route)
        where = f"ses:{self.label}:{self._region}"
        found: Destination
        if self._suppresses:
            place = SuppressionList(self._writer, may_remove=self._may_unsuppress)
            found = Suppressions(place, where=where, name="suppression-list", settings=settings, stage=self._stage)
        else:
            name, topics = self._contact_list(settings, dry_run=dry_run)
            place_of_contacts = ContactList(self._writer, name, preserves=self._preserves)
            name = f"contact-list:{name}"
            found = Contacts(place_of_contacts, topics, where=where, name=name, settings=settings, stage=self._stage)
        if self._stage is not None and route != "direct" and "bucket" not in self._checked:
            self._stage.bucket.check(self._stage.prefix)
            self._checked.add("bucket")
        return found

    def most_rows(self, settings: StreamSettings) -> int:
        """Row by row, a batch is what comes again after a kill."""
        return MAX_ROWS if settings.route == "direct" else PROVIDER.most_rows

    # What could stand in the way

    def _check_account(self, route: str) -> None:
        """In Amazon SES's own sandbox an account has neither import jobs nor a suppression list to write to."""
        if "account" in self._checked:
            return
        is_sandboxed = self._client.describe(self._region).get("ProductionAccessEnabled") is False
        if is_sandboxed and (self._suppresses or (self._stage is not None and route != "direct")):
            raise ConfigurationError(
                f"Amazon SES {self._region} account {self.label!r}: the AWS account is in Amazon SES's sandbox in this "
                "region, where nothing is imported and no address is suppressed. Request production access in its "
                "console"
                + (
                    "."
                    if self._suppresses
                    else ", or set `route: direct`, which delivers to the contact list all the same."
                )
            )
        self._checked.add("account")

    def _check_suppressing(self, settings: StreamSettings) -> None:
        if settings.lists:
            raise ConfigurationError(
                "Setting `list` is set, but `ses_target: suppression_list` delivers to the one suppression list of the "
                "account, which has no name: leave `list` out."
            )
        if settings.action == ACTIONS.remove and not self._may_unsuppress:
            raise ConfigurationError(
                "Setting `action` is 'remove', which takes addresses off the suppression list so that they are sent to "
                "again: it needs `ses_allow_unsuppress: true`. Set that too, or choose another action."
            )

    def _check_contact_list(self, settings: StreamSettings) -> None:
        if len(settings.lists) != 1:
            raise ConfigurationError(
                "Setting `list`: give the name of the contact list to deliver to"
                f" ({lists_there(self._writer)}); or set `ses_target: suppression_list`."
            )
        if not self._preserves and settings.consent != "force":
            raise ConfigurationError(
                "Setting `ses_preserve_unsubscribes` is false, which overwrites opt-outs at Amazon SES: it needs "
                "`consent: force`. Set that too, or leave it at true."
            )

    def _contact_list(self, settings: StreamSettings, *, dry_run: bool) -> tuple[str, list[str]]:
        """The list's name, and its topics."""
        name = settings.lists[0]
        if name not in self._topics:
            self._topics[name] = topics_of(self._writer, name, create=settings.create_list, dry_run=dry_run)
        topics = self._topics[name]
        known = fields_of(topics).columns
        wrong = [one for one in settings.mapping if one.startswith(TOPIC_PREFIX) and one not in known]
        if wrong:
            raise ConfigurationError(
                f"Setting `mapping` has {wrong[0]!r}, but the contact list has no such topic. It has: "
                f"{', '.join(topics) or 'none'}."
            )
        return name, topics


def connect(config: Mapping[str, Any], *, max_requests_per_second: float | None = None, **options: Any) -> SesAccount:
    """See `Provider.connect`."""
    client = SesClient.from_settings(config, pace=Pace(max_requests_per_second), retry=PATIENCE, **options)
    try:
        return SesAccount(client, config)
    except ConfigurationError:
        client.close()
        raise
