"""An account of each provider, for each route: rows to be delivered there, and what must come of them."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from mailing_sandbox.server import Sandbox
from tests.target.conftest import LIST, Mailjet, schema, state
from tests.target.postgrid.conftest import LIST as LETTERS
from tests.target.postgrid.conftest import Postgrid, delete, household, households
from tests.target.ses.conftest import BUCKET, GONE, REGION, TOPICS, Ses
from tests.target.ses.conftest import LIST as READERS

__all__ = ["WORLDS", "World"]

URL = "http://127.0.0.1:9"
ROWS = {
    "ada": {}, "bob": {}, "cleo": {}, "dora": {}, "refused": {}, "declined": {}, "kept": GONE,
    "leaver": {"subscription_status": "unsubscribed"}, "gone": GONE,
}  # fmt: skip
#: Whom the provider knows before, and whether they opted out.
BEFORE = {"declined": True, "kept": True, "leaver": False, "gone": False}
AFTER = {
    **dict.fromkeys(("ada", "bob", "cleo", "dora"), "subscribed"),
    **dict.fromkeys(("declined", "kept", "leaver"), "unsubscribed"),
}


def address(name: str) -> str:
    return f"{name}@example.com"


REFUSED = address("refused")


class World(ABC):
    """One account.

    Attributes:
        messages: to be delivered.
        before: to be delivered before that.
        refused: whom the provider refuses.
    """

    before: Sequence[Any] = ()
    refused: frozenset[str] = frozenset({REFUSED})
    messages: Sequence[Any]
    target: Mailjet
    #: Ways in which the jobs of the sandbox may end.
    plans: ClassVar[Sequence[Mapping[str, Any]]] = [{}]

    def __init__(self, sandbox: Sandbox, folder: Path, route: str) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self.route = route
        self.furnish()
        self.target.config |= {
            "route": route, "journal": str(folder / "journal.sqlite"), "poll_interval": 0.01,
            "poll_max_interval": 0.02, "max_rejected": "100%", "job_timeout": 1,
        }  # fmt: skip

    @abstractmethod
    def furnish(self) -> None:
        """Make the account, its messages, and `target`."""

    @abstractmethod
    def held(self) -> Mapping[str, str]:
        """What the provider holds."""

    @abstractmethod
    def expected(self) -> Mapping[str, str]:
        """What it must hold when all was delivered."""

    def plan(self, draw: random.Random) -> None:
        """Let jobs end otherwise."""
        del draw

    def differences(self) -> dict[str, tuple[str | None, str | None]]:
        """What is not as it must be."""
        held, expected = self.held(), self.expected()
        return {
            one: (held.get(one), expected.get(one))
            for one in held.keys() | expected.keys()
            if held.get(one) != expected.get(one)
        }


def _messages(*names: str, without: Sequence[str] = ()) -> list[Any]:
    columns = [one for one in ("id", "email", "city", "subscription_status", "_sdc_deleted_at") if one not in without]
    rows = [{"id": at, "email": address(name), "city": "Lyon", **ROWS[name]} for at, name in enumerate(names)]
    rows = [{name: value for name, value in row.items() if name in columns} for row in rows]
    records = [{"type": "RECORD", "stream": "people", "record": row} for row in rows]
    return [schema(columns={name: {} for name in columns}), *records, state(1)]


class MailjetWorld(World):
    def furnish(self) -> None:
        mailjet = self.sandbox.mailjet
        self.target = Mailjet(self.sandbox, self.folder, {
            "mailjet_api_key": self.sandbox.api_key, "mailjet_secret_key": self.sandbox.secret_key,
            "mailjet_base_url": URL, "mailjet_property_delay": 0, "list": LIST, "properties": ["city"],
        })  # fmt: skip
        mailjet.add_list(LIST)
        mailjet.add_property("city", "str")
        mailjet.refuse(self.refused)
        mailjet.add_contacts(
            [
                {"email": address(name), "list": self.target.list_id, "unsubscribed": is_out}
                for name, is_out in BEFORE.items()
            ]
        )
        self.messages = _messages(*ROWS)

    def plan(self, draw: random.Random) -> None:
        if self.route != "contact":
            self.sandbox.switches.change({"error_file": draw.choice(["list", "nested", "text", "missing", "empty"])})
            self.sandbox.mailjet.plan_jobs(draw.choice([[], [], [{"end": "error"}], [{"end": "error"}] * 4]))

    def held(self) -> Mapping[str, str]:
        return self.target.statuses()

    def expected(self) -> Mapping[str, str]:
        return {address(name): status for name, status in AFTER.items()}


class SesWorld(World):
    target: Ses

    def furnish(self) -> None:
        self.sandbox.storage.add_bucket(BUCKET, REGION)
        self.sandbox.ses.add_list(READERS, TOPICS, region=REGION)
        self.sandbox.ses.refuse(self.refused)
        self.target = Ses(self.sandbox, self.folder, {
            "ses_regions": [REGION], "ses_aws_access_key_id": self.sandbox.api_key,
            "ses_aws_secret_access_key": self.sandbox.secret_key, "ses_endpoint_url": URL, "ses_s3_bucket": BUCKET,
            "ses_s3_endpoint_url": f"{URL}/s3", "ses_requests_per_second": 1e6,
        })  # fmt: skip
        self.fill()

    def fill(self) -> None:
        self.target.config |= {"list": READERS, "properties": ["city"]}
        self.target.add(*({"email": address(name), "unsubscribed": is_out} for name, is_out in BEFORE.items()))
        self.messages = _messages(*ROWS)

    def plan(self, draw: random.Random) -> None:
        files = draw.choice(["json", "csv", "input", "missing"])
        self.sandbox.switches.change({"ses_failed_records": files})
        if self.route == "import":
            self.sandbox.ses.plan_jobs(draw.choice([[], [], [{"end": "failed"}], [{"end": "failed"}] * 4]))

    def held(self) -> Mapping[str, str]:
        found = self.target.contacts().items()
        return {email: "unsubscribed" if contact["unsubscribed"] else "subscribed" for email, contact in found}

    def expected(self) -> Mapping[str, str]:
        return {address(name): status for name, status in AFTER.items()}


class SuppressionWorld(SesWorld):
    def fill(self) -> None:
        self.target.config |= {"ses_target": "suppression_list", "ses_allow_unsuppress": True}
        self.target.suppress(address("declined"), address("gone"))
        names = [name for name in ROWS if name != "kept"]
        self.messages = _messages(*names, without=["city", "subscription_status"])

    def held(self) -> Mapping[str, str]:
        return dict.fromkeys(self.target.suppressed(), "suppressed")

    def expected(self) -> Mapping[str, str]:
        names = ("ada", "bob", "cleo", "dora", "declined", "leaver")
        return dict.fromkeys(map(address, names), "suppressed")


class PostgridWorld(World):
    refused = frozenset()
    target: Postgrid

    def furnish(self) -> None:
        self.sandbox.postgrid.add_list(LETTERS)
        self.sandbox.switches.change({"postgrid_import_seconds": 0})
        self.target = Postgrid(self.sandbox, self.folder, {
            "postgrid_api_key": self.sandbox.postgrid.test_key, "postgrid_base_url": URL, "list": LETTERS,
            "max_requests_per_second": 1e6,
        })  # fmt: skip
        if self.route == "contacts":
            self.before = [households(), household(8), household(9), state(0)]
            changed = [household(8, address_line1="8 Moved Lane"), delete(9)]
        else:
            changed = [household(4, address_country="US")]
        self.messages = [households(), *map(household, (1, 2, 3)), *changed, state(1)]

    def plan(self, draw: random.Random) -> None:
        if self.route == "contacts":
            ends: list[dict[str, Any]] = [{"errors": ["operational_error"], "applied": one} for one in ("half", "none")]
            self.sandbox.postgrid.plan_jobs(draw.choice([[], [], *([one] for one in ends)]))
        else:
            self.sandbox.postgrid.plan_imports(draw.choice([[], [], [{"uncounted": 1}], [{"errors": ["internal"]}]]))

    def held(self) -> Mapping[str, str]:
        if self.route == "contacts":
            return dict.fromkeys(self.target.streets(), "on the list")
        found = self.sandbox.postgrid.members(self.target.number)["imports"]
        return dict.fromkeys((one["addressLine1"] for each in found.values() for one in each), "on the list")

    def expected(self) -> Mapping[str, str]:
        last = "8 Moved Lane" if self.route == "contacts" else "4 Mill Lane"
        return dict.fromkeys(("1 Mill Lane", "2 Mill Lane", "3 Mill Lane", last), "on the list")


WORLDS: Mapping[str, tuple[type[World], str]] = {
    "mailjet-json": (MailjetWorld, "json"),
    "mailjet-csv": (MailjetWorld, "csv"),
    "mailjet-contact": (MailjetWorld, "contact"),
    "ses-import": (SesWorld, "import"),
    "ses-direct": (SesWorld, "direct"),
    "suppressions-import": (SuppressionWorld, "import"),
    "suppressions-direct": (SuppressionWorld, "direct"),
    "postgrid-contacts": (PostgridWorld, "contacts"),
    "postgrid-import": (PostgridWorld, "import"),
}
