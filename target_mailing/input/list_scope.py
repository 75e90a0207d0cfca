"""Mirrors of a whole list (`mirror_scope: list`): who was on it before the input came, and is named by no line."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from typing import Final

from mailing_api.counted import counted
from target_mailing.delivery.address_rows import AddressRows
from target_mailing.delivery.queue import DestinationQueue
from target_mailing.input.listed_members import ListedMembers
from target_mailing.input.stream import Names
from target_mailing.input.wholeness import Proof, Verdict
from target_mailing.journal.absent import AbsentContact
from target_mailing.journal.journal import Journal
from target_mailing.list_members import ListsMembers

__all__ = ["UNCERTAIN", "ListScope"]

logger = logging.getLogger("target-mailing.mirror")

#: Why an input is not whole whose rows may mean anybody.
UNCERTAIN: Final = (
    "it has rows without a readable address whose key the journal does not know, so they may mean anybody on the list"
)


class ListScope:
    """The lists of one input of which everybody leaves who is not named, each read when its first SCHEMA comes."""

    def __init__(self, journal: Journal) -> None:
        """Begin without lists; from now on everybody whom a line names is kept."""
        self._journal = journal
        self._strangers = journal.absent.strangers
        self._listed: dict[DestinationQueue, ListedMembers] = {}
        #: Streams at their destinations of which rows came that may mean anybody.
        self._uncertain: set[tuple[str, DestinationQueue]] = set()
        self._strangers.begin()

    def read(self, stream: str, queue: DestinationQueue) -> None:
        """Read the members of a list, unless this run has.

        Raises:
            MailingError: the provider could not be asked.
        """
        destination = queue.destination
        if queue in self._listed or not isinstance(destination, ListsMembers):
            return
        self._journal.absent.begin()
        logger.info("Stream %r: `mirror_scope: list`, so the members of %s are read first", stream, destination.name)
        self._listed[queue] = listed = ListedMembers(self._journal, destination.name, destination.members())
        logger.info("%s: %s", destination.name, counted(listed.count, "member"))

    def name(self, stream: str, queue: DestinationQueue, names: Names) -> None:
        """Rows came that are not delivered: note whether one of them may mean anybody on the list."""
        if names.is_doubtful or (names.alone and not self._strangers.knows(names.alone)):
            self._uncertain.add((stream, queue))

    def verdict(self, stream: str, queue: DestinationQueue, verdict: Verdict) -> Verdict:
        """The verdict on an input, given whom its rows may mean."""
        if verdict.proof is not None and (stream, queue) in self._uncertain:
            return Verdict(None, UNCERTAIN)
        return verdict

    def take_off(
        self, stream: str, queue: DestinationQueue, action: str, verdicts: dict[str, Verdict]
    ) -> Iterator[None]:
        """Offer the members whom no line named and no stream put there, some at a time.

        Args:
            stream: whose input is whole.
            queue: of the list.
            action: what is to be done with them.
            verdicts: on all streams that are to equal this list, as a whole.
        """
        name, listed = queue.destination.name, self._listed[queue]
        not_whole = [one for one, verdict in verdicts.items() if verdict.proof is None]
        is_first = not self._strangers.may_leave(name, stream)
        twice = any(verdict.proof is Proof.WORD for verdict in verdicts.values())
        removal = partial(AddressRows(queue.destination, self._journal).fingerprint, action=action)
        taken = opted_out = others = 0
        for members in listed:
            found = self._strangers.among(name, stream, members, removal=removal, twice=twice)
            taken, others = taken + len(found.strangers), others + found.others
            opted_out += found.opted_out
            if found.strangers and not (not_whole or is_first):
                contacts = [AbsentContact(one.contact, [(None, one.email)]) for one in found.strangers]
                self._strangers.offered([one.contact for one in contacts])
                queue.take_off(stream, contacts, action)
            queue.stay(found.opted_out)
            yield
        reasons = [
            (others, "because another stream put them there"),
            (opted_out, "because they opted out"),
            (listed.unusable, "because their addresses are not valid"),
        ]
        stay = ", ".join(f"{count} {why}" for count, why in reasons if count)
        logger.info(
            "Stream %r: %d of the %s before this input came otherwise and are named by no line%s: %s",
            stream,
            taken,
            counted(listed.count, "member"),
            f". Others stay, {stay}" if stay else "",
            name,
        )
        if taken and not_whole:
            logger.warning(
                "Stream %r: these stay, because the input of stream %r, which is to equal %s, too, is not whole",
                stream,
                not_whole[0],
                name,
            )
        elif taken and is_first:
            logger.warning(
                "Stream %r: these stay in this run, because the journal knows no earlier run of this stream that "
                "succeeded. The next whole input takes them off %s. If the journal was lost, restore it before that",
                stream,
                name,
            )
