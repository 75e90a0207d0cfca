"""AWS's credential chain, part by part, so that an error names the part that failed.

Import it late: it loads botocore, an extra of this package.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple, NoReturn

import httpx
from botocore import exceptions

from mailing_api.errors import (
    AuthenticationError,
    ConfigurationError,
    MailingError,
    ProviderFault,
    UntrustedCertificate,
)
from mailing_api.http.certificates import why_untrusted
from mailing_api.http.proxies import proxy_for
from mailing_api.http.urls import parse
from mailing_api.settings import unsendable

__all__ = ["check_characters", "failure", "load", "part_of", "reject_prompt"]


class _Part(NamedTuple):
    name: str
    advice: str


_UNKNOWN: Final = _Part("AWS's credential chain", "Check AWS's environment variables and configuration files.")

#: By botocore's name of each part.
_PARTS: Final = {
    "explicit": _Part("the keys in the settings", "Check them."),
    "env": _Part(
        "the environment variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", "Set both of them, or neither."
    ),
    "assume-role": _Part(
        "the role of the AWS profile (`role_arn` in AWS's configuration file)",
        "Check the profile, and its `source_profile` or `credential_source`.",
    ),
    "assume-role-with-web-identity": _Part(
        "the web identity token file (environment variable AWS_WEB_IDENTITY_TOKEN_FILE, or `web_identity_token_file` "
        "of the AWS profile)",
        "Correct the path, or unset it and AWS_ROLE_ARN to use another part of AWS's credential chain.",
    ),
    "sso": _Part(
        "single sign-on (`sso_session` or `sso_start_url` of the AWS profile)", "Sign in again: aws sso login."
    ),
    "login": _Part("the sign-in by `aws login`", "Sign in again: aws login."),
    "shared-credentials-file": _Part(
        "the shared credentials file (environment variable AWS_SHARED_CREDENTIALS_FILE, else ~/.aws/credentials)",
        "Correct its keys.",
    ),
    "custom-process": _Part(
        "the command in `credential_process` of the AWS profile",
        "Run the command by hand: it must print credentials as JSON, and must not prompt.",
    ),
    "config-file": _Part(
        "AWS's configuration file (environment variable AWS_CONFIG_FILE, else ~/.aws/config)", "Correct its keys."
    ),
    "ec2-credentials-file": _Part("the file named by the environment variable AWS_CREDENTIAL_FILE", "Correct it."),
    "boto-config": _Part("the file named by the environment variable BOTO_CONFIG, or ~/.boto", "Correct it."),
    "container-role": _Part(
        "the credentials of the container (environment variables AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, "
        "AWS_CONTAINER_CREDENTIALS_FULL_URI and AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE)",
        "Check these variables and the role of the task or pod.",
    ),
    "iam-role": _Part("the role of the machine (instance metadata)", "Check the role attached to the machine."),
}

#: The description of an exception; the first match applies.
_REASONS: Final[tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...]] = (
    (
        exceptions.ParamValidationError,
        "a role's ARN, a session name, an external ID or a token is empty or not in the form that AWS accepts",
    ),
    (exceptions.MissingDependencyException, "it needs the package awscrt, which is not installed"),
    (exceptions.CredentialRetrievalError, "it failed, or returned no credentials (CredentialRetrievalError)"),
    (json.JSONDecodeError, "its output is not JSON"),
    (UnicodeError, "its output is not text in UTF-8"),
    (RuntimeError, "its credentials have expired"),
    (KeyError, "its output is incomplete"),
    ((ValueError, TypeError, AttributeError), "its output is not in the form that AWS documents"),
)

#: Seconds that the command in `credential_process` may take.
_COMMAND_TIME: Final = 60.0

_UNREACHABLE: Final = (exceptions.ConnectionError, exceptions.HTTPClientError)
_MISCONFIGURED: Final = (
    exceptions.ConfigNotFound,
    exceptions.ConfigParseError,
    exceptions.InvalidConfigError,
    exceptions.PartialCredentialsError,
)


def part_of(method: str | None) -> str:
    """Return the name of a part of the chain; `method` is botocore's name of it."""
    return _PARTS.get(method or "", _UNKNOWN).name


def load(session: Any) -> Any:
    """Return the credentials of the first part of the chain that has some; None if none has.

    Raises:
        MailingError: a part is configured and has none.
    """
    for provider in _silent(session.get_component("credential_provider").providers):
        try:
            credentials = provider.load()
        except Exception as exc:  # noqa: BLE001 - files and commands of others may raise anything
            raise failure(exc, provider.METHOD) from None
        if credentials is not None:
            return credentials
    return None


def _silent(providers: Sequence[Any]) -> Sequence[Any]:
    """Keep these parts from prompting and from reading standard input; botocore has no public way to do so."""
    for provider in providers:
        if provider.METHOD == "assume-role":
            provider._prompter = reject_prompt  # noqa: SLF001
            sources = provider._profile_provider_builder  # noqa: SLF001
            sources.providers = _made_silent(sources.providers)
        elif provider.METHOD == "custom-process":
            provider._popen = _Command  # noqa: SLF001
    return providers


class _Command(subprocess.Popen[bytes]):
    """The command in `credential_process`, without standard input and with a time limit."""

    def __init__(self, command: Sequence[str], *, stdout: int, stderr: int) -> None:
        super().__init__(
            command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, text=False, start_new_session=True
        )

    def communicate(self, *args: Any, **options: Any) -> tuple[bytes, bytes]:
        """Return its output.

        Raises:
            ConfigurationError: it did not end in time; it and the processes that it started are killed.
        """
        try:
            return super().communicate(*args, **{"timeout": _COMMAND_TIME} | options)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            for pipe in (self.stdout, self.stderr):
                if pipe is not None:
                    pipe.close()
            self.wait()
            part = _PARTS["custom-process"]
            raise ConfigurationError(
                f"AWS credentials: {part.name} did not end within {_COMMAND_TIME:g} s, so it was killed. {part.advice}"
            ) from None


def _made_silent(providers: Callable[..., Sequence[Any]]) -> Callable[..., Sequence[Any]]:
    return lambda *args, **options: _silent(providers(*args, **options))


def reject_prompt(prompt: str) -> NoReturn:
    """Refuse to prompt for a code: standard input holds data, and often nobody is there.

    Raises:
        ConfigurationError: always.
    """
    del prompt
    raise ConfigurationError(
        "AWS credentials: the AWS profile requires an MFA code (`mfa_serial`), which cannot be typed here. Use a "
        "profile without `mfa_serial`, or get temporary credentials beforehand, for example by aws sts "
        "get-session-token, and set these with their session token."
    )


def failure(exc: Exception, method: str | None, *, role: str = "") -> MailingError:
    """Return the error for an exception of a part of the chain; botocore's own messages quote settings and responses.

    Args:
        exc: the exception.
        method: botocore's name of the part.
        role: the setting of a role that is assumed with these credentials; "" for none.
    """
    if isinstance(exc, MailingError):
        return exc
    part = _PARTS.get(method or "", _UNKNOWN)
    if role:
        part = _Part(
            f"{part.name}, or the role in {role} assumed with these",
            f"Check {role}, these credentials, and the STS endpoint in AWS's environment variables and files.",
        )
    if isinstance(exc, _UNREACHABLE):
        return _unreachable(exc, part)
    if isinstance(exc, _MISCONFIGURED):
        return ConfigurationError(f"AWS credentials: {part.name} cannot be used ({type(exc).__name__}). {part.advice}")
    return AuthenticationError(f"AWS credentials: {part.name} cannot be used: {_reason(exc)}. {part.advice}")


def check_characters(credentials: Any, origin: str) -> None:
    """Check credentials before they are sent.

    Args:
        credentials: as botocore keeps them.
        origin: where they come from, for messages.

    Raises:
        ConfigurationError: they hold a character that a header cannot carry.
    """
    parts = {"key": credentials.access_key, "secret key": credentials.secret_key}
    if credentials.token is not None:
        parts["session token"] = credentials.token
    for name, value in parts.items():
        if why := unsendable(value) if isinstance(value, str) and value else "is not a string":
            raise ConfigurationError(f"AWS credentials: the {name} of {origin} {why}: correct it.")


def _reason(exc: Exception) -> str:
    if isinstance(exc, OSError):
        why = exc.strerror or type(exc).__name__
        return f"{exc.filename}: {why}" if isinstance(exc.filename, str) else why
    return next((why for kinds, why in _REASONS if isinstance(exc, kinds)), type(exc).__name__)


def _unreachable(exc: Any, part: _Part) -> MailingError:
    url = parse(exc.kwargs.get("endpoint_url"))
    where = url.netloc.decode("ascii", "replace") if url is not None else "the service"
    if isinstance(exc, exceptions.SSLError):
        why = why_untrusted(exc) or "it could not be verified"
        return UntrustedCertificate(
            f"AWS credentials: {part.name}: the certificate of {where} is not trusted ({why}); no credentials were "
            "sent. If it is signed by your own certificate authority, set AWS_CA_BUNDLE to that authority's file."
        )
    message = f"AWS credentials: {part.name}: no response ({type(exc).__name__}): {where} cannot be reached"
    if isinstance(exc, exceptions.ProxyConnectionError):
        proxy = proxy_for(url or httpx.URL("https://sts.amazonaws.com"))
        named_by = proxy.named_by if proxy is not None else "the environment variable HTTPS_PROXY"
        message += f" through the proxy in {named_by}. Correct or unset it"
    return ProviderFault(f"{message}.")
