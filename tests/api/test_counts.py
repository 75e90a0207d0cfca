"""P1: a number of an answer that is no count makes the answer unreadable: it might say that rows failed."""

from __future__ import annotations

import json
from contextlib import ExitStack, closing

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailing_api import values
from mailing_api.errors import UnreadableAnswer
from mailing_api.http.pace import Pace
from mailing_api.http.retry import RetryPolicy
from mailing_api.mailjet.client import MailjetClient
from mailing_api.mpdx.client import MpdxClient
from mailing_api.postgrid.client import PostgridClient
from mailing_api.ses.client import SesClient
from mailing_api.ses.writer import SesWriter
from tests.searching import examples

URL = "https://provider.example"
REGION = "eu-west-1"

#: By field: the answer with its value, the call, and what is read.
FIELDS = {
    "mailjet Count": (
        lambda value: {"Count": 1, "Data": [{"ID": 1, "Status": "Completed", "Count": value}], "Total": 1},
        lambda clients: clients["mailjet"].job(1, list_id=2).count,
    ),
    "mailjet Errcount": (
        lambda value: {"Count": 1, "Data": [{"ID": 1, "Status": "Completed", "Errcount": value}], "Total": 1},
        lambda clients: clients["mailjet"].csv_import(1).errors,
    ),
    "mailjet Errcount in a listing": (
        lambda value: {"Count": 1, "Data": [{"ID": 1, "Errcount": value}], "Total": 1},
        lambda clients: values.count(clients["mailjet"].page("batchjob", {})[0]["Errcount"]),
    ),
    "ses ProcessedRecordsCount": (
        lambda value: {"JobStatus": "COMPLETED", "ProcessedRecordsCount": value},
        lambda clients: SesWriter(clients["ses"], REGION).job("job").processed,
    ),
    "ses FailedRecordsCount": (
        lambda value: {"JobStatus": "COMPLETED", "FailedRecordsCount": value},
        lambda clients: SesWriter(clients["ses"], REGION).job("job").failed,
    ),
    "postgrid validRowCount": (
        lambda value: {"id": "import_1", "status": "completed", "validRowCount": value},
        lambda clients: clients["postgrid"].imported("import_1").valid or None,
    ),
    "postgrid invalidRowCount": (
        lambda value: {"id": "import_1", "status": "completed", "invalidRowCount": value},
        lambda clients: clients["postgrid"].imported("import_1").invalid or None,
    ),
}  # fmt: skip
#: Sizes of listings, which are never strings.
SIZES = {
    "postgrid totalCount": (
        lambda value: {"object": "list", "totalCount": value, "data": []},
        lambda clients: clients["postgrid"].sample("contacts", 1),
    ),
    "mpdx total_count": (
        lambda value: {"data": [], "meta": {"pagination": {"total_count": value}}},
        lambda clients: clients["mpdx"].account_lists(),
    ),
}  # fmt: skip

WRONG = st.one_of(
    st.booleans(), st.integers(max_value=-1), st.integers(max_value=-1).map(str),
    st.floats(allow_nan=False, allow_infinity=False).filter(lambda value: not value.is_integer() or value < 0),
    st.sampled_from(["1e5", "1.0", "3.5", "many", "+3", " 3", "007", "0x3", "-0.5", "\u0663"]),
    st.text(min_size=1).filter(lambda value: not value.isascii() or not value.isdecimal()),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)  # fmt: skip


@pytest.fixture(scope="module")
def served():
    """Clients of all providers, to each of which is answered what is put there."""
    body = {}

    def handle(_):
        return httpx.Response(200, stream=httpx.ByteStream(json.dumps(body["now"]).encode()))

    own = {
        "transport": httpx.MockTransport(handle), "sleep": lambda _: None,
        "retry": RetryPolicy(fault_tries=1, throttle_tries=1),
    }  # fmt: skip

    def pace():
        return Pace(sleep=lambda _: None)

    keys = {"aws_access_key_id": "AKIDCANARY", "aws_secret_access_key": "secret"}
    ses = SesClient(
        regions=[REGION], endpoint_url=URL, requests_per_second=1e6, pace=pace(), **keys, **own
    )  # fmt: skip
    clients = {
        "mailjet": MailjetClient(api_key="key", secret_key="secret", base_url=URL, pace=pace(), **own),
        "postgrid": PostgridClient(api_key="test_sk_key", base_url=URL, pace=pace(), **own),
        "mpdx": MpdxClient(token="secret", base_url=URL, pace=pace(), **own),
        "ses": ses,
    }
    with ExitStack() as opened:
        for client in clients.values():
            opened.enter_context(closing(client))
        yield body, clients


def answered(served, field, value):
    body, clients = served
    make, read = (FIELDS | SIZES)[field]
    body["now"] = make(value)
    return read(clients)


@pytest.mark.parametrize("field", FIELDS | SIZES)
def test_p1_a_number_that_is_plainly_no_count_makes_the_answer_unreadable(served, field):
    for value in ("1e5", -1, "-1", 0.5, "some", True, [3]):
        with pytest.raises(UnreadableAnswer, match="could not be read"):
            answered(served, field, value)


@pytest.mark.slow
@pytest.mark.machine
@pytest.mark.parametrize("field", FIELDS | SIZES)
@settings(max_examples=examples(40, 400))
@given(value=WRONG)
def test_p1_a_number_that_is_no_count_makes_the_answer_unreadable(served, field, value):
    with pytest.raises(UnreadableAnswer, match="could not be read"):
        answered(served, field, value)


@pytest.mark.slow
@pytest.mark.machine
@pytest.mark.parametrize("field", FIELDS)
@settings(max_examples=examples(20, 200))
@given(value=st.integers(1, 10**12), form=st.sampled_from([int, str, float]))
def test_a_count_is_read_in_each_form(served, field, value, form):
    assert answered(served, field, form(value)) == value


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", [None, ""])
def test_a_count_that_is_not_given_is_none(served, field, value):
    assert answered(served, field, value) is None
