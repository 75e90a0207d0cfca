"""Who is let in, with which headers, how often; and how errors look."""

from __future__ import annotations

import base64
import json

import pytest

from mailing_sandbox import Sandbox

MEDIA_TYPE = "application/vnd.api+json"
PROVIDER = {"provider": "okta", "access_token": "sandbox-secret"}


def authenticate(api, attributes):
    body = json.dumps({"data": {"type": "authenticate", "attributes": attributes}})
    return api.client.post("user/authenticate", content=body, headers={"Content-Type": MEDIA_TYPE})


def test_an_access_token_is_exchanged_for_a_json_web_token(api, sandbox):
    answer = authenticate(api, PROVIDER)
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert (data["id"], data["type"]) == ("user::authenticate", "authenticate")
    token = data["attributes"]["json_web_token"]
    head, claims, _ = (base64.urlsafe_b64decode(part + "==") for part in token.split("."))
    assert json.loads(head)["alg"] == "HS256"
    assert json.loads(claims)["exp"] == pytest.approx(sandbox.clock.now() + 30 * 86400, abs=60)
    assert api.get("user", {"Authorization": f"Bearer {token}"}).json()["data"]["id"] == json.loads(claims)["user_id"]


@pytest.mark.parametrize(
    ("attributes", "status"),
    [
        ({}, 400),
        ({"provider": "okta"}, 400),
        ({"provider": "okta", "access_token": ""}, 400),
        ({"provider": "okta", "access_token": "wrong"}, 401),
        ({"provider": "thekey", "access_token": "sandbox-secret"}, 401),
    ],
)
def test_other_credentials_are_refused(api, attributes, status):
    assert authenticate(api, attributes).status_code == status


def test_the_exchange_wants_a_document(api):
    assert api.client.post("user/authenticate", content=b"[", headers={"Content-Type": MEDIA_TYPE}).status_code == 400
    assert api.client.post("user/authenticate", content=b"{}").status_code == 415


def test_a_token_is_needed_in_the_header_or_in_the_query(api):
    token = api.token
    for header in (token, f"Bearer {token}", f"anything goes {token}"):
        assert api.get("user", {"Authorization": header}).status_code == 200
    assert api.get("user", {"Authorization": ""}, access_token=token).status_code == 200
    assert api.get("user", {"Authorization": "Bearer wrong"}, access_token=token).status_code == 401
    answer = api.get("user", {"Authorization": ""})
    assert answer.status_code == 401
    assert answer.json() == {"errors": [{"status": "401", "title": "Unauthorized"}]}
    assert api.get("nowhere", {"Authorization": ""}).status_code == 401


def unsigned(claims):
    body = ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "none"}, claims)
    )
    return f"{body}.{base64.urlsafe_b64encode(b'x' * 32).decode().rstrip('=')}"


@pytest.mark.parametrize("token", ["a.b.c", "abc", unsigned({"user_id": "x", "exp": 9e9}), "..", "é.é.é"])
def test_a_token_that_is_none_is_refused(api, token):
    assert api.get("user", {"Authorization": f"Bearer {token}".encode()}).status_code == 401


def test_an_expired_or_revoked_token_is_refused(api, sandbox, mpdx):
    short = mpdx.token(seconds=60)
    assert api.get("user", {"Authorization": short}).status_code == 200
    sandbox.clock.advance(61)
    assert api.get("user", {"Authorization": short}).status_code == 401
    assert api.get("user").status_code == 200
    mpdx.revoke_tokens()
    assert api.get("user").status_code == 401
    assert api.get("user", {"Authorization": mpdx.token()}).status_code == 200


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        (MEDIA_TYPE, 200),
        (f"{MEDIA_TYPE}; charset=utf-8", 200),
        ("application/json", 415),
        ("", 415),
        (None, 415),
    ],
)
def test_every_request_names_its_content_type_exports_need_not(api, content_type, status):
    headers = {"Authorization": f"Bearer {api.token}"} | (
        {} if content_type is None else {"Content-Type": content_type}
    )
    assert api.client.get("contacts", headers=headers).status_code == status
    assert api.client.get("contacts/exports/mailing.csv", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("*/*", 200),
        ("*/*;q=0.8", 200),
        (MEDIA_TYPE, 200),
        (f"text/html, {MEDIA_TYPE}", 200),
        (f"{MEDIA_TYPE};charset=utf-8", 406),
        ("application/json", 406),
        ("text/plain", 406),
    ],
)
def test_an_answer_in_another_media_type_is_refused(api, accept, status):
    answer = api.get("contacts", {"Accept": accept})
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/vnd.api+json; charset=utf-8"
    assert api.get("contacts/exports/mailing.csv", {"Accept": accept}).status_code == 200


@pytest.mark.parametrize("path", ["nowhere", "contacts/12", "contacts/12/people", "contacts/exports/12.csv"])
def test_a_path_that_is_none_is_not_found(api, path):
    answer = api.get(path)
    assert answer.status_code == 404
    (error,) = answer.json()["errors"]
    assert (error["status"], error["title"]) == ("404", "Not Found")


def test_requests_are_limited_in_windows():
    with Sandbox(switches={"mpdx_rate_limit": 3}) as sandbox:
        from .conftest import Api

        sandbox.clock.freeze()
        api = Api(sandbox)
        answers = [api.get("user") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
        assert {answer.headers["X-RateLimit-Limit"] for answer in answers} == {"3"}
        assert answers[3].headers["X-RateLimit-Reset"] == "10"
        assert answers[3].json()["errors"][0]["status"] == "429"
        sandbox.clock.advance(4)
        assert api.get("user").headers["X-RateLimit-Reset"] == "6"
        sandbox.clock.advance(6)
        assert api.get("user").status_code == 200
        api.client.close()


@pytest.mark.parametrize(
    ("headers", "shown"),
    [
        ("reset", {"X-RateLimit-Reset"}),
        ("retry_after", {"Retry-After"}),
        ("both", {"X-RateLimit-Reset", "Retry-After"}),
        ("none", set()),
    ],
)
def test_what_a_refusal_says_of_waiting_is_a_switch(api, sandbox, mpdx, headers, shown):
    sandbox.switches.change({"mpdx_rate_limit": 1, "mpdx_rate_headers": headers, "mpdx_rate_scope": "token"})
    api.get("user")
    refused = api.get("user")
    assert refused.status_code == 429
    assert {name for name in ("X-RateLimit-Reset", "Retry-After") if name in refused.headers} == shown
    assert api.get("user", {"Authorization": mpdx.token(seconds=99)}).status_code == 200


def test_faults_use_the_envelope_of_mpdx(api, sandbox):
    sandbox.faults.add(kind="status", status=500, path="/api/v2/contacts")
    sandbox.faults.add(kind="status", status=504, body="html", path="/api/v2/contacts")
    assert api.get("contacts").json() == {"errors": [{"status": "500", "title": "Internal Server Error"}]}
    answer = api.get("contacts")
    assert (answer.status_code, answer.headers["Content-Type"]) == (504, "text/html")


def test_calls_are_counted_by_route(api, sandbox, make):
    (key,) = make("Albright, Tom")
    api.get("contacts")
    api.get(f"contacts/{key}")
    api.get("nowhere")
    api.csv()
    authenticate(api, PROVIDER)
    assert sandbox.counters.calls == {
        "GET /api/v2/contacts": 1,
        "GET /api/v2/contacts/{contact}": 1,
        "GET (unknown)": 1,
        "POST /api/v2/contacts/exports/mailing": 1,
        "GET /api/v2/contacts/exports/mailing/{export}.csv": 1,
        "POST /api/v2/user/authenticate": 1,
    }
    assert sandbox.counters.rows_served == {"contacts": 1, "contacts/exports/mailing": 1}
