from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import httpx
import pytest
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest, MockResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mailing_sandbox import Sandbox

DOCUMENT = Path(__file__).parents[1] / "postgrid-mailing-openapi.yml"
PERSON = {"firstName": "Amara", "lastName": "Oyelaran", "addressLine1": "12 Lakeshore Rd W", "countryCode": "CA"}
MAPPING = {"firstName": "first", "addressLine1": "street", "countryCode": "country"}
CSV = "first,street,country\nAmara,12 Lakeshore Rd W,CA\nNoor,3 Mill Lane,CA\n"


class Contract:
    """Holds every exchange against the OpenAPI document: requests only where PostGrid did not refuse them."""

    def __init__(self) -> None:
        self._document = OpenAPI.from_file_path(str(DOCUMENT))
        self.checked: list[tuple[str, str, int]] = []

    def __call__(self, response: httpx.Response) -> None:
        response.read()
        request = response.request
        mock = MockRequest(
            "https://api.postgrid.com",
            request.method.lower(),
            request.url.path,
            args=dict(request.url.params),
            headers=dict(request.headers),
            data=request.read() or None,
            content_type=request.headers.get("content-type", "application/json"),
        )
        answer = MockResponse(
            response.content, response.status_code, dict(response.headers), response.headers["content-type"]
        )
        self._document.validate_response(mock, answer)
        if response.is_success:
            self._document.validate_request(mock)
        self.checked.append((request.method, request.url.path, response.status_code))


class Api(NamedTuple):
    """Calls of the emulated PostGrid with the test key, each held against the document."""

    client: httpx.Client

    def contact(self, **fields) -> dict:
        answer = self.client.post("/contacts", json=PERSON | fields)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def list(self, **fields) -> dict:
        return self.client.post("/mailing_lists", json=fields).json()

    def job(self, number: str, **ids) -> httpx.Response:
        return self.client.post(f"/mailing_lists/{number}/jobs", json=ids)

    def upload(self, content: str = CSV, mapping: dict | None = None, **fields) -> httpx.Response:
        pairs = {f"receiverAddressMapping[{name}]": column for name, column in (mapping or MAPPING).items()}
        file = {"file": ("rows.csv", content.encode(), "text/csv")}
        return self.client.post("/mailing_list_imports", files=file, data={"fileType": "csv"} | pairs | fields)

    def imported(self, content: str = CSV, mapping: dict | None = None, **fields) -> dict:
        """Upload a file and read the import; with no time to take, it has ended then."""
        return self.get("mailing_list_imports", self.upload(content, mapping, **fields).json()["id"])

    def get(self, resource: str, number: str = "", **query) -> dict:
        answer = self.client.get(f"/{resource}/{number}".rstrip("/"), params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def error(self, answer: httpx.Response) -> tuple[int, str]:
        body = answer.json()
        assert body.keys() == {"object", "error"}
        assert body["error"].keys() == {"type", "message"}
        return answer.status_code, body["error"]["type"]


@pytest.fixture(scope="session")
def document() -> Contract:
    return Contract()


@pytest.fixture
def contract(document: Contract) -> Contract:
    document.checked.clear()
    return document


@pytest.fixture
def client_of(sandbox: Sandbox, contract: Contract) -> Iterator[Callable[..., httpx.Client]]:
    """Makes clients of the emulated PostGrid; `checked` false where a switch leaves the document."""
    made: list[httpx.Client] = []

    def make(key: str | None = None, *, checked: bool = True) -> httpx.Client:
        hooks = {"response": [contract]} if checked else {}
        headers = {"x-api-key": sandbox.postgrid.test_key if key is None else key}
        client = httpx.Client(
            base_url=f"{sandbox.url}/print-mail/v1",
            headers=headers,
            event_hooks=hooks,
            timeout=10,
            verify=False,
            trust_env=False,
        )
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def pg(client_of) -> Api:
    """The emulated PostGrid, every exchange held against the document."""
    return Api(client_of())


@pytest.fixture
def loose(client_of) -> Api:
    """The emulated PostGrid where the document does not say what a switch makes of it."""
    return Api(client_of(checked=False))
