"""Whatever comes, in whatever order, nobody who opted out at Amazon SES is subscribed, and nothing erases it (P5).

The twin of Mailjet's machine: an opt-out is one of everything, or of a topic. Rows, batches, faults, reruns and what
people do at Amazon SES are random. By force alone is an opt-out undone; that of a topic, if the row opts into it.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from operator import itemgetter
from typing import Any, NamedTuple

import pytest
from hypothesis import event, note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from mailing_sandbox.server import Sandbox
from tests.searching import machine
from tests.target.conftest import COLUMNS, schema, state
from tests.target.machines import WITHHELD, folded, journal_folder, rows_alone
from tests.target.ses.conftest import LIST, REGION, Ses

ADDRESSES = ("ann@example.com", "bob@example.com", "cy@example.com", "dee@example.com")
BUCKET = "consent"
#: By route; of jobs too, which end as planned.
FAULTS: dict[str, dict[str, dict[str, Any] | None]] = {
    "import": {
        "none": None,
        "refused before the job": {"kind": "status", "status": 403, "method": "POST", "path": "*/import-jobs"},
        "reply lost": {"kind": "reply_lost", "method": "POST", "path": "*/import-jobs"},
        "stopped following": {"kind": "status", "status": 403, "method": "GET", "path": "*/import-jobs/*"},
        "stopped asking": {"kind": "status", "status": 403, "method": "GET", "path": "*/contacts/*"},
        "nothing stored": {"kind": "status", "status": 403, "method": "PUT", "path": "/s3/*.jsonl"},
    },
    "direct": {
        "none": None,
        "refused": {"kind": "status", "status": 403, "method": "PUT", "path": "*/contacts/*"},
        "reply lost": {"kind": "reply_lost", "method": "PUT", "path": "*/contacts/*"},
        "reply of a new one lost": {"kind": "reply_lost", "method": "POST", "path": "*/contacts"},
        "stopped asking": {"kind": "status", "status": 403, "method": "GET", "path": "*/contacts/*"},
        "stopped deleting": {"kind": "status", "status": 403, "method": "DELETE", "path": "*/contacts/*"},
    },
}
NAMES = sorted({name for by_route in FAULTS.values() for name in by_route})
ENDS = ["failed", "failed_halfway", "cancelled"]

Change = tuple[str, int, str, str | None, str | None, str | None]
changes = st.tuples(
    st.sampled_from(["row"] * 4 + ["move"] * 2 + ["delete"] * 2 + ["delete by key", "stranger leaves"]),
    st.integers(1, 3),
    st.sampled_from(ADDRESSES),
    st.sampled_from([None] * 6 + ["subscribed", "unsubscribed", "unsubscribed", "excluded", "pending"]),
    st.sampled_from([None] * 6 + ["addnoforce", "addforce", "remove", "unsub"]),
    st.sampled_from([None, None, "OPT_IN", "OPT_OUT"]),
)
TABLE = schema(columns=COLUMNS | {name: {"type": ["string", "null"]} for name in ("verb", "topic_News")})


class Seen(NamedTuple):
    """A contact as it is."""

    unsubscribed: bool
    declined: bool

    @property
    def has_opted_out(self) -> bool:
        return self.unsubscribed or self.declined


class Consent(RuleBasedStateMachine):
    """People, a source with a few keys and addresses, and runs that may fail."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = journal_folder()
        self.rows: list[dict[str, Any]] = []  # not acknowledged yet
        self.unsubscribed: set[str] = set()
        self.declined: set[str] = set()
        self.address_of: dict[int, str | None] = {}  # where a key's last address was put; None for not certain
        self.forced: set[str] = set()  # what runs since the last whole one may have subscribed again
        self.invited: set[str] = set()  # and of whom they may have undone what they declined
        self.counter = 0

    @initialize(
        put=st.sampled_from(["replace", "merge"]),
        updates=st.sampled_from(["replace", "merge"]),
        case=st.sampled_from(["lower", "domain", "exact"]),
        keys=st.integers(0, 2),
    )
    def begin(self, put: str, updates: str, case: str, keys: int) -> None:
        sandbox.reset()
        sandbox.faults.clear()
        sandbox.storage.reset()
        sandbox.storage.add_bucket(BUCKET, REGION)
        sandbox.switches.change(
            {"ses_import_put": put, "ses_topic_update": updates, "ses_contact_case": case, "ses_job_seconds": 0.005}
        )
        sandbox.ses.add_list(LIST, {"News": "OPT_IN"}, region=REGION)
        config = {
            "ses_regions": [REGION],
            "ses_aws_access_key_id": sandbox.api_key,
            "ses_aws_secret_access_key": sandbox.secret_key,
            "ses_endpoint_url": sandbox.url,
            "ses_s3_endpoint_url": f"{sandbox.url}/s3",
            "ses_s3_bucket": BUCKET,
            "ses_requests_per_second": 1e6,
            "list": LIST,
            "properties": ["city"],
            "action_column": "verb",
            "journal": str(self.folder / "journal.sqlite"),
            "poll_interval": 0.01,
            "poll_max_interval": 0.01,
            "max_rejected": "100%",
        }
        self.ses = Ses(sandbox, self.folder, config)
        if keys:
            for key in range(1, keys + 1):
                self.change(("row", key, ADDRESSES[key], None, None, None))
            self.deliver(action="addnoforce", send="changed", route="import")

    def teardown(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    # What happens at the source

    def change(self, change: Change) -> None:
        kind, key, address, status, verb, topic = change
        self.counter += 1
        if kind == "move":  # of somebody who opted out, if there is one
            moving = [one for one, old in self.address_of.items() if old in self.unsubscribed | self.declined]
            key = moving[key % len(moving)] if moving else key
            others = [one for one in ADDRESSES if one != self.address_of.get(key)]
            address = others[self.counter % len(others)]
        gone = {"id": key, "_sdc_deleted_at": "2026-01-01T00:00:00Z"}
        if kind == "delete by key":
            self.rows.append(gone)
        elif kind == "stranger leaves":  # who declined a topic, and is known to no key
            stranger = f"stranger{self.counter}@example.com"
            self.ses.add({"email": stranger, "topics": {"News": "OPT_OUT"}})
            self.declined.add(stranger)
            leaves = {"id": 100 + self.counter, "email": stranger, "subscription_status": None}
            self.rows.append(gone | leaves)
        elif kind == "delete":
            self.rows.append(gone | {"email": address, "subscription_status": status})
        else:
            told = {"city": (None, "Lyon", f"City {self.counter}")[self.counter % 3], "topic_News": topic}
            email = address.upper() if self.counter % 5 == 0 else address
            self.rows.append({"id": key, "email": email, "subscription_status": status, "verb": verb} | told)

    # What happens at the provider

    def opt_out(self, one: int, *, of_all: bool) -> None:
        contacts = self.ses.contacts()
        if contacts:
            address = sorted(contacts)[one % len(contacts)]
            known = contacts[address]
            more = {"unsubscribed": True} if of_all else {"topics": known["topics"] | {"News": "OPT_OUT"}}
            self.ses.add({"email": address, **known, **more})
            (self.unsubscribed if of_all else self.declined).add(folded(address) or address)

    # Runs

    @rule(
        gone=st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=2),
        changed=st.lists(changes, max_size=3, unique_by=itemgetter(1)) | st.lists(changes, max_size=5),
        action=st.sampled_from(["addnoforce", "addnoforce", "addnoforce", "addforce", "addforce", "remove", "unsub"]),
        consent=st.sampled_from(["respect", "respect", "force"]),
        send=st.sampled_from(["changed", "all"]),
        route=st.sampled_from(["import", "import", "direct", "auto"]),
        on_key_change=st.sampled_from(["remove", "remove", "keep"]),
        batch_rows=st.integers(1, 4),
        jobs_in_flight=st.integers(1, 3),
        fault=st.sampled_from(["none"] * len(NAMES) + NAMES),
        end=st.none() | st.sampled_from(ENDS),
        skip=st.integers(0, 2),
        comes_again=st.sampled_from([False, False, False, True]),
    )
    def run(
        self,
        *,
        gone: list[tuple[int, bool]],
        changed: list[Change],
        **config: Any,
    ) -> None:
        self.end_jobs()
        for one, of_all in gone:
            self.opt_out(one, of_all=of_all)
        for change in changed:
            self.change(change)
        self.deliver(**config)

    def end_jobs(self) -> None:
        """Jobs that a failed run left have ended: an opt-out while one is under way may be lost, see the guarantees."""
        for job in self.ses.jobs():
            if job["status"] in {"CREATED", "PROCESSING"}:
                sandbox.ses.finish_job(job["id"])

    def deliver(
        self,
        *,
        fault: str = "none",
        end: str | None = None,
        skip: int = 0,
        comes_again: bool = False,
        **config: Any,
    ) -> None:
        action, before = config["action"], self.seen()
        sandbox.faults.clear()
        sandbox.ses.forget_plans()
        planned = FAULTS["direct" if config["route"] == "direct" else "import"].get(fault)
        if planned is not None:
            sandbox.faults.add(**planned, skip=skip)
        if end is not None:
            sandbox.ses.plan_jobs([{}] * skip + [{"end": end}])
        if config.get("consent") == "force":
            forced = [
                row
                for row in self.rows
                if "verb" in row
                and (row["verb"] or action) == "addforce"
                and row["subscription_status"] not in {"unsubscribed", *WITHHELD}
            ]
            self.forced |= {folded(row["email"]) for row in forced}
            self.invited |= {folded(row["email"]) for row in forced if row["topic_News"] == "OPT_IN"}
        records = [{"type": "RECORD", "stream": "people", "record": row} for row in self.rows]
        result = self.ses.deliver([TABLE, *records, state(1)], **config)
        note(f"{json.dumps(self.rows)} {config} {fault} {end}: {result.counts()} {result.error!r} {self.seen()}")
        assert result.error is None or planned is not None, result.log
        event(f"run {'failed' if result.error else 'ended'}")
        self.check_opt_outs()
        if result.error is None:
            assert result.outcomes["rows"] == len(self.rows)
            refused = result.outcomes["reasons"].keys() & {"not_imported", "unconfirmed", "refused_by_provider"}
            assert not refused or end is not None, result.rejects
            if not refused:
                self.check_the_sources_word(action)
            self.check_changed_addresses(before, action)
            self.note_keys(action)
            self.forced, self.invited = set(), set()
            if not comes_again:
                self.rows = []
        else:
            self.address_of |= dict.fromkeys((row["id"] for row in self.rows), None)
        # From now on all of them count, those that rows asked for as well.
        self.unsubscribed |= {one for one, contact in self.seen().items() if contact.unsubscribed}
        self.declined |= {one for one, contact in self.seen().items() if contact.declined}

    # What must hold

    def seen(self) -> dict[str, Seen]:
        """Everybody there; of spellings that Amazon SES tells apart, the opt-outs of each count."""
        found: dict[str, Seen] = {}
        for spelling, contact in self.ses.contacts().items():
            address = folded(spelling) or spelling
            before = found.get(address, Seen(unsubscribed=False, declined=False))
            declined = contact["topics"].get("News") == "OPT_OUT"
            found[address] = Seen(before.unsubscribed or contact["unsubscribed"], before.declined or declined)
        return found

    def check_opt_outs(self) -> None:
        """Nobody who opted out is subscribed, and no opt-out is forgotten, but by force."""
        now = self.seen()
        for address in sorted(self.unsubscribed):
            found = now.get(address)
            if address in self.forced and (found is None or not found.unsubscribed):
                self.unsubscribed.discard(address)
                event("subscribed after force")
            else:
                assert found is not None, f"the opt-out of {address} is gone"
                assert found.unsubscribed, f"{address} is subscribed again"
        for address in sorted(self.declined):
            found = now.get(address)
            if address in self.invited and (found is None or not found.declined):
                self.declined.discard(address)
                event("invited again after force")
            else:
                assert found is not None, f"what {address} declined is forgotten"
                assert found.declined, f"{address} declined, and is invited again"

    def check_the_sources_word(self, action: str) -> None:
        """Whoever opted out at the source, of everything or of the topic, is not subscribed to it."""
        now = self.seen()
        for row in self.rows:
            address = folded(row.get("email"))
            if address is None or address in self.forced:
                continue
            found = now.get(address)
            if row["subscription_status"] == "unsubscribed" or address.startswith("stranger"):
                assert found is not None, row
                assert found.unsubscribed, row
            elif (
                "verb" in row
                and row["topic_News"] == "OPT_OUT"
                and row["subscription_status"] not in WITHHELD
                and (row["verb"] or action) != "remove"
            ):
                assert found is not None, row
                assert found.has_opted_out, row

    def check_changed_addresses(self, before: dict[str, Seen], action: str) -> None:
        """Whoever opted out, if only of a topic, is not subscribed under a new address, unless it is another's too."""
        now, named = self.seen(), Counter(folded(row.get("email")) for row in self.rows)
        for key, row in rows_alone(self.rows):
            old, new = self.address_of.get(key), folded(row.get("email"))
            if not old or new in {old, None} or new in self.forced or not puts(row, action) or named[new] > 1:
                continue
            if old in before and before[old].has_opted_out:
                event("an opted-out person's address changed")
                assert new not in now or now[new].unsubscribed, f"{old} -> {new}"

    def note_keys(self, action: str) -> None:
        """Where the journal has each key now, as far as it is certain."""
        now, single = self.seen(), dict(rows_alone(self.rows))
        for key in {row["id"] for row in self.rows}:
            row = single.get(key)
            new = None if row is None else folded(row.get("email"))
            before, self.address_of[key] = self.address_of.get(key), None
            if row is not None and new in now and puts(row, action) and (before == new or not now[new].unsubscribed):
                self.address_of[key] = new


def puts(row: dict[str, Any], action: str) -> bool:
    """Whether a row puts its address somewhere."""
    if "_sdc_deleted_at" in row or row["subscription_status"] in WITHHELD:
        return False
    return (row["verb"] or action) != "remove"


sandbox: Sandbox


@pytest.fixture(scope="module", autouse=True)
def _a_sandbox() -> Iterator[None]:
    global sandbox
    with Sandbox(job_seconds=0.005) as sandbox:
        yield


@pytest.mark.slow
@pytest.mark.machine
class TestP5NobodyWhoOptedOutOfAmazonSesIsSubscribedAgain(Consent.TestCase):
    settings = machine(short=5, long=45)
