"""Mirrors of a whole list (`mirror_scope: list`): who was on it before the input came, and is named by no line."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import Final

from mailing_api.counted import counted
from target_mailing.delivery.address_rows import AddressRows
from target_mailing.delivery.queue import DestinationQueue
from target_mailing.input.listed_members import ListedMembers
from target_mailing.input.row_names import Names
from target_mailing.input.wholeness import Proof, Verdict
from target_mailing.interface.list_members import ListsMembers
from target_mailing.journal.absent import AbsentContact
from target_mailing.journal.journal import Journal
from target_mailing.rows.row_queue import RowQueue

__all__ = ["ListScope"]

logger = logging.getLogger("target-mailing.mirror")

#: Why an input is not whole whose rows may mean anybody.
_UNCERTAIN: Final = (
    "it has rows without a readable address whose key the journal does not know, so they may mean anybody on the list"
)
#: The same where the journal does not tell whom another destination put on the list.
_SHARED: Final = "another stream of the input delivers to this list, too, with `scope: account`"


class ListScope:
    """The lists of one input of which everybody leaves who is not named, each read when its first SCHEMA comes."""

    def __init__(self, journal: Journal) -> None:
        """Begin without lists; from now on everybody whom a line names is kept."""
        self._journal = journal
        self._strangers = journal.absent.strangers
        self._listed: dict[DestinationQueue, ListedMembers] = {}
        #: Streams at their destinations of which rows came that may mean anybody.
        self._uncertain: set[tuple[str, RowQueue]] = set()
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
        logger.info("The list has %s before this run: %s", counted(listed.count, "member"), destination.name)

    def name(self, stream: str, queue: RowQueue, names: Names) -> None:
        """Rows came that are not delivered: note whether one of them may mean anybody on the list."""
        if names.is_doubtful or (names.alone and not self._strangers.knows(names.alone)):
            self._uncertain.add((stream, queue))

    def verdict(
        self, stream: str, queue: DestinationQueue, verdict: Verdict, *, others: Collection[DestinationQueue]
    ) -> Verdict:
        """The verdict on an input, given whom its rows may mean, and the queues of other destinations of the input."""
        if verdict.proof is not None and (stream, queue) in self._uncertain:
            return Verdict(None, _UNCERTAIN)
        places = {*queue.destination.places}
        if verdict.proof is not None and any(not places.isdisjoint(one.destination.places) for one in others):
            return Verdict(None, _SHARED)
        return verdict

    def leaving(self, queue: DestinationQueue, contacts: Sequence[AbsentContact]) -> list[AbsentContact]:
        """Those of the absent contacts of a stream who did not opt out by the listing; the others stay."""
        opted_out = self._strangers.opted_out([one.contact for one in contacts if one.addresses])
        queue.stay(len(opted_out))
        return [one for one in contacts if one.contact not in opted_out]

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
        stays = bool(not_whole) or self._strangers.is_first(name, stream)
        twice = not not_whole and any(verdict.proof is Proof.WORD for verdict in verdicts.values())
        removes = action == queue.destination.actions.remove
        removal = partial(AddressRows(queue.destination, self._journal).fingerprint, action=action)
        strangers = waiting = opted_out = others = 0
        for members in listed:
            found = self._strangers.among(name, stream, members, removal=removal, twice=twice)
            strangers, waiting = strangers + len(found.strangers), waiting + found.waiting
            opted_out, others = opted_out + found.opted_out, others + found.others
            if found.strangers and not stays:
                contacts = [AbsentContact(one.contact, [(None, one.email)]) for one in found.strangers]
                self._strangers.offered([one.contact for one in contacts])
                queue.take_off(stream, contacts, action)
            queue.stay(found.opted_out)
            yield
        leave = [
            (0 if stays else strangers, "they leave" if removes else "they are unsubscribed"),
            (waiting, "for the first time; they leave if the next whole input does not name them, either"),
        ]
        for number, what in leave:
            if number:
                whom = counted(number, "contact")
                logger.info("Stream %r: no line names %s whom others put on %s: %s", stream, whom, name, what)
        _tell_who_stays(stream, name, opted_out=opted_out, others=others, unusable=listed.unusable)
        if strangers and stays:
            _warn(stream, name, strangers, not_whole)


def _tell_who_stays(stream: str, name: str, **numbers: int) -> None:
    why = {
        "others": "because another stream put them there",
        "opted_out": "because they opted out",
        "unusable": "because their addresses are not valid",
    }
    if found := ", ".join(f"{numbers[one]} {reason}" for one, reason in why.items() if numbers[one]):
        logger.info("Stream %r: no line names others on %s who stay: %s", stream, name, found)


def _warn(stream: str, name: str, strangers: int, not_whole: Sequence[str]) -> None:
    """Say why strangers stay who would leave."""
    whom = counted(strangers, "contact")
    if not_whole:
        logger.warning(
            "Stream %r: no line names %s whom others put on %s. They stay, because the input of stream %r, which is to "
            "equal that list, too, is not whole",
            stream,
            whom,
            name,
            not_whole[0],
        )
        return
    logger.warning(
        "Stream %r: no line names %s whom others put on %s. They stay this time, because it is the first whole input "
        "of this stream with `mirror_scope: list` that the journal knows. The next one takes them off, as far as "
        "`max_removals` lets it. If the journal was lost, restore it before that",
        stream,
        whom,
        name,
    )
