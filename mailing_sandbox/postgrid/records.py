"""What an account holds, and how answers show it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mailing_sandbox.postgrid.address import ADDRESS
from mailing_sandbox.postgrid.countries import COUNTRIES

if TYPE_CHECKING:
    from mailing_sandbox.postgrid.address import AddressStatus
    from mailing_sandbox.postgrid.course import Course
    from mailing_sandbox.postgrid.csvfile import Mappings
    from mailing_sandbox.postgrid.download import Download
    from mailing_sandbox.postgrid.switches import Switches

NAMES = ("firstName", "lastName", "companyName", "jobTitle", "email", "phoneNumber")
TEXTS = (*ADDRESS, *NAMES, "description")
FLAGS = ("skipVerification", "forceVerifiedStatus", "secret")


def timestamp(seconds: float, switches: Switches) -> str:
    """Write a time as PostGrid does: UTC, with milliseconds unless the switch omits them."""
    spec = "milliseconds" if switches.postgrid_milliseconds else "seconds"
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(timespec=spec) + "Z"


@dataclass(slots=True, eq=False, kw_only=True)
class Contact:
    """One contact. `sent` is what the client gave, `address` how it is kept; times are Unix seconds."""

    id: str
    live: bool
    sent: dict[str, Any]
    address: dict[str, str]
    address_status: AddressStatus
    address_errors: str | None
    description: str | None
    metadata: dict[str, Any] | None
    created: float
    updated: float
    lists: dict[str, None] = field(default_factory=dict)

    def shown(self, switches: Switches, *, fresh: bool = False) -> dict[str, Any]:
        """Return the answer about it; one that is `secret` is shown in full only in the answer to its creation."""
        hidden = bool(self.sent.get("secret")) and switches.postgrid_hides_secret and not fresh
        row: dict[str, Any] = {"id": self.id, "object": "contact", "live": self.live}
        if not hidden:
            row |= self.address
            row["country"] = COUNTRIES[self.address["countryCode"]]
            row |= {name: self.sent[name] for name in NAMES if name in self.sent}
        row["addressStatus"] = self.address_status
        row |= {
            name: value
            for name, value in (
                ("addressErrors", self.address_errors),
                ("description", self.description),
                ("metadata", self.metadata),
            )
            if value is not None
        }
        if switches.postgrid_unset_fields == "null" and not hidden:
            row |= {name: None for name in (*TEXTS, "metadata") if name not in row}
        row |= {name: bool(self.sent.get(name)) for name in FLAGS}
        if switches.postgrid_contact_lists == "ids":
            row["mailingLists"] = list(self.lists)
        elif switches.postgrid_contact_lists == "objects":
            row["mailingLists"] = [{"id": number} for number in self.lists]
        row["createdAt"] = timestamp(self.created, switches)
        row["updatedAt"] = timestamp(self.updated, switches)
        return row


@dataclass(slots=True, eq=False, kw_only=True)
class MailingList:
    """One mailing list: a set of contacts and a set of imports."""

    id: str
    live: bool
    description: str | None
    metadata: dict[str, Any] | None
    created: float
    updated: float
    status: str = "completed"
    errors: list[dict[str, str]] = field(default_factory=list)
    contacts: dict[str, None] = field(default_factory=dict)
    imports: dict[str, None] = field(default_factory=dict)

    def shown(self, switches: Switches) -> dict[str, Any]:
        """Return the answer about it."""
        return {
            "id": self.id,
            **({"object": "mailing_list"} if switches.postgrid_object_member else {}),
            "live": self.live,
            **told(self),
            "status": self.status,
            "errors": list(self.errors),
            "createdAt": timestamp(self.created, switches),
            "updatedAt": timestamp(self.updated, switches),
        }


@dataclass(slots=True, eq=False, kw_only=True)
class Counts:
    """Address statuses, counted."""

    verified: int = 0
    corrected: int = 0
    failed: int = 0

    def add(self, status: AddressStatus) -> None:
        """Count one."""
        setattr(self, status, getattr(self, status) + 1)

    def shown(self) -> dict[str, int]:
        """Return the answer's form."""
        return {"verifiedCount": self.verified, "correctedCount": self.corrected, "failedCount": self.failed}


@dataclass(slots=True, eq=False, kw_only=True)
class Import:
    """One mailing list import. `content` is its file once it is there; `kept_rows` counts those not cut off."""

    id: str
    live: bool
    organization: str
    mappings: Mappings
    course: Course
    description: str | None
    metadata: dict[str, Any] | None
    created: float
    updated: float
    download: Download | None = None
    content: bytes | None = None
    lost: bool = False
    status: str = "validating"
    errors: list[dict[str, str]] = field(default_factory=list)
    notes: list[dict[str, str]] = field(default_factory=list)
    kept_rows: int = 0
    valid: int = 0
    invalid: int = 0
    receivers: Counts = field(default_factory=Counts)
    senders: Counts = field(default_factory=Counts)

    def shown(self, switches: Switches, file_url: str, report_url: str) -> dict[str, Any]:
        """Return the answer about it, with fresh links."""
        return {
            "id": self.id,
            **({"object": "mailing_list_import"} if switches.postgrid_object_member else {}),
            "live": self.live,
            "organization": self.organization,
            **told(self),
            "status": self.status,
            "errors": list(self.errors),
            "notes": list(self.notes),
            "validRowCount": self.valid,
            "invalidRowCount": self.invalid,
            "receiverStatusCount": self.receivers.shown(),
            **({"senderStatusCount": self.senders.shown()} if self.mappings.sender is not None else {}),
            **({"reportURL": report_url} if self.status == "completed" else {}),
            "file": {"fileType": "csv", "url": file_url, **self.mappings.shown()},
            "createdAt": timestamp(self.created, switches),
            "updatedAt": timestamp(self.updated, switches),
        }


def told(record: MailingList | Import) -> dict[str, Any]:
    """Return description and metadata, where they are set."""
    found = {"description": record.description, "metadata": record.metadata}
    return {name: value for name, value in found.items() if value is not None}
