"""How long a journal remembers what has ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from target_mailing.journal.batches import JournalBatches
from target_mailing.journal.contacts import JournalContacts
from target_mailing.journal.keys import Keys
from target_mailing.journal.meta import JournalMeta
from target_mailing.journal.rejects import JournalRejects
from target_mailing.journal.removals import LATELY, JournalRemovals

__all__ = ["Retention"]


class Retention:
    """What is kept for good, and what is forgotten because of its age; each call is made in a transaction."""

    def __init__(
        self,
        meta: JournalMeta,
        contacts: JournalContacts,
        keys: Keys,
        batches: JournalBatches,
        rejects: JournalRejects,
        removals: JournalRemovals,
        transaction: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """Take the parts of an open journal."""
        self._meta = meta
        self._contacts = contacts
        self._keys = keys
        self._batches = batches
        self._rejects = rejects
        self._removals = removals
        self._transaction = transaction

    def keep_contacts(self) -> None:
        """Never forget a contact because of its age, in this run and all later ones."""
        with self._transaction():
            self._meta.keep_contacts()

    def keep_streams(self) -> None:
        """Keep contacts as long as it is known by which streams they were put there, from now on."""
        with self._transaction():
            self._meta.keep_streams()

    def forget_before(self, moment: float) -> None:
        """Forget batches that ended, and rejects that were noted, before this time (Unix seconds).

        Contacts that were confirmed and keys that were deleted before it, too, except after `keep_contacts`.
        """
        with self._transaction():
            if not self._meta.keeps_contacts:
                self._contacts.forget_before(moment, keeps_streams=self._meta.keeps_streams)
                self._keys.forget_before(moment)
            self._contacts.table.tidy()
            self._keys.table.tidy()
            self._batches.forget_before(moment)
            self._rejects.forget_before(moment)
            self._removals.forget_before(time.time() - LATELY)
