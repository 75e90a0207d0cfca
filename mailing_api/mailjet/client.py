"""Client of the Mailjet Email API v3: the contact side.

Facts come from Mailjet's documentation and from recorded traffic; a statement without evidence is marked unverified.
docs/mailjet.md has them for users.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, Unpack

import httpx
import msgspec

from mailing_api.errors import ConfigurationError, UnreadableAnswer
from mailing_api.http.client import Connection, HttpClient
from mailing_api.http.pace import Pace
from mailing_api.http.paging import OffsetWalk, UnsortedWalk
from mailing_api.http.paths import segment
from mailing_api.http.urls import canonical, check_url
from mailing_api.mailjet.answers import (
    Row,
    bare_id,
    counted_rows,
    fingerprint,
    first,
    memberships_of,
    new_id,
    read_error,
    rows_of,
    written_rows,
)
from mailing_api.mailjet.jobs import CsvImport, Job
from mailing_api.mailjet.settings import MAILJET_SETTINGS
from mailing_api.settings import lookup, named

__all__ = ["PAGE_SIZE", "MailjetClient"]

#: The greatest `Limit` that Mailjet documents.
PAGE_SIZE: Final = 1000
#: The number of rows without a `Limit`.
_DEFAULT_SIZE: Final = 10

#: The beginning of all routes, which users often append to the base URL.
_VERSION: Final = re.compile(r"/v3(/REST|/DATA)?$")


class MailjetClient:
    """One Mailjet account; safe to share between threads."""

    def __init__(
        self,
        *,
        api_key: str,
        secret_key: str,
        base_url: str = "https://api.mailjet.com",
        account: str = "default",
        **connection: Unpack[Connection],
    ) -> None:
        self.account = account
        self._base_url = _VERSION.sub("", base_url.rstrip("/"))
        #: Distinguishes this account from others with the same label; holds no secret.
        self.identity = hashlib.blake2b(f"{self._base_url} {api_key}".encode(), digest_size=4).hexdigest()
        own = hashlib.blake2b(api_key.encode(), digest_size=16).hexdigest()
        #: Identifies the account by endpoint and key, the same for all spellings of these; holds no secret.
        self.tenant = f"{canonical(httpx.URL(self._base_url))} {own}"
        #: Of a run that only reads.
        self.gate = connection.get("gate")
        self._http = HttpClient(
            provider="Mailjet",
            account=account,
            base_url=self._base_url,
            located_by="mailjet_base_url",
            credentials=lambda: named(MAILJET_SETTINGS[:2]),
            auth=httpx.BasicAuth(api_key, secret_key),
            read_error=read_error,
            explains_absence=True,
            tenant=self.tenant,
            **connection,
        )
        #: For calls that are not retried automatically; see `HttpClient`.
        self.rest, self.delay = self._http.rest, self._http.delay

    @classmethod
    def from_settings(
        cls,
        config: Mapping[str, Any],
        *,
        environ: Mapping[str, str] = os.environ,
        max_requests_per_second: float | None = None,
        **options: Any,
    ) -> MailjetClient:
        """Make a client from the `mailjet_` settings; `options` go to the constructor, and the rate to its pace.

        Raises:
            ConfigurationError: a credential is missing or the base URL is no URL.
        """
        api_key, secret_key, base_url, account = (lookup(one, config, environ) for one in MAILJET_SETTINGS)
        for setting, value in zip(MAILJET_SETTINGS[:2], (api_key, secret_key), strict=True):
            if value is None:
                raise ConfigurationError(
                    f"Setting `{setting.name}` is missing: set it, or the environment variable {setting.env}."
                )
        check_url("mailjet_base_url", base_url, "https://api.mailjet.com")
        pace = Pace(max_requests_per_second)
        return cls(api_key=api_key, secret_key=secret_key, base_url=base_url, account=account, pace=pace, **options)

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    @property
    def rate(self) -> float | None:
        """Requests per second that are allowed now; None as long as no limit is known."""
        return self._http.rate

    # Reading

    def rows(
        self,
        resource: str,
        *,
        params: Mapping[str, Any] | None = None,
        key: str = "ID",
        ahead: int = 4,
        ordered: bool = True,
        limit: int = PAGE_SIZE,
        read: Callable[[httpx.Response], tuple[list[Row], int | None]] = counted_rows,
    ) -> OffsetWalk[Row] | UnsortedWalk[Row]:
        """Return all rows of a collection, page by page, by default in order of ID.

        Args:
            resource: for example `contact`; to an unknown one Mailjet responds with a 500.
            params: filters by Mailjet's names; it ignores a filter that it does not know.
            key: the field that is a row's unique key.
            ahead: requests in flight at the same time.
            ordered: send `Sort=ID`, and rely on it; False for a collection in an unknown order, whose rows may come
                more than once.
            limit: rows per page, up to PAGE_SIZE.
            read: reads a response; `valued_rows` is for `contactdata`.
        """
        query = {**(params or {}), **({"Sort": "ID"} if ordered else {})}
        path = f"/v3/REST/{resource}"
        size: int | None = None

        def fetch(offset: int, count: int) -> list[Row]:
            nonlocal size
            asked = {**query, "Limit": count, "Offset": offset}
            is_counted = offset == 0 and ahead > 1
            if is_counted:
                # Not documented, but recorded: `Total` is then the size of the collection, otherwise that of the page.
                asked["countrecords"] = 1
            rows, total = self._http.request("GET", path, read, route=path, params=asked)
            if is_counted:
                size = total
            return rows

        def keys_of(rows: Sequence[Row]) -> list[int]:
            try:
                return list(map(int, map(itemgetter(key), rows)))
            except (KeyError, TypeError, ValueError):
                raise UnreadableAnswer(f"Mailjet {resource}: a row without a usable {key}.") from None

        what = f"Mailjet {resource}"
        if ordered:
            return OffsetWalk(fetch, keys_of, what=what, limit=limit, ahead=ahead, size=lambda: size)
        # Which changes move a row is unknown, so every change counts.
        return UnsortedWalk(
            fetch, lambda row: keys_of([row])[0], fingerprint, what=what, limit=limit, ahead=ahead, size=lambda: size
        )

    def page(self, resource: str, params: Mapping[str, Any]) -> list[Row]:
        """Return one page of a collection."""
        return self._get(f"/v3/REST/{resource}", f"/v3/REST/{resource}", params)

    def one(self, resource: str, key: int | str) -> Row:
        """Return one object, by ID or by its unique key.

        Raises:
            NotFound: there is none.
        """
        path = f"/v3/REST/{resource}/{segment(key)}"
        return first(self._get(path, f"/v3/REST/{resource}/{{id}}"))

    def memberships(self, contact: int | str) -> list[Row]:
        """Return all lists of a contact, given by ID or address: ListID, IsActive, IsUnsub, SubscribedAt.

        Whether Mailjet's default of ten rows applies here is unverified, so the request has the greatest `Limit`, and
        ten rows may not be all; as is whether it respects `Offset`, so a page without a new list is the last.

        Raises:
            NotFound: no such contact.
        """
        path = f"/v3/REST/contact/{segment(contact)}/getcontactslists"
        route = "/v3/REST/contact/{contact}/getcontactslists"
        rows: list[Row] = []
        known: set[str] = set()
        while True:
            query = {"Limit": PAGE_SIZE} | ({"Offset": len(rows)} if rows else {})
            page = self._http.request("GET", path, memberships_of, route=route, params=query)
            rows += page
            before = len(known)
            known.update(str(row.get("ListID")) for row in page)
            if len(known) == before or (len(page) < PAGE_SIZE and len(page) != _DEFAULT_SIZE):
                return rows

    # Lists and properties

    def create_list(self, name: str) -> Row:
        """Create a list; a name is unique among lists that are not deleted, so a repeated call is refused."""
        return self._post("contactslist", {"Name": name})

    def create_property(self, name: str, datatype: str) -> Row:
        """Define a static contact property; datatype is str, int, float, bool or datetime.

        Mailjet may not know a new property for some seconds (`Invalid key name`).
        """
        return self._post("contactmetadata", {"Name": name, "Datatype": datatype, "NameSpace": "static"})

    # Bulk jobs

    def submit_contacts(self, body: bytes, *, list_id: int | None, once: bool = False) -> int:
        """Start a managemanycontacts job and return its ID; 201 means accepted, not imported.

        Args:
            body: the JSON body, encoded: `Contacts`, and `Action` (on a list) or `ContactsLists` (account-wide).
            list_id: the list, or None for the account-wide route.
            once: never repeat the call, as in `HttpClient.request`.

        Raises:
            MailingError: with `maybe_done` if the job may exist although no ID was returned.
        """
        route = _jobs_route(list_id)
        path = route.format(list=list_id)
        return self._http.request("POST", path, new_id("JobID"), route=route, content=body, once=once)

    def job(self, job_id: int, *, list_id: int | None) -> Job:
        """Return a managemanycontacts job.

        Raises:
            NotFound: unknown, or not visible yet.
        """
        route = f"{_jobs_route(list_id)}/{{job}}"
        return Job.of(first(self._get(route.format(list=list_id, job=job_id), route)))

    def job_errors(self, job_id: int, error_file: str) -> bytes:
        """Return the error file of a managemanycontacts job; its schema is not published.

        Args:
            job_id: the job.
            error_file: `ErrorFile` of the job. A URL on another host is not followed, since the credentials would be
                sent there; the documented path is read instead.

        Raises:
            NotFound: there is no such file.
        """
        route = "/v3/DATA/batchjob/{job}/JSONError/application:json/LAST"
        path = self._path_of(error_file) or route.replace("{job}", str(job_id))
        return self._http.request("GET", path, lambda response: response.content, route=route)

    def _path_of(self, error_file: str) -> str | None:
        """The path of an error file by a job's `ErrorFile`; None if that is on another host, or empty."""
        try:
            url = httpx.URL(error_file)
        except httpx.InvalidURL:
            return None
        if url.is_absolute_url:
            base = str(httpx.URL(self._base_url)).rstrip("/")
            return str(url).removeprefix(base) if str(url).startswith(f"{base}/") else None
        if url.scheme or url.host or not url.path.strip("/"):
            return None
        return str(url) if url.path.startswith("/v3/") else f"/v3/{str(url).lstrip('/')}"

    # CSV imports

    def upload_csv(self, content: bytes, *, list_id: int) -> int:
        """Upload a file and return its ID for `start_import`; a repeated upload only leaves an unused file.

        Args:
            content: CSV in UTF-8.
            list_id: any list: files are uploaded below a list's path even if they concern no list.

        Raises:
            NotFound: no such list.
        """
        path = f"/v3/DATA/contactslist/{list_id}/CSVData/text:plain"
        route = "/v3/DATA/contactslist/{list}/CSVData/text:plain"
        return self._http.request(
            "POST", path, bare_id, route=route, content=content, content_type="text/plain", idempotent=True
        )

    def start_import(
        self, data_id: int, *, method: str, list_id: int | None, options: str = "", once: bool = False
    ) -> int:
        """Start a csvimport job of an uploaded file and return its ID; 201 means accepted, not imported.

        The effect of a second import of the same file is unverified: upload the file again for another import.

        Args:
            data_id: the file.
            method: addforce, addnoforce, remove, unsub, excludemarketing or includemarketing.
            list_id: the list; None for the last two methods, which are refused with one.
            options: `ImportOptions`, a JSON document as a string; required for a file without header.
            once: never repeat the call, as in `HttpClient.request`.

        Raises:
            MailingError: with `maybe_done` if the job may exist although no ID was returned.
        """
        path = "/v3/REST/csvimport"
        body: Row = {"DataID": data_id, "Method": method}
        if list_id is not None:
            body["ContactsListID"] = list_id
        if options:
            body["ImportOptions"] = options
        return self._http.request("POST", path, new_id("ID"), route=path, content=msgspec.json.encode(body), once=once)

    def csv_import(self, job_id: int) -> CsvImport:
        """Return a csvimport job.

        Raises:
            NotFound: unknown, or not visible yet.
        """
        return CsvImport.of(self.one("csvimport", job_id))

    def csv_errors(self, job_id: int) -> bytes:
        """Return the error file of a csvimport job: the rows in error, each followed by the reason.

        Raises:
            NotFound: there is no such file, as for a job without errors.
        """
        route = "/v3/DATA/BatchJob/{job}/CSVError/text:csv"
        path = route.replace("{job}", str(job_id))
        return self._http.request("GET", path, lambda response: response.content, route=route)

    # Plumbing

    def write(
        self, method: str, path: str, body: Row, *, route: str, idempotent: bool = False, once: bool = False
    ) -> list[Row]:
        """Send an object and return the rows of the response, none for a 304; arguments as in `HttpClient.request`."""
        content = msgspec.json.encode(body)
        return self._http.request(
            method, path, written_rows, route=route, content=content, idempotent=idempotent, once=once
        )

    def _get(self, path: str, route: str, params: Mapping[str, Any] | None = None) -> list[Row]:
        return self._http.request("GET", path, rows_of, route=route, params=params)

    def _post(self, resource: str, body: Row) -> Row:
        path = f"/v3/REST/{resource}"
        return first(self.write("POST", path, body, route=path))


def _jobs_route(list_id: int | None) -> str:
    """The route of managemanycontacts, of a list or of the whole account."""
    return f"/v3/REST/{'contact' if list_id is None else 'contactslist/{list}'}/managemanycontacts"
