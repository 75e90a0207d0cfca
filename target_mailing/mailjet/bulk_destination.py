"""Mailjet's bulk jobs as a destination: JSON batches, and CSV files where one can hold the rows."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

import msgspec

from target_mailing.contacts.consent import Actions
from target_mailing.mailjet.csv_file import cut, files
from target_mailing.mailjet.destination import MailjetDestination
from target_mailing.mailjet.json_route import ACTIONS
from target_mailing.row import Row

__all__ = ["BulkDestination"]

logger = logging.getLogger("target-mailing.mailjet")

#: Rows from which `route: auto` prefers a file. Mailjet's own shop plug-in sends as many in one JSON call, so up to
#: there JSON is well tried and takes one call less; the limits of larger calls are only known from reports.
_MANY_ROWS: Final = 2500


class BulkDestination(MailjetDestination):
    """One list, or one account, served by bulk jobs."""

    _told_of_json = False

    def _actions(self) -> Actions:
        """All; without a list there is nothing to leave, and no place for a file: contacts are added and updated."""
        return ACTIONS if self._lists else msgspec.structs.replace(ACTIONS, known=frozenset({"addnoforce", "addforce"}))

    def parts(self, action: str, rows: list[Row]) -> Sequence[tuple[str, list[Row]]]:
        """Files of the rows that may go so, by the setting, and one JSON batch of the others."""
        if action in ACTIONS.account_wide:  # which only CSV imports know
            return [("csv", file) for file in cut(rows)]
        route = self._settings.route
        if route == "json" or self._list_id is None:
            return [("json", rows)]
        made, others = files(rows, self._datatypes, least=1 if route == "csv" else _MANY_ROWS)
        if others and route == "csv" and not self._told_of_json:
            self._told_of_json = True
            logger.info(
                "Setting `route` is 'csv': rows that a file cannot hold, such as those with a name, go by JSON jobs"
            )
        return [*(("csv", file) for file in made), *([("json", others)] if others else [])]
