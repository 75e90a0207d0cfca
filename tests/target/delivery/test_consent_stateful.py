"""P5, as a machine: no sequence of rows, actions, reruns and opt-outs subscribes somebody who opted out.

The real target delivers to the real sandbox. The machine plays the source, the people and the settings, and looks
after each run at what the provider holds. An opt-out may be undone only by a row of `action: addforce`, in a run with
`consent: force`.
"""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from operator import itemgetter
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from mailing_sandbox.server import Sandbox
from tests.searching import machine
from tests.target.conftest import COLUMNS, LIST, Mailjet, schema, state
from tests.target.machines import WITHHELD, folded, journal_folder, rows_alone

ADDRESSES = ("ada@example.com", "bob@example.com", "eve@example.com", "kim@example.com")
OTHER_LIST = "Firms"
SCOPES: dict[str, dict[str, Any]] = {
    "one list": {"list": LIST},
    "the account, one list": {"scope": "account", "list": [LIST]},
    "the account, two lists": {"scope": "account", "list": [LIST, OTHER_LIST]},
}
FAULTS = {
    "none": None,
    "refused before the job": {"kind": "status", "status": 403, "method": "POST", "path": "*managemanycontacts"},
    "reply lost": {"kind": "reply_lost", "method": "POST", "path": "*managemanycontacts"},
    "stopped following": {"kind": "status", "status": 403, "method": "GET", "path": "*managemanycontacts/*"},
    "stopped asking": {"kind": "status", "status": 403, "method": "GET", "path": "*getcontactslists"},
}

addresses = st.sampled_from(ADDRESSES)
changes = st.tuples(
    st.sampled_from(["row"] * 4 + ["move"] * 2 + ["delete"] * 2 + ["delete by key"]),
    st.integers(1, 3),
    addresses,
    st.sampled_from([None] * 6 + ["subscribed", "unsubscribed", "unsubscribed", "excluded", "pending"]),
    st.sampled_from([None] * 6 + ["addnoforce", "addforce", "remove", "unsub"]),
)
COLUMNS_WITH_VERB = COLUMNS | {"verb": {"type": ["string", "null"]}}


class Consent(RuleBasedStateMachine):
    """People, a source with a few keys and addresses, and runs that may fail."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = journal_folder()
        self.rows: list[dict[str, Any]] = []  # not acknowledged yet
        self.opted_out: set[tuple[str, str]] = set()  # list, address
        self.address_of: dict[int, str | None] = {}  # where a key's last address was put; None for not certain
        self.addresses_ever: dict[int, set[str]] = {}
        self.leavers: set[int] = set()
        self.forced: set[str] = set()  # what runs since the last whole one may have subscribed again
        self.forced_now: set[str] = set()  # of them, what this one is to
        self.counter = 0

    @initialize(scope=st.sampled_from(sorted(SCOPES)), unsub_creates_membership=st.booleans(), keys=st.integers(0, 2))
    def begin(self, scope: str, unsub_creates_membership: bool, keys: int) -> None:
        sandbox.reset()
        sandbox.faults.clear()
        sandbox.switches.change({"unsub_creates_membership": unsub_creates_membership})
        for name in (LIST, OTHER_LIST):
            sandbox.mailjet.add_list(name)
        sandbox.mailjet.add_property("city")
        self.unsub_creates_membership = unsub_creates_membership
        self.lists = [LIST, OTHER_LIST] if scope == "the account, two lists" else [LIST]
        config = {
            "mailjet_api_key": sandbox.api_key,
            "mailjet_secret_key": sandbox.secret_key,
            "mailjet_base_url": sandbox.url,
            "properties": ["city"],
            "action_column": "verb",
            "journal": str(self.folder / "journal.sqlite"),
            "poll_interval": 0.01,
            "poll_max_interval": 0.01,
            "max_rejected": "100%",
        }
        self.mailjet = Mailjet(sandbox, self.folder, config | SCOPES[scope])
        if keys:
            for key in range(1, keys + 1):
                self.change("row", key, ADDRESSES[key], None, None)
            self.deliver(action="addnoforce", send="changed")

    def teardown(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    # What happens at the source

    def change(self, kind: str, key: int, address: str, status: str | None, verb: str | None) -> None:
        self.counter += 1
        if kind == "move":  # of somebody who opted out, if there is one
            moving = [one for one, old in self.address_of.items() if (LIST, old) in self.opted_out]
            key = moving[key % len(moving)] if moving else key
            others = [one for one in ADDRESSES if one != self.address_of.get(key)]
            address = others[self.counter % len(others)]
        gone = {"id": key, "_sdc_deleted_at": "2026-01-01T00:00:00Z"}
        if kind == "delete by key":
            self.rows.append(gone)
        elif kind == "delete":
            self.rows.append(gone | {"email": address, "subscription_status": status})
        else:
            city = (None, "Lyon", f"City {self.counter}")[self.counter % 3]
            email = address.upper() if self.counter % 5 == 0 else address
            self.rows.append({"id": key, "email": email, "subscription_status": status, "verb": verb, "city": city})
        if kind != "delete by key":
            self.addresses_ever.setdefault(key, set()).add(address)
        if kind.startswith("delete") or verb == "remove":
            self.leavers.add(key)

    # What happens at the provider

    def opt_out(self, one: int) -> None:
        members = [(name, address) for name in self.lists for address in sorted(self.statuses(name))]
        if members:
            name, address = members[one % len(members)]
            sandbox.mailjet.add_contacts([{"email": address, "list": self.mailjet.ids[name], "unsubscribed": True}])
            self.opted_out.add((name, address))

    # Runs

    @rule(
        gone=st.lists(st.integers(0, 5), max_size=2),
        changed=st.lists(changes, max_size=3, unique_by=itemgetter(1)) | st.lists(changes, max_size=5),
        action=st.sampled_from(["addnoforce", "addnoforce", "addnoforce", "addforce", "addforce", "remove", "unsub"]),
        consent=st.sampled_from(["respect", "respect", "force"]),
        send=st.sampled_from(["changed", "all"]),
        nulls=st.sampled_from(["skip", "clear"]),
        on_key_change=st.sampled_from(["remove", "remove", "keep"]),
        batch_rows=st.integers(1, 4),
        jobs_in_flight=st.integers(1, 3),
        fault=st.sampled_from(["none", "none", "none", "none", *FAULTS]),
        skip=st.integers(0, 2),
        comes_again=st.sampled_from([False, False, False, True]),
        leaver=st.none() | st.integers(0, 5),
    )
    def run(
        self,
        *,
        gone: list[int],
        changed: list[tuple[str, int, str, str | None, str | None]],
        fault: str,
        skip: int,
        comes_again: bool,
        leaver: int | None,
        **config: Any,
    ) -> None:
        sandbox.clock.advance(60)  # jobs that a failed run left have ended: nobody opts out in the middle of a removal
        for one in gone:
            self.opt_out(one)
        for one in changed:
            self.change(*one)
        self.deliver(fault=fault, skip=skip, comes_again=comes_again, leaver=leaver, **config)

    def deliver(
        self, *, fault: str = "none", skip: int = 0, comes_again: bool = False, leaver: int | None = None, **config: Any
    ) -> None:
        action, consent = config["action"], config.get("consent", "respect")
        before = {name: self.statuses(name) for name in self.lists}
        sandbox.faults.clear()
        if FAULTS[fault] is not None:
            sandbox.faults.add(**FAULTS[fault], skip=skip)
        self.forced_now = set()
        if consent == "force":
            self.forced_now = {
                folded(row["email"])
                for row in self.rows
                if "verb" in row
                and (row["verb"] or action) == "addforce"
                and row["subscription_status"] not in {"unsubscribed", *WITHHELD}
            }
            self.forced |= self.forced_now
        with self.opting_out_meanwhile(None if action == "remove" else leaver) as left:
            result = self.mailjet.deliver([schema(columns=COLUMNS_WITH_VERB), *self.messages(), state(1)], **config)
        note(f"{result.counts()} {result.error!r}")
        assert result.error is None or fault != "none", result.log
        event(f"run {'failed' if result.error else 'ended'}")
        self.opted_out |= left
        self.check_opt_outs()
        if result.error is None:
            assert result.outcomes["rows"] == len(self.rows)
            self.check_the_sources_word(before)
            self.check_changed_addresses(before, action)
            self.check_force(config["send"])
            self.note_keys(before, action)
            self.forced = set()
            if not comes_again:
                self.rows = []
        else:
            for row in self.rows:
                self.address_of[row["id"]] = None
        for name in self.lists:
            # From now on all of them count, those that rows asked for as well.
            self.opted_out |= {(name, one) for one, status in self.statuses(name).items() if status == "unsubscribed"}

    def messages(self) -> Iterator[dict[str, Any]]:
        for row in self.rows:
            yield {"type": "RECORD", "stream": "people", "record": row}

    @contextmanager
    def opting_out_meanwhile(self, one: int | None) -> Iterator[set[tuple[str, str]]]:
        """Somebody opts out while a job is being submitted: not somebody who may be leaving, see the guarantees."""
        left: set[tuple[str, str]] = set()
        moving = {row["id"] for row in self.rows}
        leaving = {
            one
            for key in moving
            for one in self.addresses_ever.get(key, ())
            if key in self.leavers or len(self.addresses_ever[key]) > 1
        }
        staying = sorted(self.statuses(LIST).keys() - leaving)
        if one is None or not staying:
            yield left
            return
        address = staying[one % len(staying)]
        fault = sandbox.faults.add(kind="hold", method="POST", path="*managemanycontacts")
        ended = threading.Event()

        def opt_out() -> None:
            while not fault.waiting and not ended.wait(0.002):
                pass
            if fault.waiting:
                self.mailjet.opt_out(address)
                left.add((LIST, address))
            fault.release()

        thread = threading.Thread(target=opt_out)
        thread.start()
        try:
            yield left
        finally:
            ended.set()
            thread.join()
            if left:
                event("opted out while a job was submitted")

    # What must hold

    def statuses(self, name: str) -> dict[str, str]:
        return {folded(email): status for email, status in self.mailjet.statuses(name).items()}

    def check_opt_outs(self) -> None:
        """Nobody who opted out is subscribed, and no opt-out is forgotten, but by force."""
        for name, address in sorted(self.opted_out):
            found = self.statuses(name).get(address)
            if address in self.forced and found != "unsubscribed":
                self.opted_out.discard((name, address))
                event(f"{found or 'removed'} after force")
            else:
                assert found == "unsubscribed", f"the opt-out of {address} from {name} became {found}"

    def check_the_sources_word(self, before: dict[str, dict[str, str]]) -> None:
        """Whoever opted out at the source is not subscribed."""
        for row in self.rows:
            address = folded(row.get("email"))
            if row.get("subscription_status") != "unsubscribed" or address is None or address in self.forced:
                continue
            for name in self.lists:
                if self.unsub_creates_membership:
                    assert self.statuses(name).get(address) == "unsubscribed"
                elif address in before[name]:
                    assert self.statuses(name).get(address) != "subscribed"

    def check_changed_addresses(self, before: dict[str, dict[str, str]], action: str) -> None:
        """Whoever opted out is not subscribed under a new address, unless somebody else has that one."""
        named = Counter(folded(row.get("email")) for row in self.rows)
        for key, row in rows_alone(self.rows):
            old, new = self.address_of.get(key), folded(row.get("email"))
            if not old or new in {old, None} or new in self.forced or "_sdc_deleted_at" in row or named[new] > 1:
                continue
            if row["subscription_status"] in WITHHELD or (row["verb"] or action) == "remove":
                continue  # nothing is put there
            if any(before[name].get(old) == "unsubscribed" for name in self.lists):
                event("an opted-out person's address changed")
                for name in self.lists:
                    now = self.statuses(name).get(new)
                    assert now != "subscribed" or before[name].get(new) == "subscribed", f"{old} -> {new}"

    def check_force(self, send: str) -> None:
        """By force people are subscribed again: so the other checks can fail."""
        touched = [folded(row.get("email")) for row in self.rows]
        if send != "all" or any("_sdc_deleted_at" in row for row in self.rows):
            return
        for _, row in rows_alone(self.rows):
            address = folded(row["email"])
            if address in self.forced_now and touched.count(address) == 1:
                assert all(self.statuses(name)[address] == "subscribed" for name in self.lists)

    def note_keys(self, before: dict[str, dict[str, str]], action: str) -> None:
        """Where the journal has each key now, as far as it is certain."""
        single = dict(rows_alone(self.rows))
        for key in {row["id"] for row in self.rows}:
            last = [row for row in self.rows if row["id"] == key][-1]
            old, new = self.address_of.get(key, ""), folded(last.get("email"))
            stays = old and any(before[name].get(old) == "unsubscribed" for name in self.lists)
            if "_sdc_deleted_at" not in last and new is not None and self.statuses(LIST).get(new) == "subscribed":
                put = last["subscription_status"] not in WITHHELD and (last["verb"] or action) != "remove"
                self.address_of[key] = new if put else None
            elif (
                key not in single
                or not stays
                or (
                    new in self.forced
                    or list(self.address_of.values()).count(old) > 1
                    or None in self.address_of.values()
                )
            ):
                self.address_of[key] = None


sandbox: Sandbox


@pytest.fixture(scope="module", autouse=True)
def _a_sandbox() -> Iterator[None]:
    global sandbox
    with Sandbox(job_seconds=0.005) as sandbox:
        yield


#: What searches found: how it began, and the runs with what is not as in `PLAIN`.
FOUND: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "a delete told with another key's address, of somebody who opted out": (
        {"scope": "one list", "unsub_creates_membership": False, "keys": 0},
        [
            {"changed": [("row", 1, "ada@example.com", None, None), ("row", 2, "kim@example.com", None, None)]},
            {
                "changed": [("row", 1, "ada@example.com", None, None), ("delete", 2, "ada@example.com", None, None)],
                "gone": [1],
                "leaver": 0,
            },
            {"changed": [("move", 1, "ada@example.com", None, None)]},
        ],
    ),
}
PLAIN: dict[str, Any] = {
    "gone": [], "action": "addnoforce", "consent": "respect", "send": "changed", "nulls": "skip", "batch_rows": 1,
    "on_key_change": "remove", "jobs_in_flight": 1, "fault": "none", "skip": 0, "comes_again": False, "leaver": None,
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("found", FOUND)
@settings(max_examples=1, suppress_health_check=list(HealthCheck))
@given(again=st.none())
def test_p5_what_searches_found(found: str, again: None) -> None:
    beginning, runs = FOUND[found]
    machine = Consent()
    try:
        machine.begin(**beginning)
        for config in runs:
            machine.run(**(PLAIN | config))
    finally:
        machine.teardown()


@pytest.mark.slow
@pytest.mark.machine
class TestP5NobodyWhoOptedOutIsSubscribedAgain(Consent.TestCase):
    settings = machine(short=10, long=120)
