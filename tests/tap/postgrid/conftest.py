from __future__ import annotations

import email.utils
import logging
import threading

import httpx
import pytest

from mailing_sandbox import Sandbox
from tests.sandbox.postgrid.conftest import Contract

CONTACTS = "postgrid_contacts"
LISTS = "postgrid_mailing_lists"
IMPORTS = "postgrid_import_jobs"
MEMBERS = "postgrid_list_members"

ADDRESS = {"addressLine1": "12 Lakeshore Rd W", "countryCode": "CA"}
MAPPING = {"firstName": "first", "addressLine1": "street", "countryCode": "country"}
CSV = "first,street,country\nAmara,12 Lakeshore Rd W,CA\nNoor,3 Mill Lane,CA\n"


class Wire(httpx.BaseTransport):
    """The network, each exchange held against the OpenAPI document and kept.

    `before` may do something ahead of a request, named by resource and number. `clock` writes the answers' dates;
    without one they have none.
    """

    def __init__(self, contract):
        self.contract = contract
        self.requests = []
        self.before = {}
        self.clock = None
        self._lock = threading.Lock()
        self._network = httpx.HTTPTransport(verify=False)

    def handle_request(self, request):
        resource = request.url.path.rpartition("/")[2]
        with self._lock:
            number = sum(one.url.path == request.url.path for one in self.requests) + 1
            self.requests.append(request)
            act = self.before.pop((resource, number), None)
            if act is not None:
                act()
        response = self._network.handle_request(request)
        response.read()
        response.request = request
        del response.headers["Date"]
        if self.clock is not None:
            response.headers["Date"] = email.utils.formatdate(self.clock.now(), usegmt=True)
        if self.contract is not None:
            self.contract(response)
        return response

    def close(self):
        self._network.close()
        self._network = httpx.HTTPTransport(verify=False)

    def asked(self, resource):
        """The query parameters of the requests for a collection."""
        found = [one for one in self.requests if one.url.path == f"/print-mail/v1/{resource}"]
        return [dict(one.url.params) for one in found]


class World:
    """PostGrid with its clock two hours behind, so that tests can move it without passing the tap's; answers tell it.

    `api` is PostGrid as another program uses it, with the test key.
    """

    def __init__(self, sandbox, wire):
        self.sandbox = sandbox
        self.pg = sandbox.postgrid
        self.clock = sandbox.clock
        self.clock._offset -= 7200
        self.wire = wire
        wire.clock = self.clock
        headers = {"X-API-Key": self.pg.test_key}
        self.api = httpx.Client(base_url=f"{sandbox.url}/print-mail/v1", headers=headers, verify=False)

    def make(self, *given, **shared):
        """Make contacts of first names, or of fields; returns their IDs."""
        rows = [{"firstName": one} if isinstance(one, str) else one for one in given]
        return self.pg.add_contacts([ADDRESS | shared | row for row in rows])

    def post(self, path, **fields):
        answer = self.api.post(f"/{path}", json=fields)
        answer.raise_for_status()
        return answer.json()

    def touch(self, *firsts):
        """Post contacts once more, which changes their descriptions and `updatedAt`."""
        for first in firsts:
            self.post("contacts", **ADDRESS, firstName=first, description="changed")

    def delete(self, *keys):
        for key in keys:
            self.api.delete(f"/contacts/{key}").raise_for_status()

    def loosen(self, **switches):
        """Make PostGrid differ from the OpenAPI document."""
        self.wire.contract = None
        self.pg.change(**switches)


@pytest.fixture(scope="session")
def document():
    return Contract()


@pytest.fixture
def wire(document):
    document.checked.clear()
    return Wire(document)


@pytest.fixture
def sandbox():
    """An empty sandbox whose jobs end at the first look, unless a test says otherwise."""
    with Sandbox(job_seconds=0) as running:
        yield running


@pytest.fixture
def world(sandbox, wire):
    made = World(sandbox, wire)
    yield made
    made.api.close()


@pytest.fixture
def read(sandbox, wire, tap, caplog):
    """Run the tap; the settings are added to those that it needs."""
    caplog.set_level(logging.DEBUG)

    def run(*streams, state=None, test=False, without=(), **settings):
        config = {
            "postgrid_base_url": sandbox.url,
            "postgrid_api_key": sandbox.postgrid.test_key,
            "max_requests_per_second": 1e6,
            **settings,
        }
        found = tap.run(config, *streams, state=state, transport=wire, test=test, without=without)
        assert str(config["postgrid_api_key"]) not in caplog.text
        assert "signature=" not in caplog.text
        return found

    return run


def names(run):
    return [record["first_name"] for record in run.records(CONTACTS)]


def errors(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
