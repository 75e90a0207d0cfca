"""Signatures for AWS: whose credentials, which endpoint, Signature Version 4; all three are botocore's work.

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

# It logs what it signs, session tokens and paths with addresses among that; and failures, which are told here, with
# tracebacks that quote answers.
logging.getLogger("botocore").setLevel(logging.ERROR)


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
        allow_http: bool = False,
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
            allow_http: http:// may lead to another machine.
            prefix: of the settings that these arguments come from, for messages; "" where there are none.
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
        """The credentials as they are now: `access_key`, `secret_key` and `token`, renewed where they are about to end.

        Raises:
            MailingError: there are none, or they could not be renewed.
        """
        with self._lock:
            found = self._find() if self._credentials is None else self._credentials
            frozen = self._frozen(found)
            self._credentials = found  # what failed the first time is looked for anew
            return frozen

    def account(self) -> str:
        """The account of the credentials, as far as it is known without asking for it.

        Its number, which keys tell; else, of a key that lasts, that key; else "".

        Raises:
            MailingError: as `credentials`.
        """
        found = self.credentials()
        number = account_number(found.access_key)
        if number is None and found.token:  # the key is another one in the next run
            number = found.account_id or ""
        return str(found.access_key if number is None else number)

    def origin(self) -> str:
        """Where the credentials come from, for messages."""
        if self._keys[0]:
            names = ("access_key_id", "secret_access_key", *(("session_token",) if self._keys[2] else ()))
            found = " and ".join(f"`{self._prefix}aws_{name}`" for name in names)
        else:
            method = None if self._credentials is None else self._credentials.method
            found = credential_chain.part_of(self._method or method)
        if self._profile:
            found += f" of the profile in `{self._prefix}aws_profile`"
        return f"`{self._prefix}assume_role_arn` and {found}" if self._role else found

    def authorities(self) -> Authorities | None:
        """The certificate authorities that AWS's variable or profile names; None if they name none.

        Raises:
            ConfigurationError: a configuration file is wrong.
        """
        try:
            return _authorities(Session(profile=self._profile, include_builtin_handlers=False))  # asks nobody
        except Exception as exc:  # noqa: BLE001 - configuration files may make botocore raise anything
            raise self._misconfigured(exc) from None

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
        except Exception as exc:  # noqa: BLE001 - configuration files may make botocore raise anything
            raise self._misconfigured(exc) from None

    def endpoints(self, service: str, regions: Sequence[str]) -> dict[str, str]:
        """Where a service is in each region, as AWS's variables and configuration files have it.

        Raises:
            ConfigurationError: a configuration file is wrong.
        """
        try:
            session = self._session()
            session.set_credentials("unused", "unused")  # or it would look for some, perhaps by requests
            clients = {region: session.create_client(service, region_name=region) for region in regions}
        except Exception as exc:  # noqa: BLE001 - configuration files may make botocore raise anything
            raise self._misconfigured(exc) from None
        found = {region: str(client.meta.endpoint_url) for region, client in clients.items()}
        for url in map(parse, found.values()):
            if url is None or url.userinfo or url.query or url.fragment:
                raise ConfigurationError(
                    f"AWS's variables or configuration files give an endpoint of {service} that is no URL, or holds a "
                    "user name, a password, a query or a fragment: correct AWS_ENDPOINT_URL, or `endpoint_url` there."
                )
        return found

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
        if trusted is not None and Path(trusted.path).is_file():  # botocore takes no folder
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
                found = session.get_credentials()
            else:
                found = credential_chain.load(session)
        except Exception as exc:  # noqa: BLE001 - configuration files may make botocore raise anything
            raise self._told(exc) from None
        if found is None:
            one = f"`{self._prefix}aws_"
            own = f"{one}access_key_id` and {one}secret_access_key`, {one}profile`, or " if self._prefix else ""
            raise AuthenticationError(
                f"No AWS credentials were found. Set {own}whatever AWS's credential chain looks at, such as "
                "environment variables."
            )
        self._method = found.method
        return self._assumed(session, found) if self._role else found

    def _assumed(self, session: Any, found: Any) -> Any:
        fetcher = AssumeRoleCredentialFetcher(
            partial(session.create_client, region_name=self._region),
            found,
            self._role,
            mfa_prompter=credential_chain.reject_prompt,
            extra_args={"ExternalId": self._external_id} if self._external_id else {},
        )
        return DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")

    def _frozen(self, found: Any) -> Any:
        try:
            frozen = found.get_frozen_credentials()
        except Exception as exc:  # noqa: BLE001 - files and commands of others may raise anything
            raise self._told(exc) from None
        credential_chain.check_characters(frozen, self.origin())
        SECRETS.add(frozen.secret_key)
        SECRETS.add(frozen.token)
        return frozen

    def _told(self, exc: Exception) -> MailingError:
        """The error for what botocore raised while it looked for credentials."""
        if isinstance(exc, exceptions.ClientError):
            return self._role_refused(exc)
        if isinstance(exc, exceptions.ProfileNotFound):
            own = f"`{self._prefix}aws_profile`, or " if self._prefix else ""
            return ConfigurationError(f"The AWS profile does not exist: check {own}AWS_PROFILE of the environment.")
        return credential_chain.failure(
            exc, self._method, role=f"`{self._prefix}assume_role_arn`" if self._role else ""
        )

    def _misconfigured(self, exc: Exception) -> MailingError:
        """The error for what botocore raised while it read its configuration, for which nothing is asked."""
        if isinstance(exc, (MailingError, exceptions.ProfileNotFound)):
            return self._told(exc)
        return ConfigurationError(
            f"AWS's configuration files or environment variables cannot be used ({type(exc).__name__}): correct them."
        )

    def _role_refused(self, exc: Any) -> MailingError:
        code = str(exc.response.get("Error", {}).get("Code", ""))
        status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        told = error_code(code) or f"HTTP {status}"
        if code.startswith("AccessDenied"):
            own = f"of `{self._prefix}assume_role_arn` or " if self._prefix else ""
            return PermissionDenied(
                f"AWS: the role {own}of the profile could not be assumed ({told}). The credentials may not do "
                "sts:AssumeRole, or the role does not trust them.",
                status=status,
                code=told,
            )
        if code in SKEWED or _is_of_another_time(exc):
            return RequestRefused(f"AWS: a role could not be assumed ({told}). {CLOCK}", status=status, code=told)
        if isinstance(status, int) and status >= 500:
            return ProviderFault(f"AWS: a role could not be assumed ({told}).", status=status, code=told)
        return AuthenticationError(
            f"AWS: a role could not be assumed ({told}). Check {self.origin()}.", status=status, code=told
        )


def _is_of_another_time(exc: Any) -> bool:
    return says_another_time(str(exc.response.get("Error", {}).get("Message", "")))


@cache
def _handlers() -> HierarchicalEmitter:
    """The handlers of a session; to register them takes longer than all else of making one."""
    handlers = HierarchicalEmitter()
    Session(event_hooks=handlers)
    return handlers


@cache
def _descriptions(path: str | None) -> Loader:
    """What botocore knows of services and endpoints: megabytes, which each session would read anew."""
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
    """The URL of an object of Amazon S3, signed so that whoever has it may read that for so long."""
    request = AWSRequest(method="GET", url=url)
    S3SigV4QueryAuth(session.credentials(), "s3", region, expires=seconds).add_auth(request)
    return str(request.url)
