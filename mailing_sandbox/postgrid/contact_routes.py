"""Routes of contacts. There is no update: PostGrid has none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mailing_sandbox.postgrid.body import read
from mailing_sandbox.postgrid.countries import COUNTRIES
from mailing_sandbox.postgrid.listing import page
from mailing_sandbox.postgrid.received import Sent
from mailing_sandbox.postgrid.records import FLAGS, TEXTS
from mailing_sandbox.postgrid.refusal import invalid
from mailing_sandbox.postgrid.replies import deleted, reply

if TYPE_CHECKING:
    from mailing_sandbox.postgrid.account import Mode
    from mailing_sandbox.postgrid.body import Body
    from mailing_sandbox.postgrid.switches import Switches
    from mailing_sandbox.provider import Call, Reply


def create(mode: Mode, call: Call, _: str) -> Reply:
    """Create a contact, or answer the identical one."""
    account, switches = mode.account, mode.account.switches

    def work() -> Reply:
        body = read(call)
        contact, new = mode.store.contact(checked(body, switches))
        account.counters.received("POST /print-mail/v1/contacts", 1)
        if switches.postgrid_keep_received:
            about = {"route": "contacts", "live": mode.store.live, "contact": contact.id, "new": new}
            account.received.keep(Sent(about, 1, [body.fields]))
        status = switches.postgrid_create_status if new else switches.postgrid_dedupe_status
        return reply(contact.shown(switches, fresh=new), status)

    if not switches.postgrid_idempotent_contacts:
        return work()
    strict = switches.postgrid_idempotency_mismatch == "error"
    return mode.store.answers.once(call, account.clock.now(), work, strict=strict)


def checked(body: Body, switches: Switches) -> dict[str, Any]:
    """Return the fields of a contact to create, blank ones omitted; a 400 otherwise."""
    if switches.postgrid_null_fields == "unset":
        body = body.without_nulls()
    sent: dict[str, Any] = {}
    for name in TEXTS:
        text = body.text(name)
        if text is not None and text.strip():
            sent[name] = text
    for name in ("addressLine1", "countryCode"):
        if name not in sent:
            raise invalid(f"'{name}' must be given.")
    if "firstName" not in sent and "companyName" not in sent:
        raise invalid("'firstName' or 'companyName' must be given.")
    if sent["countryCode"].strip().upper() not in COUNTRIES:
        raise invalid("'countryCode' is not a valid ISO 3166-1 alpha-2 code.")
    if switches.postgrid_email_check and not re.fullmatch(
        r"[^@\s]+@[^@\s]+\.[^@\s]+", sent.get("email", "a@b.c").strip()
    ):
        raise invalid("'email' is not a valid email address.")
    sent |= {name: True for name in FLAGS if body.flag(name)}
    metadata = body.mapping("metadata")
    return sent if metadata is None else sent | {"metadata": metadata}


def list_contacts(mode: Mode, call: Call, _: str) -> Reply:
    """Answer a page of contacts."""
    switches = mode.account.switches
    return page(mode.account, call, "contacts", mode.store.contacts, lambda row: row.shown(switches))


def read_contact(mode: Mode, _: Call, number: str) -> Reply:
    """Answer one contact."""
    return reply(mode.contact(number).shown(mode.account.switches))


def delete_contact(mode: Mode, _: Call, number: str) -> Reply:
    """Delete a contact."""
    mode.store.delete_contact(mode.contact(number))
    return deleted(number, "contact")
