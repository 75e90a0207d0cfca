"""Amazon SES's suppression list, and the details of its addresses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailing_api.ses.answers import flat
from tap_mailing.records.columns import Row, identifier, moment, text
from tap_mailing.ses.details import DetailStream
from tap_mailing.ses.stream import SesStream

__all__ = ["SuppressionDetails", "Suppressions"]


class Suppressions(SesStream):
    """The addresses on the account's suppression list, without those on the lists of tenants."""

    name = "ses_suppressions"
    kind = "suppressions"
    bookmark_column = "updated_at"
    moment_field = "LastUpdateTime"
    columns = (
        identifier("id", "EmailAddress"),
        text("email", "EmailAddress"),
        text("reason", "Reason"),
        moment("updated_at", "LastUpdateTime"),
        identifier("region", "region"),
        text("message_id", "Attributes.MessageId"),
        text("feedback_id", "Attributes.FeedbackId"),
        text("tenant_name", "TenantName"),
    )

    def pages(self, region: str, since: str | None, size: int | None) -> Iterator[Sequence[Row]]:
        """Addresses suppressed, or suppressed again, since then.

        The range ends when reading began, so that an address that is suppressed again meanwhile keeps its position.
        """
        options = {} if size is None else {"size": size}
        until = self.started if self._is_incremental and size is None else None
        for page in self.client.suppressions(region, since=since, until=until, **options):
            yield [row for row in page if self.is_due(row, since)]


class SuppressionDetails(DetailStream, Suppressions):
    """The same addresses, each with the message that caused the suppression."""

    name = "ses_suppression_details"

    def key_of(self, row: Row) -> str:
        """The address."""
        return str(row.get("EmailAddress"))

    def detail(self, region: str, row: Row) -> Row:
        """The address with its details."""
        return {**row, **flat(self.client.suppression(region, self.key_of(row)))}
