"""AWS's chain of credentials, part by part, so that an error names the part that failed.

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
        "Check the profile, and the profile or source that its role is assumed from.",
    ),
    "assume-role-with-web-identity": _Part(
        "the web identity token file (environment variable AWS_WEB_IDENTITY_TOKEN_FILE, or `web_identity_token_file` "
        "of the AWS profile)",
        "Correct the path, or unset that and AWS_ROLE_ARN to use another part of AWS's credential chain.",
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
        "Run the command by hand: it must print credentials as JSON, without asking for anything.",
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

#: What is said of an exception; the first that fits.
_REASONS: Final[tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...]] = (
    (
        exceptions.ParamValidationError,
        "a role's ARN, a session name, an external ID or a token is empty or not in the form that AWS takes",
    ),
    (exceptions.MissingDependencyException, "botocore needs a package for it that is missing (awscrt)"),
    (exceptions.CredentialRetrievalError, "it failed, or gave no credentials (CredentialRetrievalError)"),
    (json.JSONDecodeError, "what it gave is not JSON"),
    (UnicodeError, "what it gave is not text in UTF-8"),
    (RuntimeError, "the credentials that it gave have expired"),
    (KeyError, "what it gave lacks a part"),
    ((ValueError, TypeError, AttributeError), "what it gave is not in the form that AWS documents"),
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
    """The name of a part of the chain, by botocore's name of it."""
    return _PARTS.get(method or "", _UNKNOWN).name


def load(session: Any) -> Any:
    """The credentials of the first part of the chain that has some; None if none has.

    Raises:
        MailingError: a part is configured and has none.
    """
    for provider in _silent(session.get_component("credential_provider").providers):
        try:
            found = provider.load()
        except Exception as exc:  # noqa: BLE001 - files and commands of others may raise anything
            raise failure(exc, provider.METHOD) from None
        if found is not None:
            return found
    return None


def _silent(providers: Sequence[Any]) -> Sequence[Any]:
    """These parts, none of which asks anybody or reads standard input; botocore has no public way to say so."""
    for provider in providers:
        if provider.METHOD == "assume-role":
            provider._prompter = reject_prompt  # noqa: SLF001
            sources = provider._profile_provider_builder  # noqa: SLF001
            sources.providers = _made_silent(sources.providers)
        elif provider.METHOD == "custom-process":
            provider._popen = _Command  # noqa: SLF001
    return providers


class _Command(subprocess.Popen[bytes]):
    """The command in `credential_process`: it reads nothing, and has to end in time."""

    def __init__(self, command: Sequence[str], *, stdout: int, stderr: int) -> None:
        super().__init__(
            command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, text=False, start_new_session=True
        )

    def communicate(self, *args: Any, **options: Any) -> tuple[bytes, bytes]:
        """What it wrote.

        Raises:
            ConfigurationError: it did not end in time; it and what it started are killed.
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
    """Refuse to ask for a code: standard input holds data, and often nobody is there.

    Raises:
        ConfigurationError: always.
    """
    del prompt
    raise ConfigurationError(
        "AWS credentials: the AWS profile asks for an MFA code (`mfa_serial`), which cannot be typed here. Use a "
        "profile without `mfa_serial`, or get temporary credentials beforehand, such as by aws sts "
        "get-session-token, and give these with their session token."
    )


def failure(exc: Exception, method: str | None, *, role: str = "") -> MailingError:
    """The error for what a part of the chain raised; botocore's own texts quote settings and answers.

    Args:
        exc: what it raised.
        method: botocore's name of the part.
        role: the setting of a role that is assumed with these credentials; "" for none.
    """
    part = _PARTS.get(method or "", _UNKNOWN)
    if role:
        part = _Part(
            f"{part.name}, or the role of {role} assumed with these",
            f"Check {role}, these credentials, and what AWS's variables and files say of STS.",
        )
    kind = type(exc).__name__
    if isinstance(exc, MailingError):
        return exc
    if isinstance(exc, _UNREACHABLE):
        return _unreachable(exc, part)
    if isinstance(exc, _MISCONFIGURED):
        return ConfigurationError(f"AWS credentials: {part.name} cannot be used ({kind}). {part.advice}")
    return AuthenticationError(f"AWS credentials: {part.name} cannot be used: {_reason(exc)}. {part.advice}")


def check_characters(found: Any, origin: str) -> None:
    """Look at credentials before they are sent.

    Args:
        found: the credentials, of botocore.
        origin: where they come from, for messages.

    Raises:
        ConfigurationError: they hold what no header can carry.
    """
    parts = {"key": found.access_key, "secret key": found.secret_key}
    if found.token is not None:
        parts["session token"] = found.token
    for name, value in parts.items():
        if why := unsendable(value) if isinstance(value, str) and value else "is not a text":
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
            "sent. If a certificate authority of your own is used there, name its file in AWS_CA_BUNDLE."
        )
    told = f"AWS credentials: {part.name}: no answer ({type(exc).__name__}): {where} cannot be reached"
    if isinstance(exc, exceptions.ProxyConnectionError):
        proxy = proxy_for(url or httpx.URL("https://sts.amazonaws.com"))
        named_by = proxy.named_by if proxy is not None else "the environment variable HTTPS_PROXY"
        return ProviderFault(f"{told} through the proxy named by {named_by}. Correct or unset it.")
    return ProviderFault(f"{told}.")
