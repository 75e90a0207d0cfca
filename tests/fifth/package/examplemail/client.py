"""Client of Example Mail's API: audiences, contacts, jobs and their results."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Unpack

import httpx
import msgspec

from examplemail.settings import ACCOUNT, API_TOKEN, BASE_URL
from mailing_api.errors import (
    AuthenticationError,
    ConfigurationError,
    MailingError,
    NotFound,
    PermissionDenied,
    ProviderFault,
    RequestRefused,
)
from mailing_api.http.client import Connection, HttpClient
from mailing_api.http.pace import Pace
from mailing_api.http.paging import TokenWalk
from mailing_api.http.paths import segment
from mailing_api.http.urls import canonical, check_url
from mailing_api.settings import lookup, named

__all__ = ["ENDED", "ExampleMailClient", "Job", "Row"]

Row = dict[str, Any]

ROOT = "/examplemail/v1"
#: States of a job that do not change.
ENDED: Final = frozenset({"finished", "failed", "cancelled"})


class _Page(msgspec.Struct):
    items: list[Row]
    next: str | None = None


_PAGE = msgspec.json.Decoder(_Page)
_OBJECT = msgspec.json.Decoder(Row)


class Job(msgspec.Struct, frozen=True):
    """A job as it is now."""

    state: str
    refused: int

    @property
    def is_terminal(self) -> bool:
        """Whether it has ended; a state that is not known has not."""
        return self.state in ENDED

    @property
    def progress(self) -> tuple[str, int]:
        """How far it is."""
        return self.state, self.refused


_JOB = msgspec.json.Decoder(Job)


class ExampleMailClient:
    """One workspace of Example Mail; safe to share between threads."""

    def __init__(self, *, token: str, base_url: str, account: str, **connection: Unpack[Connection]) -> None:
        self.account = account
        #: The workspace, which a token names before its dot; it stays when the token is renewed.
        self.workspace = token.partition(".")[0]
        place = f"{canonical(httpx.URL(base_url))} {self.workspace}"
        self.tenant = hashlib.blake2b(place.encode(), digest_size=8).hexdigest()
        self._http = HttpClient(
            provider="Example Mail",
            account=account,
            base_url=base_url,
            located_by=BASE_URL.name,
            credentials=lambda: named([API_TOKEN]),
            auth=_Token(token),
            read_error=read_error,
            explains_absence=True,
            tenant=self.tenant,
            **connection,
        )

    @classmethod
    def from_settings(
        cls, config: Mapping[str, Any], *, max_requests_per_second: float | None = None, **options: Any
    ) -> ExampleMailClient:
        """Make a client from the settings; `options` go to the HTTP client.

        Raises:
            ConfigurationError: the token is missing or the base URL is no URL.
        """
        token, base_url, account = (lookup(one, config, os.environ) for one in (API_TOKEN, BASE_URL, ACCOUNT))
        if token is None:
            raise ConfigurationError(f"Setting {named([API_TOKEN])} is missing.")
        check_url(BASE_URL.name, base_url, BASE_URL.default)
        return cls(token=token, base_url=base_url, account=account, pace=Pace(max_requests_per_second), **options)

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def rows(self, kind: str, **filters: Any) -> TokenWalk[Row]:
        """All rows of a collection: audiences, contacts, jobs or results/JOB."""

        def fetch(cursor: str | None) -> tuple[Sequence[Row], str | None]:
            page = self._get(kind, _PAGE, {**filters, **({"cursor": cursor} if cursor else {})})
            return page.items, page.next

        return TokenWalk(fetch, what=f"Example Mail {kind.partition('/')[0]}", is_stale=_is_stale)

    def first(self, kind: str, **filters: Any) -> Sequence[Row]:
        """The first page of a collection."""
        page: _Page = self._get(kind, _PAGE, filters)
        return page.items

    def contact(self, number: str) -> Row:
        """A contact.

        Raises:
            NotFound: there is none.
        """
        found: Row = self._get(f"contacts/{segment(number)}", _OBJECT)
        return found

    def job(self, number: str) -> Job:
        """A job.

        Raises:
            NotFound: there is none.
        """
        found: Job = self._get(f"jobs/{segment(number)}", _JOB)
        return found

    def create_audience(self, title: str) -> str:
        """Make an audience and return its ID."""
        return self._post("audiences", "audience", msgspec.json.encode({"title": title}), route="audiences")

    def submit(self, audience: str, operation: str, lines: bytes, *, label: str) -> str:
        """Start a job and return its ID.

        Args:
            audience: the ID.
            operation: write, resubscribe, opt_out or delete. A line with an ID is about that contact; one without makes
                a contact, and is refused where its address belongs to one already.
            lines: a JSON object in each.
            label: shown in the listing of jobs.
        """
        query = {"operation": operation, "label": label, "known": "refuse"}
        path = f"audiences/{segment(audience)}/jobs"
        return self._post(path, "job", lines, route="audiences/{audience}/jobs", params=query)

    def _get(self, path: str, decoder: msgspec.json.Decoder[Any], params: Mapping[str, Any] | None = None) -> Any:
        kind, *rest = path.split("/")
        route = f"{ROOT}/{kind}{'/{id}' if rest else ''}"
        read: Callable[[httpx.Response], Any] = lambda response: decoder.decode(response.content)  # noqa: E731
        return self._http.request("GET", f"{ROOT}/{path}", read, route=route, params=params)

    def _post(self, path: str, name: str, content: bytes, *, route: str, **options: Any) -> str:
        def read(response: httpx.Response) -> str:
            return str(_OBJECT.decode(response.content)[name])

        return self._http.request("POST", f"{ROOT}/{path}", read, route=f"{ROOT}/{route}", content=content, **options)


class _Token(httpx.Auth):
    def __init__(self, token: str) -> None:
        self._header = f"Bearer {token}"

    def auth_flow(self, request: httpx.Request) -> Any:
        request.headers["Authorization"] = self._header
        yield request


def read_error(asked: str, response: httpx.Response) -> MailingError:
    """The error for a refusal. Its text has only the code: what Example Mail says may quote addresses and tokens."""
    status = response.status_code
    code, said = None, ""
    try:
        error = _OBJECT.decode(response.content)["error"]
        code, said = str(error["code"]), str(error.get("text") or "")
    except (ValueError, LookupError, TypeError, AttributeError):
        pass  # HTML, most often
    what = f"{asked}: HTTP {status}{f', {code}' if code else ''}."
    kinds = {401: AuthenticationError, 403: PermissionDenied, 404: NotFound}
    if status >= 500:
        return ProviderFault(what, status=status, code=code, maybe_done=True)
    return kinds.get(status, RequestRefused)(what, status=status, code=code, said=said)


def _is_stale(error: MailingError) -> bool:
    return error.code == "cursor_expired"
