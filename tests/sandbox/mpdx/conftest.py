from __future__ import annotations

import httpx
import pytest

from tests.mpdx import home, make, mpdx, sandbox

__all__ = ["MEDIA_TYPE", "Api", "home", "make", "mpdx", "sandbox"]

MEDIA_TYPE = "application/vnd.api+json"


class Api:
    """A client of the emulated MPDX, with a token and the headers that it wants."""

    def __init__(self, sandbox, token=None):
        self.sandbox = sandbox
        self.token = token or sandbox.mpdx.token()
        self.client = httpx.Client(base_url=f"{sandbox.url}/api/v2", timeout=10, verify=False)

    def get(self, path, headers=(), **params):
        given = {"Authorization": f"Bearer {self.token}", "Content-Type": MEDIA_TYPE, **dict(headers)}
        return self.client.get(path, params=params, headers=given)

    def rows(self, path, filters=(), **params):
        asked = {f"filter[{name}]": value for name, value in dict(filters).items()}
        answer = self.get(path, **asked, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def names(self, filters=(), **params):
        return [row["attributes"]["name"] for row in self.rows("contacts", filters, per_page=500, **params)]

    def export(self, filters=None, *, path="contacts/exports/mailing", **attributes):
        params = {} if filters is None else {"params": {"filter": filters}}
        body = {"data": {"type": "export_logs", "attributes": params | attributes}}
        return self.client.post(path, json=body, headers={"Authorization": f"Bearer {self.token}"})

    def csv(self, filters=None, headers=()):
        ticket = self.export(filters).json()["data"]["id"]
        return self.get(f"contacts/exports/mailing/{ticket}.csv", headers)


@pytest.fixture
def api(sandbox):
    found = Api(sandbox)
    yield found
    found.client.close()


@pytest.fixture
def sign_in(sandbox):
    """Clients of other users."""
    made = []

    def client(token):
        made.append(Api(sandbox, token))
        return made[-1]

    yield client
    for each in made:
        each.client.close()
