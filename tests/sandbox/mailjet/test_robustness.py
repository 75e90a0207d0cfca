"""Whatever a client sends gets an answer: never an exception out of the emulator."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailing_sandbox import Sandbox
from mailing_sandbox.mailjet.routes import ROUTES
from mailing_sandbox.provider import Call

HEADERS = {"authorization": "Basic " + base64.b64encode(b"sandbox-key:sandbox-secret").decode(), "host": "x.test"}
KEYS = (
    "Email", "Name", "IsExcludedFromCampaigns", "Data", "Value", "Datatype", "NameSpace", "Action", "Contacts",
    "Properties",
    "ContactsLists", "ListID", "ContactID", "ContactAlt", "ListAlt", "DataID", "ContactsListID", "Method",
    "ImportOptions",
    "ErrTreshold", "Status", "IsUnsubscribed", "IsActive", "IsDeleted", "Expression", "Description", "age",
    "birthday", "city",
)  # fmt: skip
TEXTS = (
    "a@example.com",
    "addforce",
    "remove",
    "Completed",
    "Abort",
    "static",
    "int",
    "91822",
    "77120034",
    "",
    "{",
    "soon",
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(TEXTS)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)
SEGMENTS = st.sampled_from(
    ("91822", "310044871", "288100452", "70412", "5301", "880101", "356331800", "9" * 5000, "²", "x")
)
PARAMETERS = (
    "limit", "offset", "sort", "countonly", "contactslist", "contact", "email", "status", "minrequestat", "fields",
    "minunsubscribedat", "isdeleted", "refid", "excludeid", "lastactivityat", "apikey", "minsignupat",
)  # fmt: skip
VALUES = ("", "1", "-1", "0", "x", "ID", "ID DESC", "Email DESC", "true", "1e999", "nan", "2024-01-01", "9" * 5000)
QUERIES = st.dictionaries(st.sampled_from(PARAMETERS), st.sampled_from(VALUES), max_size=4)


@pytest.fixture(scope="module")
def emulator():
    sandbox = Sandbox(contacts=30, job_seconds=0)
    sandbox.mailjet.add_property("age", "int")
    return sandbox.mailjet


@pytest.fixture(scope="module")
def importer():
    sandbox = Sandbox(job_seconds=0)
    sandbox.mailjet.add_property("birthday", "datetime")
    assert sandbox.mailjet.add_list("News") == 91822
    return sandbox.mailjet


def call(method, path, body=b"", query=None):
    segments = tuple(path.strip("/").split("/"))
    return Call(method, "/" + "/".join(segments), segments, query or {}, HEADERS, body)


@pytest.mark.slow
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(route=st.sampled_from(ROUTES), segment=SEGMENTS, body=JSON, query=QUERIES)
def test_every_route_answers_everything(emulator, route, segment, body, query):
    path = "/".join(segment if part[:1] == "{" else part for part in route.path.split("/"))
    answer = emulator.answer(call(route.method, path, json.dumps(body).encode(), query))
    assert answer.status in {200, 201, 204, 304, 400, 401, 404}


CELLS = st.sampled_from(
    ("a@example.com", "b@example.com", "", "x", '"', '"a', "1990-01-01", "0001-01-01", "name", "email", "\0")
)
FORMATS = ("", "yyyy-mm-dd", "yyyy yyyy", "%", "dd/mm/yy hh:nn:ss", "(")
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "DateTimeFormat": st.sampled_from(FORMATS),
        "TimezoneOffset": st.integers(-14, 14),
        "FieldNames": st.lists(st.sampled_from(("email", "birthday", "age", "city")), max_size=4),
    },
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.lists(CELLS, max_size=4).map(",".join), max_size=6), options=OPTIONS, header=st.booleans())
def test_every_file_comes_to_an_end(importer, rows, options, header):
    content = "\n".join((["email,birthday"] if header else []) + rows).encode()
    upload = importer.answer(call("POST", "/v3/DATA/contactslist/91822/CSVData/text:plain", content))
    data_id = json.loads(upload.body)["ID"]
    body = {
        "ContactsListID": 91822, "DataID": data_id, "Method": "addforce", "ImportOptions": json.dumps(options),
    }  # fmt: skip
    made = importer.answer(call("POST", "/v3/REST/csvimport", json.dumps(body).encode()))
    assert made.status == (400 if abs(options.get("TimezoneOffset", 0)) > 12 else 201)
    assert {job["status"] for job in importer.jobs()} <= {"Completed", "Error"}


def test_a_cell_too_large_for_a_reader_of_csv(importer):
    content = b"email\n" + b"x" * 200_000
    upload = importer.answer(call("POST", "/v3/DATA/contactslist/91822/CSVData/text:plain", content))
    body = {"ContactsListID": 91822, "DataID": json.loads(upload.body)["ID"], "Method": "addforce"}
    assert importer.answer(call("POST", "/v3/REST/csvimport", json.dumps(body).encode())).status == 201
    assert importer.jobs()[-1]["status"] == "Error"
    assert [row for row in importer.received() if row["job"] == importer.jobs()[-1]["id"]] == []


def test_odd_credentials(emulator):
    for header in ("Basic é", "Basic AAA", "basic", "Negotiate x"):
        odd = Call("GET", "/v3/REST/contact", ("v3", "REST", "contact"), {}, {"authorization": header}, b"")
        assert emulator.answer(odd).status == 401
