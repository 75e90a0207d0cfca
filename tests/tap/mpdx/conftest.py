from __future__ import annotations

import json
import logging

import httpx
import pytest

from tests.mpdx import home, make, mpdx, sandbox

__all__ = ["Wire", "home", "make", "mpdx", "sandbox"]

CONTACTS = "mpdx_contacts"
PEOPLE = "mpdx_people"
DELETED = "mpdx_deleted_contacts"
ACCOUNT_LISTS = "mpdx_account_lists"
EXPORTS = "mpdx_contact_exports"
EXPORT_ROWS = "mpdx_contact_export_rows"


class Wire(httpx.BaseTransport):
    """The network, with a record of all requests; `before` may do something ahead of one of them."""

    def __init__(self):
        self.requests = []
        self.before = {}
        self._network = httpx.HTTPTransport(verify=False)

    def handle_request(self, request):
        asked = (request.method, request.url.path.removeprefix("/api/v2/"))
        number = sum((one.method, one.url.path.removeprefix("/api/v2/")) == asked for one in self.requests) + 1
        self.requests.append(request)
        act = self.before.pop((*asked, number), None)
        if act is not None:
            act()
        return self._network.handle_request(request)

    def close(self):
        self._network.close()
        self._network = httpx.HTTPTransport(verify=False)

    def asked(self, path, method="GET"):
        """The query parameters of the requests to a path."""
        found = [one for one in self.requests if one.url.path == f"/api/v2/{path}" and one.method == method]
        return [dict(one.url.params) for one in found]

    def bodies(self, path):
        found = [one for one in self.requests if one.url.path == f"/api/v2/{path}" and one.method == "POST"]
        return [json.loads(one.content)["data"] for one in found]


@pytest.fixture
def wire():
    return Wire()


@pytest.fixture
def read(sandbox, wire, tap, caplog):
    """Run the tap; the settings are `mpdx_…` without the prefix, or those of the tap."""
    caplog.set_level(logging.DEBUG)

    def run(*streams, state=None, test=False, without=(), **settings):
        config = {"mpdx_base_url": sandbox.url}
        if not {"mpdx_token", "mpdx_access_token"} & settings.keys():
            config["mpdx_token"] = sandbox.mpdx.token()
        config |= settings
        found = tap.run(config, *streams, state=state, transport=wire, test=test, without=without)
        for secret in (config.get("mpdx_token"), config.get("mpdx_access_token")):
            assert not secret or secret not in caplog.text
        return found

    run.wire = wire
    return run


@pytest.fixture
def names():
    def of(run):
        return [record["file_as"] for record in run.records(CONTACTS)]

    return of
