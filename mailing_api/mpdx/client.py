"""Client of MPDX (API v2): account lists, contacts, people, deleted contacts, and exports. It only reads.

Facts are from MPDX's published documentation, its official clients and an old copy of its server; what no evidence
settles is marked unverified. docs/mpdx.md tells them for users.
"""

from __future__ import annotations

import logging
import os
import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, TypeVar, Unpack, cast

import httpx
import msgspec

from mailing_api import values
from mailing_api.errors import (
    AuthenticationError,
    ConfigurationError,
    MailingError,
    PermissionDenied,
    ProviderFault,
    RateLimited,
    UnreadableAnswer,
)
from mailing_api.http.client import Connection, HttpClient
from mailing_api.http.pace import Pace
from mailing_api.http.paging import OffsetWalk
from mailing_api.http.paths import segment
from mailing_api.http.retry import RetryPolicy, retry_delay
from mailing_api.http.urls import check_url
from mailing_api.mpdx.documents import MEDIA_TYPE, Page, covering, page, read_error, resource, row
from mailing_api.mpdx.export import MailingExport, check
from mailing_api.mpdx.filter import DEFAULT_EXPORT_FILTER, export_filter
from mailing_api.mpdx.session import MpdxSession
from mailing_api.mpdx.settings import MPDX_SETTINGS, named
from mailing_api.settings import lookup

__all__ = ["MPDX_SETTINGS", "MpdxClient", "mpdx_pace"]

Row = dict[str, Any]
T = TypeVar("T")

logger = logging.getLogger(__name__)

#: Rows a page with linked resources, and without: what the official clients ask for.
_PAGE_SIZE = 100
_PLAIN_PAGE_SIZE = 500

#: Tickets made for one file; each leaves a log at MPDX.
_MOST_TICKETS = 3

#: A larger file is kept on disk while it is read.
_IN_MEMORY = 4 * 1024 * 1024


def mpdx_pace(max_per_second: float | None = None) -> Pace:
    """A pace within the limit that MPDX tells: 50 requests in 10 seconds."""
    return Pace(max_per_second, most=50, within=10.0)


class MpdxClient:
    """What one MPDX user sees; safe to share between threads."""

    def __init__(
        self,
        *,
        token: str | None = None,
        access_token: str | None = None,
        base_url: str = "https://api.mpdx.org",
        account: str = "default",
        account_lists: Sequence[str] | None = None,
        export_filter: Mapping[str, str] | None = None,
        **connection: Unpack[Connection],
    ) -> None:
        self.account = account
        self._wanted = account_lists
        self._export_filter = DEFAULT_EXPORT_FILTER if export_filter is None else export_filter
        self._known: list[Row] | None = None
        self._retry = connection.get("retry") or RetryPolicy()
        self._sleep = connection.get("sleep", time.sleep)
        connection["pace"] = connection.get("pace") or mpdx_pace()
        self._access_token = access_token
        self._session = MpdxSession(token, None if token or not access_token else self._exchange)
        self._http = HttpClient(
            provider="MPDX",
            account=account,
            base_url=base_url.rstrip("/").removesuffix("/api/v2"),
            located_by="mpdx_base_url",
            credentials=lambda: "`mpdx_token`" if token or not access_token else "`mpdx_access_token`",
            auth=self._session,
            read_error=read_error,
            # The language decides about words in greetings; without it, each user has their own.
            headers={"Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE, "Accept-Language": "en-US"},
            wait_headers=("Retry-After", "X-RateLimit-Reset"),
            **connection,
        )

    @classmethod
    def from_settings(
        cls, config: Mapping[str, Any], *, environ: Mapping[str, str] = os.environ, **options: Any
    ) -> MpdxClient:
        """Make a client from the `mpdx_` settings; `options` go to the constructor.

        Raises:
            ConfigurationError: a setting is missing or wrong.
        """
        found = {setting.name.removeprefix("mpdx_"): lookup(setting, config, environ) for setting in MPDX_SETTINGS}
        if not found["token"] and not found["access_token"]:
            raise ConfigurationError("Setting `mpdx_token` is missing: set it, or `mpdx_access_token`.")
        check_url("mpdx_base_url", found["base_url"], "https://api.mpdx.org")
        found["export_filter"] = export_filter(found["export_filter"])
        if found["account_lists"] is not None and not found["account_lists"]:
            raise ConfigurationError("Setting `mpdx_account_lists` names none; leave it out to read all.")
        return cls(**found, **options)

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    # Reading

    def account_lists(self) -> list[Row]:
        """The account lists that the settings name, or all that the user sees; asked for once.

        Raises:
            ConfigurationError: one of those named is not there.
        """
        if self._known is None:
            fields = {"account_lists": ("name", "home_country", "created_at", "updated_at")}
            walk = self.rows("account_lists", fields=fields)
            self._known = named(self._wanted, list({one["id"]: one for found in walk for one in found}.values()))
        return self._known

    def scope(self) -> dict[str, str]:
        """The filter by account list; empty for all that the user sees.

        MPDX leaves out an ID that the user does not see, without a word, so they are looked up first.
        """
        return {"account_list_id": ",".join(one["id"] for one in self.account_lists())} if self._wanted else {}

    def rows(
        self,
        path: str,
        *,
        filters: Mapping[str, str] | None = None,
        applied: Sequence[str] = (),
        include: Sequence[str] = (),
        fields: Mapping[str, Sequence[str]] | None = None,
    ) -> OffsetWalk[Row]:
        """All rows of a listing in order of creation, page by page.

        Where rows moved while it was read, some are read again, so a row may come more than once.

        Args:
            path: below `/api/v2`, such as `contacts/people`.
            filters: by name. MPDX ignores one that it does not know.
            applied: names of those filters without which the rows would be wrong.
            include: relationships whose resources are wanted in place of their IDs.
            fields: attributes and relationships by type of resource; what is not named is not sent.
        """
        query = _query(filters or {}, include, fields or {})
        must = {name: value for name, value in (filters or {}).items() if name in applied}
        most = _PAGE_SIZE if include else _PLAIN_PAGE_SIZE

        def fetch(offset: int, limit: int) -> list[Row]:
            nonlocal most
            number, length = covering(offset, min(limit, most))
            found = self._page(path, {**query, "page": number, "per_page": length}, must)
            if offset == 0 and 0 < len(found.rows) < min(length, found.total):
                most = len(found.rows)  # pages are shorter here than was asked for
            rows = found.rows[offset - (number - 1) * length :]
            if len(rows) < min(2, found.total - offset):
                raise UnreadableAnswer(f"MPDX {path}: pages are too short to prove that nothing is missed.")
            return rows

        return OffsetWalk(fetch, _key, what=f"MPDX {path}", limit=most, ahead=1, ordered=False, stable=True)

    def sample(
        self,
        path: str,
        count: int,
        *,
        filters: Mapping[str, str] | None = None,
        include: Sequence[str] = (),
        fields: Mapping[str, Sequence[str]] | None = None,
    ) -> list[Row]:
        """The first rows of a listing; arguments as for `rows`."""
        query = _query(filters or {}, include, fields or {})
        return self._page(path, {**query, "page": 1, "per_page": count}, {}).rows

    def _page(self, path: str, query: Mapping[str, Any], must: Mapping[str, str]) -> Page:
        route = f"/api/v2/{path}"
        return self._signed_in(
            lambda: self._http.request("GET", route, lambda answer: page(answer, must), route=route, params=query)
        )

    # Exports

    def export(self, account_list: str) -> MailingExport:
        """Make an export of an account list and fetch its mailing CSV.

        A ticket is good for one download, whatever comes of it. So a download is never repeated: after a failure
        another ticket is made, up to three in all. Every ticket leaves a log at MPDX.

        Raises:
            MailingError: no ticket brought a whole file.
        """
        attempt = 0
        while True:
            attempt += 1
            ticket = self._ticket({**self._export_filter, "account_list_id": account_list})
            try:
                return self._download(account_list, ticket)
            except MailingError as exc:
                delay = self._next_ticket(exc, attempt)
                if delay is None:
                    raise
                logger.info("MPDX: the download of an export failed; the next ticket in %.1f s.", delay)
                self._sleep(delay)

    def _ticket(self, filters: Mapping[str, str]) -> Row:
        route = "/api/v2/contacts/exports/mailing"
        # A string is documented too, but makes some servers fail at the download.
        body = {"data": {"type": "export_logs", "attributes": {"params": {"filter": filters}}}}
        return self._signed_in(
            lambda: self._http.request(
                "POST",
                route,
                lambda answer: row(resource(answer), {}),
                route=route,
                content=msgspec.json.encode(body),
                content_type=MEDIA_TYPE,
                idempotent=True,  # an unused ticket does no harm
            )
        )

    def _download(self, account_list: str, ticket: Row) -> MailingExport:
        file = cast("BinaryIO", SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115 - the export keeps it
        try:
            count = self._http.request(
                "GET",
                f"/api/v2/contacts/exports/mailing/{segment(ticket['id'])}.csv",
                lambda _: check(file),
                route="/api/v2/contacts/exports/mailing/{export}.csv",
                once=True,
                into=file,
            )
        except BaseException as exc:
            file.close()
            if isinstance(exc, OSError):
                raise ConfigurationError(
                    f"No room for the temporary file of an export ({exc.strerror}). Make room in the system's folder "
                    "for them, or set the environment variable TMPDIR to a folder that has it."
                ) from None
            raise
        now = values.timestamp_of(datetime.now(UTC))
        return MailingExport(account_list=account_list, ticket=ticket, exported_at=now, row_count=count, file=file)

    def _next_ticket(self, exc: MailingError, attempt: int) -> float | None:
        """Seconds until another ticket is worth making; None where none is."""
        if attempt == 1 and isinstance(exc, PermissionDenied):
            return 0.0  # somebody used the ticket
        if attempt == 1 and isinstance(exc, AuthenticationError):
            return 0.0 if self._session.renew(self._session.ensure()) else None
        if attempt >= _MOST_TICKETS or not isinstance(exc, (ProviderFault, RateLimited, UnreadableAnswer)):
            return None
        return retry_delay(
            self._retry,
            method="GET",
            idempotent=True,
            status=429 if isinstance(exc, RateLimited) else 500,
            attempt=attempt,
            retry_after=exc.retry_after,
            exception=None,
            jitter=random.random(),  # noqa: S311
        )

    # Signing in

    def _signed_in(self, call: Callable[[], T]) -> T:
        """Call with a token; once more with another one where it is refused and can be renewed."""
        token = self._session.ensure()
        try:
            return call()
        except AuthenticationError:
            if not self._session.renew(token):
                raise
        return call()

    def _exchange(self) -> str:
        route = "/api/v2/user/authenticate"
        attributes = {"provider": "okta", "access_token": self._access_token}
        body = {"data": {"type": "authenticate", "attributes": attributes}}
        return self._http.request(
            "POST",
            route,
            _json_web_token,
            route=route,
            content=msgspec.json.encode(body),
            content_type=MEDIA_TYPE,
            idempotent=True,
        )


def _json_web_token(response: httpx.Response) -> str:
    found = resource(response).attributes.get("json_web_token")
    if not isinstance(found, str) or not found:
        raise ValueError("no token")
    return found


def _key(one: Row) -> int:
    try:
        return uuid.UUID(one["id"]).int
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UnreadableAnswer("MPDX: a row without a usable id.") from None


def _query(filters: Mapping[str, str], include: Sequence[str], fields: Mapping[str, Sequence[str]]) -> dict[str, str]:
    query = {f"filter[{name}]": value for name, value in filters.items()}
    if include:
        query["include"] = ",".join(include)
    # A row that is changed keeps its place in this order.
    return query | {f"fields[{kind}]": ",".join(names) for kind, names in fields.items()} | {"sort": "created_at"}
