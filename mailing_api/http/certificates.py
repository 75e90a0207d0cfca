"""Trusted certificate authorities: those of environment variables, otherwise those of certifi."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

import httpx
import msgspec

from mailing_api.errors import ConfigurationError
from mailing_api.settings import shown

__all__ = ["Authorities", "authorities", "nobody", "trust", "why_untrusted"]

#: The first that is set applies: the one that most Python programs read, such as botocore, then OpenSSL's own.
_VARIABLES: Final = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


class Authorities(msgspec.Struct, frozen=True):
    """Certificate authorities in place of certifi's.

    Attributes:
        path: a file of certificates in PEM form, or a folder of them.
        named_by: the source of the path, for messages, such as an environment variable.
    """

    path: str
    named_by: str


def authorities(environ: Mapping[str, str] = os.environ) -> Authorities | None:
    """Return the authorities that the environment names; None if it names none."""
    named = next((name for name in _VARIABLES if environ.get(name)), None)
    return Authorities(environ[named], f"the environment variable {named}") if named else None


def trust(chosen: Authorities | None) -> ssl.SSLContext:
    """Return the TLS context that accepts certificates of these authorities for a server's own name.

    Raises:
        ConfigurationError: the certificates cannot be read.
    """
    if chosen is None:
        return _public()
    path = Path(chosen.path)
    try:
        return _own(str(path), is_folder=path.is_dir(), changed=path.stat().st_mtime_ns)
    except ssl.SSLError:
        why = "holds no certificates in PEM form"
    except OSError as exc:
        why = f"cannot be read ({exc.strerror or type(exc).__name__})"
    raise ConfigurationError(
        f"The file of certificate authorities {shown(chosen.path)}, named by {chosen.named_by}, {why}: correct the "
        "path, or unset it to trust the public authorities."
    )


@cache
def _public() -> ssl.SSLContext:
    # Loading them takes longer than many a run, so it is done once.
    return httpx.create_ssl_context(trust_env=False)


@cache
def _own(path: str, *, is_folder: bool, changed: int) -> ssl.SSLContext:
    del changed  # part of the cache's key: a changed file is read again
    if is_folder:
        return ssl.create_default_context(capath=path)
    return ssl.create_default_context(cafile=path)


@cache
def nobody() -> ssl.SSLContext:
    """Return the context for connections without TLS, which trusts no server in case one uses it anyway."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def why_untrusted(exc: BaseException | None) -> str:
    """Return why a server's certificate was refused; "" for any other failure."""
    while exc is not None:
        if isinstance(exc, ssl.SSLCertVerificationError):
            return exc.verify_message.rstrip(".") or "it could not be verified"
        exc = exc.__cause__ or exc.__context__
    return ""
