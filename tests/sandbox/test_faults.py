"""Every kind of fault, and that held requests can be watched and released."""

from __future__ import annotations

import threading
import time

import httpx
import pytest


def post(api, email="a@example.com"):
    return api.post("/v3/REST/contact", json={"Email": email})


@pytest.mark.parametrize(
    ("body", "content_type", "start"),
    [
        ("html", "text/html", "<html>"),
        ("text", "text/plain", "Too Many Requests"),
        ("json", "application/json", '{"ErrorIdentifier":'),
        ("empty", "text/html", ""),
    ],
)
def test_a_status_in_every_dress_and_without_retry_after(sandbox, api, body, content_type, start):
    sandbox.faults.add(kind="status", status=429, body=body, times=2)
    for _ in range(2):
        answer = post(api)
        assert (answer.status_code, answer.headers["content-type"]) == (429, content_type)
        assert answer.text.startswith(start)
        assert (answer.text == "") == (body == "empty")
        assert "retry-after" not in answer.headers
    assert sandbox.mailjet.contacts() == {}
    assert post(api).status_code == 201


def test_a_status_with_headers_message_or_content_of_its_own(sandbox, api):
    sandbox.faults.add(kind="status", status=429, headers={"Retry-After": "7"})
    assert post(api).headers["retry-after"] == "7"
    sandbox.faults.add(kind="status", status=500, message="Unexpected database error during GET")
    assert post(api).json()["ErrorMessage"] == "Unexpected database error during GET"
    sandbox.faults.add(kind="status", status=400, content='{"odd": 1}')
    assert post(api).json() == {"odd": 1}


def test_a_server_error_has_an_identifier(sandbox, api):
    sandbox.faults.add(kind="status")
    answer = post(api)
    assert answer.status_code == 500
    assert len(answer.json()["ErrorIdentifier"]) == 36


def test_a_status_after_the_work_was_done(sandbox, api):
    sandbox.faults.add(kind="status", status=504, body="html", done=True)
    assert post(api).status_code == 504
    assert list(sandbox.mailjet.contacts()) == ["a@example.com"]


def test_find_then_create_race(sandbox, api):
    sandbox.mailjet.add_contacts([{"email": "a@example.com"}])
    sandbox.faults.add(kind="status", status=404, path="/v3/REST/contact/*", method="GET")
    assert api.get("/v3/REST/contact/a@example.com").json()["ErrorMessage"] == "Object not found"
    assert post(api).json()["ErrorMessage"].startswith("MJ18")
    assert api.get("/v3/REST/contact/a@example.com").status_code == 200


def test_reset_does_no_work(sandbox, api):
    sandbox.faults.add(kind="reset")
    with pytest.raises(httpx.ReadError):
        post(api)
    assert sandbox.mailjet.contacts() == {}


def test_a_lost_reply_leaves_the_work_done(sandbox, api):
    sandbox.faults.add(kind="reply_lost")
    with pytest.raises(httpx.RemoteProtocolError):
        post(api)
    assert list(sandbox.mailjet.contacts()) == ["a@example.com"]


def test_a_cut_body_leaves_the_work_done(sandbox, api):
    sandbox.faults.add(kind="cut_body")
    with api.stream("POST", "/v3/REST/contact", json={"Email": "a@example.com"}) as answer:
        assert answer.status_code == 201
        promised = int(answer.headers["content-length"])
        got = []
        with pytest.raises(httpx.RemoteProtocolError):
            got.extend(answer.iter_raw())
    assert sum(map(len, got)) == promised // 2
    assert list(sandbox.mailjet.contacts()) == ["a@example.com"]


def test_html_in_place_of_json_leaves_the_work_done(sandbox, api):
    sandbox.faults.add(kind="html")
    answer = post(api)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")
    assert list(sandbox.mailjet.contacts()) == ["a@example.com"]


def test_slow_answers(sandbox, api):
    sandbox.faults.add(kind="slow", seconds=0.05, times=2)
    began = time.monotonic()
    assert post(api).status_code == 201
    assert time.monotonic() - began >= 0.05
    with pytest.raises(httpx.ReadTimeout):
        api.post("/v3/REST/contact", json={"Email": "b@example.com"}, timeout=0.01)
    gives_up_at = time.monotonic() + 10
    while "b@example.com" not in sandbox.mailjet.contacts():  # the work may still be under way
        assert time.monotonic() < gives_up_at
        time.sleep(0.005)


@pytest.mark.parametrize(("when", "done"), [("before", []), ("after", ["a@example.com"])])
def test_held_requests(sandbox, api, when, done):
    fault = sandbox.faults.add(kind="hold", when=when)
    answers = []
    caller = threading.Thread(target=lambda: answers.append(post(api).status_code))
    caller.start()
    fault.wait_until_held()
    assert fault.as_dict()["waiting"] == 1
    assert list(sandbox.mailjet.contacts()) == done
    assert answers == []
    fault.release()
    caller.join()
    assert answers == [201]
    assert list(sandbox.mailjet.contacts()) == ["a@example.com"]
    assert fault.waiting == 0


@pytest.mark.parametrize(("when", "done"), [("before", []), ("after", ["a@example.com"])])
def test_a_client_that_leaves_while_held(sandbox, api, when, done):
    fault = sandbox.faults.add(kind="hold", when=when)
    with pytest.raises(httpx.ReadTimeout):
        api.post("/v3/REST/contact", json={"Email": "a@example.com"}, timeout=0.05)
    deadline = time.monotonic() + 5
    while fault.waiting and time.monotonic() < deadline:
        time.sleep(0.001)
    assert fault.waiting == 0
    assert list(sandbox.mailjet.contacts()) == done


def test_other_requests_go_on_while_one_is_held(sandbox, api):
    fault = sandbox.faults.add(kind="hold", method="POST", times=1)
    caller = threading.Thread(target=post, args=(api,))
    caller.start()
    fault.wait_until_held()
    assert api.get("/v3/REST/contact").status_code == 200
    fault.release()
    caller.join()


def test_a_release_before_the_request_lets_it_pass(sandbox, api):
    sandbox.faults.add(kind="hold", times=None).release()
    assert post(api).status_code == 201


def test_stopping_lets_held_requests_go(api, sandbox):
    fault = sandbox.faults.add(kind="hold", when="after")
    answers = []
    caller = threading.Thread(target=lambda: answers.append(post(api).status_code))
    caller.start()
    fault.wait_until_held()
    sandbox.stop()
    caller.join(5)
    assert answers == [201]


def test_which_calls_are_hit(sandbox, api):
    sandbox.faults.add(kind="status", status=503, method="post", path="/V3/rest/CONTACT", skip=1, times=2)
    assert [post(api, f"{n}@example.com").status_code for n in range(5)] == [201, 503, 503, 201, 201]
    assert api.get("/v3/REST/contact").status_code == 200
    sandbox.faults.add(kind="status", status=503, path="/v3/REST/contactslist/*/managemanycontacts", times=None)
    assert api.get("/v3/REST/contactslist").status_code == 200
    assert {api.post("/v3/rest/ContactsList/7/ManageManyContacts").status_code for _ in range(3)} == {503}


def test_faults_hit_before_credentials_are_looked_at(sandbox):
    sandbox.faults.add(kind="status", status=502, body="html")
    assert httpx.get(f"{sandbox.url}/v3/REST/contact", verify=False).status_code == 502


def test_faults_over_http(sandbox, api, control):
    number = control.post("/faults", json={"kind": "hold", "path": "/v3/*", "when": "before"}).json()["id"]
    caller = threading.Thread(target=post, args=(api,))
    caller.start()
    sandbox.faults.get(number).wait_until_held()
    (shown,) = control.get("/faults").json()
    assert (shown["id"], shown["hits"], shown["waiting"], shown["spent"]) == (number, 1, 1, True)
    assert control.post(f"/faults/{number}/release").status_code == 200
    caller.join()
    assert control.delete(f"/faults/{number}").status_code == 200
    assert control.delete(f"/faults/{number}").status_code == 404
    assert control.post("/faults/99/release").status_code == 404
    control.post("/faults", json={"kind": "reset"})
    assert control.delete("/faults").status_code == 200
    assert control.get("/faults").json() == []


@pytest.mark.parametrize("body", [{"kind": "explode"}, {}, {"kind": "slow", "second": 1}, [1]])
def test_faults_that_do_not_fit_are_refused(control, body):
    answer = control.post("/faults", json=body)
    assert answer.status_code == 400
    assert "error" in answer.json()


def test_waiting_for_something_that_does_not_come(sandbox):
    with pytest.raises(TimeoutError, match="not 1 hits"):
        sandbox.faults.add(kind="reset").wait_until_hit(timeout=0.001)
