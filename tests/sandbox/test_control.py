"""Clock, counters, switches, reset, and the other ways to steer the sandbox from outside."""

from __future__ import annotations

import json
import threading
import time

import httpx
import pytest

from mailing_sandbox import Sandbox
from mailing_sandbox.clock import Clock
from mailing_sandbox.gateway import RateLimit


def test_calls_and_rows_are_counted_by_route(sandbox, api, control):
    list_id = control.post("/mailjet/lists", json={"name": "News"}).json()["id"]
    rows = [{"Email": f"p{n}@example.com"} for n in range(3)]
    api.post(f"/v3/rest/CONTACTSLIST/{list_id}/managemanycontacts", json={"Action": "addforce", "Contacts": rows})
    api.get("/v3/REST/contact?Limit=2")
    api.get("/v3/REST/contact")
    api.get("/v3/REST/nosuch")
    httpx.get(f"{sandbox.url}/v3/REST/contact", verify=False)
    assert control.get("/counters").json() == {
        "calls": {
            "POST /v3/REST/contactslist/{list}/managemanycontacts": 1,
            "GET /v3/REST/contact": 3,
            "GET (unknown)": 1,
        },
        "rows_served": {"contact": 5},
        "rows_received": {"contactslist/managemanycontacts": 3},
    }
    assert sandbox.counters.total_calls == 5
    control.delete("/counters")
    assert sandbox.counters.as_dict() == {"calls": {}, "rows_served": {}, "rows_received": {}}


def test_control_needs_no_credentials_and_is_never_faulted_or_counted(sandbox, control):
    sandbox.faults.add(kind="reset", times=None)
    assert control.get("/counters").json()["calls"] == {}
    assert control.get("/nothing").status_code == 404


def test_the_clock_moves_forward_only(control):
    before = control.get("/clock").json()["now"]
    assert 3600 <= control.post("/clock", json={"advance": 3600}).json()["now"] - before < 3700
    assert control.post("/clock", json={"advance": -1}).status_code == 400
    frozen = control.post("/clock", json={"freeze": True}).json()["now"]
    assert control.get("/clock").json()["now"] == frozen
    control.post("/clock", json={"freeze": False})
    assert control.get("/clock").json()["now"] >= frozen


def test_a_thawed_clock_does_not_jump():
    clock = Clock()
    clock.thaw()
    clock.freeze()
    clock.freeze()
    frozen = clock.advance(5)
    clock.thaw()
    assert 0 <= clock.now() - frozen < 1


def test_switches_over_http(sandbox, control):
    assert control.get("/switches").json()["duplicates"] == "last"
    assert control.patch("/switches", json={"duplicates": "first", "job_polls": "3"}).json()["job_polls"] == 3
    assert sandbox.switches.as_dict()["duplicates"] == "first"
    for body in ({"nosuch": 1}, {"duplicates": "middle"}, {"job_polls": -1}, []):
        assert control.patch("/switches", json=body).status_code == 400


def test_switches_of_the_constructor_are_checked():
    with pytest.raises(ValueError, match="unknown switch 'nosuch'"):
        Sandbox(switches={"nosuch": 1})


def test_reset_empties_the_data_and_keeps_the_rest(sandbox, api, control):
    control.post("/seed", json={"contacts": 30, "seed": 2})
    control.patch("/switches", json={"duplicates": "first"})
    assert api.get("/v3/REST/contact?countOnly=1").json()["Total"] == 27
    control.post("/reset")
    for resource in ("contact", "contactslist", "contactmetadata", "batchjob", "listrecipient", "contactfilter"):
        assert api.get(f"/v3/REST/{resource}").json()["Data"] == []
    assert sandbox.switches.as_dict()["duplicates"] == "first"
    assert control.post("/seed", json={"contacts": 1, "seed": 2}).status_code == 200
    assert control.post("/seed", json={"contacts": 1, "seed": 2}).status_code == 400


def test_some_providers_are_filled(sandbox, control):
    assert control.post("/seed", json={"contacts": 7, "seed": 5, "providers": ["mpdx"]}).status_code == 200
    assert len(sandbox.mpdx.contacts()) == 7
    assert sandbox.postgrid.contacts() == {}
    answer = control.post("/seed", json={"contacts": 7, "seed": 5, "providers": ["mailgrid"]})
    assert (answer.status_code, "mailgrid" in answer.text) == (400, True)


def test_contacts_can_be_put_in_directly(sandbox, control):
    list_id = control.post("/mailjet/lists", json={"name": "News"}).json()["id"]
    control.post("/mailjet/properties", json={"name": "age", "datatype": "int"})
    rows = [
        {"email": "a@example.com", "name": "Ada", "list": list_id, "unsubscribed": True, "properties": {"age": 3}},
        {"email": "b@example.com", "excluded": True},
    ]
    assert len(control.post("/mailjet/contacts", json=rows).json()["ids"]) == 2
    assert control.get(f"/mailjet/lists/{list_id}/members").json() == {
        "a@example.com": {"status": "unsubscribed", "name": "Ada", "properties": {"age": "3"}, "excluded": False}
    }
    assert control.get("/mailjet/contacts").json()["b@example.com"]["excluded"] is True
    assert control.get("/mailjet/lists/1/members").status_code == 404
    for wrong in (
        {"email": "a@example.com"},
        [{"name": "x"}],
        [{"email": "a@example.com", "list": 1}],
        [{"email": "a@example.com", "properties": {"no": 1}}],
    ):
        assert control.post("/mailjet/contacts", json=wrong).status_code == 400
    for path in ("lists", "properties"):
        assert control.post(f"/mailjet/{path}", json={}).status_code == 400


def test_signups_can_be_put_in_directly(sandbox, api, control):
    list_id = sandbox.mailjet.add_list("News")
    (known,) = sandbox.mailjet.add_contacts([{"email": "Ada@example.com"}])
    sandbox.clock.freeze()
    now = int(sandbox.clock.now())
    rows = [{"list": list_id, "email": "ada@example.com", "confirmed": True}, {"list": list_id, "email": "b@mail.test"}]
    ids = control.post("/mailjet/signups", json=rows).json()["ids"]
    shown = api.get("/v3/REST/contactslistsignup?Sort=ID").json()["Data"]
    assert [row["ID"] for row in shown] == ids
    assert [(row["Email"], row["SignupAt"], row["ConfirmAt"]) for row in shown] == [
        ("Ada@example.com", now, now),
        ("b@mail.test", now, 0),
    ]
    assert [row["ContactID"] for row in shown] == [known, sandbox.mailjet.contacts()["b@mail.test"]["id"]]
    assert {row["ListID"] for row in shown} == {list_id}
    assert sandbox.mailjet.members(list_id) == {}
    sandbox.clock.advance(60)
    sandbox.mailjet.add_signups([{"list": list_id, "email": "c@mail.test"}])
    assert api.get(f"/v3/REST/contactslistsignup?MinSignupAt={now + 60}").json()["Count"] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"list": 1, "email": "a@example.com"},
        [{"email": "a@example.com"}],
        [{"list": 1, "email": "a@example.com"}],
        [{"list": "{list}", "email": "a@example.com", "confirmed": "no"}],
    ],
)
def test_signups_that_do_not_fit_are_refused(sandbox, control, wrong):
    list_id = sandbox.mailjet.add_list("News")
    body = json.dumps(wrong).replace('"{list}"', str(list_id))
    answer = control.post("/mailjet/signups", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, list(answer.json())) == (400, ["error"])


def test_received_rows(sandbox, api, control):
    list_id = sandbox.mailjet.add_list("News")
    body = {"Action": "addforce", "Contacts": [{"Email": "a@example.com", "Name": "Ada"}, {"Email": "bad"}]}
    job = api.post(f"/v3/REST/contactslist/{list_id}/managemanycontacts", json=body).json()["Data"][0]["JobID"]
    assert control.get("/mailjet/received").json() == [
        {"job": job, "list": list_id, "action": "addforce", "contact": contact} for contact in body["Contacts"]
    ]
    assert control.get("/mailjet/jobs").json()[0]["id"] == job
    sandbox.switches.change({"keep_received": False})
    api.post(f"/v3/REST/contactslist/{list_id}/managemanycontacts", json=body)
    assert len(sandbox.mailjet.received()) == 2


def test_only_the_latest_received_rows_are_kept(monkeypatch, sandbox, api):
    monkeypatch.setattr("mailing_sandbox.latest.CAP", 4)
    list_id = sandbox.mailjet.add_list("News")
    for call in range(4):
        rows = [{"Email": f"p{call}{n}@example.com"} for n in range(2)]
        api.post(f"/v3/REST/contactslist/{list_id}/managemanycontacts", json={"Action": "addforce", "Contacts": rows})
    assert [row["contact"]["Email"][:3] for row in sandbox.mailjet.received()] == ["p20", "p21", "p30", "p31"]


def test_latency_overlaps():
    with Sandbox(latency_ms=200) as sandbox:
        auth = (sandbox.api_key, sandbox.secret_key)
        with httpx.Client(base_url=sandbox.url, auth=auth, verify=False) as api:
            began = time.monotonic()
            calls = [threading.Thread(target=api.get, args=("/v3/REST/contact",)) for _ in range(8)]
            for call in calls:
                call.start()
            for call in calls:
                call.join()
            assert 0.2 <= time.monotonic() - began < 1.6


def test_rate_limit():
    with Sandbox(rate_limit=5) as sandbox, httpx.Client(base_url=sandbox.url, verify=False) as api:
        auth = (sandbox.api_key, sandbox.secret_key)
        statuses = [api.get("/v3/REST/contact", auth=auth).status_code for _ in range(8)]
        assert statuses[:5] == [200] * 5
        assert 429 in statuses


def test_a_bucket_refills(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("mailing_sandbox.gateway.time.monotonic", lambda: now[0])
    limit = RateLimit(2)
    assert [limit.refuses() for _ in range(3)] == [False, False, True]
    now[0] += 0.5
    assert [limit.refuses() for _ in range(2)] == [False, True]


def test_a_sandbox_runs_where_its_context_is():
    sandbox = Sandbox()
    with pytest.raises(RuntimeError, match="not running"):
        _ = sandbox.url
    with sandbox:
        url = sandbox.url
        assert httpx.get(f"{url}/_sandbox/clock", verify=False).status_code == 200
    sandbox.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/_sandbox/clock", verify=False)


def test_a_taken_port_is_an_error(sandbox):
    port = int(sandbox.url.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"):
        Sandbox(port=port).start()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost"}, 200),
        ({"Host": "localhost:8025"}, 200),
        ({"Host": "127.0.0.1:1"}, 200),
        ({"Host": "[::1]:8025"}, 200),
        ({"Host": "sandbox.localhost"}, 200),
        ({"Host": "evil.example.com"}, 403),
        ({"Host": "localhost.example.com"}, 403),
        ({"Host": "127.0.0.1.example.com:8025"}, 403),
        ({"Host": "[::1"}, 403),
        ({"Host": ""}, 403),
        ({"Origin": "https://evil.example.com"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:3000"}, 403),
        ({"Host": "localhost:8025", "Origin": "http://localhost:8025"}, 200),
        ({"Content-Type": "text/plain"}, 403),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 403),
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
    ],
)
def test_no_page_in_a_browser_can_steer_the_sandbox(sandbox, control, headers, status):
    sent = {"Content-Type": "application/json", **headers}
    before = sandbox.switches.as_dict()
    answer = control.request("PATCH", "/switches", content=b"{}", headers=sent)
    assert answer.status_code == status
    assert sandbox.switches.as_dict() == before
    if status == 403:
        assert answer.json()["error"]
    if "Content-Type" not in headers:
        assert control.get("/mailjet/contacts", headers=headers).status_code == status


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b"{", b"\xff", b"5"])
def test_a_body_that_is_no_json_object_is_a_refusal(control, body):
    answer = control.post("/mailjet/lists", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"]
