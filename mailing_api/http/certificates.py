"""Whom to trust: the certificate authorities of the environment's variables, else those of certifi."""

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

#: The first that is set counts: what most Python programs read, botocore among them, then OpenSSL's own.
_VARIABLES: Final = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


class Authorities(msgspec.Struct, frozen=True):
    """Certificate authorities in place of certifi's.

    Attributes:
        path: a file of certificates in PEM form, or a folder of them.
        named_by: what names the path, for messages, such as an environment variable.
    """

    path: str
    named_by: str


def authorities(environ: Mapping[str, str] = os.environ) -> Authorities | None:
    """The authorities that the environment names; None if it names none."""
    named = next((name for name in _VARIABLES if environ.get(name)), None)
    return Authorities(environ[named], f"the environment variable {named}") if named else None


def trust(chosen: Authorities | None) -> ssl.SSLContext:
    """How servers are checked: by a certificate of these authorities for their own name.

    Raises:
        ConfigurationError: the certificates cannot be read.
    """
    if chosen is None:
        return _public()
    path = Path(chosen.path)
    try:
        context = _own(str(path), is_folder=path.is_dir(), changed=path.stat().st_mtime_ns)
    except ssl.SSLError:
        why = "holds no certificates in PEM form"
    except OSError as exc:
        why = f"cannot be read ({exc.strerror or type(exc).__name__})"
    else:
        return context
    raise ConfigurationError(
        f"The file of certificate authorities {shown(chosen.path)}, named by {chosen.named_by}, {why}: correct the "
        "path, or unset it to trust the usual authorities."
    )


@cache
def _public() -> ssl.SSLContext:
    # Loading them takes longer than many a run, so it happens once.
    return httpx.create_ssl_context(trust_env=False)


@cache
def _own(path: str, *, is_folder: bool, changed: int) -> ssl.SSLContext:
    del changed  # a file that was written anew is read anew
    if is_folder:
        return ssl.create_default_context(capath=path)
    return ssl.create_default_context(cafile=path)


@cache
def nobody() -> ssl.SSLContext:
    """For connections that are to have no TLS: should one have it all the same, no server is trusted."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def why_untrusted(exc: BaseException | None) -> str:
    """Why a server's certificate was refused; "" if the failure was another one."""
    while exc is not None:
        if isinstance(exc, ssl.SSLCertVerificationError):
            return exc.verify_message.rstrip(".") or "it could not be verified"
        exc = exc.__cause__ or exc.__context__
    return ""
