"""The contact list of a region. Opt-outs are read before contacts are written, so that no write undoes one."""

from __future__ import annotations

import logging
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET

from mailing_api.addresses import fold_address, other_spelling
from mailing_api.errors import NotFound, ProviderFault, RequestRefused
from mailing_api.ses.writer import SesWriter
from target_mailing.contacts.contact import EncodedContact
from target_mailing.contacts.effects import Effect
from target_mailing.delivery.one_by_one import take_each_that_works
from target_mailing.interface.destination import Refusal
from target_mailing.ses.contact import Content, State, line_of, members_of, merged
from target_mailing.ses.foreseen import ForeseenStates
from target_mailing.ses.list import ACTIONS, Checked, Positions, different_case
from target_mailing.ses.listing import Listing
from target_mailing.ses.lookup import NOBODY, LookedUp, look_up
from target_mailing.ses.refusals import refusal_of, unasked
from target_mailing.ses.spellings import Spellings
from target_mailing.ses.states import SharedStates, StatesByAddress

__all__ = ["ContactList"]

logger = logging.getLogger("target-mailing.ses")

#: Records in an import job: AWS documents a million; for removals it documents none, so that of suppressions is used.
_MOST_PUT: Final = 1_000_000
_MOST_DELETE: Final = 10_000

#: Attempts to write a contact that is created and deleted meanwhile.
_TRIES: Final = 3

_decode = msgspec.json.Decoder(Content).decode


class ContactList:
    """The contact list of a region; see `SesList`."""

    kind = "CONTACT_LIST"

    def __init__(
        self, writer: SesWriter, name: str, *, preserves: bool, foreseen: ForeseenStates | None = None
    ) -> None:
        """Take the list's name, whether opt-outs are read and kept, and for a plan what it would have changed."""
        self._foreseen = foreseen
        self.writer = writer
        self._name = name
        self._preserves = preserves
        self._listing = Listing(self.pages)
        self._states = SharedStates()
        self._spellings = Spellings(lambda: ([email for email, _ in page] for page in self.pages()))

    def destination(self, action: str) -> Mapping[str, Any]:
        """The `ImportDestination` of an import job."""
        operation = "DELETE" if action == ACTIONS.remove else "PUT"
        return {"ContactListDestination": {"ContactListName": self._name, "ContactListImportAction": operation}}

    def most_rows(self, action: str) -> int:
        """The most records in one import job."""
        return _MOST_DELETE if action == ACTIONS.remove else _MOST_PUT

    def read(self, rows: Iterable[EncodedContact], action: str) -> LookedUp[State] | None:
        """The contacts of these rows as they are, with their attributes where their rows bring none."""
        return self._current(rows) if self._preserves and action != ACTIONS.remove else None

    def lines(
        self, rows: Iterable[EncodedContact], action: str, there: LookedUp[State] | None, effects: Positions
    ) -> Iterator[bytes]:
        """An import job replaces contacts as a whole, so each line has also what the row does not change."""
        if action == ACTIONS.remove:
            for row in rows:
                self._foresee(row.email, None)
                yield msgspec.json.encode({"emailAddress": row.email}) + b"\n"
            return
        for at, row in enumerate(rows):
            if there is not None and row.address in there.refused:
                continue
            content = _decode(row.content)
            before = None if there is None else there.found.get(row.address)
            state = merged(content, unsubscribe=action == ACTIONS.unsubscribe, state=before)
            self._spellings.add(state.email)
            if there is not None and (effect := _effect(row, action, content, before, state)) is not None:
                effects.setdefault(effect, array("L")).append(at)
            self._foresee(state.email, state)
            yield line_of(state)

    def _foresee(self, email: str, state: State | None) -> None:
        if self._foreseen is not None:
            self._foreseen.note(email, state)

    def check(self, rows: Sequence[EncodedContact]) -> Checked:
        """Find the contacts that opted out, and the rows without a contact."""
        return _checked(rows, self._look_up([row.email for row in rows]))

    def prepare_removal(self, rows: Sequence[EncodedContact]) -> Checked:
        """Find the contacts that opted out, and the rows without a contact.

        A contact that opted out only of topics stays, too, but is unsubscribed from everything. That takes two calls
        each, so the opt-outs are read again afterwards.
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
                return _checked(rows, LookedUp(there.found, {**there.refused, **failing}))
            failed = take_each_that_works(declined.values(), self._unsubscribe, probe=self.probe)[1]
            failing |= {address: failed[email] for address, email in declined.items() if email in failed}
            done |= declined.keys()

    def deliver(self, row: EncodedContact, action: str) -> Refusal | Effect | bool:
        """Deliver by one call for a new contact, by three calls for others."""
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

    def would_change(self, email: str) -> bool:
        """Whether the plan would have changed the contact so far."""
        return self._foreseen is None or self._foreseen.has(email)

    def arrived(self, rows: Sequence[EncodedContact], action: str) -> Sequence[bool]:
        """Whether writing the rows again would change nothing."""
        there = self._look_up([row.email for row in rows])

        def has_arrived(at: int) -> bool:
            address = rows[at].address
            return address not in there.refused and self._has_arrived(rows[at], action, there.found.get(address))

        results = take_each_that_works(range(len(rows)), has_arrived, probe=self.probe)[0]
        return [results.get(at, False) for at in range(len(rows))]

    def _has_arrived(self, row: EncodedContact, action: str, state: State | None) -> bool:
        if action == ACTIONS.remove or state is None:
            return action == ACTIONS.remove and state is None
        content = _decode(row.content)
        if content.attributes:
            state = self._with_attributes(state)
            if state is None:
                return False
        after = merged(content, unsubscribe=action == ACTIONS.unsubscribe, state=state)
        return after == state or (
            msgspec.structs.replace(after, attributes=None) == msgspec.structs.replace(state, attributes=None)
            and _attributes(after) == _attributes(state)
        )

    # Writing

    def _remove(self, email: str) -> bool:
        """Delete a contact, unless it opted out; returns whether it did."""
        declined: list[str] = []

        def members() -> Mapping[str, Any] | None:
            state = self._read(email)
            if state is None:
                return None
            if state.has_opted_out:
                declined.append(state.email)
                return None
            return {"EmailAddress": state.email}

        self.writer.delete_contact(self._name, members)
        for spelling in declined:
            self._unsubscribe(spelling)
        return bool(declined)

    def _write(self, row: EncodedContact, action: str) -> Effect | None:
        content, unsubscribe = _decode(row.content), action == ACTIONS.unsubscribe
        effect: Effect | None = None
        new = merged(content, unsubscribe=unsubscribe, state=None)
        is_new = not self._preserves or not self._may_have_other_spelling(row)

        def updated() -> State | None:
            nonlocal effect
            before = self._read(row.email) if self._preserves else State(content.email)
            if before is None:
                return None
            after = merged(content, unsubscribe=unsubscribe, state=before)
            effect = _effect(row, action, content, before, after)
            return after

        for _ in range(_TRIES):
            if is_new and self.writer.create_contact(self._name, new.email, members_of(new)):
                self._spellings.add(new.email)
                return _effect(row, action, content, None, new)
            if self._update(updated):
                return effect
            is_new = True
        raise ProviderFault("Amazon SES: a contact exists and does not exist, again and again.", maybe_done=True)

    def _may_have_other_spelling(self, row: EncodedContact) -> bool:
        """Whether the row's contact may exist in another spelling of its address."""
        if row.email != row.address or other_spelling(row.email) is not None:
            return True
        return bool(self._spellings.of(row.address))

    def _decline(self, row: EncodedContact) -> Effect | None:
        """Write the topics that a row declines, if its contact exists."""
        content = _decode(row.content)

        def updated() -> State | None:
            state = self._read(row.email)
            return None if state is None else merged(content, unsubscribe=False, state=state)

        return Effect.UPDATED if self._update(updated) else None

    def _unsubscribe(self, email: str) -> None:
        """Unsubscribe a contact from everything, and keep its choices."""

        def updated() -> State | None:
            state = self._ask(email)
            if state is None or state.unsubscribed:
                return None
            return msgspec.structs.replace(state, unsubscribed=True)

        try:
            self._update(updated)
        except RequestRefused as error:
            refusal_of(error)
            logger.warning(
                "A contact that declined a topic is to be removed, so it must stay at Amazon SES, unsubscribed from "
                "everything; but Amazon SES refuses its address in calls for one contact, as it does with a slash. "
                "Deliver its row by import, with `subscription_status: unsubscribed`."
            )

    def _update(self, updated: Callable[[], State | None]) -> bool:
        """Write the state that this function makes of the current one; False if it is None or there is no contact."""

        def members() -> Mapping[str, Any] | None:
            state = updated()
            return None if state is None else {"EmailAddress": state.email, **members_of(state)}

        return self.writer.update_contact(self._name, members)

    # Reading

    def probe(self) -> object:
        """Read a contact that does not exist."""
        return self._ask(NOBODY)

    def fields_now(self, email: str) -> Mapping[str, Any]:
        """A contact's attributes, and its topics by their names, as Amazon SES has them; none without a contact."""
        try:
            state = State.of(self.writer.client.contact(self.writer.region, self._name, email))
        except (NotFound, RequestRefused):
            return {}
        return {"attributes": _attributes(state), **state.topics}

    def _look_up(
        self, emails: Sequence[str], known: Collection[str] | None = None, *, judges: bool = True
    ) -> LookedUp[State]:
        """Find the contacts of these addresses; if it `judges`, one that Amazon SES fails for is refused."""
        there = look_up(
            emails,
            read=self._ask,
            listing=self._listing,
            both=State.with_opt_outs_of,
            known=known,
            spellings=self._spellings.of,
            probe=self.probe if judges else None,
        )
        if self._foreseen is not None:
            there = self._foreseen.over(there, emails)
        return LookedUp(StatesByAddress(there.found), there.refused)

    def pages(self) -> Iterator[Sequence[tuple[str, State]]]:
        """Its contacts, each with its address; some may come more than once."""
        try:
            for page in self.writer.client.contacts(self.writer.region, self._name):
                states = [State.of(row) for row in page]
                yield [(state.email, self._states.of(state)) for state in states]
        except NotFound:
            if self._foreseen is None:
                raise  # only a plan's list may not be made yet

    def _ask(self, email: str) -> State | None:
        if self._foreseen is not None and self._foreseen.has(email):
            self._foreseen.count(1)
            return self._foreseen.of(email)
        try:
            return State.of(self.writer.client.contact(self.writer.region, self._name, email))
        except NotFound:
            return None

    def _read(self, email: str) -> State | None:
        """The contact of an address now, in whatever spelling Amazon SES has it."""
        there, address = self._look_up([email], judges=False), fold_address(email)
        if address in there.refused:
            raise there.refused[address]
        return self._with_attributes(there.found[address]) if address in there.found else None

    def _with_attributes(self, state: State) -> State | None:
        """A contact now, with its attributes, which a listing does not show; unchanged if that call is refused."""
        if state.attributes is not UNSET:
            return state
        try:
            return self._ask(state.email)
        except RequestRefused as error:
            refusal_of(error)
            return state

    def _current(self, rows: Iterable[EncodedContact]) -> LookedUp[State]:
        """The contacts of these rows, and the errors of those that Amazon SES fails for.

        Contacts whose rows bring no attributes have theirs. These take a call each, so afterwards opt-outs are read
        again.
        """
        emails, bare = [], []
        for row in rows:
            emails.append(row.email)
            if not _decode(row.content).attributes:
                bare.append(row.address)
        alone: dict[str, State | None] = {}
        failing: dict[str, ProviderFault] = {}
        known: Collection[str] | None = None
        while True:
            there = self._look_up(emails, known=known)
            failing |= {one: error for one, error in there.refused.items() if isinstance(error, ProviderFault)}
            known = there.found.keys()
            missing = {
                address: there.found[address].email
                for address in bare
                if address in known and address not in alone and address not in failing
                if there.found[address].attributes is UNSET
            }
            if not missing:
                break
            states, failed = take_each_that_works(missing.values(), self._alone, probe=self.probe)
            alone |= {address: states[email] for address, email in missing.items() if email in states}
            failing |= {address: failed[email] for address, email in missing.items() if email in failed}
        if not alone:
            return LookedUp(there.found, failing)
        found = {address: _combined(state, alone.get(address)) for address, state in there.found.items()}
        return LookedUp(found, failing)

    def _alone(self, email: str) -> State | None:
        return self._with_attributes(State(email))


def _checked(rows: Sequence[EncodedContact], there: LookedUp[State]) -> Checked:
    withheld, absent = [], []
    refused, spelled = {}, {}
    for at, row in enumerate(rows):
        state = there.found.get(row.address)
        if row.address in there.refused:
            refused[at] = unasked(there.refused[row.address])
        elif state is None:
            absent.append(at)
        elif state.has_opted_out:
            withheld.append(at)
        elif letters := different_case(row.email, state.email):
            spelled[at] = letters
    return Checked(withheld, absent, refused, spelled)


def _effect(row: EncodedContact, action: str, content: Content, before: State | None, after: State) -> Effect | None:
    """The effect of a row on its contact; None if it follows from the action, or an earlier try may have had it."""
    if action == ACTIONS.unsubscribe or row.resubmitted:
        return None
    if before is None:
        return Effect.ADDED
    is_kept = after.unsubscribed or any(
        status == "OPT_IN" and after.topics[topic] == "OPT_OUT" for topic, status in content.topics.items()
    )
    return Effect.OPT_OUT_KEPT if is_kept else Effect.UPDATED


def _combined(listed: State, alone: State | None) -> State:
    """A contact as a listing shows it, with the attributes and opt-outs that a call for it alone showed."""
    if alone is None or listed.attributes is not UNSET:
        return listed
    return msgspec.structs.replace(listed.with_opt_outs_of(alone), attributes=alone.attributes)


def _attributes(state: State) -> Any:
    try:
        return msgspec.json.decode(state.attributes) if isinstance(state.attributes, str) else None
    except ValueError:
        return None
