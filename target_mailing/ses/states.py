"""Contacts of a listing, kept small: those in the same state share one object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from msgspec import UNSET

from mailing_api.addresses import fold_address
from target_mailing.ses.contact import State, Status

__all__ = ["SharedStates", "StatesByAddress"]

#: States that are shared; more than these are hardly alike.
_MOST: Final = 4096


class SharedStates:
    """The states of a listing's contacts, one for all contacts that differ only in their address.

    Most contacts have made no choice; otherwise, so many states take more memory than the rows. Safe to share between
    threads.
    """

    def __init__(self) -> None:
        self._states: dict[tuple[bool, tuple[tuple[str, Status], ...]], State] = {}

    def of(self, state: State) -> State:
        """The state to keep for a contact: without an address if that is the folded one, see `StatesByAddress`."""
        if state.attributes is not UNSET or state.email != fold_address(state.email):
            return state
        choices = (state.unsubscribed, tuple(state.topics.items()))
        if (alike := self._states.get(choices)) is None:
            alike = msgspec.structs.replace(state, email="")
            if len(self._states) < _MOST:
                self._states[choices] = alike
        return alike


class StatesByAddress(Mapping[str, State]):
    """States by folded address; one without an address gets that one."""

    def __init__(self, states: Mapping[str, State]) -> None:
        self._states = states

    def __getitem__(self, address: str) -> State:
        state = self._states[address]
        return state if state.email else msgspec.structs.replace(state, email=address)

    def __iter__(self) -> Iterator[str]:
        return iter(self._states)

    def __len__(self) -> int:
        return len(self._states)
