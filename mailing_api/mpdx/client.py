"""Client of MPDX (API v2): account lists, contacts, people, deleted contacts, and exports. It only reads.

Facts come from MPDX's published documentation, its official clients and an old copy of its server; a statement without
evidence is marked unverified. docs/mpdx.md has them for users.
"""

from __future__ import annotations

import hashlib
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
from mailing_api.http.urls import canonical, check_url
from mailing_api.mpdx.documents import MEDIA_TYPE, Page, covering, page, read_error, resource, row
from mailing_api.mpdx.export import MailingExport, check
from mailing_api.mpdx.filter import DEFAULT_EXPORT_FILTER, export_filter
from mailing_api.mpdx.session import MpdxSession
from mailing_api.mpdx.settings import MPDX_SETTINGS, named
from mailing_api.settings import lookup

__all__ = ["MpdxClient", "mpdx_pace"]

Row = dict[str, Any]
T = TypeVar("T")

logger = logging.getLogger(__name__)

#: Rows a page with linked resources, and without, as in the official clients.
_PAGE_SIZE = 100
_PLAIN_PAGE_SIZE = 500

#: The greatest number of tickets for one file; each leaves a log at MPDX.
_MOST_TICKETS = 3

#: A larger file is on disk while it is read.
_IN_MEMORY = 4 * 1024 * 1024


def mpdx_pace(max_per_second: float | None = None) -> Pace:
    """Return a pace within the limit in MPDX's headers: 50 requests in 10 seconds."""
    return Pace(max_per_second, most=50, within=10.0)


class MpdxClient:
    """The data that one MPDX user can see; safe to share between threads."""

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
        self._selected = account_lists
        self._export_filter = DEFAULT_EXPORT_FILTER if export_filter is None else export_filter
        self._known: list[Row] | None = None
        self._retry = connection.get("retry") or RetryPolicy()
        self._sleep = connection.get("sleep", time.sleep)
        connection["pace"] = connection.get("pace") or mpdx_pace()
        self._access_token = access_token
        self._session = MpdxSession(token, None if token or not access_token else self._exchange)
        own = hashlib.blake2b((token or access_token or "").encode(), digest_size=16).hexdigest()
        base_url = base_url.rstrip("/").removesuffix("/api/v2")
        self._http = HttpClient(
            provider="MPDX",
            account=account,
            base_url=base_url,
            located_by="mpdx_base_url",
            credentials=lambda: "`mpdx_token`" if token or not access_token else "`mpdx_access_token`",
            auth=self._session,
            read_error=read_error,
            # The language of greetings; without this header, it is the user's own.
            headers={"Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE, "Accept-Language": "en-US"},
            wait_headers=("Retry-After", "X-RateLimit-Reset"),
            tenant=f"{canonical(httpx.URL(base_url))} {own}",
            **connection,
        )

    @classmethod
    def from_settings(
        cls,
        config: Mapping[str, Any],
        *,
        environ: Mapping[str, str] = os.environ,
        max_requests_per_second: float | None = None,
        **options: Any,
    ) -> MpdxClient:
        """Make a client from the `mpdx_` settings; `options` go to the constructor, and the rate to its pace.

        Raises:
            ConfigurationError: a setting is missing or wrong.
        """
        own = {setting.name.removeprefix("mpdx_"): lookup(setting, config, environ) for setting in MPDX_SETTINGS}
        if not own["token"] and not own["access_token"]:
            raise ConfigurationError("Setting `mpdx_token` is missing: set it, or `mpdx_access_token`.")
        check_url("mpdx_base_url", own["base_url"], "https://api.mpdx.org")
        own["export_filter"] = export_filter(own["export_filter"])
        if own["account_lists"] is not None and not own["account_lists"]:
            raise ConfigurationError("Setting `mpdx_account_lists` is empty; remove it to read all.")
        return cls(**own, pace=mpdx_pace(max_requests_per_second), **options)

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    # Reading

    def account_lists(self) -> list[Row]:
        """Return the account lists in the settings, or all that the user can see; they are requested once.

        Raises:
            ConfigurationError: an account list in the settings does not exist.
        """
        if self._known is None:
            fields = {"account_lists": ("name", "home_country", "created_at", "updated_at")}
            walk = self.rows("account_lists", fields=fields)
            self._known = named(self._selected, list({each["id"]: each for rows in walk for each in rows}.values()))
        return self._known

    def scope(self) -> dict[str, str]:
        """Return the filter by account list; empty for all that the user can see.

        MPDX silently ignores an ID that the user cannot see, so IDs are looked up first.
        """
        return {"account_list_id": ",".join(each["id"] for each in self.account_lists())} if self._selected else {}

    def rows(
        self,
        path: str,
        *,
        filters: Mapping[str, str] | None = None,
        applied: Sequence[str] = (),
        include: Sequence[str] = (),
        fields: Mapping[str, Sequence[str]] | None = None,
    ) -> OffsetWalk[Row]:
        """Return all rows of a listing in order of creation, page by page.

        If rows move while they are read, some are read again, so a row may come more than once.

        Args:
            path: below `/api/v2`, such as `contacts/people`.
            filters: by name. MPDX ignores a filter that it does not know.
            applied: names of filters without which the rows would be wrong.
            include: relationships for which to return resources in place of IDs.
            fields: attributes and relationships to return, by type of resource.
        """
        query = _query(filters or {}, include, fields or {})
        must = {name: value for name, value in (filters or {}).items() if name in applied}
        most = _PAGE_SIZE if include else _PLAIN_PAGE_SIZE
        total: int | None = None

        def fetch(offset: int, limit: int) -> list[Row]:
            nonlocal most, total
            number, length = covering(offset, min(limit, most))
            listed = self._page(path, {**query, "page": number, "per_page": length}, must)
            total = listed.total
            if offset == 0 and 0 < len(listed.rows) < min(length, listed.total):
                most = len(listed.rows)  # pages are shorter than requested
            rows = listed.rows[offset - (number - 1) * length :]
            if len(rows) < min(2, listed.total - offset):
                raise UnreadableAnswer(f"MPDX {path}: pages are too short to prove that no row is missing.")
            return rows

        options: Any = {"what": f"MPDX {path}", "limit": most, "ahead": 1, "ordered": False}
        return OffsetWalk(fetch, _keys, size=lambda: total, **options)

    def sample(
        self,
        path: str,
        count: int,
        *,
        filters: Mapping[str, str] | None = None,
        include: Sequence[str] = (),
        fields: Mapping[str, Sequence[str]] | None = None,
    ) -> list[Row]:
        """Return the first rows of a listing; arguments as for `rows`."""
        query = _query(filters or {}, include, fields or {})
        return self._page(path, {**query, "page": 1, "per_page": count}, {}).rows

    def _page(self, path: str, query: Mapping[str, Any], must: Mapping[str, str]) -> Page:
        route = f"/api/v2/{path}"
        return self._signed_in(
            lambda: self._http.request("GET", route, lambda response: page(response, must), route=route, params=query)
        )

    # Exports

    def export(self, account_list: str) -> MailingExport:
        """Export an account list and download its mailing CSV.

        A ticket is valid for one download, even if that fails. So downloads are not retried: after a failure another
        ticket is made, up to three in all. Every ticket leaves a log at MPDX.

        Raises:
            MailingError: no ticket returned a complete file.
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
                logger.info("MPDX: the download of an export failed; making another ticket in %.1f s.", delay)
                self._sleep(delay)

    def _ticket(self, filters: Mapping[str, str]) -> Row:
        route = "/api/v2/contacts/exports/mailing"
        # A string is documented, too, but then the download fails on some servers.
        body = {"data": {"type": "export_logs", "attributes": {"params": {"filter": filters}}}}
        return self._signed_in(
            lambda: self._http.request(
                "POST",
                route,
                lambda response: row(resource(response), {}),
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
                    f"The temporary file of an export cannot be written ({exc.strerror}). Free space in the system's "
                    "temporary folder, or set the environment variable TMPDIR to a folder with enough space."
                ) from None
            raise
        now = values.timestamp_of(datetime.now(UTC))
        return MailingExport(account_list=account_list, ticket=ticket, exported_at=now, row_count=count, file=file)

    def _next_ticket(self, exc: MailingError, attempt: int) -> float | None:
        """The seconds to wait before another ticket; None to give up."""
        if attempt == 1 and isinstance(exc, PermissionDenied):
            return 0.0  # the ticket was used already
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
        """Call with a token; once more with another one if it is refused and can be renewed."""
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
    token = resource(response).attributes.get("json_web_token")
    if not isinstance(token, str) or not token:
        raise ValueError("no token")
    return token


def _keys(rows: Sequence[Row]) -> list[int]:
    try:
        return [uuid.UUID(row["id"]).int for row in rows]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UnreadableAnswer("MPDX: a row without a usable id.") from None


def _query(filters: Mapping[str, str], include: Sequence[str], fields: Mapping[str, Sequence[str]]) -> dict[str, str]:
    query = {f"filter[{name}]": value for name, value in filters.items()}
    if include:
        query["include"] = ",".join(include)
    # A changed row keeps its place in this order.
    return query | {f"fields[{kind}]": ",".join(names) for kind, names in fields.items()} | {"sort": "created_at"}
