"""MPDX as a provider of the sandbox: its door, and its data for tests in the same process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from mailing_sandbox.mpdx.account import Request
from mailing_sandbox.mpdx.control import Routes
from mailing_sandbox.mpdx.records import Contact, Stored, moment
from mailing_sandbox.mpdx.refusal import MEDIA_TYPE, Refusal, errors, no_route
from mailing_sandbox.mpdx.routes import PREFIX, match
from mailing_sandbox.mpdx.seed import fill
from mailing_sandbox.mpdx.store import Store
from mailing_sandbox.mpdx.switches import Switches
from mailing_sandbox.mpdx.throttle import Throttle
from mailing_sandbox.mpdx.tokens import Tokens
from mailing_sandbox.provider import Reply
from mailing_sandbox.switches import changed

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from mailing_sandbox.clock import Clock
    from mailing_sandbox.counters import Counters
    from mailing_sandbox.provider import Call

S = TypeVar("S", bound=Stored)

AUTHENTICATE = f"{PREFIX}/user/authenticate"
EXPORTS = f"{PREFIX}/contacts/exports"
DAY = 86_400


class Mpdx:
    """One emulated MPDX under ``/api/v2``. Its methods may be called from any thread."""

    name = "mpdx"
    prefixes: tuple[str, ...] = ("api",)

    def __init__(self, clock: Clock, counters: Counters, access_token: str) -> None:
        self.lock = RLock()
        self.switches = Switches()
        self._clock = clock
        self._counters = counters
        self._access_token = access_token
        self._tokens = Tokens(access_token)
        self._throttle = Throttle(clock)
        self._store = Store(clock)
        self._seeded: set[int] = set()
        self._waiting: list[tuple[int, int]] = []

    # the provider's door

    def change(self, **switches: Any) -> None:
        """Set some switches; ValueError names one that does not fit."""
        self.switches = changed(self.switches, switches)

    def template(self, call: Call) -> str:
        """Return the route of a call, to count it under."""
        if call.path == AUTHENTICATE:
            return f"{call.method} {AUTHENTICATE}"
        found = match(call.method, call.path)
        if found is None:
            return f"{call.method} (unknown)"
        route, params = found
        form = params.get("export", "").partition(".")[1:]
        return f"{call.method} {PREFIX}{route.path}{''.join(form)}"

    def error(self, status: int, message: str | None) -> Reply:
        """Return an error as MPDX words it."""
        return errors(status, message)

    def answer(self, call: Call) -> Reply:
        """Do the work of a call and answer it."""
        with self.lock:
            token = _token(call)
            who = token if self.switches.mpdx_rate_scope == "token" else ""
            refused, headers = self._throttle.count(who, self.switches)
            try:
                reply = errors(429, "Too many requests") if refused else self._work(call, token)
            except Refusal as refusal:
                reply = refusal.reply()
            reply.headers = reply.headers | headers
            return reply

    def _work(self, call: Call, token: str) -> Reply:
        if call.path == AUTHENTICATE and call.method == "POST":
            _check_media_types(call)
            return self._authenticate(call)
        user = self._tokens.read(token, self._clock.now())
        if user is None or user not in self._store.users:
            raise Refusal(401)
        if call.path != EXPORTS and not call.path.startswith((f"{EXPORTS}/", f"{EXPORTS}.")):
            _check_media_types(call)
        found = match(call.method, call.path)
        if found is None:
            raise no_route()
        self._grow()
        route, params = found
        return route.work(Request(self._store, self.switches, self._counters, call, user), params)

    def _authenticate(self, call: Call) -> Reply:
        try:
            attributes = msgspec.json.decode(call.body)["data"]["attributes"]
            provider, token = attributes.get("provider"), attributes.get("access_token")
        except (ValueError, LookupError, TypeError, AttributeError):
            provider = token = None
        if not provider or not token:
            raise Refusal(400, "Expected an access_token and its provider", "/data/attributes/access_token")
        if (provider, token) != ("okta", self._access_token):
            raise Refusal(401)
        attributes = {
            "created_at": moment(self._clock.now()),
            "json_web_token": self.token(),
            "updated_at": None,
            "updated_in_db_at": None,
        }
        body = {"data": {"id": "user::authenticate", "type": "authenticate", "attributes": attributes}}
        return Reply(200, msgspec.json.encode(body), MEDIA_TYPE)

    def _grow(self) -> None:
        """Make the requested contacts, which are not needed earlier."""
        while self._waiting:
            fill(self._store, *self._waiting.pop(0))

    # for tests

    def routes(self) -> Sequence[BaseRoute]:
        """Return the control routes."""
        return Routes(self).all()

    def reset(self) -> None:
        """Forget all data; the first user stays, and so do the tokens."""
        with self.lock:
            self._store.clear()
            self._seeded.clear()
            self._waiting.clear()

    def seed(self, contacts: int, seed: int = 1) -> None:
        """Fill with invented data, made when it is first used; the same numbers give the same data."""
        with self.lock:
            if seed in self._seeded:
                raise ValueError(f"seed {seed} was used already: use another number, or reset first")
            self._seeded.add(seed)
            self._waiting.append((contacts, seed))

    def token(self, user: str | None = None, seconds: float | None = None) -> str:
        """Return a token of a user (by default the sandbox's own) that is good for so many seconds."""
        with self.lock:
            who = self._store.me if user is None else self._of(self._store.users, user, "user").id
            lasts = self.switches.mpdx_token_days * DAY if seconds is None else seconds
            return self._tokens.issue({"user_id": who, "exp": int(self._clock.now() + lasts)})

    def revoke_tokens(self) -> None:
        """Refuse every token issued so far."""
        with self.lock:
            self._tokens.revoke()

    def add_user(self, first_name: str = "Another", last_name: str = "User") -> str:
        """Add somebody else who may sign in, and return their ID."""
        with self.lock:
            return self._store.add_user(first_name, last_name).id

    def add_account_list(self, name: str, home_country: str | None = "United States", user: str | None = None) -> str:
        """Add an account list of a user (by default the sandbox's own), and return its ID."""
        with self.lock:
            self._grow()
            owner = self._store.me if user is None else self._of(self._store.users, user, "user").id
            return self._store.add_account_list(name, home_country, [owner], self._clock.now()).id

    def account_lists(self) -> dict[str, str]:
        """Return the names of all account lists by ID."""
        with self.lock:
            self._grow()
            return {row.id: row.name for row in self._store.account_lists.values()}

    def contacts(self) -> dict[str, dict[str, Any]]:
        """Return all contacts by ID, with `addresses` and `people`."""
        with self.lock:
            self._grow()
            return {row.id: msgspec.to_builtins(row) for row in self._store.contacts.values()}

    def add_contacts(self, contacts: Iterable[Mapping[str, Any]]) -> list[str]:
        """Create contacts: `account_list` (ID), `name`, other attributes, `addresses`, `people` (with `emails`)."""
        with self.lock:
            return [
                self._made(
                    self._store.add_contact,
                    self._of(self._store.account_lists, given.get("account_list"), "account list").id,
                    {name: value for name, value in given.items() if name != "account_list"},
                ).id
                for given in contacts
            ]

    def change_contact(self, key: str, /, **fields: Any) -> None:
        """Set attributes of a contact; `tags` is a list."""
        self._change(self._store.contacts, key, "contact", fields)

    def delete_contact(self, key: str) -> None:
        """Delete a contact, which leaves a tombstone."""
        with self.lock:
            self._store.remove(self._contact(key), self._store.me)

    def merge_contacts(self, loser: str, winner: str) -> None:
        """Merge a contact into another."""
        with self.lock:
            self._store.merge(self._contact(loser), self._contact(winner))

    def add_person(self, contact: str, /, **fields: Any) -> str:
        """Add a person to a contact and return their ID; `emails` and `phones` are lists."""
        with self.lock:
            return self._made(self._store.add_person, self._contact(contact), fields).id

    def join_contact(self, contact: str, person: str) -> None:
        """Put a person into one more contact."""
        with self.lock:
            self._store.join(self._contact(contact), self._of(self._store.people, person, "person"))

    def change_person(self, key: str, /, **fields: Any) -> None:
        """Set attributes of a person."""
        self._change(self._store.people, key, "person", fields)

    def delete_person(self, key: str) -> None:
        """Delete a person, which leaves no tombstone."""
        with self.lock:
            self._store.remove(self._of(self._store.people, key, "person"))

    def mailchimp(self, person: str, *, subscribed: bool) -> None:
        """Let an opt-out or a subscription come in from Mailchimp, which moves no person's `updated_at`."""
        with self.lock:
            found = self._of(self._store.people, person, "person")
            (self._store.mailchimp_subscribe if subscribed else self._store.mailchimp_opt_out)(found)

    def add_email(self, person: str, /, **fields: Any) -> str:
        """Add an e-mail address to a person and return its ID."""
        with self.lock:
            return self._made(self._store.add_email, self._of(self._store.people, person, "person"), fields).id

    def change_email(self, key: str, /, **fields: Any) -> None:
        """Set attributes of an e-mail address."""
        self._change(self._store.emails, key, "e-mail address", fields)

    def delete_email(self, key: str) -> None:
        """Delete an e-mail address."""
        with self.lock:
            self._store.remove(self._of(self._store.emails, key, "e-mail address"))

    def add_address(self, contact: str, /, **fields: Any) -> str:
        """Add a postal address to a contact and return its ID."""
        with self.lock:
            return self._made(self._store.add_address, self._contact(contact), fields).id

    def change_address(self, key: str, /, **fields: Any) -> None:
        """Set attributes of a postal address."""
        self._change(self._store.addresses, key, "address", fields)

    def delete_address(self, key: str) -> None:
        """Delete a postal address."""
        with self.lock:
            self._store.remove(self._of(self._store.addresses, key, "address"))

    def exports(self) -> list[dict[str, Any]]:
        """Return every export log: `id`, `user`, `kind`, `params`, `used`, `formats`, `created`."""
        with self.lock:
            return [msgspec.to_builtins(row) for row in self._store.tickets.values()]

    def _contact(self, key: str) -> Contact:
        self._grow()
        return self._of(self._store.contacts, key, "contact")

    def _change(self, table: dict[str, S], key: str, what: str, fields: Mapping[str, Any]) -> None:
        with self.lock:
            self._grow()
            self._store.change(self._of(table, key, what), fields)

    def _of(self, table: dict[str, S], key: Any, what: str) -> S:
        self._grow()
        if key not in table:
            raise ValueError(f"there is no {what} {key}")
        return table[key]

    def _made(self, make: Callable[..., S], *given: Any) -> S:
        try:
            return make(*given)
        except (TypeError, KeyError) as error:
            raise ValueError(f"a required object is missing: {error}") from error


def _token(call: Call) -> str:
    """Return the token of a call: the header's last word, else the query's."""
    words = call.headers.get("authorization", "").split()
    return words[-1] if words else call.query.get("access_token", "")


def _check_media_types(call: Call) -> None:
    """Refuse what a client sends or accepts in another media type (MPDX reference, required headers)."""
    if call.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/vnd.api+json":
        raise Refusal(415)
    accepted = [one.strip() for one in call.headers.get("accept", "").split(",") if one.strip()]
    if accepted and not any(one.startswith("*/*") or one == "application/vnd.api+json" for one in accepted):
        raise Refusal(406)
