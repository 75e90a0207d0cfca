"""PostGrid's mailing list that is filled by imports: who may fill it, and since when what is on it is known."""

from __future__ import annotations

import time
from typing import Final

from mailing_api.errors import ConfigurationError
from mailing_api.postgrid.client import PostgridClient
from target_mailing.postgrid.list import TargetList

__all__ = ["ImportList"]

#: Keys of a list's metadata: the run that replaces it until it has ended, and when the last one that did was begun.
_REPLACING: Final = "target_mailing_replacing"
_REPLACED_AT: Final = "target_mailing_replaced_at"


class ImportList(TargetList):
    """One list."""

    def __init__(
        self,
        client: PostgridClient,
        wanted: str,
        *,
        run_name: str,
        replace: bool,
        allow_duplicates: bool,
        create: bool,
        dry_run: bool,
    ) -> None:
        """Find the list.

        Args:
            client: of the account.
            wanted: ID or description.
            run_name: tells this run from others.
            replace: what earlier runs put on it leaves.
            allow_duplicates: fill it although another journal knows who is on it.
            create: make it if there is none of that description.
            dry_run: do not make it yet.

        Raises:
            ConfigurationError: it is missing, ambiguous, filled by another route, or half replaced.
        """
        super().__init__(client, wanted, route="import", create=create, dry_run=dry_run)
        self._run_name = run_name
        self._replace = replace
        self._allow_duplicates = allow_duplicates
        self._began = time.time()
        self._is_marked = False
        if self.metadata.get(_REPLACING) and not replace:
            raise ConfigurationError(
                "Setting `postgrid_replace`: a run that was to replace what is on the list did not end well, so that "
                "people may be on it twice. Run with `postgrid_replace: true`, and all rows, until one has ended well."
            )

    @property
    def holds_since(self) -> float:
        """What was delivered before this moment (Unix seconds) left the list, or will with the end of this run."""
        if self._replace:
            return self._began
        try:
            return float(self.metadata.get(_REPLACED_AT) or 0.0)
        except ValueError:
            return 0.0

    def admit(self, journal: str) -> None:
        """Before anything is put on the list: see whether this journal may, and mark it.

        Args:
            journal: its name; "" for one that ends with the run.

        Raises:
            ConfigurationError: another one knows who is on it.
        """
        if self._is_marked:
            return
        if self._replace:
            self.mark(journal, {_REPLACING: self._run_name})
        elif self._allow_duplicates or self.belongs_to(journal):
            self.is_known_to(journal)
        else:
            raise ConfigurationError(
                "Setting `journal`: the list was filled with another journal, so nobody here knows all who are on it, "
                "and who is sent again would get two letters. Use that journal if it was the only one, or replace all "
                "with `postgrid_replace: true`; `postgrid_allow_duplicate_import: true` takes the risk."
            )
        self._is_marked = True

    def check_mark(self) -> None:
        """Before anything is taken off the list: see whether no other run has begun to replace it meanwhile.

        Raises:
            ConfigurationError: one has, and will take off what this run delivered.
        """
        if self._client.mailing_list(self.id).metadata.get(_REPLACING) != self._run_name:
            raise ConfigurationError(
                "Setting `list`: another run has begun to replace the same list. It takes off what this one delivered, "
                "so this one has not succeeded. Let one run at a time deliver to a list."
            )

    def replaced(self, journal: str) -> None:
        """Nothing of earlier runs is on the list any more."""
        self.mark(journal, {_REPLACING: "", _REPLACED_AT: repr(self._began)})
