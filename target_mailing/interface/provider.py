"""What the target asks of a provider: its settings, its account, and destinations in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pkgutil import resolve_name
from typing import Any

import msgspec

from mailing_api.errors import ConfigurationError
from mailing_api.process.providers import InstalledProvider
from mailing_api.settings import shown
from target_mailing.interface.channel import BY_EMAIL, Channel
from target_mailing.interface.destination import Destination
from target_mailing.settings.settings import StreamSettings

__all__ = ["Account", "Provider"]


class Account(ABC):
    """One account of a provider.

    Attributes:
        label: the account's label from the settings.
    """

    label: str

    @property
    @abstractmethod
    def tenant(self) -> str:
        """Which account it is, by endpoint and credentials in effect: no label, no secret, and no spelling matters.

        Runs with the same one exclude each other from a destination's `places`. Where it is uncertain whether two are
        one account, they are.

        Raises:
            MailingError: there are no credentials.
        """

    @abstractmethod
    def check(self, settings: StreamSettings) -> None:
        """See that the settings fit each other, before anything is made anywhere.

        Raises:
            ConfigurationError: they do not, most often because the list is missing.
        """

    @abstractmethod
    def destination(self, settings: StreamSettings, *, dry_run: bool = False) -> Destination:
        """The destination that these settings name.

        Args:
            settings: of a stream.
            dry_run: nothing is made: a list that would be made is only named, and properties are only noted.

        Raises:
            ConfigurationError: its list, or a setting, is missing or wrong.
            MailingError: the provider could not be asked.
        """

    def shared(self, settings: StreamSettings) -> Any:  # noqa: ARG002 - most often nothing
        """What of these settings, beside those of the queue, streams to one destination must have in common."""
        return None

    def most_rows(self, settings: StreamSettings) -> int:
        """Rows of a batch at most, where that may be less than `Provider.most_rows`."""
        return settings.batch_rows

    @property
    def rate(self) -> float | None:
        """Calls a second that the provider's pace, or the setting, allows; None where no limit is known."""
        return None

    def batches_at_once(self, settings: StreamSettings) -> int | None:  # noqa: ARG002 - most often any number
        """Batches under way at most, where that may be less than `Provider.batches_at_once`; None for any number."""
        return None

    @abstractmethod
    def close(self) -> None:
        """Close the connections."""


class Provider(InstalledProvider, frozen=True, kw_only=True):
    """One provider as the target sees it; an entry point of the group `target_mailing.providers` leads to it.

    Attributes:
        routes: values of `route` that it has, its default first; none where that setting has no meaning.
        about_routes: the same for the description of that setting: what each one does.
        most_rows: greatest `batch_rows`; the default of that setting is lowered to it.
        defaults: by route, its own defaults of `batch_rows` and `batch_bytes`.
        channel: how it reaches people.
        jobs_in_flight: batches under way at the same time in the account, unless the setting of that name is given.
        batches_at_once: batches under way at the same time to one destination; None for as many as the run may have.
        erasing: how to erase a person there, which the target does not do, and where else contacts may be, such as in
            a bucket; sentences.
        connect: the function that makes the account, as `module:function`; loaded only when the provider is used. It
            is given the configuration, and asks nothing yet. Keyword arguments are `user_agent`, `timeout` (seconds),
            `allow_http`, `max_requests_per_second`, `gate`, `traffic` and `budget`, all of which `HttpClient` or its
            pace takes.
    """

    routes: Sequence[str] = ()
    about_routes: str = ""
    connect: str
    most_rows: int = 10_000
    defaults: Mapping[str, Mapping[str, int]] = {}
    channel: Channel = BY_EMAIL
    jobs_in_flight: int = 4
    batches_at_once: int | None = None
    erasing: str = ""

    def account(self, config: Mapping[str, Any], **options: Any) -> Account:
        """The account that the settings name.

        Raises:
            ConfigurationError: a setting is missing or wrong.
        """
        account: Account = resolve_name(self.connect)(config, **options)
        return account

    def with_route(self, settings: StreamSettings) -> StreamSettings:
        """These settings with this provider's defaults, where they are not set: its route, and batches by route.

        Raises:
            ConfigurationError: the provider has no such route, or takes fewer rows at once.
        """
        if settings.batch_rows > self.most_rows and "batch_rows" not in settings.unset:
            raise ConfigurationError(
                f"Setting `batch_rows` is {settings.batch_rows}; for {self.title} it must be 1 to {self.most_rows}."
            )
        if settings.route is not None and settings.route not in self.routes:
            raise ConfigurationError(
                f"Setting `route` is {shown(settings.route)}, which {self.title} does not have; these are: "
                f"{', '.join(self.routes) or f'none, see the settings that begin with `{self.name}_`'}."
            )
        route = settings.route or next(iter(self.routes), None)
        own = self.defaults.get(route or "", {})
        defaults = {name: own[name] for name in settings.unset if name in own}
        return msgspec.structs.replace(settings, route=route, **defaults)
