"""How long a journal remembers what has ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from target_mailing.journal.batches import JournalBatches
from target_mailing.journal.contacts import JournalContacts
from target_mailing.journal.keys import Keys
from target_mailing.journal.meta import JournalMeta
from target_mailing.journal.rejects import JournalRejects
from target_mailing.journal.removals import LATELY, JournalRemovals
from target_mailing.journal.taken_off import TakenOff

__all__ = ["Retention"]


@dataclass(frozen=True)
class Retention:
    """What is kept permanently, and what is forgotten because of its age; each call is made in a transaction."""

    meta: JournalMeta
    contacts: JournalContacts
    keys: Keys
    batches: JournalBatches
    rejects: JournalRejects
    removals: JournalRemovals
    taken_off: TakenOff
    transaction: Callable[[], AbstractContextManager[None]]

    def keep_contacts(self) -> None:
        """Never forget a contact because of its age, in this run and all later ones."""
        with self.transaction():
            self.meta.keep_contacts()

    def keep_streams(self) -> None:
        """Keep contacts as long as it is known by which streams they were put there, from now on."""
        with self.transaction():
            self.meta.keep_streams()

    def forget_before(self, moment: float) -> float:
        """Forget batches that ended, and rejects that were noted, before this time (Unix seconds).

        Contacts that were confirmed and keys that were deleted before it, too, except after `keep_contacts`.

        Returns:
            The latest time before which contacts were ever forgotten.
        """
        now = time.time()
        with self.transaction():
            self.removals.date_back(now)
            if not self.meta.keeps_contacts:
                self.contacts.forget_before(moment, keeps_streams=self.meta.keeps_streams)
                self.keys.forget_before(moment)
                self.taken_off.forget_before(moment)
            self.contacts.table.tidy()
            self.keys.table.tidy()
            self.batches.forget_before(moment)
            self.rejects.forget_before(moment)
            self.removals.forget_before(now - LATELY)
            return self.meta.forgets_before(moment)
