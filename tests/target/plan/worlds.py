"""Accounts of every destination and route, each with rows that move, repeat, opt out, leave and are rejected."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from mailing_sandbox.server import Sandbox
from tests.target import conftest as mailjets
from tests.target.conftest import Mailjet
from tests.target.postgrid import conftest as postgrids
from tests.target.postgrid.conftest import household, households
from tests.target.ses import conftest as simple

OTHER = "Firms"
_OF_AWS = {
    "AWS_ACCESS_KEY_ID": "api_key",
    "AWS_SECRET_ACCESS_KEY": "secret_key",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}
DELETED = {"_sdc_deleted_at": "2026-01-01T00:00:00Z"}
#: What a row says beside its key and place.
KINDS = ("plain", "plain", "plain", "opt-out", "excluded", "deleted", "deleted by key", "wrong")
PLACES = 4
CHANGES = st.tuples(st.integers(1, 4), st.integers(0, PLACES - 1), st.sampled_from(KINDS), st.booleans())
#: Seconds of the next jobs, which end in another order than they began.
SECONDS = st.lists(st.sampled_from([0.0, 0.002, 0.03]), min_size=1, max_size=6)
#: Changes, rows of a batch, who opts out before at the provider, how long jobs take, and how many at once.
RUNS = st.lists(
    st.tuples(
        st.lists(CHANGES, min_size=1, max_size=9),
        st.integers(1, 5),
        st.none() | st.integers(0, PLACES - 1),
        SECONDS,
        st.sampled_from([1, 4]),
    ),
    min_size=1,
    max_size=3,
)
#: How long jobs of each kind take where no plan of a job says it.
_DURATIONS = ("job_seconds", "postgrid_job_seconds", "postgrid_import_seconds", "ses_job_seconds")


@dataclass
class World:
    """An account, and how its rows are made.

    Attributes:
        row: a row of a key, place and kind; one of two contents.
        opt_out: lets somebody opt out at the provider; None where nobody can.
    """

    account: Mailjet
    schema: dict[str, Any]
    row: Callable[[int, int, str, bool], dict[str, Any]]
    opt_out: Callable[[str], None] | None = None

    def messages(self, changes: list[tuple[int, int, str, bool]]) -> list[dict[str, Any]]:
        """The input."""
        return [self.schema, *(self.row(*change) for change in changes), mailjets.state(1)]

    def writes(self) -> dict[str, int]:
        """Calls that the provider received and that may write."""
        calls = self.account.sandbox.counters.calls
        return {call: count for call, count in calls.items() if not reads(call)}

    def hashes(self) -> dict[str, str]:
        """The files of journal, rejects and all else, by name."""
        files = [path for path in self.account.folder.rglob("*") if path.is_file()]
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def take(sandbox: Sandbox, seconds: list[float]) -> None:
    """Let the next jobs take so long, each as long as one of these, in turns."""
    sandbox.mailjet.forget_plans()
    sandbox.ses.forget_plans()
    for provider in (sandbox.mailjet, sandbox.ses):
        provider.plan_jobs({"seconds": one} for one in seconds * 5)
    sandbox.switches.change({name: seconds[at % len(seconds)] for at, name in enumerate(_DURATIONS)})


def reads(call: str) -> bool:
    """Whether a call, as the sandbox counts them, only reads."""
    return call.startswith(("GET ", "HEAD ")) or call.endswith("/list")


def address(place: int) -> str:
    """The address of a place."""
    return f"person{place}@example.com"


def person(key: int, place: int, kind: str, changed: bool) -> dict[str, Any]:
    """A row of somebody with an e-mail address."""
    record: dict[str, Any] = {"id": key, "email": address(place), "city": "Lyon" if changed else "Paris"}
    if kind == "wrong":
        record["email"] = "nobody"
    elif kind == "opt-out":
        record["subscription_status"] = "unsubscribed"
    elif kind == "excluded":
        record["subscription_status"] = "excluded"
    elif kind == "deleted":
        record |= DELETED
    elif kind == "deleted by key":
        record = {"id": key} | DELETED
    return {"type": "RECORD", "stream": "people", "record": record}


def on_lists(key: int, place: int, kind: str, changed: bool) -> dict[str, Any]:
    """A row of somebody that names its lists."""
    row = person(key, place, kind, changed)
    first, second = {"opt-out": ("unsub", "addnoforce"), "excluded": ("remove", "unsub")}.get(kind, (None, None))
    if kind in {"opt-out", "excluded"}:
        del row["record"]["subscription_status"]
    lists = [{"list": mailjets.LIST, "action": first}, {"list": OTHER, "action": second}]
    named = [{name: value for name, value in one.items() if value} for one in lists]
    row["record"]["lists"] = named if changed else named[:1]
    return row


def choosing(key: int, place: int, kind: str, changed: bool) -> dict[str, Any]:
    """A row of somebody with topics."""
    row = person(key, place, "plain" if kind == "excluded" else kind, changed)
    choices = {"News": "OPT_OUT" if kind == "excluded" else None, "Offers": "OPT_IN" if changed else None}
    row["record"] |= {f"topic_{name}": choice for name, choice in choices.items()}
    return row


def family(key: int, place: int, kind: str, changed: bool) -> dict[str, Any]:
    """A row of a household."""
    row = household(key, name="Same", address_line1=f"{place} Mill Lane", description="new" if changed else "old")
    if kind == "wrong":
        row["record"]["address_line1"] = None
    elif kind in {"opt-out", "excluded"}:
        row["record"]["subscription_status"] = {"opt-out": "unsubscribed"}.get(kind, kind)
    elif kind == "deleted":
        row["record"] |= DELETED
    elif kind == "deleted by key":
        row["record"] = {"id": key} | DELETED
    return row


@contextmanager
def world(name: str, sandbox: Sandbox, folder: Path) -> Iterator[World]:
    """The account of a destination and route, empty."""
    sandbox.reset()
    provider, _, route = name.partition("-")
    take(sandbox, [0.0])
    common = {"poll_interval": 0.01, "poll_max_interval": 0.02, "max_rejected": "100%"}
    common |= {"journal": str(folder / "journal.sqlite")}
    make = {"mailjet": _mailjet, "ses": _ses, "suppressions": _suppressions, "postgrid": _postgrid}[provider]
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in _OF_AWS.items():  # which a linked file needs
            patch.setenv(variable, getattr(sandbox, value, value))
        yield make(sandbox, folder, route, common)


def _mailjet(sandbox: Sandbox, folder: Path, route: str, common: dict[str, Any]) -> World:
    sandbox.mailjet.add_list(mailjets.LIST)
    sandbox.mailjet.add_property("city", "str")
    config = common | {
        "mailjet_api_key": sandbox.api_key,
        "mailjet_secret_key": sandbox.secret_key,
        "mailjet_base_url": sandbox.url,
        "list": mailjets.LIST,
        "properties": ["city"],
        "route": route,
    }
    account = Mailjet(sandbox, folder, config)
    if route == "lists":
        sandbox.mailjet.add_list(OTHER)
        account.config |= {"route": "contact", "list": None}
        columns = mailjets.COLUMNS | {"lists": {"type": ["array", "null"]}}
        return World(account, mailjets.schema(columns=columns), on_lists, account.opt_out)
    if route == "account":
        account.config |= {"route": "auto", "list": None, "scope": "account"}
    return World(account, mailjets.schema(), person, account.opt_out)


def _ses(sandbox: Sandbox, folder: Path, route: str, common: dict[str, Any]) -> World:
    sandbox.ses.add_list(simple.LIST, simple.TOPICS, region=simple.REGION)
    account = simple.Ses(sandbox, folder, common | _of_ses(sandbox, route) | {"list": simple.LIST})
    account.config["properties"] = ["city"]

    def opt_out(email: str) -> None:
        if email not in account.contacts():
            account.add({"email": email, "unsubscribed": True})

    if route.endswith("-topics"):
        account.config["route"] = route.removesuffix("-topics")
        topics = {f"topic_{name}": {"type": ["string", "null"]} for name in simple.TOPICS}
        return World(account, mailjets.schema(columns=mailjets.COLUMNS | topics), choosing, opt_out)
    return World(account, mailjets.schema(), person, opt_out)


def _suppressions(sandbox: Sandbox, folder: Path, route: str, common: dict[str, Any]) -> World:
    own = {"ses_target": "suppression_list", "ses_allow_unsuppress": True}
    account = simple.Ses(sandbox, folder, common | _of_ses(sandbox, route) | own)
    return World(account, mailjets.schema(), person)


def _of_ses(sandbox: Sandbox, route: str) -> dict[str, Any]:
    sandbox.storage.add_bucket(simple.BUCKET, simple.REGION)
    return {
        "ses_regions": [simple.REGION],
        "ses_aws_access_key_id": sandbox.api_key,
        "ses_aws_secret_access_key": sandbox.secret_key,
        "ses_endpoint_url": sandbox.url,
        "ses_requests_per_second": 1e6,
        "ses_s3_bucket": simple.BUCKET,
        "ses_s3_endpoint_url": f"{sandbox.url}/s3",
        "route": route,
    }


def _postgrid(sandbox: Sandbox, folder: Path, route: str, common: dict[str, Any]) -> World:
    sandbox.postgrid.add_list(postgrids.LIST)
    config = common | {
        "postgrid_api_key": sandbox.postgrid.test_key,
        "postgrid_base_url": sandbox.url,
        "list": postgrids.LIST,
        "max_requests_per_second": 1000,
        "route": route.partition("-")[0],
    }
    if route.endswith("-replacing"):
        config["postgrid_replace"] = True
    elif route.endswith("-linking"):
        sandbox.storage.add_bucket(postgrids.FILES, postgrids.FILES_REGION)
        config |= {
            "postgrid_s3_bucket": postgrids.FILES,
            "postgrid_s3_region": postgrids.FILES_REGION,
            "postgrid_s3_endpoint_url": f"{sandbox.url}/s3",
        }
    return World(postgrids.Postgrid(sandbox, folder, config), households(), family)
