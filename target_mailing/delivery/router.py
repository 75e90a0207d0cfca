"""The destinations of a run, all in one account of one provider, and their queues."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from mailing_api.errors import ConfigurationError
from mailing_api.http.read_only import ReadOnly
from mailing_api.http.traffic import Traffic
from mailing_api.rate_budget import rate_budget
from mailing_api.settings import duration, positive
from target_mailing.interface.destination import Destination
from target_mailing.interface.provider import Provider
from target_mailing.journal.list_locks import ListLocks
from target_mailing.rows.row_queue import OpensQueues, RowQueue
from target_mailing.settings.declared_settings import value_of
from target_mailing.settings.settings import StreamSettings

__all__ = ["Router"]

#: Settings that must be equal for all streams to one destination, since they share its queue.
_SHARED: Final = (
    "route",
    "send",
    "resend_window",
    "on_key_change",
    "batch_rows",
    "batch_bytes",
    "batch_max_age",
    "job_timeout",
    "job_abandon",
    "poll_interval",
    "poll_max_interval",
)


class Router:
    """The account of the settings, and its destinations as they are needed."""

    def __init__(
        self, provider: Provider, config: Mapping[str, Any], *, user_agent: str, only_reads: bool = False
    ) -> None:
        """Create the provider's client; it sends no request yet.

        Args:
            provider: of the account.
            config: the settings.
            user_agent: sent with every request.
            only_reads: nothing is written at the provider: its client refuses calls that may write.

        Raises:
            ConfigurationError: a setting of the provider is missing.
        """
        self.provider = provider
        #: Of a run that only reads; it counts the calls.
        self.gate = ReadOnly() if only_reads else None
        #: The calls of this run.
        self.traffic = Traffic()
        self._budget = rate_budget(config)
        rate, timeout = (value_of(name, config) for name in ("max_requests_per_second", "request_timeout"))
        self._account = provider.account(
            config,
            user_agent=user_agent,
            max_requests_per_second=None if rate is None else positive("max_requests_per_second", rate),
            timeout=positive("request_timeout", duration("request_timeout", timeout)),
            allow_http=value_of("allow_http", config) is True,
            gate=self.gate,
            traffic=self.traffic,
            budget=self._budget,
        )
        self.label = f"{self.provider.name}-{self._account.label}"
        most = value_of("jobs_in_flight", config)
        #: Batches under way at the same time in the account.
        self.jobs_in_flight = provider.jobs_in_flight if most is None else positive("jobs_in_flight", most)
        #: Locks the lists that this run delivers to.
        self.lists: ListLocks | None = None
        #: Whether the provider is being queried about a destination.
        self.is_asking = False
        #: By destination, the settings that must be equal for all of its streams.
        self._shared: dict[str, Any] = {}
        #: The names of the lists of each destination, from the settings.
        self._lists_of: dict[str, Sequence[str]] = {}
        #: By settings; each is requested once a run.
        self._destinations: dict[bytes, Destination] = {}

    @property
    def rate(self) -> float | None:
        """Calls a second that the account allows; None where no limit is known."""
        return self._account.rate

    def lists_of(self, destination: str) -> Sequence[str]:
        """The names of its lists, from the settings."""
        return self._lists_of.get(destination, ())

    def close(self) -> None:
        """Close the connections."""
        self._account.close()
        if self._budget is not None:
            self._budget.close()

    def check(self, config: Mapping[str, Any]) -> None:
        """Check that the general settings, or an entry of `streams`, are complete, unless all streams may be skipped.

        Raises:
            ConfigurationError: no stream could be delivered.
        """
        if StreamSettings.resolve(config, None).on_unknown_stream == "skip":
            return  # perhaps no stream is delivered at all
        errors: list[ConfigurationError] = []
        for stream in (None, *(config.get("streams") or {})):
            problem = self.problem(StreamSettings.resolve(config, stream))
            if problem is None:
                return
            errors.append(problem)
        raise errors[0]

    def problem(self, settings: StreamSettings) -> ConfigurationError | None:
        """Why these settings lead to no destination, as far as that shows without a question; None if they do."""
        try:
            self._account.check(self.provider.with_route(settings))
        except ConfigurationError as exc:
            return exc
        return None

    def look(self, settings: StreamSettings) -> tuple[Destination, str]:
        """The destination of these settings, and its description; a list that a run would create is not created.

        Raises:
            ConfigurationError: its list is missing or wrong.
            MailingError: the provider could not be asked.
        """
        settings = self.provider.with_route(settings)
        names = ", ".join(map(repr, settings.lists))
        try:
            existing = msgspec.structs.replace(settings, create_list=False)
            destination = self._account.destination(existing, dry_run=True)
        except ConfigurationError:
            if not settings.create_list:
                raise
            destination = self._account.destination(settings, dry_run=True)  # fails if something else is wrong
            lists = f"list {names}" if len(settings.lists) == 1 else f"those of the lists {names} that do not exist"
            return destination, f"{self.provider.title}, {lists} would be created"
        lists = f", list{'s' if len(settings.lists) > 1 else ''} {names}" if names else ""
        return destination, f"{self.provider.title}{lists} ({destination.name})"

    def queue(self, settings: StreamSettings, delivery: OpensQueues) -> RowQueue:
        """The queue to a stream's destination.

        Raises:
            ConfigurationError: another stream to the same destination has different settings.
        """
        with self.asking():
            return self._queue(self.provider.with_route(settings), delivery)

    def hold(self, destination: Destination) -> None:
        """Lock the lists of a destination, where this run locks lists.

        Raises:
            ConfigurationError: another run delivers to one of them.
            JournalError: the journal cannot be used.
        """
        if self.lists is not None:
            account = f"{self.provider.name} {self._account.tenant}"
            self.lists.take(destination.name, [f"{account} {place}" for place in destination.places])

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Meanwhile the provider is being queried about a destination, in this thread."""
        self.is_asking = True
        try:
            yield
        finally:
            self.is_asking = False

    def _queue(self, settings: StreamSettings, delivery: OpensQueues) -> RowQueue:
        cache_key = msgspec.json.encode(settings)
        if cache_key not in self._destinations:
            self._destinations[cache_key] = self._account.destination(settings, dry_run=self.gate is not None)
        destination = self._destinations[cache_key]
        self._lists_of.setdefault(destination.name, [*settings.lists])
        self.hold(destination)
        rows = min(settings.batch_rows, self.provider.most_rows, self._account.most_rows(settings))
        settings = msgspec.structs.replace(settings, batch_rows=rows)
        shared = ([getattr(settings, name) for name in _SHARED], self._account.shared(settings))
        if self._shared.setdefault(destination.name, shared) != shared:
            raise ConfigurationError(
                "Setting `streams`: two streams deliver to the same list with different settings. Between them only "
                "mapping, properties, nulls, actions and (except with `route: contact`) consent may differ."
            )
        most = (self.provider.batches_at_once, self._account.batches_at_once(settings))
        at_once = min((number for number in most if number is not None), default=None)
        return delivery.queue(destination, settings, batches_at_once=at_once)
