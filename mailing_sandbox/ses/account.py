"""One emulated AWS account as SES sees it: its regions, and what they share."""

from __future__ import annotations

from collections import deque
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from mailing_sandbox.ses.objects import Objects, path_of
from mailing_sandbox.ses.pages import Pager
from mailing_sandbox.ses.received import Received
from mailing_sandbox.ses.records import Table, folded, is_address
from mailing_sandbox.ses.refusal import Refusal, check_name, not_found
from mailing_sandbox.ses.switches import Switches

if TYPE_CHECKING:
    from mailing_sandbox.clock import Clock
    from mailing_sandbox.counters import Counters
    from mailing_sandbox.ses.exports import ExportJob
    from mailing_sandbox.ses.jobs import ImportJob, Plan
    from mailing_sandbox.ses.records import ContactList, Suppression
    from mailing_sandbox.ses.storage import Storage


class Profile(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What GetAccount shows of a region; `production_access` None follows the switch."""

    production_access: bool | None = None
    sending_enabled: bool = True
    enforcement_status: str = "HEALTHY"
    suppressed_reasons: list[str] = msgspec.field(default_factory=lambda: ["BOUNCE", "COMPLAINT"])
    max_24_hour_send: float = 50_000.0
    max_send_rate: float = 14.0
    sent_last_24_hours: float = 0.0


class Account:
    """Everything that a route may need beyond its region. Regions come into being when they are named."""

    def __init__(self, clock: Clock, counters: Counters, storage: Storage) -> None:
        self.clock = clock
        self.counters = counters
        self.storage = storage
        self.switches = Switches()
        self.pager = Pager()
        self.received = Received()
        self.endpoint = ""
        self.resets = -1
        self.clear()

    def clear(self) -> None:
        """Forget all data and plans."""
        self.resets += 1
        self.regions: dict[str, Region] = {}
        self.plans: deque[Plan] = deque()
        self.refused: set[str] = set()
        self.received.clear()

    def region(self, name: str) -> Region:
        """Return a region, an empty one when it is named for the first time."""
        if name not in self.regions:
            self.regions[name] = Region(self, name)
        return self.regions[name]

    @cached_property
    def _elsewhere(self) -> dict[str, Objects]:
        return {}

    @property
    def objects(self) -> Objects:
        """The S3 that import jobs read: the sandbox's own, or the one of the switch `ses_s3_endpoint`."""
        endpoint = self.switches.ses_s3_endpoint
        if endpoint == "own":
            return self.storage.objects
        if endpoint not in self._elsewhere:
            from mailing_sandbox.ses.elsewhere import Elsewhere  # noqa: PLC0415 - loads botocore

            self._elsewhere[endpoint] = Objects(Elsewhere(endpoint, self.storage.keyring.first).send)
        return self._elsewhere[endpoint]

    @property
    def files_bucket(self) -> str:
        """The bucket where SES leaves failed records and exports."""
        return f"ses-files-{self.storage.keyring.account}"

    def share(self, file: str, seconds: int) -> str:
        """Return a pre-signed URL of a file that SES left, where the client of this call reaches S3."""
        from mailing_sandbox.ses.signing import presign  # noqa: PLC0415 - loads botocore

        elsewhere = self.switches.ses_s3_endpoint
        endpoint = self.endpoint if elsewhere == "own" else elsewhere
        url = f"{endpoint.rstrip('/')}{path_of(self.files_bucket, file)}"
        return presign(url, self.storage.keyring.first, "us-east-1", seconds)


class Region:
    """The data of one region. All of it is regional, also whether the account is in SES's sandbox."""

    def __init__(self, account: Account, name: str) -> None:
        self.account = account
        self.name = name
        self.profile = Profile()
        self.contact_list: ContactList | None = None
        self.suppressions: dict[str | None, Table[Suppression]] = {None: Table()}
        self.imports: Table[ImportJob] = Table()
        self.exports: Table[ExportJob] = Table()

    @property
    def switches(self) -> Switches:
        """The present switches."""
        return self.account.switches

    def now(self) -> float:
        """Return the emulated time."""
        return self.account.clock.now()

    @property
    def in_production(self) -> bool:
        """False while the account is in SES's sandbox here."""
        own = self.profile.production_access
        return self.switches.ses_production_access if own is None else own

    def require_production(self, operation: str) -> None:
        """Refuse what SES's sandbox does not allow (SES reference, gotchas; the wording is unverified)."""
        if not self.in_production:
            message = f"The operation {operation} is not available while the account is in the sandbox"
            raise Refusal(self.switches.ses_sandbox_error, message)

    def list_named(self, name: str) -> ContactList:
        """Return the contact list; NotFoundException when there is none of this name."""
        if self.switches.ses_path_checked:
            check_name(name, "ContactListName")
        if self.contact_list is None or self.contact_list.name != name:
            raise not_found(f"List with name: {name} doesn't exist.")
        return self.contact_list

    def suppressed(self, tenant: str | None) -> Table[Suppression]:
        """Return the suppression list of the account or of a tenant; NotFoundException for an unknown tenant."""
        if tenant not in self.suppressions:
            raise not_found(f"Tenant {tenant} does not exist")
        return self.suppressions[tenant]

    def refuses(self, email: object) -> bool:
        """Tell whether this is no address that SES takes."""
        if not isinstance(email, str) or not is_address(email) or folded(email, "lower") in self.account.refused:
            return True
        return self.switches.ses_ascii_addresses and not email.isascii()

    def suppression_key(self, email: str) -> str:
        """Return an address as the suppression list keeps it."""
        return folded(email, self.switches.ses_suppression_case)

    def contact_key(self, email: str) -> str:
        """Return a contact's address as it is kept."""
        return folded(email, self.switches.ses_contact_case)

    def as_dict(self) -> dict[str, Any]:
        """Return what the control API shows of the region."""
        found = msgspec.to_builtins(self.profile) | {"production_access": self.in_production}
        return {"region": self.name, **found}
