"""Who is named by several keys or streams: what a delivery leaves is what a reconciliation of its input expects."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailing_sandbox.server import Sandbox
from tests.searching import machine
from tests.target.conftest import schema, state
from tests.target.plan.worlds import DELETED, world

#: The rows of the last one have no key but their address.
STREAMS = ("people", "others", "mails")
#: Those whose domain is not ASCII are one mailbox.
EMAILS = (
    "a@example.com", "A@example.com", "b@example.com", "q@müller.example", "q@xn--mller-kva.example", "nobody",
)  # fmt: skip
#: Stream, key, address (none: a row with its key alone), and what else the row says.
ROWS = st.lists(
    st.tuples(
        st.sampled_from(STREAMS),
        st.integers(1, 3),
        st.sampled_from(EMAILS),
        st.sampled_from(["Oslo", "Lyon"]),
        st.sampled_from(["", "", "", "", "deleted", "deleted by key", "unsubscribed"]),
    ),
    min_size=1,
    max_size=14,
)


def row(stream, key, email, city="Lyon", says=""):
    """A row."""
    record = {"id": key, "email": email, "city": city}
    if says == "deleted by key":
        del record["email"]
    if says.startswith("deleted"):
        record |= DELETED
    if says == "unsubscribed":
        record["subscription_status"] = says
    return {"type": "RECORD", "stream": stream, "record": record}


def differences(here, rows, **config):
    """What a reconciliation finds once these rows are delivered into an empty list."""
    columns = config.pop("columns", None)
    schemas = [schema(stream, columns, ["email" if stream == "mails" else "id"]) for stream in STREAMS]
    messages = [*schemas, *rows, state(1)]
    delivered = here.account.deliver(messages, max_removals="100%", **config)
    assert delivered.error is None
    path = here.account.folder / "found.jsonl"
    result = here.account.deliver(messages, mode="reconcile", reconcile_path=str(path), **config)
    findings = [json.loads(line) for line in path.read_text().splitlines()]
    counted = {line["email"]: line["found"] for line in findings if line["found"] != "opted_out"}
    assert (result.error is None) is (not counted)
    return counted


CASES = {
    "who opted out comes in the other form of the domain": [
        row("people", 1, "q@müller.example", "Oslo", "unsubscribed"),
        row("people", 1, "q@xn--mller-kva.example", "Lyon", "unsubscribed"),
    ],
    "a key moves from an address that another key has": [
        row("people", 3, "a@example.com"),
        row("people", 4, "a@example.com", "Oslo"),
        row("people", 4, "b@example.com"),
    ],
    "a stream deletes whom another stream has": [
        row("people", 4, "a@example.com"),
        row("others", 5, "a@example.com", "Oslo", "deleted"),
    ],
    "a stream deletes by its key whom another stream has": [
        row("people", 4, "a@example.com"),
        row("others", 5, "a@example.com", "Oslo"),
        row("others", 5, "", says="deleted by key"),
    ],
    "another key comes to the address that a key moved to": [
        row("people", 4, "q@example.com"),
        row("people", 4, "a@example.com"),
        row("people", 1, "a@example.com"),
    ],
    "all keys move": [
        row("people", 3, "a@example.com"),
        row("others", 3, "a@example.com"),
        row("people", 3, "b@example.com"),
        row("others", 3, "c@example.com"),
    ],
    "a key moves and returns": [
        row("people", 3, "a@example.com"),
        row("people", 3, "b@example.com"),
        row("people", 3, "a@example.com", "Oslo"),
    ],
    "a deleted row has another address, which another key has": [
        row("people", 3, "a@example.com"),
        row("others", 3, "b@example.com"),
        row("people", 3, "b@example.com", says="deleted"),
    ],
    "a key opts out by an address that another key has": [
        row("people", 3, "a@example.com"),
        row("others", 3, "a@example.com", says="unsubscribed"),
        row("others", 3, "b@example.com"),
    ],
    "a key moves from an address that a stream has as its key": [
        row("mails", 9, "a@example.com"),
        row("people", 1, "a@example.com"),
        row("people", 1, "b@example.com"),
    ],
    "a stream deletes by its key whom another stream has by the address": [
        row("mails", 9, "a@example.com"),
        row("people", 1, "a@example.com"),
        row("people", 1, "", says="deleted by key"),
    ],
    "a stream deletes by the address whom another stream has by its key": [
        row("people", 1, "a@example.com"),
        row("mails", 9, "a@example.com", says="deleted"),
    ],
    "both forms of a domain, and both keys move": [
        row("people", 1, "q@müller.example"),
        row("others", 2, "q@xn--mller-kva.example"),
        row("others", 2, "b@example.com"),
        row("people", 1, "a@example.com"),
    ],
    "a key has ten addresses": [row("people", 3, f"p{number}@example.com") for number in range(14)],
}


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(job_seconds=0.0) as sandbox:
        yield sandbox


@pytest.mark.parametrize("name", ["mailjet-json", "ses-direct"])
@pytest.mark.parametrize("case", CASES)
def test_what_a_delivery_leaves_is_no_difference(sandbox, tmp_path, name, case):
    with world(name, sandbox, tmp_path) as here:
        assert differences(here, CASES[case]) == {}


@pytest.mark.parametrize("case", ["a key moves from an address that another key has", "a key has ten addresses"])
def test_a_key_of_a_table_leaves_no_address(sandbox, tmp_path, case):
    columns = {name: {"type": ["string", "integer", "null"]} for name in ("id", "email", "city")}
    with world("mailjet-json", sandbox, tmp_path) as here:
        assert differences(here, CASES[case], columns=columns) == {}


def test_a_former_address_that_is_kept_is_no_difference(sandbox, tmp_path):
    with world("mailjet-json", sandbox, tmp_path) as here:
        assert differences(here, CASES["all keys move"], on_key_change="keep") == {}


def test_who_is_still_there_after_the_last_key_moved_is_extra(sandbox, tmp_path):
    with world("mailjet-json", sandbox, tmp_path) as here:
        rows = CASES["another key comes to the address that a key moved to"]
        here.account.sandbox.mailjet.add_contacts(
            [
                {"email": "q@example.com", "list": here.account.list_id},
                {"email": "a@example.com", "list": here.account.list_id},
            ]
        )
        path = tmp_path / "found.jsonl"
        messages = [schema(), *rows, state(1)]
        here.account.deliver(messages, mode="reconcile", reconcile_path=str(path))
    findings = {line["email"]: line for line in map(json.loads, path.read_text().splitlines())}
    assert (findings["q@example.com"]["found"], findings["q@example.com"]["reason"]) == ("extra", "moved")
    assert findings["a@example.com"]["found"] == "different"


def test_a_stream_without_keys_still_wants_whom_a_key_of_another_stream_leaves(sandbox, tmp_path):
    with world("mailjet-json", sandbox, tmp_path) as here:
        mails = {**schema("mails"), "key_properties": ["email"]}
        moves = [row("people", 1, "a@example.com"), row("people", 1, "b@example.com")]
        messages = [mails, schema(), row("mails", 9, "a@example.com"), *moves, state(1)]
        path = tmp_path / "found.jsonl"
        here.account.deliver(messages, mode="reconcile", reconcile_path=str(path))
    findings = {line["email"]: line["found"] for line in map(json.loads, path.read_text().splitlines())}
    assert findings == {"a@example.com": "missing", "b@example.com": "missing"}


@pytest.mark.slow
@pytest.mark.machine
@machine(short=40, long=150)
@given(rows=ROWS)
def test_whatever_is_delivered_into_an_empty_list_is_no_difference(sandbox, rows):
    with tempfile.TemporaryDirectory() as folder, world("mailjet-json", sandbox, Path(folder)) as here:
        assert differences(here, [row(*one) for one in rows]) == {}
