"""Authentication, envelopes, statuses and errors."""

from __future__ import annotations

import httpx
import pytest

from mailing_sandbox import Sandbox


def test_wrong_credentials_get_an_empty_html_401(sandbox):
    for auth in (None, ("sandbox-key", "wrong"), ("other", "sandbox-secret")):
        answer = httpx.get(f"{sandbox.url}/v3/REST/contact", auth=auth, verify=False)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "text/html"
        assert answer.headers["www-authenticate"] == 'Basic realm="Provide an apiKey and secretKey"'
        assert answer.content == b""


def test_broken_authorization_headers_are_refused(sandbox):
    for header in ("Basic ***", "Bearer abc", "Basic", ""):
        assert (
            httpx.get(f"{sandbox.url}/v3/REST/contact", headers={"Authorization": header}, verify=False).status_code
            == 401
        )


def test_the_gateway_refuses_in_json(sandbox):
    sandbox.switches.change({"gateway_json_401": True})
    answer = httpx.get(f"{sandbox.url}/v3/REST/contact", verify=False)
    assert answer.json().keys() == {"ErrorIdentifier", "StatusCode", "ErrorMessage"}
    assert answer.json()["StatusCode"] == 401


def test_other_credentials_can_be_chosen():
    with Sandbox(api_key="k", secret_key="s:t") as sandbox:
        assert httpx.get(f"{sandbox.url}/v3/REST/contact", auth=("k", "s:t"), verify=False).status_code == 200


def test_statuses_and_reasons_of_each_verb(api):
    created = api.post("/v3/REST/contact", json={"Email": "ada@example.com"})
    assert (created.status_code, created.json()["Count"], created.json()["Total"]) == (201, 1, 1)
    changed = api.put("/v3/REST/contact/ada@example.com", json={"Name": "Ada"})
    assert (changed.status_code, changed.json()["Data"][0]["Name"]) == (200, "Ada")
    unchanged = api.put("/v3/REST/contact/ada@example.com", json={})
    assert (unchanged.status_code, unchanged.reason_phrase, unchanged.content) == (304, "Content not changed", b"")
    list_id = api.post("/v3/REST/contactslist", json={"Name": "News"}).json()["Data"][0]["ID"]
    deleted = api.delete(f"/v3/REST/contactslist/{list_id}")
    assert (deleted.status_code, deleted.reason_phrase, deleted.content) == (204, "No content", b"")


def test_missing_objects_repeat_the_message_in_the_reason(api):
    answer = api.get("/v3/REST/contact/nobody@example.com")
    assert (answer.status_code, answer.reason_phrase) == (404, "Object not found")
    assert answer.json() == {"ErrorInfo": "", "ErrorMessage": "Object not found", "StatusCode": 404}
    assert "x-sandbox-reason" not in answer.headers


def test_paths_and_parameters_ignore_case_and_a_trailing_slash(sandbox, api):
    sandbox.mailjet.add_contacts([{"email": f"p{n}@example.com"} for n in range(5)])
    assert api.get("/V3/rest/CONTACT/?LIMIT=2&offset=1").json()["Count"] == 2
    assert api.get("/v3/REST/contactslist/").status_code == 200


def test_unknown_paths(api):
    answer = api.get("/v3/REST/nosuchthing/1")
    assert answer.status_code == 500
    assert answer.json() == {
        "ErrorInfo": "EFPWebError",
        "ErrorMessage": 'Could not determine HTTP module for request "/v3/REST/nosuchthing/1"',
        "StatusCode": 500,
    }
    for path in ("/v9/REST/contact", "/v3/contact", "/"):
        answer = api.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html")
        assert b"<html>" in answer.content


def test_a_method_that_a_path_does_not_have(api):
    assert api.delete("/v3/REST/csvimport/1").status_code == 405


@pytest.mark.parametrize("body", [b"{", b"[1]", b"Email=ada%40example.com"])
def test_malformed_bodies(api, body):
    answer = api.post("/v3/REST/contact", content=body)
    assert answer.status_code == 400
    assert answer.json()["ErrorMessage"].startswith("Invalid json input")


def test_quoted_numbers(sandbox, api):
    sandbox.switches.change({"quoted_numbers": True})
    sandbox.mailjet.add_contacts([{"email": "ada@example.com"}])
    row = api.get("/v3/REST/contact").json()["Data"][0]
    assert row["ID"].isdecimal()
    assert row["IsOptInPending"] is False


def test_an_idempotency_key_is_ignored_unless_switched_on(sandbox, api):
    def post():
        headers = {"Idempotency-Key": "one"}
        return api.post("/v3/REST/contact", json={"Email": "ada@example.com"}, headers=headers).status_code

    assert [post(), post()] == [201, 400]
    sandbox.reset()
    sandbox.switches.change({"idempotency_key": True})
    assert [post(), post()] == [201, 201]
    assert len(sandbox.mailjet.contacts()) == 1


def test_body_keys(sandbox, api):
    assert api.post("/v3/REST/contact", json={"email": "ada@example.com"}).status_code == 201
    sandbox.switches.change({"body_keys": "sensitive"})
    assert api.post("/v3/REST/contact", json={"email": "bo@example.com"}).status_code == 400
