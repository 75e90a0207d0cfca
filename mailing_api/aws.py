"""Signatures for AWS: whose credentials, which endpoint, Signature Version 4; all three are botocore's work.

Import it late: it loads botocore, an extra of this package.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any, TypeVar

import httpx
from botocore import exceptions
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.session import Session

from mailing_api.errors import AuthenticationError, ConfigurationError, MailingError, PermissionDenied, ProviderFault

__all__ = ["AwsSession", "SigV4", "link"]

T = TypeVar("T")

# It logs what it signs, session tokens and paths with addresses among that.
logging.getLogger("botocore").setLevel(logging.WARNING)

_UNREACHABLE = (exceptions.ConnectionError, exceptions.HTTPClientError)
_MISCONFIGURED = (
    exceptions.ConfigNotFound,
    exceptions.ConfigParseError,
    exceptions.InvalidConfigError,
    exceptions.PartialCredentialsError,
    exceptions.ProfileNotFound,
)


class AwsSession:
    """Whose name requests are signed in; safe to share between threads.

    Nothing is sent before credentials are asked for. Finding them may take requests of botocore's own: to assume a
    role, to sign on, or to ask the machine that this runs on.
    """

    def __init__(
        self,
        *,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        session_token: str | None = None,
        profile: str | None = None,
        assume_role_arn: str | None = None,
        assume_role_external_id: str | None = None,
        region: str,
        timeout: float = 60.0,
        prefix: str = "",
    ) -> None:
        """Make a session.

        Args:
            access_key_id: None for what AWS's credential chain finds.
            secret_access_key: of that key.
            session_token: of that key, if it is a temporary one.
            profile: of AWS's configuration files; None for the default one.
            assume_role_arn: a role to assume with these credentials.
            assume_role_external_id: what the role asks for.
            region: where the role is assumed.
            timeout: seconds to wait for botocore's own requests.
            prefix: of the settings that these arguments come from, for messages; "" where there are none.
        """
        self._keys = (access_key_id, secret_access_key, session_token)
        self._profile = profile
        self._role = assume_role_arn
        self._external_id = assume_role_external_id
        self._region = region
        self._timeout = timeout
        self._prefix = prefix
        self._lock = threading.Lock()
        self._credentials: Any = None

    def credentials(self) -> Any:
        """The credentials as they are now: `access_key`, `secret_key` and `token`, renewed where they are about to end.

        Raises:
            MailingError: there are none, or they could not be renewed.
        """
        with self._lock:
            if self._credentials is None:
                self._credentials = self._find()
            return self._frozen(self._credentials)

    def renew(self, refused: Any) -> bool:
        """After credentials were refused: whether others are at hand now.

        Raises:
            MailingError: there are none any more.
        """
        with self._lock:
            found = self._find()
            if self._frozen(found) == refused:
                return False
            self._credentials = found
            return True

    def renewing(self, call: Callable[[], T]) -> T:
        """What a call returns; made once more with other credentials if these are refused and others are at hand.

        Raises:
            MailingError: what the call raised.
        """
        used = self.credentials()
        try:
            return call()
        except AuthenticationError:
            if not self.renew(used):
                raise
        return call()

    def regions(self, service: str) -> set[str]:
        """The regions in which this version of botocore knows a service, by botocore's name of it.

        Raises:
            ConfigurationError: a configuration file is wrong.
        """
        try:
            session = self._session()
            partitions = session.get_available_partitions()
            return {one for each in partitions for one in session.get_available_regions(service, each)}
        except exceptions.BotoCoreError as exc:
            raise self._told(exc) from None

    def endpoints(self, service: str, regions: Sequence[str]) -> dict[str, str]:
        """Where a service is in each region, as AWS's variables and configuration files have it.

        Raises:
            ConfigurationError: a configuration file is wrong.
        """
        try:
            session = self._session()
            session.set_credentials("unused", "unused")  # or it would look for some, perhaps by requests
            clients = {region: session.create_client(service, region_name=region) for region in regions}
        except exceptions.BotoCoreError as exc:
            raise self._told(exc) from None
        return {region: str(client.meta.endpoint_url) for region, client in clients.items()}

    def _session(self) -> Any:
        session = Session(profile=self._profile)
        session.set_default_client_config(
            Config(
                connect_timeout=self._timeout,
                read_timeout=self._timeout,
                retries={"mode": "standard", "total_max_attempts": 3},
            )
        )
        return session

    def _find(self) -> Any:
        session = self._session()
        access_key, secret_key, token = self._keys
        try:
            if access_key:
                session.set_credentials(access_key, secret_key, token)
            found = session.get_credentials()
        except (exceptions.BotoCoreError, exceptions.ClientError) as exc:
            raise self._told(exc) from None
        if found is None:
            one = f"`{self._prefix}aws_"
            own = f"{one}access_key_id` and {one}secret_access_key`, {one}profile`, or " if self._prefix else ""
            raise AuthenticationError(
                f"No AWS credentials were found. Set {own}whatever AWS's credential chain looks at, such as "
                "environment variables."
            )
        return self._assumed(session, found) if self._role else found

    def _assumed(self, session: Any, found: Any) -> Any:
        fetcher = AssumeRoleCredentialFetcher(
            partial(session.create_client, region_name=self._region),
            found,
            self._role,
            extra_args={"ExternalId": self._external_id} if self._external_id else {},
        )
        return DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")

    def _frozen(self, found: Any) -> Any:
        try:
            return found.get_frozen_credentials()
        except (exceptions.BotoCoreError, exceptions.ClientError) as exc:
            raise self._told(exc) from None

    def _told(self, exc: Exception) -> MailingError:
        """The error for what botocore raised; its own texts quote settings and answers."""
        if isinstance(exc, exceptions.ClientError):
            return self._role_refused(exc)
        name = type(exc).__name__
        if isinstance(exc, exceptions.ProfileNotFound):
            own = f"`{self._prefix}aws_profile`, or " if self._prefix else ""
            return ConfigurationError(f"The AWS profile does not exist: check {own}AWS_PROFILE of the environment.")
        if isinstance(exc, _MISCONFIGURED):
            return ConfigurationError(f"AWS's configuration files or variables cannot be used ({name}): correct them.")
        if isinstance(exc, _UNREACHABLE):
            return ProviderFault(f"AWS credentials could not be had: no answer ({name}).")
        return AuthenticationError(f"AWS credentials could not be had ({name}).")

    def _role_refused(self, exc: Any) -> MailingError:
        code = str(exc.response.get("Error", {}).get("Code", ""))
        status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        told = code if code.isalpha() else f"HTTP {status}"
        if code.startswith("AccessDenied"):
            own = f"of `{self._prefix}assume_role_arn` or " if self._prefix else ""
            return PermissionDenied(
                f"AWS: the role {own}of the profile could not be assumed ({told}). The credentials may not do "
                "sts:AssumeRole, or the role does not trust them.",
                status=status,
                code=told,
            )
        if isinstance(status, int) and status >= 500:
            return ProviderFault(f"AWS: a role could not be assumed ({told}).", status=status, code=told)
        return AuthenticationError(f"AWS: a role could not be assumed ({told}).", status=status, code=told)


_SIGNED = frozenset({"host", "content-type", "content-md5"})


class SigV4(httpx.Auth):
    """Signs each request, and each attempt anew; by S3's own variant for the service `s3`."""

    requires_request_body = True

    def __init__(self, session: AwsSession, region: str, service: str) -> None:
        self._session = session
        self._region = region
        self._service = service
        self._kind = S3SigV4Auth if service == "s3" else SigV4Auth

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put date, token and signature into the headers."""
        signed = AWSRequest(
            method=request.method,
            url=str(request.url),
            data=request.content,
            # No others: proxies may change them.
            headers={name: value for name, value in request.headers.items() if name in _SIGNED},
        )
        self._kind(self._session.credentials(), self._service, self._region).add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        yield request


def link(session: AwsSession, region: str, url: str, *, seconds: int) -> str:
    """The URL of an object of Amazon S3, signed so that whoever has it may read that for so long."""
    request = AWSRequest(method="GET", url=url)
    S3SigV4QueryAuth(session.credentials(), "s3", region, expires=seconds).add_auth(request)
    return str(request.url)
