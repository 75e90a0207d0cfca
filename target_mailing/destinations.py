"""Which provider a run delivers to, and the lanes of its lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from mailing_api import mailjet
from mailing_api.errors import ConfigurationError
from mailing_api.mailjet import MailjetClient
from mailing_api.pace import Pace
from mailing_api.settings import duration, positive
from target_mailing.delivery import Delivery
from target_mailing.journal import Journal
from target_mailing.lanes import Lane, LanePolicy
from target_mailing.mailjet import MailjetDestination, MailjetTarget
from target_mailing.mailjet_contact import MAX_ROWS
from target_mailing.outcomes import Outcomes
from target_mailing.settings import StreamSettings

__all__ = ["Account"]

_PROVIDERS = {"mailjet": mailjet.is_configured}


class Account:
    """The account that the settings name, and its destinations as they are needed."""

    def __init__(self, config: Mapping[str, Any], *, user_agent: str) -> None:
        """Choose the provider and make its client; nothing is asked yet.

        Raises:
            ConfigurationError: no provider, several, or a setting of it is missing.
        """
        present = [name for name, is_configured in _PROVIDERS.items() if is_configured(config)]
        wanted = config.get("destination")
        if wanted is not None:
            present = [name for name in present if name == wanted]
        if not present:
            raise ConfigurationError(
                "No provider to deliver to: set `mailjet_api_key` and `mailjet_secret_key`, or the environment "
                "variables MJ_APIKEY_PUBLIC and MJ_APIKEY_PRIVATE."
            )
        if len(present) > 1:
            raise ConfigurationError(f"Several providers are set: name one in `destination` ({', '.join(present)}).")
        self.provider = present[0]
        self._property_delay = duration("mailjet_property_delay", config.get("mailjet_property_delay", 3))
        rate = config.get("max_requests_per_second")
        self._client = MailjetClient.from_settings(
            config,
            user_agent=user_agent,
            pace=Pace(None if rate is None else positive("max_requests_per_second", rate)),
            timeout=duration("request_timeout", config.get("request_timeout", 60)),
        )
        self.label = f"{self.provider}-{self._client.account}"
        self._settings_of: dict[str, tuple[LanePolicy, MailjetTarget]] = {}

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def destination(self, settings: StreamSettings, *, dry_run: bool = False) -> MailjetDestination:
        """The destination that these settings name; with `dry_run`, a list that would be made is only named.

        Raises:
            ConfigurationError: its list is missing or wrong.
            MailingError: the provider could not be asked.
        """
        return MailjetDestination(self._client, self._target(settings), dry_run=dry_run)

    def lane(self, settings: StreamSettings, journal: Journal, delivery: Delivery, outcomes: Outcomes) -> Lane:
        """The lane to a stream's destination.

        Raises:
            ConfigurationError: two streams want the same destination served in different ways.
        """
        policy = LanePolicy(**{name: getattr(settings, name) for name in LanePolicy.__struct_fields__})
        if settings.route == "contact":
            policy = msgspec.structs.replace(policy, batch_rows=min(policy.batch_rows, MAX_ROWS))
        destination = self.destination(settings)
        how = (policy, msgspec.structs.replace(self._target(settings), lists=()))
        if self._settings_of.setdefault(destination.name, how) != how:
            raise ConfigurationError(
                "Setting `streams`: two streams deliver to the same list with different settings. Only mapping, "
                "properties, nulls, actions and (but for `route: contact`) consent may differ between them."
            )
        return delivery.lane(destination.name, lambda: Lane(destination, policy, journal=journal, outcomes=outcomes))

    def _target(self, settings: StreamSettings) -> MailjetTarget:
        return MailjetTarget(
            lists=tuple(settings.lists),
            account_wide=settings.scope == "account",
            create_list=settings.create_list,
            # By bulk job the rows' actions were decided before; only lists that a row names are decided there.
            consent=settings.consent if settings.route == "contact" else "respect",
            route=settings.route,
            poll_interval=settings.poll_interval,
            poll_max_interval=settings.poll_max_interval,
            property_delay=self._property_delay,
        )
