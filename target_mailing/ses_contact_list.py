"""The contact list of a region: reading who opted out, so that nothing that is written undoes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec
from msgspec import UNSET

from mailing_api.errors import NotFound, ProviderFault, RequestRefused
from mailing_api.ses_writing import SesWriter
from target_mailing.batches import Row
from target_mailing.mapping import fold_address
from target_mailing.ses_contact import State, Told, line_of, members_of, merged
from target_mailing.ses_lookup import look_up
from target_mailing.ses_place import ACTIONS, Found
from target_mailing.steps import Refusal

__all__ = ["ContactList", "refusal_of"]

#: Records that an import takes: AWS documents a million, and for removals nothing; that of suppressions is taken.
_MOST_PUT: Final = 1_000_000
_MOST_DELETE: Final = 10_000

#: Times to write a contact that comes and goes meanwhile.
_TRIES: Final = 3

_decode = msgspec.json.Decoder(Told).decode


class ContactList:
    """The contact list of a region; see `ses_place.Place`."""

    kind = "CONTACT_LIST"

    def __init__(self, writer: SesWriter, name: str, *, preserves: bool) -> None:
        """Take the list's name, and whether what people chose is read and kept."""
        self.writer = writer
        self._name = name
        self._preserves = preserves

    def destination(self, action: str) -> Mapping[str, Any]:
        """This list."""
        what = "DELETE" if action == ACTIONS.remove else "PUT"
        return {"ContactListDestination": {"ContactListName": self._name, "ContactListImportAction": what}}

    def most_rows(self, action: str) -> int:
        """Records that one import job takes."""
        return _MOST_DELETE if action == ACTIONS.remove else _MOST_PUT

    def lines(self, rows: Sequence[Row], action: str) -> Iterator[bytes]:
        """An import replaces contacts as a whole, so that each line has what is to stay."""
        if action == ACTIONS.remove:
            yield from (msgspec.json.encode({"emailAddress": row.email}) + b"\n" for row in rows)
            return
        states = self._states([row.email for row in rows]) if self._preserves else {}
        for row in rows:
            told = _decode(row.contact)
            state = states.get(row.address)
            if state is not None and not told.attributes:
                state = self._with_attributes(state)
            yield line_of(merged(told, unsubscribe=action == ACTIONS.unsubscribe, state=state))

    def look(self, rows: Sequence[Row], action: str) -> Found:
        """Who opted out, and who is no contact.

        Somebody who opted out of a topic only, and is to be removed, is kept, too, but unsubscribed from everything.
        """
        states = self._states([row.email for row in rows])
        withheld, absent = [], []
        for at, row in enumerate(rows):
            state = states.get(row.address)
            if state is None:
                absent.append(at)
            elif state.has_opted_out:
                withheld.append(at)
                if action == ACTIONS.remove:
                    self._silence(state)
        return Found(withheld, absent)

    def deliver(self, row: Row, action: str) -> Refusal | bool:
        """By one call for somebody new, three for others."""
        try:
            if action in {ACTIONS.remove, ACTIONS.ask}:
                return self._leave(row.email, action)
            self._write(row, unsubscribe=action == ACTIONS.unsubscribe)
        except RequestRefused as error:
            return refusal_of(error)
        return False

    def _leave(self, email: str, action: str) -> bool:
        state = self._states([email]).get(fold_address(email))
        if state is None:
            return False
        if state.has_opted_out:
            if action == ACTIONS.remove:
                self._silence(state)
            return True
        if action == ACTIONS.remove:
            with suppress(NotFound):  # which is what was wanted
                self.writer.delete_contact(self._name, state.email)
        return False

    def _write(self, row: Row, *, unsubscribe: bool) -> None:
        told = _decode(row.contact)
        new = merged(told, unsubscribe=unsubscribe, state=None)
        # Somebody may be there under another spelling.
        is_new = row.email == row.address or not self._preserves
        for _ in range(_TRIES):
            if is_new and self.writer.create_contact(self._name, new.email, members_of(new)):
                return
            state: State | None = State(told.email)
            if self._preserves:
                state = self._states([row.email]).get(row.address)
            is_new = True
            if state is None:
                continue
            if not told.attributes and self._preserves:
                state = self._with_attributes(state)
            wanted = merged(told, unsubscribe=unsubscribe, state=state)
            try:
                self.writer.update_contact(self._name, wanted.email, members_of(wanted))
            except NotFound:
                continue
            return
        raise ProviderFault("Amazon SES: a contact exists and does not exist, again and again.", maybe_done=True)

    def _silence(self, state: State) -> None:
        """Nothing is sent to this contact any more, and its choices stay."""
        if state.unsubscribed:
            return
        state = self._with_attributes(state)
        try:
            members = members_of(msgspec.structs.replace(state, unsubscribed=True))
            self.writer.update_contact(self._name, state.email, members)
        except NotFound:
            pass  # gone, and the opt-out with it

    def arrived(self, rows: Sequence[Row], action: str) -> Sequence[bool]:
        """Whether writing them once more would change nothing."""
        states = self._states([row.email for row in rows])
        return [self._is_there(row, action, states.get(row.address)) for row in rows]

    def _is_there(self, row: Row, action: str, state: State | None) -> bool:
        if action == ACTIONS.remove or state is None:
            return action == ACTIONS.remove and state is None
        told = _decode(row.contact)
        if told.attributes:
            state = self._with_attributes(state)
        wanted = merged(told, unsubscribe=action == ACTIONS.unsubscribe, state=state)
        return wanted == state or (
            msgspec.structs.replace(wanted, attributes=None) == msgspec.structs.replace(state, attributes=None)
            and _attributes(wanted) == _attributes(state)
        )

    # Reading

    def _states(self, emails: Sequence[str]) -> Mapping[str, State]:
        """The contacts of these addresses that there are, by folded address."""
        return look_up(emails, ask=self._state, pages=self._pages, both=State.with_opt_outs_of)

    def _pages(self) -> Iterator[Sequence[tuple[str, State]]]:
        for page in self.writer.client.contacts(self.writer.region, self._name):
            states = [State.of(row) for row in page]
            yield [(state.email, state) for state in states]

    def _state(self, email: str) -> State | None:
        try:
            return State.of(self.writer.client.contact(self.writer.region, self._name, email))
        except NotFound:
            return None

    def _with_attributes(self, state: State) -> State:
        """The same with its attributes, which a listing does not show."""
        if state.attributes is not UNSET or "/" in state.email:
            return state
        alone = self._state(state.email)
        return msgspec.structs.replace(state, attributes=None if alone is None else alone.attributes)


def refusal_of(error: RequestRefused) -> Refusal:
    """Why a row was refused; raises the error where the row is not to blame."""
    if error.code != "BadRequestException":
        raise error
    return Refusal("refused_by_provider", error.said or str(error.code))


def _attributes(state: State) -> Any:
    try:
        return msgspec.json.decode(state.attributes) if isinstance(state.attributes, str) else None
    except ValueError:
        return None
