"""The Amazon SES client over a fake network: requests as botocore makes them, tokens, errors without quotes."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote

import botocore.auth
import botocore.session
import httpx
import pytest
from botocore.awsrequest import AWSResponse
from botocore.validate import ParamValidator

from mailing_api.errors import (
    AuthenticationError,
    ConfigurationError,
    IncompleteExtraction,
    NotFound,
    PermissionDenied,
    ProviderFault,
    RateLimited,
    RequestRefused,
    UnreadableAnswer,
)
from mailing_api.http.retry import RetryPolicy
from mailing_api.ses import operations as ses_operations
from mailing_api.ses.client import SesClient
from mailing_api.ses.operations import Operation
from mailing_api.ses.settings import SES_SETTINGS
from mailing_api.ses.writer import SesWriter

HASTY = RetryPolicy(throttle_base=0, fault_base=0)
KEYS = {
    "aws_access_key_id": "AKIDEXAMPLE",
    "aws_secret_access_key": "canary-secret",
    "aws_session_token": "canary+token/==",
}
ENDPOINT = "https://email.eu-west-1.amazonaws.com"
SESSION = botocore.session.Session()
MODEL = SESSION.get_service_model("sesv2")
OPERATIONS = [one for one in vars(ses_operations).values() if isinstance(one, Operation)]
NASTY = "Zoë+o'neil/x y@example.com"
TOKEN = "a+b/c=="


@pytest.fixture(autouse=True)
def _no_aws_of_this_machine(monkeypatch, tmp_path):
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.fixture(autouse=True)
def _no_secret_in_the_log(caplog):
    caplog.set_level(logging.DEBUG)
    yield
    assert "canary" not in caplog.text


def client(answer, **options):
    options = {**KEYS, "regions": ["eu-west-1"], "endpoint_url": ENDPOINT, "requests_per_second": 1e6} | options
    options = {"sleep": lambda _: None, "retry": HASTY} | options
    return SesClient(transport=httpx.MockTransport(answer), **options)


class Wire:
    """Keeps requests; answers each with the same."""

    def __init__(self, answer=None):
        self.requests = []
        self._answer = {} if answer is None else answer

    def __call__(self, request):
        self.requests.append(request)
        return self._answer if isinstance(self._answer, httpx.Response) else httpx.Response(200, json=self._answer)


CONTACT = {
    "UnsubscribeAll": False,
    "TopicPreferences": [{"TopicName": "News", "SubscriptionStatus": "OPT_OUT"}],
    "AttributesData": '{"city":"Zürich"}',
}
INTO_LIST = {"ContactListDestination": {"ContactListName": "My-list", "ContactListImportAction": "PUT"}}


def writer(ses):
    return SesWriter(ses, "eu-west-1")


def ignoring_the_answer(call):
    with pytest.raises(UnreadableAnswer) as told:
        call()
    assert told.value.maybe_done


#: Each call of the client, the operation that it is, and its members as botocore is given them.
CALLS = {
    "describe": (lambda ses: ses.describe("eu-west-1"), "GetAccount", {}),
    "import jobs": (lambda ses: list(ses.import_jobs("eu-west-1")), "ListImportJobs", {"PageSize": 100}),
    "import jobs of contacts": (
        lambda ses: list(ses.import_jobs("eu-west-1", destination="CONTACT_LIST")),
        "ListImportJobs",
        {"ImportDestinationType": "CONTACT_LIST", "PageSize": 100},
    ),
    "import jobs of suppressions": (
        lambda ses: list(ses.import_jobs("eu-west-1", destination="SUPPRESSION_LIST", size=7)),
        "ListImportJobs",
        {"ImportDestinationType": "SUPPRESSION_LIST", "PageSize": 7},
    ),
    "import job": (lambda ses: ses.import_job("eu-west-1", "a-1"), "GetImportJob", {"JobId": "a-1"}),
    "contact lists": (lambda ses: list(ses.contact_lists("eu-west-1")), "ListContactLists", {"PageSize": 1000}),
    "contact list": (
        lambda ses: ses.contact_list("eu-west-1", "My list"),
        "GetContactList",
        {"ContactListName": "My list"},
    ),
    "contacts": (
        lambda ses: list(ses.contacts("eu-west-1", "My list")),
        "ListContacts",
        {"ContactListName": "My list", "PageSize": 1000},
    ),
    "contact": (
        lambda ses: ses.contact("eu-west-1", "My list", NASTY),
        "GetContact",
        {"ContactListName": "My list", "EmailAddress": NASTY},
    ),
    "suppressions": (
        lambda ses: list(ses.suppressions("eu-west-1")),
        "ListSuppressedDestinations",
        {"PageSize": 1000},
    ),
    "suppressions since": (
        lambda ses: list(
            ses.suppressions("eu-west-1", since="2026-01-02T03:04:05.678000Z", until="2026-02-01T00:00:00.900000Z")
        ),
        "ListSuppressedDestinations",
        {
            "StartDate": datetime(2026, 1, 2, 3, 4, 4, tzinfo=UTC),
            "EndDate": datetime(2026, 2, 1, tzinfo=UTC),
            "PageSize": 1000,
        },
    ),
    "suppression": (
        lambda ses: ses.suppression("eu-west-1", NASTY),
        "GetSuppressedDestination",
        {"EmailAddress": NASTY},
    ),
    "create list": (
        lambda ses: writer(ses).create_list("My-list"),
        "CreateContactList",
        {"ContactListName": "My-list"},
    ),
    "create job": (
        lambda ses: ignoring_the_answer(lambda: writer(ses).create_job(INTO_LIST, "s3://bucket/a/key.jsonl")),
        "CreateImportJob",
        {
            "ImportDestination": INTO_LIST,
            "ImportDataSource": {"S3Url": "s3://bucket/a/key.jsonl", "DataFormat": "JSON"},
        },
    ),
    "job": (lambda ses: writer(ses).job("a-1"), "GetImportJob", {"JobId": "a-1"}),
    "create contact": (
        lambda ses: writer(ses).create_contact("My list", NASTY, CONTACT),
        "CreateContact",
        {"ContactListName": "My list", "EmailAddress": NASTY, **CONTACT},
    ),
    "update contact": (
        lambda ses: writer(ses).update_contact("My list", lambda: {"EmailAddress": NASTY, **CONTACT}),
        "UpdateContact",
        {"ContactListName": "My list", "EmailAddress": NASTY, **CONTACT},
    ),
    "delete contact": (
        lambda ses: writer(ses).delete_contact("My list", lambda: {"EmailAddress": NASTY}),
        "DeleteContact",
        {"ContactListName": "My list", "EmailAddress": NASTY},
    ),
    "suppress": (
        lambda ses: writer(ses).suppress(NASTY, "BOUNCE"),
        "PutSuppressedDestination",
        {"EmailAddress": NASTY, "Reason": "BOUNCE"},
    ),
    "unsuppress": (
        lambda ses: writer(ses).unsuppress(lambda: {"EmailAddress": NASTY}),
        "DeleteSuppressedDestination",
        {"EmailAddress": NASTY},
    ),
}

each_call = pytest.mark.parametrize("name", CALLS)


# Against botocore's model of the service


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_operations_are_where_botocores_model_has_them(operation):
    known = MODEL.operation_model(operation.name)
    assert (operation.method, operation.path) == (known.http["method"], known.http["requestUri"])
    members = known.input_shape.members if known.input_shape else {}
    places = {name: shape.serialization.get("location") for name, shape in members.items()}
    assert set(operation.in_path) == {name for name, place in places.items() if place == "uri"}
    for name in operation.query:
        assert places[name] == "querystring"
        assert members[name].serialization["name"] == name


def test_every_operation_is_called_in_these_tests():
    assert {operation for _, operation, _ in CALLS.values()} == {operation.name for operation in OPERATIONS}


def members_of(request, operation):
    """The members of a request, as botocore's model names and types them."""
    known = MODEL.operation_model(operation)
    pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(known.http["requestUri"]))
    found = re.fullmatch(pattern, request.url.raw_path.partition(b"?")[0].decode())
    members = {name: unquote(value) for name, value in found.groupdict().items()}
    wire = {
        shape.serialization["name"]: name
        for name, shape in (known.input_shape.members if known.input_shape else {}).items()
        if shape.serialization.get("location") == "querystring"
    }
    for name, value in parse_qsl(request.url.query.decode()):
        shape = known.input_shape.members[wire[name]]
        members[wire[name]] = int(value) if shape.type_name == "integer" else value
    return members | (json.loads(request.content) if request.content else {})


@each_call
def test_members_types_and_enums_are_those_of_botocores_model(name):
    call, operation, given = CALLS[name]
    wire = Wire()
    call(client(wire))
    (request,) = wire.requests
    known = MODEL.operation_model(operation)
    assert request.method == known.http["method"]
    members = members_of(request, operation)
    if known.input_shape is None:
        assert members == {}
        return
    assert not ParamValidator().validate(members, known.input_shape).has_errors()
    assert set(members) == set(given) <= set(known.input_shape.members)
    assert set(known.input_shape.required_members) <= set(members)
    for member, value in members.items():
        enum = getattr(known.input_shape.members[member], "enum", None)
        assert not enum or value in enum


# Against botocore's own requests


@pytest.fixture
def botocore_sends(monkeypatch):
    """Has botocore's own client make a request, and returns it instead of sending it."""
    frozen = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: frozen.replace(tzinfo=None))

    def send(operation, members, **keys):
        session = botocore.session.Session()
        session.set_credentials(*keys.values())
        made = session.create_client("sesv2", region_name="eu-west-1", endpoint_url=ENDPOINT)
        kept = []

        def keep(request, **_):
            kept.append(request)
            return AWSResponse(request.url, 200, {}, Raw())

        made.meta.events.register("before-send.sesv2", keep)
        getattr(made, re.sub(r"(?<!^)([A-Z])", r"_\1", operation).lower())(**members)
        made.close()
        return kept[0]

    return send


class Raw:
    def stream(self, **_):
        yield b"{}"


@pytest.mark.slow
@pytest.mark.parametrize("token", [KEYS["aws_session_token"], None])
@each_call
def test_signatures_are_those_of_botocore_to_the_byte(botocore_sends, name, token):
    call, operation, members = CALLS[name]
    wire = Wire()
    keys = {**KEYS, "aws_session_token": token}
    call(client(wire, **keys))
    (ours,) = wire.requests
    theirs = botocore_sends(operation, members, **keys)
    assert str(ours.url) == theirs.url
    assert ours.content == (theirs.body or b"")
    assert ours.headers["authorization"] == theirs.headers["Authorization"].decode()
    assert ours.headers["x-amz-date"] == theirs.headers["X-Amz-Date"].decode() == "20260304T050607Z"
    assert ours.headers.get("x-amz-security-token") == token


def test_a_token_with_signs_of_its_own_is_signed_as_botocore_does(botocore_sends):
    pages = iter([{"NextToken": TOKEN}, {}])
    requests = []

    def answer(request):
        requests.append(request)
        return httpx.Response(200, json=next(pages))

    assert list(client(answer).suppressions("eu-west-1")) == []
    theirs = botocore_sends("ListSuppressedDestinations", {"NextToken": TOKEN, "PageSize": 1000}, **KEYS)
    assert requests[1].headers["authorization"] == theirs.headers["Authorization"].decode()


def test_every_attempt_is_signed_anew(monkeypatch):
    times = iter([datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC).replace(tzinfo=None) for second in range(3)])
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: next(times))
    wire = Wire(httpx.Response(500))
    with pytest.raises(ProviderFault):
        client(wire, retry=RetryPolicy(fault_base=0, fault_tries=3)).describe("eu-west-1")
    assert len({request.headers["authorization"] for request in wire.requests}) == 3


# Pages


def listing(*pages):
    """A transport that answers with pages in turn; an exception or a response is given as it is."""
    requests = []
    left = iter(pages)

    def answer(request):
        requests.append(json.loads(request.content))
        page = next(left)
        return page if isinstance(page, httpx.Response) else httpx.Response(200, json=page)

    answer.requests = requests
    return answer


def page(*names, token=None, **more):
    return {"Contacts": [{"EmailAddress": name} for name in names], "NextToken": token, **more}


def refused(code, message="", status=400):
    return httpx.Response(status, json={"message": message}, headers={"x-amzn-ErrorType": code})


def read(answer, **options):
    walk = client(answer, **options).contacts("eu-west-1", "List")
    return [row["EmailAddress"] for found in walk for row in found]


def test_a_page_without_rows_ends_nothing():
    pages = listing(page(token="1"), page("a", token="2"), page(token="3"), {"NextToken": "4"}, page("b", token=None))
    assert read(pages) == ["a", "b"]
    assert [request.get("NextToken") for request in pages.requests] == [None, "1", "2", "3", "4"]
    assert {request["PageSize"] for request in pages.requests} == {1000}


@pytest.mark.parametrize("last", [{"Contacts": []}, {"Contacts": [], "NextToken": None}, {"NextToken": ""}, {}])
def test_the_last_page_has_no_token(last):
    assert read(listing(page("a", token="1"), last)) == ["a"]


@pytest.mark.parametrize("code", ["InvalidNextTokenException", "BadRequestException"])
def test_p6_a_token_that_is_refused_starts_the_listing_over(code):
    pages = listing(page("a", token="1"), refused(code), page("a", token="2"), page("b"))
    assert read(pages) == ["a", "a", "b"]
    assert [request.get("NextToken") for request in pages.requests] == [None, "1", None, "2"]


def test_p6_tokens_that_are_always_refused_fail():
    pages = listing(*[page("a", token="1"), refused("InvalidNextTokenException")] * 4)
    with pytest.raises(IncompleteExtraction, match="refused 4 times"):
        read(pages)


def test_p6_a_page_that_names_itself_fails():
    with pytest.raises(IncompleteExtraction, match="came twice"):
        read(listing(page("a", token="1"), page("b", token="1")))


def test_a_first_page_that_is_refused_is_refused():
    with pytest.raises(RequestRefused):
        read(listing(refused("BadRequestException")))


def test_where_a_page_size_is_refused_none_is_asked_for():
    words = "1 validation error detected: Value '1000' at 'pageSize' failed to satisfy constraint"
    pages = listing(refused("BadRequestException", words), page("a", token="1"), page("b"))
    assert read(pages) == ["a", "b"]
    assert pages.requests == [{"PageSize": 1000}, {}, {"NextToken": "1"}]


@pytest.mark.parametrize("body", [{"Contacts": 5}, {"Contacts": ["x"]}, {"NextToken": 5}, [], "x"])
def test_p6_an_answer_that_is_no_page_is_unreadable(body):
    with pytest.raises(UnreadableAnswer):
        read(listing(*[httpx.Response(200, json=body)] * 8))


# Pace


def test_each_operation_is_asked_once_a_second_in_each_region():
    slept = []
    ses = client(Wire(), regions=["eu-west-1", "us-east-1"], requests_per_second=1.0, sleep=slept.append)
    for region in ses.regions:
        ses.describe(region)
        list(ses.contact_lists(region))
    assert slept == []
    ses.describe("us-east-1")
    ses.describe("us-east-1")
    assert [round(seconds) for seconds in slept] == [1, 2]


def test_a_refusal_slows_its_own_operation_alone():
    slept = []
    answers = iter([refused("TooManyRequestsException", status=429)])
    ses = client(lambda _: next(answers, httpx.Response(200, json={})), requests_per_second=1e3, sleep=slept.append)
    ses.describe("eu-west-1")
    assert max(slept) > 0.001
    slept.clear()
    list(ses.contact_lists("eu-west-1"))
    assert slept == []


# Errors


@pytest.mark.parametrize(
    ("answer", "error", "said", "tries"),
    [
        (refused("TooManyRequestsException", status=429), RateLimited, "too many", 8),
        (refused("ThrottlingException"), RateLimited, "ThrottlingException", 8),
        (refused("ConcurrentModificationException", status=500), ProviderFault, "ConcurrentModification", 5),
        (refused("NotFoundException", "canary@example.com", 404), NotFound, "NotFoundException", 1),
        (refused("BadRequestException", "canary@example.com"), RequestRefused, "BadRequestException", 1),
        (refused("LimitExceededException"), RequestRefused, "LimitExceededException", 1),
        (httpx.Response(404, html="<html>canary</html>"), RequestRefused, "`ses_endpoint_url`", 1),
        (refused("UnknownOperationException", status=404), RequestRefused, "`ses_endpoint_url`", 1),
        (httpx.Response(502, html="<html>canary</html>"), ProviderFault, "HTTP 502", 5),
        (httpx.Response(403, html="<html>canary</html>"), PermissionDenied, "no permission for ses:GetAccount", 1),
        (refused("ExpiredTokenException", "canary", 403), AuthenticationError, "has expired", 1),
        (refused("UnrecognizedClientException", status=403), AuthenticationError, "region is not enabled", 1),
        (refused("InvalidSignatureException", "canary", 403), AuthenticationError, "secret access key does not", 1),
        (refused("SignatureDoesNotMatch", "Signature expired: 2", 403), RequestRefused, "clock of this machine", 1),
        (refused("RequestExpired", "canary"), RequestRefused, "clock of this machine", 1),
        (refused("RequestTimeoutException"), ProviderFault, "HTTP 400, RequestTimeoutException", 5),
        (refused("KMS.DisabledException"), RequestRefused, "HTTP 400, KMS.DisabledException", 1),
        (
            refused("InvalidSignatureException", "Credential should be scoped to a valid region, not 'x'", 403),
            AuthenticationError,
            "`ses_regions` names a region",
            1,
        ),
        (refused("MissingAuthenticationTokenException", status=403), AuthenticationError, "proxy", 1),
        (httpx.Response(301), UnreadableAnswer, "could not be read", 5),
        (httpx.Response(200, html="<html>canary</html>"), UnreadableAnswer, "could not be read", 5),
    ],
)
def test_p7_errors_say_who_must_act_and_quote_nothing(answer, error, said, tries):
    wire = Wire(answer)
    with pytest.raises(error) as raised:
        client(wire).describe("eu-west-1")
    assert str(raised.value).startswith("Amazon SES eu-west-1 account 'default': GET GetAccount: ")
    assert said in str(raised.value)
    assert "canary" not in str(raised.value)
    assert len(wire.requests) == tries


@pytest.mark.parametrize("place", ["header", "suffix", "type", "code"])
def test_the_code_of_an_error_is_found_wherever_it_stands(place):
    code = "AccessDeniedException"
    message = (
        "User: arn:aws:iam::111122223333:user/canary is not authorized to perform: ses:ListImportJobs on resource: x"
    )
    answer = {
        "header": httpx.Response(403, json={"message": message}, headers={"x-amzn-ErrorType": code}),
        "suffix": httpx.Response(403, json={"Message": message}, headers={"X-Amzn-Errortype": f"{code}:http://x/"}),
        "type": httpx.Response(403, json={"message": message, "__type": f"com.amazonaws.sesv2#{code}"}),
        "code": httpx.Response(403, json={"message": message, "code": code}, headers={"x-amzn-requestid": "r-1"}),
    }[place]
    with pytest.raises(
        PermissionDenied, match=r"The credentials have no permission for ses:ListImportJobs\."
    ) as raised:
        client(lambda _: answer).describe("eu-west-1")
    assert raised.value.code == code
    assert "canary" not in str(raised.value)
    assert ("request r-1" in str(raised.value)) is (place == "code")


@pytest.mark.parametrize("code", ["BadRequestException", "AccessDeniedException"])
def test_a_sandboxed_account_is_told_whatever_the_refusal(code):
    def answer(request):
        if request.url.path.endswith("/account"):
            return httpx.Response(200, json={"ProductionAccessEnabled": False})
        return refused(code, "canary", 403 if code.startswith("Access") else 400)

    with pytest.raises(PermissionDenied, match="request production access") as raised:
        list(client(answer).import_jobs("eu-west-1"))
    assert raised.value.code == "sandboxed"
    assert "eu-west-1" in str(raised.value)


@pytest.mark.parametrize(
    "account", [httpx.Response(200, json={"ProductionAccessEnabled": True}), httpx.Response(403), httpx.Response(500)]
)
def test_a_refusal_for_another_reason_stays_what_it_is(account):
    def answer(request):
        return account if request.url.path.endswith("/account") else refused("BadRequestException", "canary")

    with pytest.raises(RequestRefused, match="BadRequestException"):
        list(client(answer).import_jobs("eu-west-1"))


def test_a_missing_action_is_told_without_asking_whether_the_account_is_sandboxed():
    wire = Wire(refused("AccessDeniedException", "x is not authorized to perform: ses:ListImportJobs", 403))
    with pytest.raises(PermissionDenied, match="ses:ListImportJobs"):
        list(client(wire).import_jobs("eu-west-1"))
    assert len(wire.requests) == 1


# Credentials


def signed_by(request):
    return re.search(r"Credential=(\w+)/", request.headers["authorization"])[1]


def chain(**options):
    """Options of a client without keys of its own."""
    return dict.fromkeys(KEYS) | options


def profile(path, name, key, secret="canary-file"):
    path.write_text(f"[{name}]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")


def test_credentials_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-env")
    wire = Wire()
    client(wire, **chain()).describe("eu-west-1")
    assert signed_by(wire.requests[0]) == "AKIDENV"


def test_a_profile_goes_before_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-env")
    profile(tmp_path / "credentials", "mailing", "AKIDFILE")
    wire = Wire()
    client(wire, **chain(aws_profile="mailing")).describe("eu-west-1")
    assert signed_by(wire.requests[0]) == "AKIDFILE"


def test_credentials_that_were_renewed_elsewhere_are_looked_for_once(tmp_path):
    profile(tmp_path / "credentials", "default", "AKIDOLD")
    requests = []

    def answer(request):
        requests.append(signed_by(request))
        if requests[-1] == "AKIDOLD":
            profile(tmp_path / "credentials", "default", "AKIDNEW")
            return refused("ExpiredTokenException", "canary", 403)
        return httpx.Response(200, json={"SendingEnabled": True})

    ses = client(answer, **chain())
    assert ses.describe("eu-west-1") == {"SendingEnabled": True}
    ses.describe("eu-west-1")
    assert requests == ["AKIDOLD", "AKIDNEW", "AKIDNEW"]


def test_credentials_that_stay_the_same_are_tried_once(tmp_path):
    profile(tmp_path / "credentials", "default", "AKIDOLD")
    wire = Wire(refused("ExpiredTokenException", "canary", 403))
    with pytest.raises(AuthenticationError, match="has expired"):
        client(wire, **chain()).describe("eu-west-1")
    assert len(wire.requests) == 1


def test_p9_no_credentials_at_all_are_told():
    wire = Wire()
    with pytest.raises(AuthenticationError, match=r"`ses_aws_access_key_id`.*`ses_aws_profile`"):
        client(wire, **chain()).describe("eu-west-1")
    assert wire.requests == []


@pytest.mark.parametrize("option", ["setting", "environment"])
def test_p9_a_profile_that_does_not_exist_is_told(monkeypatch, option):
    if option == "environment":
        monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(ConfigurationError, match="`ses_aws_profile`"):
        client(Wire(), **chain(aws_profile="nobody" if option == "setting" else None)).describe("eu-west-1")


def test_p9_half_a_key_in_a_file_is_told(tmp_path):
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = AKIDHALF\n")
    with pytest.raises(ConfigurationError, match="PartialCredentialsError"):
        client(Wire(), **chain()).describe("eu-west-1")


@pytest.mark.slow
def test_a_role_that_nobody_answers_for_is_a_fault(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    with pytest.raises(ProviderFault, match="no response"):
        client(Wire(), assume_role_arn="arn:aws:iam::111122223333:role/reader").describe("eu-west-1")


# Settings


def from_settings(**config):
    given = {"ses_regions": ["eu-west-1"], **config}
    return SesClient.from_settings(given, environ={}, transport=httpx.MockTransport(Wire()))


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"ses_regions": None}, "ses_regions"),
        ({"ses_regions": []}, "ses_regions"),
        ({"ses_regions": ["us-east-1/evil"]}, "ses_regions"),
        ({"ses_regions": ["eu-west-1.example.com"]}, "ses_regions"),
        ({"ses_regions": [5]}, "ses_regions"),
        ({"ses_regions": ["xx-nowhere-1"]}, "ses_regions"),
        ({"ses_aws_access_key_id": "x"}, "ses_aws_secret_access_key"),
        ({"ses_aws_secret_access_key": "x"}, "ses_aws_access_key_id"),
        ({"ses_aws_session_token": "x"}, "ses_aws_access_key_id"),
        ({"ses_aws_access_key_id": "x", "ses_aws_secret_access_key": "x", "ses_aws_profile": "p"}, "ses_aws_profile"),
        ({"ses_aws_profile": "nobody"}, "ses_aws_profile"),
        ({"ses_assume_role_external_id": "x"}, "ses_assume_role_arn"),
        ({"ses_assume_role_arn": "x"}, "ses_assume_role_arn"),
        ({"ses_assume_role_arn": "arn:aws:iam::111122223333:role/x\n"}, "ses_assume_role_arn"),
        (
            {"ses_assume_role_arn": "arn:aws:iam::111122223333:role/x", "ses_assume_role_external_id": "\u200b"},
            "ses_assume_role_external_id",
        ),
        ({"ses_endpoint_url": "email.eu-west-1.amazonaws.com"}, "ses_endpoint_url"),
        ({"ses_requests_per_second": 0}, "ses_requests_per_second"),
    ],
)
def test_p9_a_wrong_setting_is_named(config, named):
    with pytest.raises(ConfigurationError, match=f"`{named}`"):
        from_settings(**config)


def test_p9_without_botocore_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "botocore", None)
    monkeypatch.delitem(sys.modules, "mailing_api.aws.session", raising=False)
    with pytest.raises(ConfigurationError, match=r"botocore is not installed.*extra `ses`"):
        from_settings()


def test_credentials_are_secrets_and_the_profile_is_none():
    secret = {setting.name for setting in SES_SETTINGS if setting.secret}
    assert secret == {"ses_aws_access_key_id", "ses_aws_secret_access_key", "ses_aws_session_token"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environ", "host"),
    [
        ({}, "https://email.eu-west-1.amazonaws.com"),
        ({"AWS_ENDPOINT_URL_SESV2": "http://127.0.0.1:8025"}, "http://127.0.0.1:8025"),
        ({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "https://email.eu-west-1.api.aws"),
    ],
)
def test_the_endpoint_is_what_aws_has_for_the_region(monkeypatch, environ, host):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    wire = Wire()
    ses = client(wire, endpoint_url=None, regions=["eu-west-1", "us-east-1", "eu-west-1"])
    assert ses.regions == ("eu-west-1", "us-east-1")
    ses.describe("eu-west-1")
    assert str(wire.requests[0].url) == f"{host}/v2/email/account"
