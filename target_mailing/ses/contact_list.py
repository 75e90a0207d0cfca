"""The contact list of a region: reading who opted out, so that nothing that is written undoes it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import UNSET

from mailing_api.addresses import fold_address, other_spelling
from mailing_api.errors import NotFound, ProviderFault, RequestRefused
from mailing_api.ses.writer import SesWriter
from target_mailing.contacts.effects import Effect
from target_mailing.delivery.one_by_one import take_each_that_works
from target_mailing.destination import Refusal
from target_mailing.row import Row
from target_mailing.ses.contact import State, Told, line_of, members_of, merged
from target_mailing.ses.list import ACTIONS, Found, refusal_of, spelling_of
from target_mailing.ses.lookup import NOBODY, LookedUp, look_up
from target_mailing.ses.spellings import Spellings

__all__ = ["ContactList"]

logger = logging.getLogger("target-mailing.ses")

#: Records that an import takes: AWS documents a million, and for removals nothing; that of suppressions is taken.
_MOST_PUT: Final = 1_000_000
_MOST_DELETE: Final = 10_000

#: Times to write a contact that comes and goes meanwhile.
_TRIES: Final = 3

_decode = msgspec.json.Decoder(Told).decode


class ContactList:
    """The contact list of a region; see `ses_place.SesList`."""

    kind = "CONTACT_LIST"

    def __init__(self, writer: SesWriter, name: str, *, preserves: bool) -> None:
        """Take the list's name, and whether what people chose is read and kept."""
        self.writer = writer
        self._name = name
        self._preserves = preserves
        self._spellings = Spellings(self._listed)

    def destination(self, action: str) -> Mapping[str, Any]:
        """This list."""
        what = "DELETE" if action == ACTIONS.remove else "PUT"
        return {"ContactListDestination": {"ContactListName": self._name, "ContactListImportAction": what}}

    def most_rows(self, action: str) -> int:
        """Records that one import job takes."""
        return _MOST_DELETE if action == ACTIONS.remove else _MOST_PUT

    def lines(
        self, rows: Sequence[Row], action: str, effects: dict[int, Effect], refused: dict[int, Refusal]
    ) -> Iterator[bytes]:
        """An import replaces contacts as a whole, so that each line has what is to stay."""
        if action == ACTIONS.remove:
            yield from (msgspec.json.encode({"emailAddress": row.email}) + b"\n" for row in rows)
            return
        states, failing = self._what_stays(rows) if self._preserves else ({}, {})
        for at, row in enumerate(rows):
            if row.address in failing:
                refused[at] = _unasked(failing[row.address])
                continue
            told, before = _decode(row.contact), states.get(row.address)
            state = merged(told, unsubscribe=action == ACTIONS.unsubscribe, state=before)
            self._spellings.add(state.email)
            if self._preserves and (effect := _effect(row, action, told, before, state)) is not None:
                effects[at] = effect
            yield line_of(state)

    def look(self, rows: Sequence[Row]) -> Found:
        """Who opted out, and who is no contact."""
        return _found(rows, self._look_up([row.email for row in rows]))

    def hold_back(self, rows: Sequence[Row]) -> Found:
        """Who opted out, and who is no contact.

        Somebody who opted out of a topic only, and is to be removed, is kept, too, but unsubscribed from everything.
        That takes two calls each, so it is looked once more afterwards who opted out.
        """
        emails = [row.email for row in rows]
        done: set[str] = set()
        failing: dict[str, ProviderFault] = {}
        while True:
            there = self._look_up(emails)
            declined = {
                address: state.email
                for address, state in there.found.items()
                if state.has_opted_out and not state.unsubscribed and address not in done
            }
            if not declined:
                return _found(rows, LookedUp(there.found, {**there.refused, **failing}))
            addresses, silence = [*declined], partial(self._silence_at, [*declined.values()])
            failed = take_each_that_works(range(len(addresses)), silence, probe=self.probe)[1]
            failing |= {addresses[at]: error for at, error in failed.items()}
            done |= declined.keys()

    def deliver(self, row: Row, action: str) -> Refusal | Effect | bool:
        """By one call for somebody new, three for others."""
        try:
            if action == ACTIONS.ask:
                state = self._read(row.email)
                return state is not None and state.has_opted_out
            if action == ACTIONS.remove:
                return self._remove(row.email)
            return (self._decline(row) if action == ACTIONS.decline else self._write(row, action)) or False
        except RequestRefused as error:
            is_unasked = action in {ACTIONS.ask, ACTIONS.remove}
            return msgspec.structs.replace(refusal_of(error), is_unasked=is_unasked)

    def arrived(self, rows: Sequence[Row], action: str) -> Sequence[bool]:
        """Whether writing them once more would change nothing."""
        there = self._look_up([row.email for row in rows])

        def is_there(at: int) -> bool:
            address = rows[at].address
            return address not in there.refused and self._is_there(rows[at], action, there.found.get(address))

        found = take_each_that_works(range(len(rows)), is_there, probe=self.probe)[0]
        return [found.get(at, False) for at in range(len(rows))]

    def _is_there(self, row: Row, action: str, state: State | None) -> bool:
        if action == ACTIONS.remove or state is None:
            return action == ACTIONS.remove and state is None
        told = _decode(row.contact)
        if told.attributes:
            state = self._alone(state)
            if state is None:
                return False
        wanted = merged(told, unsubscribe=action == ACTIONS.unsubscribe, state=state)
        return wanted == state or (
            msgspec.structs.replace(wanted, attributes=None) == msgspec.structs.replace(state, attributes=None)
            and _attributes(wanted) == _attributes(state)
        )

    # Writing

    def _remove(self, email: str) -> bool:
        """Delete a contact; whether it opted out, so that it stays."""
        declined: list[str] = []

        def leaving() -> Mapping[str, Any] | None:
            state = self._read(email)
            if state is None:
                return None
            if state.has_opted_out:
                declined.append(state.email)
                return None
            return {"EmailAddress": state.email}

        self.writer.delete_contact(self._name, leaving)
        for spelling in declined:
            self._silence(spelling)
        return bool(declined)

    def _write(self, row: Row, action: str) -> Effect | None:
        told, unsubscribe = _decode(row.contact), action == ACTIONS.unsubscribe
        effect: Effect | None = None
        new = merged(told, unsubscribe=unsubscribe, state=None)
        is_new = not self._preserves or not self._may_be_spelled_otherwise(row)

        def wanted() -> State | None:
            nonlocal effect
            state = self._read(row.email) if self._preserves else State(told.email)
            if state is None:
                return None
            found = merged(told, unsubscribe=unsubscribe, state=state)
            effect = _effect(row, action, told, state, found)
            return found

        for _ in range(_TRIES):
            if is_new and self.writer.create_contact(self._name, new.email, members_of(new)):
                self._spellings.add(new.email)
                return _effect(row, action, told, None, new)
            if self._update(wanted):
                return effect
            is_new = True
        raise ProviderFault("Amazon SES: a contact exists and does not exist, again and again.", maybe_done=True)

    def _may_be_spelled_otherwise(self, row: Row) -> bool:
        """Whether a contact may be there that is the row's, in another spelling."""
        if row.email != row.address or other_spelling(row.email) is not None:
            return True
        return bool(self._spellings.of(row.address))

    def _decline(self, row: Row) -> Effect | None:
        """Write the topics that a row declines, if its contact is there; None if it is not."""
        told = _decode(row.contact)

        def wanted() -> State | None:
            state = self._read(row.email)
            return None if state is None else merged(told, unsubscribe=False, state=state)

        return Effect.UPDATED if self._update(wanted) else None

    def _silence_at(self, emails: Sequence[str], at: int) -> None:
        self._silence(emails[at])

    def _silence(self, email: str) -> None:
        """Nothing is sent to this contact any more, and its choices stay."""

        def silenced() -> State | None:
            state = self._ask(email)
            if state is None or state.unsubscribed:
                return None
            return msgspec.structs.replace(state, unsubscribed=True)

        try:
            self._update(silenced)
        except RequestRefused as error:
            refusal_of(error)
            logger.warning(
                "Somebody who declined a topic at Amazon SES is to be removed, so they stay there, but they cannot be "
                "unsubscribed from everything: calls for one contact do not take their address, as it is with those "
                "that have a slash. An import does that: deliver their row with `subscription_status: unsubscribed`."
            )

    def _update(self, wanted: Callable[[], State | None]) -> bool:
        """Write what is wanted, given what is there at that moment; False if there is nothing to write to."""

        def members() -> Mapping[str, Any] | None:
            state = wanted()
            return None if state is None else {"EmailAddress": state.email, **members_of(state)}

        return self.writer.update_contact(self._name, members)

    # Reading

    def probe(self) -> object:
        """What is known of nobody in particular."""
        return self._ask(NOBODY)

    def _look_up(
        self, emails: Sequence[str], known: Collection[str] | None = None, *, judges: bool = True
    ) -> LookedUp[State]:
        """The contacts of these addresses that there are; one that Amazon SES fails for is refused if it `judges`."""
        return look_up(
            emails,
            ask=self._ask,
            pages=self._pages,
            both=State.with_opt_outs_of,
            known=known,
            spellings=self._spellings.of,
            probe=self.probe if judges else None,
        )

    def _listed(self) -> Iterator[Sequence[str]]:
        for page in self._pages():
            yield [email for email, _ in page]

    def _pages(self) -> Iterator[Sequence[tuple[str, State]]]:
        for page in self.writer.client.contacts(self.writer.region, self._name):
            states = [State.of(row) for row in page]
            yield [(state.email, state) for state in states]

    def _ask(self, email: str) -> State | None:
        try:
            return State.of(self.writer.client.contact(self.writer.region, self._name, email))
        except NotFound:
            return None

    def _read(self, email: str) -> State | None:
        """One contact as it is now, however it is spelled there."""
        there, address = self._look_up([email], judges=False), fold_address(email)
        if address in there.refused:
            raise there.refused[address]
        return self._alone(there.found[address]) if address in there.found else None

    def _alone(self, state: State) -> State | None:
        """A contact as it is now, with its attributes, which a listing does not show; without where that is refused."""
        if state.attributes is not UNSET:
            return state
        try:
            return self._ask(state.email)
        except RequestRefused as error:
            refusal_of(error)
            return state

    def _what_stays(self, rows: Sequence[Row]) -> tuple[Mapping[str, State], Mapping[str, ProviderFault]]:
        """The contacts that there are of these rows, and the errors of those that Amazon SES fails for.

        With the attributes of those whose rows bring none. These take a call each. So when all of them are known, what
        people chose is read once more.
        """
        emails = [row.email for row in rows]
        bare = [row.address for row in rows if not _decode(row.contact).attributes]
        asked: dict[str, State | None] = {}
        failing: dict[str, ProviderFault] = {}
        known: Collection[str] | None = None
        while True:
            there = self._look_up(emails, known=known)
            failing |= {one: error for one, error in there.refused.items() if isinstance(error, ProviderFault)}
            known = there.found.keys()
            left = bare if not failing else [one for one in bare if one not in failing]
            unknown = [
                one for one in left if one not in asked and one in there.found and there.found[one].attributes is UNSET
            ]
            if not unknown:
                break
            alone = partial(self._alone_at, [there.found[one] for one in unknown])
            found, failed = take_each_that_works(range(len(unknown)), alone, probe=self.probe)
            asked |= {unknown[at]: state for at, state in found.items()}
            failing |= {unknown[at]: error for at, error in failed.items()}
        states = {address: _with_attributes(state, asked.get(address)) for address, state in there.found.items()}
        return states, failing

    def _alone_at(self, states: Sequence[State], at: int) -> State | None:
        return self._alone(states[at])


def _unasked(error: RequestRefused | ProviderFault) -> Refusal:
    """The refusal of a row of which nobody knows whether it opted out."""
    return msgspec.structs.replace(refusal_of(error), is_unasked=True)


def _found(rows: Sequence[Row], there: LookedUp[State]) -> Found:
    withheld, absent = [], []
    refused, spelled = {}, {}
    for at, row in enumerate(rows):
        state = there.found.get(row.address)
        if row.address in there.refused:
            refused[at] = _unasked(there.refused[row.address])
        elif state is None:
            absent.append(at)
        elif state.has_opted_out:
            withheld.append(at)
        elif letters := spelling_of(row.email, state.email):
            spelled[at] = letters
    return Found(withheld, absent, refused, spelled)


def _effect(row: Row, action: str, told: Told, before: State | None, after: State) -> Effect | None:
    """What writing a row does to its contact; None where the action says it, or an earlier try may have done it."""
    if action == ACTIONS.unsubscribe or row.resubmitted:
        return None
    if before is None:
        return Effect.ADDED
    is_kept = after.unsubscribed or any(
        wish == "OPT_IN" and after.topics[topic] == "OPT_OUT" for topic, wish in told.topics.items()
    )
    return Effect.OPT_OUT_KEPT if is_kept else Effect.UPDATED


def _with_attributes(state: State, asked: State | None) -> State:
    """A contact as a listing shows it, with what a call for it alone showed."""
    if asked is None or state.attributes is not UNSET:
        return state
    return msgspec.structs.replace(state.with_opt_outs_of(asked), attributes=asked.attributes)


def _attributes(state: State) -> Any:
    try:
        return msgspec.json.decode(state.attributes) if isinstance(state.attributes, str) else None
    except ValueError:
        return None
