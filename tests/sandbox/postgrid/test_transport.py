"""Keys, errors, bodies, idempotency, rate limits: what all routes share."""

from __future__ import annotations

import httpx
import pytest
from openapi_core.exceptions import OpenAPIError

from tests.sandbox.postgrid.conftest import CSV, PERSON

UNKNOWN = "0000000000000000000000"


def test_the_document_would_notice_a_wrong_answer(contract):
    request = httpx.Request("GET", "http://sandbox.test/print-mail/v1/contacts/contact_1")
    for body in ({"id": "contact_1"}, {"object": "error"}):
        with pytest.raises(OpenAPIError):
            contract(httpx.Response(200, json=body, request=request))


def test_no_key(pg, client_of):
    answer = client_of("").get("/contacts")
    assert pg.error(answer) == (401, "missing_auth_error")


def test_an_unknown_key_comes_back_in_the_message(pg, client_of):
    answer = client_of("test_sk_nope").get("/contacts")
    assert pg.error(answer) == (401, "invalid_api_key_error")
    assert answer.json()["error"]["message"] == "Invalid API key test_sk_nope"


def test_the_key_is_checked_before_the_route(client_of):
    assert client_of("", checked=False).get("/nothing").status_code == 401


def test_test_and_live_keys_open_separate_data(sandbox, pg, client_of):
    live = client_of(sandbox.postgrid.live_key)
    mine = pg.contact()
    theirs = live.post("/contacts", json=PERSON).json()
    assert (mine["live"], theirs["live"]) == (False, True)
    assert mine["id"] != theirs["id"]
    assert live.get(f"/contacts/{mine['id']}").status_code == 404
    assert [row["id"] for row in live.get("/contacts").json()["data"]] == [theirs["id"]]


def test_a_read_only_key_gets_401(sandbox, pg, client_of):
    number = pg.contact()["id"]
    sandbox.postgrid.add_key("test_sk_reader", read_only=True)
    reader = client_of("test_sk_reader")
    assert reader.get(f"/contacts/{number}").status_code == 200
    for answer in (reader.post("/contacts", json=PERSON), reader.delete(f"/contacts/{number}")):
        assert pg.error(answer) == (401, "permission_missing_error")


def test_a_rotated_key_works_for_its_last_day(sandbox, client_of):
    sandbox.postgrid.add_key("live_sk_old", seconds=86_400)
    old = client_of("live_sk_old")
    sandbox.clock.freeze()
    assert old.get("/contacts").status_code == 200
    sandbox.clock.advance(86_401)
    assert old.get("/contacts").status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/templates"),
        ("PUT", "/contacts"),
        ("POST", f"/contacts/contact_{UNKNOWN}"),
        ("PUT", f"/contacts/contact_{UNKNOWN}"),
        ("PATCH", f"/contacts/contact_{UNKNOWN}"),
        ("GET", f"/mailing_lists/mailing_list_{UNKNOWN}/jobs"),
        ("GET", f"/mailing_lists/mailing_list_{UNKNOWN}/contacts"),
    ],
)
def test_what_postgrid_does_not_have(loose, method, path):
    assert loose.error(loose.client.request(method, path)) == (404, "not_found_error")


def test_an_update_of_a_contact_does_not_silently_work(pg, loose):
    contact = pg.contact()
    path = f"/contacts/{contact['id']}"
    assert loose.client.post(path, json={"firstName": "Other"}).status_code == 404
    assert pg.get("contacts", contact["id"]) == contact


@pytest.mark.parametrize(
    ("resource", "prefix"),
    [("contacts", "contact"), ("mailing_lists", "mailing_list"), ("mailing_list_imports", "mailing_list_import")],
)
def test_unknown_ids(sandbox, pg, resource, prefix):
    path = f"/{resource}/{prefix}_{UNKNOWN}"
    for method in ("GET", "DELETE"):
        answer = pg.client.request(method, path)
        assert pg.error(answer) == (404, f"{prefix}_not_found_error")
        assert f"with ID {prefix}_{UNKNOWN} was not found." in answer.json()["error"]["message"]
    sandbox.postgrid.change(postgrid_not_found_style="generic")
    assert pg.error(pg.client.get(path)) == (404, "not_found_error")


def test_the_switch_for_statuses_of_creates(sandbox, loose):
    sandbox.postgrid.change(postgrid_create_status=200)
    answers = (
        loose.client.post("/contacts", json=PERSON),
        loose.client.post("/mailing_lists", json={}),
        loose.upload(),
    )
    assert [answer.status_code for answer in answers] == [200, 200, 200]


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"'])
def test_a_body_that_is_no_object(pg, body):
    for path in ("/contacts", "/mailing_lists", "/mailing_list_imports"):
        answer = pg.client.post(path, content=body, headers={"content-type": "application/json"})
        assert pg.error(answer) == (400, "validation_error")
        assert answer.json()["error"]["message"].startswith("Failed to satisfy the following constraints: ")


def test_a_form_with_bracket_keys_is_as_good_as_json(loose):
    form = PERSON | {
        "metadata[crm]": "7",
        "metadata[tags][]": ["a", "b"],
        "secret": "false",
        "skipVerification": "true",
    }
    answer = loose.client.post("/contacts", data=form)
    assert answer.status_code == 201
    row = answer.json()
    assert row["metadata"] == {"crm": "7", "tags": ["a", "b"]}
    assert (row["secret"], row["skipVerification"], row["firstName"]) == (False, True, "Amara")


@pytest.mark.parametrize("form", [{"metadata[a][][b]": "1"}, {"metadata": "1", "metadata[a]": "2"}])
def test_a_form_that_contradicts_itself(loose, form):
    assert loose.error(loose.client.post("/contacts", data=PERSON | form)) == (400, "validation_error")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"no parts"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Type: text/csv\r\n\r\nx\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx'),
    ],
)
def test_multipart_bodies_that_cannot_be_read(pg, kind, body):
    answer = pg.client.post("/mailing_list_imports", content=body, headers={"content-type": kind})
    assert pg.error(answer) == (400, "validation_error")


# Idempotency


@pytest.mark.parametrize("path", ["/mailing_lists", "/contacts"])
def test_a_repeated_key_gets_the_stored_answer(sandbox, pg, path):
    calls = [
        pg.client.post(path, json=PERSON | {"description": "Spring"}, headers={"Idempotency-Key": "run-1"})
        for _ in range(2)
    ]
    assert calls[0].json() == calls[1].json()
    assert (calls[0].status_code, calls[1].status_code) == (201, 201)
    assert pg.get(path[1:])["totalCount"] == 1


@pytest.mark.parametrize("mismatch", ["replay", "error"])
def test_a_repeated_import_is_one_import(sandbox, pg, mismatch):
    sandbox.postgrid.change(postgrid_idempotency_mismatch=mismatch)
    pg.client.headers["idempotency-key"] = "file-1"
    for _ in range(2):
        assert pg.upload().status_code == 201
    assert pg.get("mailing_list_imports")["totalCount"] == 1


def test_keys_count_for_one_path_and_one_day(sandbox, pg):
    sandbox.clock.freeze()
    key = {"idempotency-key": "run-1"}
    first = pg.client.post("/mailing_lists", json={}, headers=key).json()["id"]
    assert pg.client.post("/contacts", json=PERSON, headers=key).json()["object"] == "contact"
    sandbox.clock.advance(86_399)
    assert pg.client.post("/mailing_lists", json={}, headers=key).json()["id"] == first
    sandbox.clock.advance(2)
    assert pg.client.post("/mailing_lists", json={}, headers=key).json()["id"] != first


def test_a_key_with_another_body(sandbox, pg):
    key = {"idempotency-key": "run-1"}
    first = pg.client.post("/mailing_lists", json={"description": "A"}, headers=key)
    assert pg.client.post("/mailing_lists", json={"description": "B"}, headers=key).json() == first.json()
    sandbox.postgrid.change(postgrid_idempotency_mismatch="error")
    other = pg.client.post("/mailing_lists", json={"description": "B"}, headers=key)
    assert pg.error(other) == (400, "validation_error")


def test_a_refused_call_leaves_its_key_free(pg):
    key = {"idempotency-key": "run-1"}
    assert pg.client.post("/mailing_lists", json={"description": 1}, headers=key).status_code == 400
    assert pg.client.post("/mailing_lists", json={"description": "A"}, headers=key).status_code == 201


def test_contacts_may_ignore_the_key(sandbox, pg):
    sandbox.postgrid.change(postgrid_idempotent_contacts=False)
    made = [
        pg.client.post("/contacts", json=PERSON | {"city": city}, headers={"idempotency-key": "k"}).json()["id"]
        for city in ("Leeds", "Oslo")
    ]
    assert made[0] != made[1]


def test_jobs_have_no_idempotency(pg):
    number = pg.list()["id"]
    contact = pg.contact()["id"]
    pg.client.headers["idempotency-key"] = "job-1"
    for _ in range(2):
        assert pg.job(number, addContacts=[contact]).json()["status"] == "creating_contacts"


# Rate limits


def test_calls_beyond_the_rate_get_429_by_key(sandbox, pg, client_of):
    sandbox.clock.freeze()
    sandbox.postgrid.change(postgrid_rate=4, postgrid_burst=2)
    assert [pg.client.get("/contacts").status_code for _ in range(3)] == [200, 200, 429]
    answer = pg.client.get("/contacts")
    assert pg.error(answer) == (429, "rate_limit_exceeded_error")
    assert "retry-after" not in answer.headers
    assert client_of(sandbox.postgrid.live_key).get("/contacts").status_code == 200
    sandbox.clock.advance(0.25)
    assert [pg.client.get("/contacts").status_code for _ in range(2)] == [200, 429]
    sandbox.postgrid.change(postgrid_retry_after=3)
    assert pg.client.get("/contacts").headers["retry-after"] == "3"
    sandbox.postgrid.change(postgrid_rate=0)
    assert pg.client.get("/contacts").status_code == 200


# Faults


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "validation_error"), (401, "invalid_api_key_error"), (404, "not_found_error"),
        (422, "unprocessable_error"), (429, "rate_limit_exceeded_error"), (500, "internal_service_error"),
        (503, "service_unavailable_error"),
    ],
)  # fmt: skip
def test_injected_errors_wear_the_envelope(sandbox, loose, status, kind):
    sandbox.faults.add(kind="status", status=status, path="/print-mail/v1/contacts")
    assert loose.error(loose.client.get("/contacts")) == (status, kind)


def test_a_connection_dropped_before_the_effect(sandbox, loose):
    sandbox.faults.add(kind="reset", method="POST", path="/print-mail/v1/contacts")
    with pytest.raises(httpx.TransportError):
        loose.contact()
    assert sandbox.postgrid.contacts() == {}


@pytest.mark.parametrize("kind", ["reply_lost", "cut_body"])
def test_a_connection_dropped_after_the_effect(sandbox, loose, kind):
    number = sandbox.postgrid.add_list("Board")
    [contact] = sandbox.postgrid.add_contacts([PERSON])
    sandbox.faults.add(kind=kind, method="POST", path="/print-mail/v1/mailing_lists/*/jobs")
    with pytest.raises(httpx.TransportError):
        loose.job(number, addContacts=[contact])
    assert list(sandbox.postgrid.members(number)["contacts"]) == [contact]


def test_a_page_in_place_of_json(sandbox, loose):
    sandbox.faults.add(kind="html", path="/print-mail/v1/*")
    answer = loose.client.get("/mailing_lists")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")


def test_a_429_with_a_page_and_retry_after(sandbox, loose):
    sandbox.faults.add(kind="status", status=429, body="html", headers={"Retry-After": "2"})
    answer = loose.client.get("/contacts")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")


def test_the_file_of_an_import_can_fail_too(sandbox, pg):
    url = sandbox.url + sandbox.postgrid.host_file(CSV)
    fault = sandbox.faults.add(kind="status", status=503, path="/postgrid-files/hosted/*")
    body = {"file": url, "fileType": "csv", "receiverAddressMapping": {"firstName": "first"}}
    number = pg.client.post("/mailing_list_imports", json=body).json()["id"]
    fault.wait_until_hit()
    while (row := pg.get("mailing_list_imports", number))["status"] == "validating":
        pass
    assert [each["type"] for each in row["errors"]] == ["internal_service_error"]


def test_timestamps_without_milliseconds(sandbox, pg):
    assert len(pg.contact()["createdAt"]) == len("2026-02-03T14:05:06.123Z")
    sandbox.postgrid.change(postgrid_milliseconds=False)
    assert len(pg.contact()["createdAt"]) == len("2026-02-03T14:05:06Z")


def test_ids_are_a_prefix_and_22_letters_or_digits(pg):
    for row, prefix in ((pg.contact(), "contact"), (pg.list(), "mailing_list"), (pg.imported(), "mailing_list_import")):
        start, _, rest = row["id"].rpartition("_")
        assert (start, len(rest)) == (prefix, 22)
        assert rest.isascii()
        assert rest.isalnum()
