"""Client of PostGrid Print & Mail (print-mail/v1): contacts, mailing lists with their jobs, and mailing list imports.

Facts come from PostGrid's documentation, its official clients and published recordings; a statement without evidence is
marked unverified. docs/postgrid.md has them for users.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any, Final, Literal, Unpack

import httpx
import msgspec

from mailing_api.errors import ConfigurationError, MailingError, NotFound, UnreadableAnswer
from mailing_api.http.client import Connection, HttpClient
from mailing_api.http.downloads import Downloads
from mailing_api.http.paging import UnsortedWalk
from mailing_api.http.paths import segment
from mailing_api.http.urls import canonical
from mailing_api.postgrid.answers import Page, Row, code, metadata_of, one, page, read_error, something
from mailing_api.postgrid.api_key import ApiKey, named_by
from mailing_api.postgrid.form import multipart
from mailing_api.postgrid.settings import POSTGRID_SETTINGS, check_key, endpoint, postgrid_pace, wrong_mode
from mailing_api.settings import lookup, named
from mailing_api.values import count, timestamp_of

__all__ = [
    "PAGE_SIZE", "Import", "JobWork", "Listing", "MailingList", "PostgridClient", "Resource"
]  # fmt: skip

logger = logging.getLogger(__name__)

Resource = Literal["contacts", "mailing_lists", "mailing_list_imports"]
JobWork = Literal["addContacts", "removeContacts", "addMailingListImports", "removeMailingListImports"]

#: The greatest `limit` that PostGrid's own library sends; the effect of a greater one is unverified.
PAGE_SIZE: Final = 100


class PostgridClient:
    """One PostGrid account, with its test data or its live data; safe to share between threads."""

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str = "https://api.postgrid.com",
        account: str = "default",
        live: bool | None = None,
        **connection: Unpack[Connection],
    ) -> None:
        self.account = account
        self._live = live
        connection["pace"] = connection.get("pace") or postgrid_pace()
        url = endpoint(base_url)
        #: The endpoint, the same for all spellings. Several keys may open one account; IDs of lists are unique.
        self.tenant = canonical(httpx.URL(url))
        self._http = HttpClient(
            provider="PostGrid",
            account=account,
            base_url=url,
            located_by="postgrid_base_url",
            credentials=lambda: named(POSTGRID_SETTINGS[:1]),
            auth=ApiKey(api_key),
            read_error=partial(read_error, key=api_key),
            explains_absence=True,
            tenant=f"{self.tenant} {named_by(api_key)}",
            **connection,
        )
        #: For calls that are not retried automatically, and the account's pace; see `HttpClient`.
        self.rest, self.delay, self.pace = self._http.rest, self._http.delay, self._http.pace
        # Reports are on other hosts, by links that work for anybody: the key must not be sent there.
        self._files = Downloads(
            provider="PostGrid",
            account=account,
            base_url=url,
            read_error=partial(read_error, key=api_key),
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
    ) -> PostgridClient:
        """Make a client from the `postgrid_` settings; `options` go to the constructor, and the rate to its pace.

        Raises:
            ConfigurationError: a setting is missing or wrong.
        """
        api_key, base_url, account, live = (lookup(one, config, environ) for one in POSTGRID_SETTINGS)
        if not api_key:
            raise ConfigurationError(
                "Setting `postgrid_api_key` is missing: set it, or the environment variable "
                f"{POSTGRID_SETTINGS[0].env}."
            )
        check_key(api_key, live=live)
        pace = postgrid_pace(max_requests_per_second)
        return cls(api_key=api_key, base_url=base_url, account=account, live=live, pace=pace, **options)

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    # Reading

    def rows(self, resource: Resource, *, ahead: int = 4) -> Listing:
        """Return all rows of a collection, page by page, in an unknown order; a row may come more than once.

        Args:
            resource: the collection.
            ahead: requests in flight at the same time.
        """
        return Listing(partial(self._page, resource), what=f"PostGrid {resource}", ahead=ahead)

    def sample(self, resource: Resource, count: int) -> Sequence[Row]:
        """Return the first rows of a collection, up to a page."""
        return self._page(resource, 0, min(count, PAGE_SIZE)).rows

    # Contacts

    def create_contact(self, fields: bytes) -> Row:
        """Create a contact, or replace the description of the identical one; a repeated call has the same effect.

        Args:
            fields: as JSON.
        """
        route = "/contacts"
        return self._http.request("POST", route, self._object, route=route, content=fields, idempotent=True)

    def contact(self, contact: str) -> Row:
        """Return a contact; raise `NotFound` if it does not exist."""
        return self._one("GET", "contacts", contact)

    def contacts_with(self, key: str, value: str) -> Sequence[Row]:
        """Return the contacts whose metadata has this value; a plain search would find others, too."""
        fetch = partial(self._page, "contacts", search=msgspec.json.encode({f"metadata.{key}": value}).decode())
        first = fetch(0, PAGE_SIZE)
        is_all = len(first.rows) < PAGE_SIZE if first.total is None else len(first.rows) >= first.total
        pages = [first.rows] if is_all else Listing(fetch, what="PostGrid search for contacts", ahead=1)
        contacts = {str(row["id"]): row for rows in pages for row in rows}
        return [row for row in contacts.values() if metadata_of(row).get(key) == value]

    def delete_contact(self, contact: str) -> None:
        """Delete a contact permanently, from all lists, if it exists; not retried, as it may be on a list by then."""
        with suppress(NotFound):
            self._one("DELETE", "contacts", contact, once=True)

    # Mailing lists

    def mailing_list(self, mailing_list: str) -> MailingList:
        """Return a list; raise `NotFound` if it does not exist."""
        return _mailing_list(self._one("GET", "mailing_lists", mailing_list))

    def create_mailing_list(self, description: str, metadata: Mapping[str, str]) -> MailingList:
        """Create a list."""
        route = "/mailing_lists"
        content = msgspec.json.encode({"description": description, "metadata": metadata})
        return _mailing_list(self._http.request("POST", route, self._object, route=route, content=content))

    def delete_mailing_list(self, mailing_list: str) -> None:
        """Delete a list; its contacts stay."""
        self._one("DELETE", "mailing_lists", mailing_list, idempotent=True)

    def update_metadata(self, mailing_list: str, metadata: Mapping[str, Any]) -> None:
        """Replace a list's metadata; pass all keys, since it is unverified whether PostGrid keeps missing ones."""
        content = msgspec.json.encode({"metadata": metadata})
        path, route = f"/mailing_lists/{segment(mailing_list)}", "/mailing_lists/{id}"
        self._http.request("POST", path, something, route=route, content=content, idempotent=True)

    def submit_job(self, mailing_list: str, work: JobWork, ids: Sequence[str]) -> None:
        """Start a job on a list, in one attempt: another starts a second job, or is refused while the first one runs.

        Args:
            mailing_list: its ID.
            work: the kind of job.
            ids: of 1 to 500 contacts, or 1 to 10 imports.
        """
        path, route = f"/mailing_lists/{segment(mailing_list)}/jobs", "/mailing_lists/{id}/jobs"
        content = msgspec.json.encode({work: ids})
        self._http.request("POST", path, something, route=route, content=content, once=True)

    # Mailing list imports

    def create_import(
        self,
        file: bytes | str,
        *,
        columns: Mapping[str, str],
        variables: Mapping[str, str],
        metadata: Mapping[str, str],
        key: str,
    ) -> str:
        """Upload a CSV file of contacts and start its validation; return the import's ID.

        A second call with the same key probably returns the same import (unverified).

        Args:
            file: CSV in UTF-8 with a header; or the URL that PostGrid downloads it from.
            columns: fields of a contact, each with its column in the header.
            variables: merge variables, each with its column in the header.
            metadata: identifies the import later.
            key: the idempotency key of this upload.
        """
        route = "/mailing_list_imports"
        fields: dict[str, Any] = {"fileType": "csv", "receiverAddressMapping": columns, "metadata": metadata}
        if variables:
            fields["receiverMergeVariableMapping"] = variables
        if isinstance(file, str):
            content, content_type = msgspec.json.encode(fields | {"file": file}), "application/json"
        else:
            content, content_type = multipart(fields, file)
        headers = {"Idempotency-Key": key}
        row = self._http.request(
            "POST", route, self._object, route=route, content=content, content_type=content_type, headers=headers
        )
        return str(row["id"])

    def imported(self, number: str) -> Import:
        """Return an import; raise `NotFound` if it does not exist."""
        return _import(self._one("GET", "mailing_list_imports", number))

    def imports_with(self, key: str, value: str) -> Mapping[str, Mapping[str, Any]]:
        """Return the metadata, by ID, of all imports whose metadata has this value, without PostGrid's search."""
        return {
            str(row["id"]): metadata
            for page in self.rows("mailing_list_imports")
            for row in page
            if (metadata := metadata_of(row)).get(key) == value
        }

    def import_report(self, number: str) -> bytes | None:
        """Return PostGrid's report on each row of an import; None if there is none, or it cannot be downloaded."""
        url = self._one("GET", "mailing_list_imports", number).get("reportURL")
        if not isinstance(url, str):
            return None
        try:
            return self._files.fetch(url, what="the report of an import")
        except MailingError as error:
            logger.warning("%s", error)
            return None

    def delete_import(self, number: str) -> None:
        """Delete an import permanently, if it exists."""
        with suppress(NotFound):
            self._one("DELETE", "mailing_list_imports", number, idempotent=True)

    # Plumbing

    def _one(self, method: str, resource: Resource, key: str, *, idempotent: bool = False, once: bool = False) -> Row:
        path, route = f"/{resource}/{segment(key)}", f"/{resource}/{{id}}"
        row = self._http.request(method, path, self._object, route=route, idempotent=idempotent, once=once)
        if method == "GET" and row.get("deleted") is True:  # PostGrid may return this instead of a 404 (unverified)
            raise NotFound(f"PostGrid: GET {route}: it was deleted.")
        return row

    def _object(self, response: httpx.Response) -> Row:
        row = one(response)
        self._check_mode([row])
        return row

    def _check_mode(self, rows: Sequence[Row]) -> None:
        if self._live is not None and any(row.get("live") is (not self._live) for row in rows):
            raise wrong_mode(live=self._live)

    def _page(self, resource: Resource, skip: int, limit: int, *, search: str | None = None) -> Page:
        route = f"/{resource}"
        params: dict[str, Any] = {"skip": skip, "limit": limit} | ({} if search is None else {"search": search})
        listed = self._http.request("GET", route, page, route=route, params=params)
        if listed.skip not in (None, skip):
            raise UnreadableAnswer(f"PostGrid {resource}: the response does not begin at the requested row.")
        self._check_mode(listed.rows)
        return listed


class MailingList(msgspec.Struct, frozen=True):
    """A list.

    Attributes:
        busy: a job is running; an unknown status is treated so, too.
        errors: the types of errors of the last job.
        updated_at: as PostGrid writes it; None if it is missing.
    """

    id: str
    description: str | None
    metadata: Mapping[str, Any]
    busy: bool
    errors: Sequence[str]
    updated_at: str | None


class Import(msgspec.Struct, frozen=True):
    """A mailing list import.

    Attributes:
        validating: it has not ended; an unknown status is treated so, too.
        usable: it can be added to a list.
        valid: the number of accepted rows.
        invalid: the number of omitted rows.
        errors: the types of errors that make it unusable.
        notes: the types of other messages.
    """

    id: str
    validating: bool
    usable: bool
    valid: int
    invalid: int
    errors: Sequence[str]
    notes: Sequence[str]


def _mailing_list(row: Row) -> MailingList:
    return MailingList(
        str(row["id"]),
        row.get("description"),
        row.get("metadata") or {},
        row.get("status") != "completed",
        _types(row.get("errors")),
        row.get("updatedAt"),
    )


def _import(row: Row) -> Import:
    status = row.get("status")
    return Import(
        str(row["id"]),
        validating=status not in {"completed", "changes_required"},
        usable=status == "completed",
        valid=count(row.get("validRowCount")) or 0,
        invalid=count(row.get("invalidRowCount")) or 0,
        errors=_types(row.get("errors")),
        notes=_types(row.get("notes")),
    )


def _types(errors: Sequence[Any] | None) -> list[str]:
    """The types of errors or notes, without their messages."""
    return [code(str(error.get("type")) if isinstance(error, dict) else "") or "error" for error in errors or ()]


class Listing:
    """All rows of one collection, page by page.

    Attributes:
        began: a time at or before the first response, by PostGrid's clock, as `values.timestamp`; None if unknown.
    """

    def __init__(self, fetch: Callable[[int, int], Page], *, what: str, ahead: int) -> None:
        self.began: str | None = None
        self._total: int | None = None
        self._page = fetch
        self._what = what
        options: Any = {"what": what, "limit": PAGE_SIZE, "ahead": ahead, "size": lambda: self._total}
        self._walk = UnsortedWalk(self._fetch, _key, _version, **options)

    @property
    def size(self) -> int | None:
        """The number of rows as PostGrid said last; None if it did not say."""
        return self._total

    def __iter__(self) -> Iterator[Sequence[Row]]:
        """Yield the rows.

        Raises:
            MailingError: a request failed, or some rows may be missing.
        """
        return iter(self._walk)

    def _fetch(self, skip: int, limit: int) -> Sequence[Row]:
        if self._total is not None and skip >= self._total:  # rows were deleted
            return ()
        started = time.monotonic()
        listed = self._page(skip, limit)
        if self.began is None and listed.made is not None:
            self.began = timestamp_of(listed.made - timedelta(seconds=time.monotonic() - started))
        if listed.total is not None and len(listed.rows) < min(2, listed.total - skip):
            raise UnreadableAnswer(f"{self._what}: pages are too short to prove that no row is missing.")
        self._total = listed.total
        return listed.rows


def _key(row: Row) -> str:
    return str(row["id"])


def _version(row: Row) -> str:
    return str(row.get("updatedAt"))
