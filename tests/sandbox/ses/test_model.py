"""Operations, paths, members, types, enums and required members are those of botocore's own model of SES v2."""

from __future__ import annotations

import re

import botocore.session
import pytest
from botocore.exceptions import ClientError

from mailing_sandbox.ses.routes import ROUTES
from tests.sandbox.ses.conftest import code
from tests.sandbox.ses.test_official_client import OPERATIONS, world

__all__ = ["world"]

MODEL = botocore.session.Session().get_service_model("sesv2")
EACH = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)
EVERYBODY = {"AccessDeniedException", "TooManyRequestsException"}
UNDECLARED = {"CreateImportJob": {"NotFoundException"}}
"""An error that a third party saw although the model does not declare it (SES reference, import jobs)."""


@EACH
def test_method_and_path(route):
    assert MODEL.operation_model(route.operation).http == {"method": route.method, "requestUri": route.path} | (
        {"responseCode": 200} if "responseCode" in MODEL.operation_model(route.operation).http else {}
    )


def test_every_operation_about_contacts_suppressions_imports_and_exports_is_there():
    about = re.compile(r"Contact|Suppressed|ImportJob|ExportJob")
    named = {name for name in MODEL.operation_names if about.search(name)}
    assert named - {route.operation for route in ROUTES} == set()


@EACH
def test_errors_are_declared(route):
    expected = OPERATIONS[route.operation][3]
    declared = {shape.name for shape in MODEL.operation_model(route.operation).error_shapes}
    assert expected is None or expected in declared | UNDECLARED.get(route.operation, set())


def members_in(shape, place):
    """The members of a request at a place, by the name on the wire."""
    where = {"body": None, "query": "querystring"}[place]
    found = shape.members.items()
    return {
        one.serialization.get("name", name): (name, one)
        for name, one in found
        if one.serialization.get("location") == where
    }


def sample(shape, seen=()):
    """A value that fits a shape."""
    if shape.type_name == "structure":
        return {name: sample(one) for name, one in shape.members.items() if name in shape.required_members}
    if shape.type_name == "list":
        return [sample(shape.member)]
    if shape.type_name == "map":
        return {sample(shape.key): sample(shape.value)}
    texts = {"EmailAddress": "ann@example.com", "S3Url": "s3://imports/rows"}
    if shape.type_name == "string":
        return shape.enum[0] if shape.enum else texts.get(shape.name, "x")
    return {"integer": 5, "boolean": True, "timestamp": 1735689600, "double": 1.0}[shape.type_name]


def path_of(route):
    return re.sub(r"{\w+}", "x", route.path)


def body_of(route):
    body = members_in(MODEL.operation_model(route.operation).input_shape, "body")
    return {name: sample(one) for name, (_, one) in body.items()}


def bodies(kind):
    found = []
    for route in ROUTES:
        shape = MODEL.operation_model(route.operation).input_shape
        for name, (member, one) in members_in(shape, "body").items():
            if (
                (kind == "required" and member in shape.required_members)
                or kind == "typed"
                or (kind == "enum" and one.type_name == "string" and one.enum)
            ):
                found.append((route, name))
    return found


def ids(pair):
    return f"{pair[0].operation}-{pair[1]}"


@pytest.mark.parametrize("pair", bodies("required"), ids=ids)
def test_a_required_member_is_missed(wire, pair):
    route, name = pair
    body = body_of(route)
    del body[name]
    answer = wire(route.method, path_of(route), json=body)
    assert answer.status_code == 400
    assert answer.headers["x-amzn-errortype"] == "BadRequestException"
    assert f"Value null at '{name[0].lower()}{name[1:]}' failed" in answer.json()["message"]


@pytest.mark.parametrize("pair", bodies("enum"), ids=ids)
def test_a_word_outside_of_an_enum_is_refused(wire, pair):
    route, name = pair
    answer = wire(route.method, path_of(route), json=body_of(route) | {name: "NO_SUCH_WORD"})
    assert answer.status_code == 400
    assert answer.headers["x-amzn-errortype"] == "BadRequestException"
    one = members_in(MODEL.operation_model(route.operation).input_shape, "body")[name][1]
    assert f"[{', '.join(one.enum)}]" in answer.json()["message"]


@pytest.mark.parametrize("pair", bodies("typed"), ids=ids)
def test_a_wrong_type_is_refused(wire, pair):
    route, name = pair
    shape = members_in(MODEL.operation_model(route.operation).input_shape, "body")[name][1]
    wrong = "text" if shape.type_name != "string" else 5
    answer = wire(route.method, path_of(route), json=body_of(route) | {name: wrong})
    assert answer.status_code == 400
    assert answer.headers["x-amzn-errortype"] == "SerializationException"


@pytest.mark.parametrize("content", [b"{", b"[" * 100_000, b"[]", b'"text"', b"\xff", b"{} {}"])
def test_a_body_that_is_no_object_is_refused(wire, content):
    answer = wire("POST", "/v2/email/import-jobs/list", content=content)
    assert answer.headers["x-amzn-errortype"] == "SerializationException"


def test_null_is_as_good_as_absent(wire):
    assert wire("POST", "/v2/email/import-jobs/list", json={"NextToken": None}).json()["ImportJobs"] == []


def test_constraints_of_length_and_pattern_are_held(wire):
    body = {
        "ImportDestination": {"SuppressionListDestination": {"SuppressionListImportAction": "PUT"}},
        "ImportDataSource": {"S3Url": "https://example.com/rows", "DataFormat": "XML"},
    }
    said = wire("POST", "/v2/email/import-jobs", json=body).json()["message"]
    assert said.startswith("2 validation errors detected: ")
    assert "'importDataSource.s3Url'" in said
    assert "'importDataSource.dataFormat'" in said
    assert "length greater" in wire("GET", "/v2/email/suppression/addresses?TenantName=").json()["message"]


def strays(shape, value, path=""):
    """Members that the model does not know, or of another type."""
    if shape.type_name == "structure":
        for name, one in value.items():
            if name not in shape.members:
                yield f"{path}.{name}"
            elif not (name == "NextToken" and one is None):
                yield from strays(shape.members[name], one, f"{path}.{name}")
        yield from (f"{path}.{name} missing" for name in shape.required_members if name not in value)
    elif shape.type_name == "list":
        for one in value:
            yield from strays(shape.member, one, f"{path}[]")
    elif shape.type_name == "string" and shape.enum and value not in shape.enum:
        yield f"{path}={value}"
    elif not isinstance(
        value,
        {"string": str, "integer": int, "boolean": bool, "timestamp": float | int, "double": float, "map": dict}[
            shape.type_name
        ],
    ):
        yield f"{path}:{type(value).__name__}"


def wire_calls(world):
    return {
        "GetAccount": ("/v2/email/account", None),
        "ListContactLists": ("/v2/email/contact-lists", None),
        "GetContactList": ("/v2/email/contact-lists/Newsletter", None),
        "ListContacts": ("/v2/email/contact-lists/Newsletter/contacts/list", {}),
        "GetContact": ("/v2/email/contact-lists/Newsletter/contacts/ann@example.com", None),
        "ListSuppressedDestinations": ("/v2/email/suppression/addresses", None),
        "GetSuppressedDestination": ("/v2/email/suppression/addresses/gone@example.com", None),
        "ListImportJobs": ("/v2/email/import-jobs/list", {}),
        "GetImportJob": (f"/v2/email/import-jobs/{world['import']}", None),
        "ListExportJobs": ("/v2/email/list-export-jobs", {}),
        "GetExportJob": (f"/v2/email/export-jobs/{world['export']}", None),
    }


@pytest.mark.parametrize("timestamps", ["epoch", "iso"])
def test_answers_hold_modelled_members_and_nothing_else(sandbox, wire, world, timestamps):
    sandbox.switches.change({"ses_timestamps": timestamps, "ses_job_seconds": 0})
    for operation, (path, body) in wire_calls(world).items():
        answer = wire("GET" if body is None else "POST", path, json=body)
        assert answer.status_code == 200, operation
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-amzn-requestid"]
        found = list(strays(MODEL.operation_model(operation).output_shape, answer.json()))
        dates = [one for one in found if one.endswith(("Timestamp:str", "Time:str", "Date:str"))]
        assert found == ([] if timestamps == "epoch" else dates)
        assert timestamps == "epoch" or dates or operation == "GetAccount"


def test_a_listing_leaves_out_what_only_the_single_call_shows(wire, world):
    contact = wire("POST", "/v2/email/contact-lists/Newsletter/contacts/list", json={}).json()["Contacts"][0]
    assert contact.keys() == {
        "EmailAddress", "TopicPreferences", "TopicDefaultPreferences", "UnsubscribeAll", "LastUpdatedTimestamp",
    }  # fmt: skip
    job = wire("POST", "/v2/email/import-jobs/list", json={}).json()["ImportJobs"][0]
    assert not job.keys() & {"ImportDataSource", "FailureInfo", "CompletedTimestamp"}


def test_writes_answer_an_empty_object(wire, newsletter):
    answer = wire("POST", "/v2/email/contact-lists/Newsletter/contacts", json={"EmailAddress": "ann@example.com"})
    assert answer.content == b"{}"


def test_what_is_no_operation_is_refused(wire, ses):
    for method, path in (
        ("GET", "/v2/email/identities"),
        ("GET", "/v2/email/import-jobs"),
        ("PATCH", "/v2/email/account"),
    ):
        answer = wire(method, path)
        assert answer.status_code == 404
        assert answer.headers["x-amzn-errortype"] == "UnknownOperationException"
    with pytest.raises(ClientError) as refused:
        ses.list_email_identities()
    assert code(refused) == "UnknownOperationException"
