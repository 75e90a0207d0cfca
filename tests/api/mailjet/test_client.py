"""The Mailjet client over a fake network: what is sent, what is understood, which error says what."""

from __future__ import annotations

import json
import logging
import random

import httpx
import pytest

from mailing_api.errors import (
    AuthenticationError,
    ConfigurationError,
    IncompleteExtraction,
    MailingError,
    NotFound,
    PermissionDenied,
    ProviderFault,
    RateLimited,
    RequestRefused,
    Unreachable,
    UnreadableAnswer,
)
from mailing_api.http.pace import Pace
from mailing_api.http.retry import RetryPolicy
from mailing_api.mailjet.client import MailjetClient

HASTY = RetryPolicy(throttle_base=0, fault_base=0)
CREDENTIALS = {"mailjet_api_key": "canary-key", "mailjet_secret_key": "canary-secret"}


class Network:
    """Answers in turn, the last one for ever."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []

    def __call__(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def client(network, **options):
    return MailjetClient(
        api_key="canary-key",
        secret_key="canary-secret",
        retry=HASTY,
        pace=Pace(1e6),
        transport=httpx.MockTransport(network),
        **options,
    )


def rows(*found):
    return httpx.Response(200, json={"Count": len(found), "Data": list(found), "Total": len(found)})


def refusal(status, message, **more):
    return httpx.Response(status, json={"ErrorInfo": "", "ErrorMessage": message, "StatusCode": status, **more})


IDENTIFIER = "0f6e8a52-1d2b-4c3d-9e4f-5a6b7c8d9e0f"
EFP = {"ErrorInfo": "EFPWebError", "ErrorMessage": 'Could not determine HTTP module for request "/v3"'}


@pytest.mark.parametrize(
    ("answer", "error", "said", "tries"),
    [
        (httpx.Response(401, html=""), AuthenticationError, "HTTP 401", 1),
        (refusal(401, "API key authentication/authorization failure. canary"), AuthenticationError, "HTTP 401", 1),
        (httpx.Response(403, text="canary"), PermissionDenied, "administrator", 1),
        (refusal(404, "Object not found"), NotFound, "object_not_found", 1),
        (httpx.Response(404, html="<html>canary</html>"), NotFound, "HTTP 404", 1),
        (refusal(400, 'MJ18 A Contact resource with value "canary" exists'), RequestRefused, "MJ18", 1),
        (refusal(400, {"Email": "canary"}), RequestRefused, "HTTP 400", 1),
        (httpx.Response(400, json=["canary"]), RequestRefused, "HTTP 400", 1),
        (httpx.Response(500, json=EFP), RequestRefused, "mailjet_base_url", 1),
        (refusal(500, "canary", ErrorIdentifier=IDENTIFIER), ProviderFault, IDENTIFIER, 5),
        (httpx.Response(502, html="<html>canary</html>"), ProviderFault, "HTTP 502", 5),
        (httpx.Response(429, html="<html>canary</html>"), RateLimited, "max_requests_per_second", 8),
        (httpx.Response(429, text="Too Many Requests"), RateLimited, "max_requests_per_second", 8),
        (refusal(429, "canary"), RateLimited, "max_requests_per_second", 8),
        (httpx.Response(200, html="<html>canary</html>"), UnreadableAnswer, "could not be read", 5),
        (httpx.Response(200, content=b'{"Data": [{"Email": "canary'), UnreadableAnswer, "could not be read", 5),
        (httpx.Response(200, json={"Data": "canary"}), UnreadableAnswer, "could not be read", 5),
        (httpx.ReadTimeout("canary"), ProviderFault, "ReadTimeout", 5),
        (httpx.ConnectError("canary"), Unreachable, "api.mailjet.com cannot be reached. Check `mailjet_base_url`", 5),
        (httpx.ConnectTimeout("canary"), Unreachable, "no response (ConnectTimeout): api.mailjet.com cannot", 5),
        (httpx.RemoteProtocolError("canary"), ProviderFault, "RemoteProtocolError", 5),
    ],
)
def test_p7_an_error_says_who_must_act_and_nothing_secret(caplog, answer, error, said, tries):
    caplog.set_level(logging.DEBUG)
    network = Network(answer)
    with pytest.raises(error) as caught:
        client(network).page("contact", {"ContactEmail": "canary@inbox.test"})
    assert said in str(caught.value)
    assert "Mailjet account 'default': GET /v3/REST/contact" in str(caught.value)
    assert len(network.requests) == tries
    assert "canary" not in str(caught.value) + caplog.text
    assert caught.value.__cause__ is None


def test_an_answer_that_cannot_be_read_is_not_told_as_a_status(caplog):
    caplog.set_level(logging.INFO)
    client(Network(httpx.Response(200, html="<html>"), rows())).page("contact", {})
    assert "attempt 1 failed (unreadable response)" in caplog.text


def test_p9_the_setting_is_named_where_nothing_was_found_at_all():
    missing = httpx.Response(404, html="")
    with pytest.raises(NotFound, match="check `mailjet_base_url`, too"):
        client(Network(missing)).page("contact", {})
    network = Network(rows(), httpx.Response(404, json={"ErrorMessage": "Object not found", "StatusCode": 404}))
    one = client(network)
    one.page("contact", {})
    with pytest.raises(NotFound) as caught:
        one.page("contact", {})
    assert "mailjet_base_url" not in str(caught.value)


@pytest.mark.parametrize("path", ["", "/", "/v3", "/v3/REST/"])
def test_a_base_url_may_end_in_what_all_routes_begin_with(path):
    network = Network(rows())
    client(network, base_url=f"https://api.mailjet.com{path}").page("contact", {"Limit": 1})
    (request,) = network.requests
    assert str(request.url) == "https://api.mailjet.com/v3/REST/contact?Limit=1"


def test_the_credentials_are_sent_as_basic_authentication():
    network = Network(rows())
    client(network, user_agent="tap-mailing/1").page("contact", {"Limit": 1})
    (request,) = network.requests
    assert request.headers["Authorization"] == httpx.BasicAuth("canary-key", "canary-secret")._auth_header
    assert request.headers["User-Agent"] == "tap-mailing/1"
    assert request.url == "https://api.mailjet.com/v3/REST/contact?Limit=1"


@pytest.mark.parametrize("answer", [httpx.Response(500), httpx.Response(429), httpx.ReadError("")])
def test_a_failure_that_passes_is_not_noticed(answer):
    network = Network(answer, rows({"ID": 1}))
    assert client(network).page("contact", {}) == [{"ID": 1}]


def test_retry_after_is_waited_for(monkeypatch):
    slept = []
    network = Network(httpx.Response(429, headers={"Retry-After": "7"}), rows())
    found = client(network)
    found._http._sleep = slept.append
    found.page("contact", {})
    assert slept == [7.0]


def test_rows_are_walked_by_id():
    everything = [{"ID": number} for number in range(1, 2501)]

    def answer(request):
        offset, limit = int(request.url.params["Offset"]), int(request.url.params["Limit"])
        assert request.url.params["Sort"] == "ID"
        return rows(*everything[offset : offset + limit])

    assert [row for page in client(answer).rows("contact") for row in page] == everything


class Collection:
    """Rows by Offset and Limit; `Total` is their number if that is asked for and `counts` is set."""

    def __init__(self, count, *, counts=True):
        self.rows = [{"ID": number, "Count": 0} for number in range(1, count + 1)]
        self.counts = counts
        self.requests = []

    def __call__(self, request):
        asked = request.url.params
        self.requests.append(asked)
        page = self.rows[int(asked["Offset"]) :][: int(asked["Limit"])]
        total = len(self.rows) if self.counts and asked.get("countrecords") == "1" else len(page)
        return httpx.Response(200, json={"Count": len(page), "Data": page, "Total": total})


@pytest.mark.parametrize("counts", [True, False, None], ids=["counted", "not counted", "nonsense"])
@pytest.mark.parametrize("ahead", [1, 4, 16])
@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 199, 200, 1000])
def test_a_collection_takes_the_requests_of_its_pages(count, ahead, counts):
    collection = Collection(count, counts=bool(counts))

    def answer(request):
        response = collection(request)
        return (
            httpx.Response(200, json=response.json() | {"Total": "many" if count % 2 else -1})
            if counts is None
            else response
        )

    pages = list(client(answer).rows("contact", ahead=ahead, limit=100))
    assert [row for page in pages for row in page] == collection.rows
    assert len(collection.requests) <= count / 100 + (3 if counts else 4)
    assert {asked["Offset"] for asked in collection.requests if "countrecords" in asked} == (
        {"0"} if ahead > 1 else set()
    )


def test_p6_a_collection_in_an_unknown_order_lives_through_changes():
    collection, chance = Collection(3000), random.Random(3)
    stayed = {row["ID"] for row in collection.rows}

    def answer(request):
        response = collection(request)
        gone, changed = (chance.randrange(len(collection.rows)) for _ in range(2))
        stayed.discard(collection.rows.pop(gone)["ID"])
        row = collection.rows.pop(min(changed, len(collection.rows) - 1))  # the last that changed comes first
        collection.rows.insert(0, {**row, "Count": row["Count"] + 1})
        return response

    walk = client(answer).rows("csvimport", ordered=False, ahead=1, limit=20)
    assert stayed <= {row["ID"] for page in walk for row in page}
    assert len(collection.requests) < 2 * 3000 / 19


def test_a_row_without_its_key_is_unreadable():
    with pytest.raises(UnreadableAnswer, match="Mailjet contact: a row without a usable ID"):
        list(client(Network(rows({"Email": "x"}))).rows("contact"))


def test_p6_a_sort_that_is_ignored_is_noticed():
    with pytest.raises(IncompleteExtraction, match="Mailjet contact"):
        list(client(Network(rows({"ID": 2}, {"ID": 1}))).rows("contact"))


def test_an_address_in_a_path_is_quoted():
    network = Network(rows({"ID": 1}))
    client(network).one("contact", "a+b/c@inbox.test")
    assert network.requests[0].url.raw_path == b"/v3/REST/contact/a%2Bb%2Fc%40inbox.test"


def test_p7_an_address_in_a_path_is_not_in_the_error():
    with pytest.raises(NotFound) as caught:
        client(Network(refusal(404, "Object not found"))).one("contact", "canary@inbox.test")
    assert "canary" not in str(caught.value)
    assert "/v3/REST/contact/{id}" in str(caught.value)


def test_no_object_is_not_found():
    with pytest.raises(NotFound):
        client(Network(rows())).one("contact", 1)


def test_memberships_of_a_contact():
    network = Network(rows({"ListID": 1, "IsUnsub": False}))
    assert client(network).memberships("a@inbox.test") == [{"ListID": 1, "IsUnsub": False}]
    assert network.requests[0].url.raw_path.endswith(b"/contact/a%40inbox.test/getcontactslists?Limit=1000")


@pytest.mark.parametrize("heeded", [True, False])
def test_more_memberships_than_a_page_are_all_read_and_a_repeated_page_ends_it(heeded):
    everything = [{"ListID": number, "IsUnsub": False} for number in range(1500)]
    pages = [everything[:1000], everything[1000:]] if heeded else [everything[:1000]] * 3
    network = Network(*(rows(*page) for page in pages))
    found = client(network).memberships(1)
    assert {row["ListID"] for row in found} == set(range(1500 if heeded else 1000))
    assert [request.url.params.get("Offset") for request in network.requests] == [None, "1000"]


def test_p5_ten_memberships_may_be_the_first_ten():
    """Mailjet's default, where it does not respect `Limit`; opt-outs of other lists would be overlooked."""
    everything = [{"ListID": number, "IsUnsub": number == 12} for number in range(13)]
    network = Network(rows(*everything[:10]), rows(*everything[10:]))
    assert client(network).memberships(1) == everything
    assert len(network.requests) == 2


@pytest.mark.parametrize("missing", ["mailjet_api_key", "mailjet_secret_key"])
def test_p9_a_missing_credential_is_named(missing):
    with pytest.raises(ConfigurationError, match=f"`{missing}` is missing"):
        MailjetClient.from_settings({**CREDENTIALS, missing: None}, environ={})


@pytest.mark.parametrize("url", ["api.mailjet.com", "ftp://api.mailjet.com", "https://"])
def test_p9_a_base_url_that_is_none_is_told(url):
    with pytest.raises(ConfigurationError, match="`mailjet_base_url`"):
        MailjetClient.from_settings({**CREDENTIALS, "mailjet_base_url": url}, environ={})


def test_the_official_environment_variables_are_fall_backs():
    environ = {"MJ_APIKEY_PUBLIC": "a", "MJ_APIKEY_PRIVATE": "b"}
    MailjetClient.from_settings({}, environ=environ).close()


def test_the_base_url_may_have_a_slash_at_its_end():
    network = Network(rows())
    client(network, base_url="https://api.us.mailjet.com/").page("contact", {})
    assert str(network.requests[0].url) == "https://api.us.mailjet.com/v3/REST/contact"


# CSV imports


@pytest.mark.parametrize("answer", [{"ID": 98765432123456789}, {"ID": "98765432123456789"}])
def test_a_file_is_uploaded_as_it_is_and_again_if_the_reply_was_lost(answer):
    network = Network(httpx.ReadError(""), httpx.Response(200, json=answer))
    assert client(network).upload_csv("email\nzoë@inbox.test\n".encode(), list_id=7) == 98765432123456789
    assert len(network.requests) == 2
    request = network.requests[-1]
    assert request.url.path == "/v3/DATA/contactslist/7/CSVData/text:plain"
    assert request.headers["Content-Type"] == "text/plain"
    assert request.content == "email\nzoë@inbox.test\n".encode()


@pytest.mark.parametrize("answer", [httpx.Response(200, html="<html>"), httpx.Response(200, json={"Data": []})])
def test_an_upload_without_an_id_in_its_answer_is_unreadable(answer):
    with pytest.raises(UnreadableAnswer):
        client(Network(answer)).upload_csv(b"email\n", list_id=7)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"method": "remove", "list_id": 7}, {"Method": "remove", "ContactsListID": 7}),
        ({"method": "excludemarketing", "list_id": None}, {"Method": "excludemarketing"}),
        (
            {"method": "unsub", "list_id": 7, "options": '{"FieldNames":["email"]}'},
            {"Method": "unsub", "ContactsListID": 7, "ImportOptions": '{"FieldNames":["email"]}'},
        ),
    ],
)
def test_an_import_names_its_file_and_a_list_only_if_it_concerns_one(given, sent):
    network = Network(httpx.Response(201, json={"Count": 1, "Data": [{"ID": 5}], "Total": 1}))
    assert client(network).start_import(98765432123456789, **given) == 5
    (request,) = network.requests
    assert request.url.path == "/v3/REST/csvimport"
    assert json.loads(request.content) == {"DataID": 98765432123456789, **sent}


@pytest.mark.parametrize("answer", [httpx.ReadError(""), httpx.Response(500), httpx.Response(201, html="<html>")])
def test_an_import_whose_reply_was_lost_is_not_posted_again(answer):
    network = Network(answer)
    with pytest.raises(MailingError) as caught:
        client(network).start_import(1, method="unsub", list_id=7)
    assert caught.value.maybe_done
    assert len(network.requests) == 1


@pytest.mark.parametrize(
    ("told", "expected"),
    [({"Errcount": 3}, 3), ({"Errcount": "3"}, 3), ({"Errcount": 0}, 0), ({"Errcount": ""}, None), ({}, None),
     ({"Errcount": None}, None)],
)  # fmt: skip
def test_the_number_of_errors_may_be_missing(told, expected):
    found = client(Network(rows({"ID": 5, "Status": " Completed ", **told}))).csv_import(5)
    assert (found.status, found.is_terminal, found.errors) == ("completed", True, expected)


def test_an_error_file_is_given_as_it_came():
    network = Network(httpx.Response(200, content=b"\xff, ###x\n", headers={"Content-Type": "text/csv"}))
    assert client(network).csv_errors(5) == b"\xff, ###x\n"
    assert network.requests[0].url.path == "/v3/DATA/BatchJob/5/CSVError/text:csv"
    missing = {"ErrorInfo": "", "ErrorMessage": "Source object not found", "StatusCode": 404}
    with pytest.raises(NotFound):
        client(Network(httpx.Response(404, json=missing, headers={"Content-Type": "text/csv"}))).csv_errors(5)
