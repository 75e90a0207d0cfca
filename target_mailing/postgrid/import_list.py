"""A PostGrid mailing list that is filled by imports: the journal that may fill it, and when it was last replaced."""

from __future__ import annotations

import secrets
import time
from typing import Final

from mailing_api.errors import ConfigurationError
from mailing_api.postgrid.client import PostgridClient
from target_mailing.postgrid.list import CALLS_OF_A_MARK, SEVERAL, TargetList

__all__ = ["ImportList"]

#: Keys of a list's metadata: the run that is replacing it, and when the last run that replaced it began.
_REPLACING: Final = "target_mailing_replacing"
_REPLACED_AT: Final = "target_mailing_replaced_at"


class ImportList(TargetList):
    """One list."""

    def __init__(
        self,
        client: PostgridClient,
        identifier: str,
        *,
        replace: bool,
        allow_duplicates: bool,
        is_limited: bool,
        create: bool,
        dry_run: bool,
    ) -> None:
        """Find the list.

        Args:
            client: of the account.
            identifier: ID or description.
            replace: contacts of earlier runs leave.
            allow_duplicates: fill it although another journal knows its contacts.
            is_limited: not all contacts of earlier runs may leave at once.
            create: create it if no list has that description.
            dry_run: do not create it yet.

        Raises:
            ConfigurationError: it is missing, ambiguous, filled by another route, or partly replaced.
        """
        super().__init__(client, identifier, route="import", create=create, dry_run=dry_run)
        #: Unique to this run, and whether contacts of earlier runs leave.
        self.run_name = secrets.token_hex(8)
        self.replaces = replace
        self._allow_duplicates = allow_duplicates
        self._is_limited = is_limited
        #: Whether no other journal filled the list, once that is checked.
        self._is_known = True
        self._began = time.time()
        self._is_checked = self._is_marked = self._is_admission_foreseen = False
        if self.metadata.get(_REPLACING) and not replace:
            raise ConfigurationError(
                "Setting `postgrid_replace`: a run that replaces the list did not finish, so contacts may be on the "
                "list twice. Run with `postgrid_replace: true` and all rows until a run succeeds."
            )

    @property
    def holds_since(self) -> float:
        """Contacts delivered before this moment (Unix seconds) left the list, or will leave at the end of this run."""
        if self.replaces:
            return self._began
        try:
            return float(self.metadata.get(_REPLACED_AT) or 0.0)
        except (TypeError, ValueError, OverflowError):  # somebody else wrote it
            return 0.0

    def admit(self, journal: str) -> None:
        """Before contacts are added: check that this journal may fill the list, and mark the list.

        Args:
            journal: its name; "" for a journal that ends with the run.

        Raises:
            ConfigurationError: another journal knows its contacts.
        """
        if self._is_marked:
            return
        self.check(journal)
        if self.replaces:
            # Until the others' contacts have left, the list is known to no journal.
            self.mark(journal if self._is_known else SEVERAL, {_REPLACING: self.run_name})
        else:
            self.is_known_to(journal)
        self._is_marked = True

    def calls_to_admit(self, journal: str) -> int:
        """How many calls `admit` makes besides those of `check`; counted once in a plan."""
        if self._is_admission_foreseen:
            return 0
        self._is_admission_foreseen = True
        return CALLS_OF_A_MARK if self.replaces else 1 + self.calls_to_mark(journal)

    def check(self, journal: str) -> None:
        """Check that this journal may fill the list, which may not exist yet; arguments and errors as for `admit`."""
        if self._is_checked or not self.id:
            return
        self._is_known = self.belongs_to(journal)
        if self.replaces and self._is_limited and not self._is_known:
            raise ConfigurationError(
                "Setting `postgrid_replace`: the list was filled with another journal, so it is unknown how many "
                "contacts would leave. Use the other journal if it was the only one, or let all of them leave with "
                "`max_removals: 100%` for one run."
            )
        if not (self.replaces or self._allow_duplicates or self._is_known):
            raise ConfigurationError(
                "Setting `journal`: the list was filled with another journal, so this one does not know all contacts "
                "on it, and a contact that is sent again would get two letters. Use the other journal if it was the "
                "only one, replace the list with `postgrid_replace: true`, or accept that with "
                "`postgrid_allow_duplicate_import: true`."
            )
        self._is_checked = True

    def check_mark(self) -> None:
        """Before imports are taken off the list: check that no other run has begun to replace it.

        Raises:
            ConfigurationError: another run has, and will take this run's imports off the list.
        """
        if self._client.mailing_list(self.id).metadata.get(_REPLACING) != self.run_name:
            raise ConfigurationError(
                "Setting `list`: another run has begun to replace the same list and will remove the contacts that this "
                "run delivered, so this run has failed. Run one delivery to a list at a time."
            )

    def mark_replaced(self, journal: str) -> None:
        """Mark that the list has no import of an earlier run."""
        self.mark(journal, {_REPLACING: "", _REPLACED_AT: repr(self._began)})
