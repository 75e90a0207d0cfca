"""The operations of Amazon SES (API v2) in use: their paths, and where their members go.

Members have AWS's names. Tests compare this table with botocore's model of the service, so that a changed path is
noticed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from string import Formatter
from typing import Any, Final

import msgspec

from mailing_api.http.paths import segment

__all__ = [
    "CREATE_CONTACT",
    "CREATE_CONTACT_LIST",
    "CREATE_IMPORT_JOB",
    "DELETE_CONTACT",
    "DELETE_SUPPRESSED_DESTINATION",
    "GET_ACCOUNT",
    "GET_CONTACT",
    "GET_CONTACT_LIST",
    "GET_IMPORT_JOB",
    "GET_SUPPRESSED_DESTINATION",
    "LIST_CONTACTS",
    "LIST_CONTACT_LISTS",
    "LIST_IMPORT_JOBS",
    "LIST_SUPPRESSED_DESTINATIONS",
    "PUT_SUPPRESSED_DESTINATION",
    "UPDATE_CONTACT",
    "Operation",
]


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation.

    Attributes:
        name: AWS's name, also of the IAM action, with `ses:` before it.
        method: HTTP method.
        path: with members in braces.
        query: members that go into the query; members in neither path nor query go into a JSON body.
        idempotent: calling it twice has the effect of calling it once.
        once: it is not retried unchanged, since its content may be out of date by then.
    """

    name: str
    method: str
    path: str
    query: Sequence[str] = ()
    idempotent: bool = False
    once: bool = False

    def path_of(self, members: Mapping[str, Any]) -> str:
        """Return the path with its members, each as one segment."""
        return self.path.format(**{name: segment(str(members[name])) for name in self.in_path})

    def query_of(self, members: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the query's parameters; None for none."""
        return {name: value for name, value in members.items() if name in self.query} or None

    def body_of(self, members: Mapping[str, Any]) -> bytes | None:
        """Return the body; None if the method has none."""
        if self.method in {"GET", "DELETE"}:
            return None
        others = {name: value for name, value in members.items() if name not in {*self.in_path, *self.query}}
        # As botocore writes it, so that a test can compare signatures.
        return json.dumps(others).encode()

    @property
    def in_path(self) -> list[str]:
        """The members in the path."""
        return [name for _, name, _, _ in Formatter().parse(self.path) if name]


_LIST: Final = "/v2/email/contact-lists/{ContactListName}"
_PAGE: Final = ("NextToken", "PageSize")

GET_ACCOUNT: Final = Operation(name="GetAccount", method="GET", path="/v2/email/account")
LIST_CONTACT_LISTS: Final = Operation(
    name="ListContactLists", method="GET", path="/v2/email/contact-lists", query=_PAGE
)
GET_CONTACT_LIST: Final = Operation(name="GetContactList", method="GET", path=_LIST)
LIST_CONTACTS: Final = Operation(name="ListContacts", method="POST", path=f"{_LIST}/contacts/list", idempotent=True)
GET_CONTACT: Final = Operation(name="GetContact", method="GET", path=f"{_LIST}/contacts/{{EmailAddress}}")
LIST_IMPORT_JOBS: Final = Operation(
    name="ListImportJobs", method="POST", path="/v2/email/import-jobs/list", idempotent=True
)
GET_IMPORT_JOB: Final = Operation(name="GetImportJob", method="GET", path="/v2/email/import-jobs/{JobId}")
LIST_SUPPRESSED_DESTINATIONS: Final = Operation(
    name="ListSuppressedDestinations",
    method="GET",
    path="/v2/email/suppression/addresses",
    query=(*_PAGE, "StartDate", "EndDate"),
)
GET_SUPPRESSED_DESTINATION: Final = Operation(
    name="GetSuppressedDestination", method="GET", path="/v2/email/suppression/addresses/{EmailAddress}"
)

CREATE_CONTACT_LIST: Final = Operation(name="CreateContactList", method="POST", path="/v2/email/contact-lists")
CREATE_IMPORT_JOB: Final = Operation(name="CreateImportJob", method="POST", path="/v2/email/import-jobs", once=True)
#: Where a first reply was lost, the second call is refused because the contact exists: for callers who expect that.
CREATE_CONTACT: Final = Operation(name="CreateContact", method="POST", path=f"{_LIST}/contacts", idempotent=True)
UPDATE_CONTACT: Final = Operation(
    name="UpdateContact", method="PUT", path=f"{_LIST}/contacts/{{EmailAddress}}", once=True
)
DELETE_CONTACT: Final = Operation(
    name="DeleteContact", method="DELETE", path=f"{_LIST}/contacts/{{EmailAddress}}", once=True
)
PUT_SUPPRESSED_DESTINATION: Final = Operation(
    name="PutSuppressedDestination", method="PUT", path="/v2/email/suppression/addresses", idempotent=True
)
DELETE_SUPPRESSED_DESTINATION: Final = Operation(
    name="DeleteSuppressedDestination",
    method="DELETE",
    path="/v2/email/suppression/addresses/{EmailAddress}",
    once=True,
)
