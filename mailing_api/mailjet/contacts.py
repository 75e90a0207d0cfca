"""Mailjet's calls for a single contact: its name, its property values, and its state on each list.

A repeated call has the same result, so they are retried after a lost response; but for a removal from a list, because
the contact may have joined again, or opted out, meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailing_api.errors import NotFound, RequestRefused
from mailing_api.http.paths import segment
from mailing_api.mailjet.answers import Row, id_of, opted_out
from mailing_api.mailjet.client import MailjetClient

__all__ = ["ContactCalls"]


class ContactCalls:
    """Changes one contact at a time, identified by ID or address."""

    def __init__(self, client: MailjetClient) -> None:
        self._client = client

    def find(self, email: str) -> Row | None:
        """Return the contact of an address; None if it does not exist.

        Raises:
            RequestRefused: Mailjet does not accept the address.
        """
        try:
            return self._client.one("contact", email)
        except NotFound:
            return None

    def opt_outs(self, email: str) -> dict[int, bool]:
        """The lists that a contact is on, and whether it opted out of each; in doubt it did.

        Raises:
            NotFound: no such contact.
        """
        return {int(row["ListID"]): opted_out(row) is not False for row in self._client.memberships(email)}

    def put(self, email: str, name: str | None, found: Row | None) -> int | str:
        """Create a contact unless it was found, set its name unless that is None, and return its ID.

        Mailjet sometimes reports an address as unknown and, right after that, as existing (MJ18): then the contact is
        looked up again; also after a refusal without a code, whose response may be damaged.

        Raises:
            RequestRefused: Mailjet does not accept the address.
            NotFound: Mailjet reports both again.
        """
        if found is None:
            try:
                return id_of(self._create(email, name))
            except RequestRefused as error:
                if error.code not in {"MJ18", None}:
                    raise
                found = self.find(email)
                if found is None and error.code is None:
                    raise
            found = found or self._client.one("contact", email)
        contact = id_of(found)
        if name is not None and found.get("Name") != name:
            self._write("PUT", "contact/{contact}", contact, {"Name": name})
        return contact

    def set_values(self, contact: int | str, values: Mapping[str, Any]) -> None:
        """Set property values, and clear those that are None; other properties do not change.

        Raises:
            RequestRefused: a property is unknown, or a value is not of its type.
        """
        items = [{"Name": name} if value is None else {"Name": name, "Value": value} for name, value in values.items()]
        self._write("PUT", "contactdata/{contact}", contact, {"Data": items})

    def act_on_lists(self, contact: int | str, actions: Mapping[int, str]) -> None:
        """Apply an action to an existing contact on each of these lists: list ID -> action.

        A failed call that removes is not retried: a caller that repeats it must read the lists of the contact first.

        Raises:
            RequestRefused: an entry is wrong; `said` has the wrong ones. Whether the others were applied is unverified.
            NotFound: no such contact.
        """
        entries = [{"ListID": list_id, "Action": action} for list_id, action in actions.items()]
        removes = "remove" in actions.values()
        self._write("POST", "contact/{contact}/managecontactslists", contact, {"ContactsLists": entries}, once=removes)

    def _create(self, email: str, name: str | None) -> Row:
        body = {"Email": email} if name is None else {"Email": email, "Name": name}
        rows = self._client.write("POST", "/v3/REST/contact", body, route="/v3/REST/contact", idempotent=True)
        return rows[0] if rows else {}

    def _write(self, method: str, route: str, contact: int | str, body: Row, *, once: bool = False) -> None:
        path = route.replace("{contact}", segment(contact))
        self._client.write(method, f"/v3/REST/{path}", body, route=f"/v3/REST/{route}", idempotent=True, once=once)
