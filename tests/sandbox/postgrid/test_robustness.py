"""Whatever a client sends gets an answer: never an exception out of the emulator."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailing_sandbox import Sandbox
from mailing_sandbox.postgrid.routes import ROUTES
from mailing_sandbox.provider import Call
from tests.sandbox.postgrid.conftest import CSV, MAPPING, PERSON

KEYS = (
    *PERSON, "companyName", "metadata", "secret", "description", "email", "addContacts", "removeContacts", "file",
    "addMailingListImports", "removeMailingListImports", "fileType", "receiverAddressMapping", "senderAddressMapping",
    "receiverMergeVariableMapping", "metadata[a]", "metadata[a][]", "a[", "[]", "]", "metadata[][x]",
)  # fmt: skip
TEXTS = ("CA", "csv", "true", "test failed", "", "{", "http://[x", CSV, '"')
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(TEXTS)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=12,
)
FORMS = st.lists(st.tuples(st.sampled_from(KEYS), st.text(max_size=6) | st.sampled_from(TEXTS)), max_size=6)
BODIES = (
    st.tuples(st.just("application/json"), JSON.map(json.dumps).map(str.encode) | st.binary(max_size=40))
    | st.tuples(st.just("application/x-www-form-urlencoded"), FORMS.map(urlencode).map(str.encode))
    | st.tuples(
        st.sampled_from(("multipart/form-data; boundary=b", "multipart/form-data", "multipart/form-data; boundary*=b")),
        st.binary(max_size=60)
        | FORMS.map(
            lambda pairs: (
                "".join(
                    f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in pairs
                ).encode()
                + b"--b--\r\n"
            )
        ),
    )
    | st.tuples(st.text(alphabet="a/;= \"'*", max_size=12), st.binary(max_size=20))
)
VALUES = ("", "1", "-1", "0", "x", "9" * 5000, "²", "[" * 5000, '{"a.b":1}', '{"metadata":', '"', '""', "1e999")
QUERIES = st.dictionaries(st.sampled_from(("skip", "limit", "search", "expires")), st.sampled_from(VALUES), max_size=3)
STATUSES = {200, 201, 400, 404, 422}


@pytest.fixture
def emulator():
    return fresh()


def fresh():
    sandbox = Sandbox(contacts=3, job_seconds=0)
    sandbox.postgrid.change(postgrid_fetch="never", postgrid_inline_csv=True)
    return sandbox.postgrid


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from([(method, path) for path, works in ROUTES.items() for method in works]),
    BODIES,
    QUERIES,
    st.integers(0, 9),
    st.sampled_from(("", "k")),
)
def test_every_route_answers_whatever_comes(route, body, query, place, key):
    emulator = fresh()
    method, path = route
    known = [*emulator.contacts(), *emulator.lists(), "x", "²"]
    kind, content = body
    headers = {"x-api-key": emulator.test_key, "content-type": kind, "idempotency-key": key}
    call = Call.of(method, path.replace("{id}", known[place]), urlencode(query), headers, content)
    emulator.template(call)
    for _ in range(2):
        reply = emulator.answer(call)
        assert reply.status in STATUSES
        assert isinstance(json.loads(reply.body), dict)


@pytest.mark.parametrize(
    "path", ["/postgrid-files", "/postgrid-files/a/b/c", "/postgrid-files/hosted/x", "/print-mail"]
)
def test_odd_paths(emulator, path):
    call = Call.of("GET", path, "expires=x&signature=y", {"x-api-key": emulator.test_key}, b"")
    emulator.template(call)
    assert emulator.answer(call).status == 404


def test_a_mapping_of_a_form_may_name_every_field(emulator):
    pairs = {f"receiverAddressMapping[{name}]": column for name, column in MAPPING.items()} | {
        "fileType": "csv",
        "file": CSV,
    }
    headers = {"x-api-key": emulator.test_key, "content-type": "application/x-www-form-urlencoded"}
    call = Call.of("POST", "/print-mail/v1/mailing_list_imports", "", headers, urlencode(pairs).encode())
    assert emulator.answer(call).status == 201
