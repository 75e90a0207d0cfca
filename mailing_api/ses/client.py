"""Client of Amazon SES (API v2): the contact side.

Facts come from AWS's documentation and from botocore's model of the service; a statement without evidence is marked
unverified. docs/ses.md has them for users.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

import httpx

from mailing_api import values
from mailing_api.aws.s3_encryption import Encryption
from mailing_api.errors import (
    ConfigurationError,
    MailingError,
    PermissionDenied,
    RequestRefused,
)
from mailing_api.http.client import Connection, HttpClient
from mailing_api.http.pace import Pace
from mailing_api.http.paging import TokenWalk
from mailing_api.http.retry import RetryPolicy
from mailing_api.http.shared_pace import Budget
from mailing_api.http.urls import canonical
from mailing_api.ses.answers import Row, answer, is_stale_token, page_of, read_error, refuses_page_size
from mailing_api.ses.operations import (
    GET_ACCOUNT,
    GET_CONTACT,
    GET_CONTACT_LIST,
    GET_IMPORT_JOB,
    GET_SUPPRESSED_DESTINATION,
    LIST_CONTACT_LISTS,
    LIST_CONTACTS,
    LIST_IMPORT_JOBS,
    LIST_SUPPRESSED_DESTINATIONS,
    Operation,
)
from mailing_api.ses.settings import SES_SETTINGS, check
from mailing_api.settings import lookup

if TYPE_CHECKING:
    from mailing_api.aws.s3 import Bucket

__all__ = ["SesClient"]

T = TypeVar("T")

#: Rows a page: the greatest size that was reported, and a guess for jobs. If a size is refused, requests have none.
_PAGE_SIZE = 1000
_JOBS_PAGE_SIZE = 100

#: A quota of one request a second is available again soon, and its refusals cost nothing.
_PATIENCE = RetryPolicy(throttle_base=1.0, throttle_cap=30.0, fault_cap=30.0, fault_tries=8)

_SLOWEST = 0.2

#: Hosts of AWS's own endpoints: for IPv4 alone or also IPv6, of FIPS, and in private networks.
_OF_AWS = re.compile(
    r"(?:[^.]+\.)?email(?:-fips)?\.[^.]+\.(?:vpce\.)?(?:amazonaws|api|api\.amazonwebservices)\.(?:com|com\.cn|aws|eu)"
).fullmatch


class SesClient:
    """One AWS account's Amazon SES, in some regions; safe to share between threads."""

    def __init__(
        self,
        *,
        regions: Sequence[str],
        aws_access_key_id: str | None = None,
        aws_secret_access_key: str | None = None,
        aws_session_token: str | None = None,
        aws_profile: str | None = None,
        assume_role_arn: str | None = None,
        assume_role_external_id: str | None = None,
        endpoint_url: str | None = None,
        requests_per_second: float = 1.0,
        account: str = "default",
        **connection: Unpack[Connection],
    ) -> None:
        try:
            from mailing_api.aws.session import AwsSession, SigV4  # noqa: PLC0415 - loads botocore
        except ImportError:
            raise ConfigurationError(
                "Setting `ses_regions` is set, but the package botocore is not installed: install this project with "
                "its extra `ses`."
            ) from None
        self.account = account
        self.regions = tuple(dict.fromkeys(regions))
        self._rate = requests_per_second
        #: Calls of each operation per second, at most.
        self.operation_rate = requests_per_second
        self._sleep = connection.get("sleep", time.sleep)
        self._paces: dict[tuple[str, str], Pace] = {}
        self._session = AwsSession(
            access_key_id=aws_access_key_id,
            secret_access_key=aws_secret_access_key,
            session_token=aws_session_token,
            profile=aws_profile,
            assume_role_arn=assume_role_arn,
            assume_role_external_id=assume_role_external_id,
            region=self.regions[0],
            timeout=connection.get("timeout", 60.0),
            allow_http=connection.get("allow_http", False),
            prefix="ses_",
        )
        #: Shares the pace of each operation, and the limit of all calls.
        self._budget = connection.pop("budget", None)
        connection["pace"] = connection.get("pace") or Pace()
        connection["retry"] = connection.get("retry") or _PATIENCE
        self._connection = connection
        #: Of a run that only reads.
        self.gate = connection.get("gate")
        trusted = self._session.authorities()
        endpoints = dict.fromkeys(self.regions, endpoint_url) if endpoint_url else self._endpoints()
        self._endpoint_urls = endpoints
        self._http = {
            region: HttpClient(
                provider=f"Amazon SES {region}",
                account=account,
                base_url=endpoints[region],
                located_by="ses_endpoint_url",
                credentials=self._session.origin,
                trusted=trusted,
                auth=SigV4(self._session, region, "ses"),
                read_error=read_error,
                **self._connection,
            )
            for region in self.regions
        }

    @classmethod
    def from_settings(
        cls,
        config: Mapping[str, Any],
        *,
        environ: Mapping[str, str] = os.environ,
        max_requests_per_second: float | None = None,
        **options: Any,
    ) -> SesClient:
        """Make a client from the `ses_` settings; `options` go to the constructor, and the rate to its pace.

        Raises:
            ConfigurationError: a setting is missing or wrong, or botocore is.
        """
        own = {setting.name.removeprefix("ses_"): lookup(setting, config, environ) for setting in SES_SETTINGS}
        check(own)
        return cls(**own, pace=Pace(max_requests_per_second), **options)

    def close(self) -> None:
        """Close all connections."""
        for http in self._http.values():
            http.close()

    def tenant(self, region: str) -> str:
        """Identify Amazon SES of an account in a region, the same for all spellings and all endpoints of AWS.

        Raises:
            MailingError: there are no credentials.
        """
        return self._named(region, f"{region} ")

    def _named(self, region: str, where: str) -> str:
        url = httpx.URL(self._endpoint_urls[region])
        service = "AWS" if _OF_AWS(url.host.rstrip(".")) else canonical(url)
        own = hashlib.blake2b(self._session.account().encode(), digest_size=16).hexdigest()
        return f"{service} {where}{own}"

    # Reading

    def describe(self, region: str) -> Row:
        """Return the state of the AWS account at Amazon SES in that region (GetAccount)."""
        return self.call(region, GET_ACCOUNT, {})

    def import_jobs(
        self, region: str, *, destination: str | None = None, size: int = _JOBS_PAGE_SIZE
    ) -> TokenWalk[Row]:
        """Return all import jobs, in any order, without the fields that only `import_job` returns.

        Args:
            region: one of `regions`.
            destination: CONTACT_LIST or SUPPRESSION_LIST; None for both.
            size: rows a page.

        The walk raises PermissionDenied with code `sandboxed` if the account is in Amazon SES's own sandbox.
        """
        members = {"ImportDestinationType": destination} if destination else {}
        return self._walk(region, LIST_IMPORT_JOBS, "ImportJobs", members, size)

    def import_job(self, region: str, job: str) -> Row:
        """Return an import job, with its source and its failures. `FailureInfo` may hold a URL that is a secret."""
        return self.call(region, GET_IMPORT_JOB, {"JobId": job})

    def contact_lists(self, region: str) -> TokenWalk[Row]:
        """Return the names of all contact lists; AWS allows one per region."""
        return self._walk(region, LIST_CONTACT_LISTS, "ContactLists", {}, _PAGE_SIZE)

    def contact_list(self, region: str, name: str) -> Row:
        """Return a contact list with its topics."""
        return self.call(region, GET_CONTACT_LIST, {"ContactListName": name})

    def contacts(self, region: str, contact_list: str, *, size: int = _PAGE_SIZE) -> TokenWalk[Row]:
        """Return all contacts of a list, in any order, without the fields that only `contact` returns.

        No filter is used: with filters, many pages in a row may be empty.
        """
        return self._walk(region, LIST_CONTACTS, "Contacts", {"ContactListName": contact_list}, size)

    def contact(self, region: str, contact_list: str, email: str) -> Row:
        """Return a contact with its attributes. Amazon SES refuses an address with a slash (unverified)."""
        return self.call(region, GET_CONTACT, {"ContactListName": contact_list, "EmailAddress": email})

    def suppressions(
        self, region: str, *, since: str | None = None, until: str | None = None, size: int = _PAGE_SIZE
    ) -> TokenWalk[Row]:
        """Return the addresses on the account's suppression list, in any order.

        Args:
            region: one of `regions`.
            since: the beginning of the range, in the form of `mailing_api.values.timestamp`; None for none.
            until: the end of the range; None for none.
            size: rows a page.

        Whether the bounds belong to the range is unverified, so it begins a second earlier; its end is cut to a second.
        """
        members = {}
        if since is not None:
            members["StartDate"] = f"{values.earlier(since, 1)[:19]}Z"
        if until is not None:
            members["EndDate"] = f"{until[:19]}Z"
        return self._walk(region, LIST_SUPPRESSED_DESTINATIONS, "SuppressedDestinationSummaries", members, size)

    def suppression(self, region: str, email: str) -> Row:
        """Return a suppressed address with the message that led to it. An address with a slash is refused."""
        answered = self.call(region, GET_SUPPRESSED_DESTINATION, {"EmailAddress": email})
        return answered.get("SuppressedDestination") or {}

    # Writing: see `writer`

    def call(self, region: str, operation: Operation, members: Mapping[str, Any]) -> Row:
        """Call an operation and return the object in its response."""
        return self._call(region, operation, members, answer)

    def read(self, region: str, operation: Operation, members: Mapping[str, Any], of: Callable[[Row], T]) -> T:
        """Call an operation and return what `of` makes of the object; a ValueError means that it cannot be read."""
        return self._call(region, operation, members, lambda response: of(answer(response)))

    def rest(self, region: str, error: MailingError, attempt: int) -> None:
        """Wait before another attempt at a call that is not retried automatically; see `HttpClient.rest`."""
        self._http[region].rest(error, attempt)

    def bucket(
        self, region: str, name: str, *, endpoint_url: str | None = None, encryption: Encryption | None = None
    ) -> Bucket:
        """Return a bucket of Amazon S3 in that region, with the same credentials; close it after use.

        Args:
            region: one of `regions`.
            name: of the bucket.
            endpoint_url: the endpoint of S3; None for AWS's own, or the one in AWS's environment variables or files.
            encryption: headers for uploads; None for none.
        """
        from mailing_api.aws.s3 import Bucket  # noqa: PLC0415 - loads botocore

        return Bucket(
            self._session,
            region,
            name,
            endpoint_url=endpoint_url,
            endpoint_setting="ses_s3_endpoint_url",
            account=self.account,
            setting="ses_s3_bucket",
            region_setting="ses_regions",
            encryption=encryption or Encryption("ses_s3_encryption"),
            **self._connection,
        )

    # Calls

    def _endpoints(self) -> dict[str, str]:
        """The endpoint of Amazon SES in each region."""
        known = self._session.regions("sesv2")
        if unknown := [region for region in self.regions if region not in known]:
            raise ConfigurationError(
                f"Setting `ses_regions` has {unknown[0]!r}, a region in which this version of botocore does not know "
                "Amazon SES. Correct it, upgrade botocore, or set `ses_endpoint_url`."
            )
        return self._session.endpoints("sesv2", self.regions)

    def _walk(
        self, region: str, operation: Operation, member: str, members: Mapping[str, Any], size: int
    ) -> TokenWalk[Row]:
        most: int | None = size

        def fetch(token: str | None) -> tuple[Sequence[Row], str | None]:
            nonlocal most
            page: dict[str, Any] = {} if most is None else {"PageSize": most}
            asked = {**members, **page} if token is None else {**members, "NextToken": token, **page}
            try:
                return self._page(region, operation, member, asked)
            except RequestRefused as exc:
                if most is None or not refuses_page_size(exc):
                    raise
            most = None
            return fetch(token)

        return TokenWalk(fetch, what=f"Amazon SES {region} {operation.name}", is_stale=is_stale_token)

    def _page(
        self, region: str, operation: Operation, member: str, members: Mapping[str, Any]
    ) -> tuple[list[Row], str | None]:
        try:
            return self._call(region, operation, members, lambda response: page_of(answer(response), member))
        except (PermissionDenied, RequestRefused) as exc:
            if operation is LIST_IMPORT_JOBS and not refuses_page_size(exc) and "NextToken" not in members:
                self._tell_sandboxed(region, operation, exc)
            raise

    def _tell_sandboxed(self, region: str, operation: Operation, exc: MailingError) -> None:
        """Raise another error if the operation was refused because the account is in Amazon SES's own sandbox.

        The form of that refusal is unverified, so the account is read.
        """
        if "is not authorized to perform" in exc.said:
            return
        try:
            if self.describe(region).get("ProductionAccessEnabled") is not False:
                return
        except MailingError:
            return  # only the first refusal is known
        raise PermissionDenied(
            f"Amazon SES {region} account {self.account!r}: {operation.name} was refused ({exc.code}). The AWS account "
            "is in Amazon SES's sandbox in this region: request production access in its console.",
            status=exc.status,
            code="sandboxed",
        ) from None

    def _call(
        self,
        region: str,
        operation: Operation,
        members: Mapping[str, Any],
        decode: Callable[[httpx.Response], T],
    ) -> T:
        return self._session.renewing(lambda: self._send(region, operation, members, decode))

    def _send(
        self, region: str, operation: Operation, members: Mapping[str, Any], decode: Callable[[httpx.Response], T]
    ) -> T:
        return self._http[region].request(
            operation.method,
            operation.path_of(members),
            decode,
            route=operation.name,
            params=operation.query_of(members),
            content=operation.body_of(members),
            idempotent=operation.idempotent,
            once=operation.once,
            reads=operation.name.startswith(("Get", "List")),
            pace=self._pace(region, operation),
        )

    def _pace(self, region: str, operation: Operation) -> Pace:
        """Whether the quota is for each operation or for all is unverified; a refusal slows the pace in both cases."""
        if (pace := self._paces.get((region, operation.name))) is None:
            pace = Pace(self._rate, floor=min(_SLOWEST, self._rate), sleep=self._sleep)
            if self._budget is not None:
                self._share_limit(region, self._budget)
                pace = self._budget.share(pace, f"Amazon SES {self.tenant(region)} {operation.name}")
        return self._paces.setdefault((region, operation.name), pace)

    def _share_limit(self, region: str, budget: Budget) -> None:
        """Share the limit of all calls, of all regions; the account is only known when there are credentials."""
        limit = self._connection["pace"]
        if limit is not None and limit.limits.most is not None and ("", "") not in self._paces:
            shared = self._paces.setdefault(("", ""), budget.share(limit, f"Amazon SES {self._named(region, '')}"))
            for http in self._http.values():
                http.pace = shared
