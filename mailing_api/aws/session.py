"""Signed requests to AWS: credentials, endpoints and Signature Version 4, all three from botocore.

Import it late: it loads botocore, an extra of this package.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Sequence
from copy import copy
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
from botocore import exceptions
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.hooks import HierarchicalEmitter
from botocore.loaders import Loader, create_loader
from botocore.session import Session

from mailing_api.aws import credential_chain
from mailing_api.aws.account_number import account_number
from mailing_api.aws.errors import CLOCK, SKEWED, error_code, says_another_time
from mailing_api.errors import (
    AuthenticationError,
    ConfigurationError,
    MailingError,
    PermissionDenied,
    ProviderFault,
    RequestRefused,
)
from mailing_api.http.certificates import Authorities, authorities
from mailing_api.http.urls import check_encrypted, parse
from mailing_api.process.secret_values import SECRETS

__all__ = ["AwsSession", "SigV4", "link"]

T = TypeVar("T")

# It logs signed requests, with session tokens and e-mail addresses, and failures, with tracebacks that quote responses.
logging.getLogger("botocore").setLevel(logging.ERROR)


class AwsSession:
    """The credentials that requests are signed with; safe to share between threads.

    Nothing is sent before `credentials` is called. That may take requests of botocore's own: to assume a role, for
    single sign-on, or to the metadata service of this machine.
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
        allow_http: bool = False,
        prefix: str = "",
    ) -> None:
        """Make a session.

        Args:
            access_key_id: None to use AWS's credential chain.
            secret_access_key: of that key.
            session_token: of that key, if it is temporary.
            profile: in AWS's configuration files; None for the default profile.
            assume_role_arn: a role to assume with these credentials.
            assume_role_external_id: the external ID that the role requires.
            region: where the role is assumed.
            timeout: seconds to wait in botocore's own requests.
            allow_http: whether http:// may lead to another machine.
            prefix: of the settings that these arguments come from, for messages; "" if there are none.
        """
        self._keys = (access_key_id, secret_access_key, session_token)
        self._profile = profile
        self._role = assume_role_arn
        self._external_id = assume_role_external_id
        self._region = region
        self._timeout = timeout
        self._allow_http = allow_http
        self._prefix = prefix
        self._lock = threading.Lock()
        self._credentials: Any = None
        self._method: str | None = None

    def credentials(self) -> Any:
        """Return `access_key`, `secret_key` and `token`, renewed if they are about to expire.

        Raises:
            MailingError: there are none, or they could not be renewed.
        """
        with self._lock:
            credentials = self._find() if self._credentials is None else self._credentials
            frozen = self._frozen(credentials)
            self._credentials = credentials  # only credentials that worked are kept
            return frozen

    def account(self) -> str:
        """Return the account of the credentials, without a request for it.

        Its number, if the key's ID holds it; otherwise, for a permanent key, the key's ID; otherwise "".

        Raises:
            MailingError: as `credentials`.
        """
        credentials = self.credentials()
        number = account_number(credentials.access_key)
        if number is None and credentials.token:  # a temporary key: the next run has another one
            number = credentials.account_id or ""
        return str(credentials.access_key if number is None else number)

    def origin(self) -> str:
        """Return where the credentials come from, for messages."""
        if self._keys[0]:
            names = ("access_key_id", "secret_access_key", *(("session_token",) if self._keys[2] else ()))
            origin = " and ".join(f"`{self._prefix}aws_{name}`" for name in names)
        else:
            origin = credential_chain.part_of(self._method)
        if self._profile:
            origin += f" of the profile in `{self._prefix}aws_profile`"
        return f"`{self._prefix}assume_role_arn` and {origin}" if self._role else origin

    def authorities(self) -> Authorities | None:
        """Return the certificate authorities in AWS's environment variable or profile; None if there are none.

        Raises:
            ConfigurationError: a configuration file is wrong.
        """
        try:
            return _authorities(Session(profile=self._profile, include_builtin_handlers=False))  # sends nothing
        except Exception as exc:  # noqa: BLE001 - configuration files may make botocore raise anything
            raise self._misconfigured(exc) from None

    def renew(self, refused: Any) -> bool:
        """Load credentials again after some were refused; return whether they are different now.

        Raises:
            MailingError: there are no longer any.
        """
        with self._lock:
            credentials = self._find()
            if self._frozen(credentials) == refused:
                return False
            self._credentials = credentials
            return True

    def renewing(self, call: Callable[[], T]) -> T:
        """Return the result of a call, which is repeated once if its credentials are refused and there are new ones.

        Raises:
            MailingError: the error of the call.
        """
        used = self.credentials()
        try:
            return call()
        except AuthenticationError:
            if not self.renew(used):
                raise
        return call()

    def regions(self, service: str) -> set[str]:
        """Return the regions in which this version of botocore knows a service; `service` is botocore's name of it.

        Raises:
            ConfigurationError: a configuration file is wrong.
        """
        try:
            session = self._session()
            partitions = session.get_available_partitions()
            return {name for partition in partitions for name in session.get_available_regions(service, partition)}
        except Exception as exc:  # noqa: BLE001 - configuration files may make botocore raise anything
            raise self._misconfigured(exc) from None

    def endpoints(self, service: str, regions: Sequence[str]) -> dict[str, str]:
        """Return a service's endpoint in each region, by AWS's environment variables and configuration files.

        Raises:
            ConfigurationError: a configuration file is wrong.
        """
        try:
            session = self._session()
            session.set_credentials("unused", "unused")  # otherwise it would look for some, perhaps by requests
            clients = {region: session.create_client(service, region_name=region) for region in regions}
        except Exception as exc:  # noqa: BLE001 - configuration files may make botocore raise anything
            raise self._misconfigured(exc) from None
        endpoints = {region: str(client.meta.endpoint_url) for region, client in clients.items()}
        for url in map(parse, endpoints.values()):
            if url is None or url.userinfo or url.query or url.fragment:
                raise ConfigurationError(
                    f"AWS's environment variables or configuration files give an endpoint of {service} that is not a "
                    "URL, or that holds a user name, password, query or fragment: correct AWS_ENDPOINT_URL, or "
                    "`endpoint_url` in the files."
                )
        return endpoints

    def _session(self) -> Any:
        session = _new_session(self._profile)
        session.set_default_client_config(
            Config(
                connect_timeout=self._timeout,
                read_timeout=self._timeout,
                retries={"mode": "standard", "total_max_attempts": 3},
            )
        )
        if not session.get_config_variable("region"):
            session.set_config_variable("region", self._region)  # of AWS STS, where a profile names a role
        trusted = _authorities(session) or authorities()
        if trusted is not None and Path(trusted.path).is_file():  # botocore accepts no folder
            session.set_config_variable("ca_bundle", trusted.path)
        session.register("before-send", self._before_send)
        session.register("needs-retry", _no_retry_of_certificates)
        return session

    def _before_send(self, request: Any, **_: Any) -> None:
        check_encrypted(httpx.URL(request.url), "AWS_ENDPOINT_URL", allow_http=self._allow_http)

    def _find(self) -> Any:
        access_key, secret_key, token = self._keys
        try:
            session = self._session()
            if access_key:
                session.set_credentials(access_key, secret_key, token)
                credentials = session.get_credentials()
            else:
                credentials = credential_chain.load(session)
        except Exception as exc:  # noqa: BLE001 - configuration files may make botocore raise anything
            raise self._error(exc) from None
        if credentials is None:
            name = f"`{self._prefix}aws_"
            own = f"{name}access_key_id` and {name}secret_access_key`, {name}profile`, or " if self._prefix else ""
            raise AuthenticationError(
                f"No AWS credentials were found. Set {own}a source of AWS's credential chain, such as environment "
                "variables."
            )
        self._method = credentials.method
        if not self._role:
            return credentials
        fetcher = AssumeRoleCredentialFetcher(
            partial(session.create_client, region_name=self._region),
            credentials,
            self._role,
            mfa_prompter=credential_chain.reject_prompt,
            extra_args={"ExternalId": self._external_id} if self._external_id else {},
        )
        return DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")

    def _frozen(self, credentials: Any) -> Any:
        try:
            frozen = credentials.get_frozen_credentials()
        except Exception as exc:  # noqa: BLE001 - files and commands of others may raise anything
            raise self._error(exc) from None
        credential_chain.check_characters(frozen, self.origin())
        SECRETS.add(frozen.secret_key)
        SECRETS.add(frozen.token)
        return frozen

    def _error(self, exc: Exception) -> MailingError:
        """The error for an exception of botocore while it loaded credentials."""
        if isinstance(exc, exceptions.ClientError):
            return self._role_refused(exc)
        if isinstance(exc, exceptions.ProfileNotFound):
            own = f"`{self._prefix}aws_profile`, or " if self._prefix else ""
            return ConfigurationError(
                f"The AWS profile does not exist: check {own}the environment variable AWS_PROFILE."
            )
        return credential_chain.failure(
            exc, self._method, role=f"`{self._prefix}assume_role_arn`" if self._role else ""
        )

    def _misconfigured(self, exc: Exception) -> MailingError:
        """The error for an exception of botocore while it read its configuration."""
        if isinstance(exc, (MailingError, exceptions.ProfileNotFound)):
            return self._error(exc)
        return ConfigurationError(
            f"AWS's configuration files or environment variables cannot be used ({type(exc).__name__}): correct them."
        )

    def _role_refused(self, exc: Any) -> MailingError:
        refusal = exc.response.get("Error", {})
        status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        code = str(refusal.get("Code", ""))
        shown = error_code(code) or f"HTTP {status}"
        if code.startswith("AccessDenied"):
            own = f"in `{self._prefix}assume_role_arn` or " if self._prefix else ""
            return PermissionDenied(
                f"AWS: the role {own}of the profile could not be assumed ({shown}). The credentials have no permission "
                "for sts:AssumeRole, or the role does not trust them.",
                status=status,
                code=shown,
            )
        message = f"AWS: a role could not be assumed ({shown})."
        if code in SKEWED or says_another_time(str(refusal.get("Message", ""))):
            return RequestRefused(f"{message} {CLOCK}", status=status, code=shown)
        if isinstance(status, int) and status >= 500:
            return ProviderFault(message, status=status, code=shown)
        return AuthenticationError(f"{message} Check {self.origin()}.", status=status, code=shown)


@cache
def _handlers() -> HierarchicalEmitter:
    """The event handlers of a session; registering them takes longer than the rest of making a session."""
    handlers = HierarchicalEmitter()
    Session(event_hooks=handlers)
    return handlers


@cache
def _descriptions(path: str | None) -> Loader:
    """The descriptions that botocore has of services and endpoints: megabytes, which each session would read again."""
    return create_loader(path)


def _new_session(profile: str | None) -> Session:
    session = Session(profile=profile, event_hooks=copy(_handlers()), include_builtin_handlers=False)
    session.register_component("data_loader", _descriptions(session.get_config_variable("data_path")))
    return session


def _authorities(session: Any) -> Authorities | None:
    if path := session.get_config_variable("ca_bundle", methods=("env",)):
        return Authorities(path, "the environment variable AWS_CA_BUNDLE")
    path = session.get_config_variable("ca_bundle", methods=("config",))
    return Authorities(path, "`ca_bundle` of the AWS profile") if path else None


def _no_retry_of_certificates(caught_exception: Any = None, **_: Any) -> None:
    if isinstance(caught_exception, exceptions.SSLError):
        raise caught_exception


_SIGNED = frozenset({"host", "content-type", "content-md5"})


class SigV4(httpx.Auth):
    """Signs each attempt of each request, with S3's own variant for the service `s3`."""

    requires_request_body = True

    def __init__(self, session: AwsSession, region: str, service: str) -> None:
        self._session = session
        self._region = region
        self._service = service
        self._kind = S3SigV4Auth if service == "s3" else SigV4Auth

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add date, token and signature to the headers."""
        signed = AWSRequest(
            method=request.method,
            url=str(request.url),
            data=request.content,
            # Only these: proxies may change others.
            headers={
                name: value
                for name, value in request.headers.items()
                if name in _SIGNED or name.startswith("x-amz-server-side-")
            },
        )
        self._kind(self._session.credentials(), self._service, self._region).add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        yield request


def link(session: AwsSession, region: str, url: str, *, seconds: int) -> str:
    """Return the URL of an object of Amazon S3, signed so that anybody who has it can read the object for so long."""
    request = AWSRequest(method="GET", url=url)
    S3SigV4QueryAuth(session.credentials(), "s3", region, expires=seconds).add_auth(request)
    return str(request.url)
