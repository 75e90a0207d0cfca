"""The proxy between this machine and a server, as the environment's variables have it."""

from __future__ import annotations

import importlib.util
import os
from typing import Final
from urllib.request import getproxies, proxy_bypass

import httpx
import msgspec

from mailing_api.errors import ConfigurationError
from mailing_api.http.urls import has_host, port_of

__all__ = ["Proxy", "proxy_for"]

_SCHEMES: Final = ("http", "https", "socks5", "socks5h")


class Proxy(msgspec.Struct, frozen=True):
    """A proxy.

    Attributes:
        url: it may hold a password: never to be shown.
        named_by: what names it, for messages, such as an environment variable.
    """

    url: httpx.URL
    named_by: str

    @property
    def place(self) -> str:
        """Host and port, for messages."""
        return self.url.netloc.decode("ascii", "replace")


def proxy_for(url: httpx.URL) -> Proxy | None:
    """The proxy for a server: of HTTPS_PROXY or HTTP_PROXY, else of ALL_PROXY, unless NO_PROXY names the server.

    Raises:
        ConfigurationError: the variable holds no URL of a proxy.
    """
    known = getproxies()
    kind = next((kind for kind in (url.scheme, "all") if known.get(kind)), None)
    host = f"[{url.host}]" if ":" in url.host else url.host
    if kind is None or proxy_bypass(f"{host}:{port_of(url)}"):
        return None
    names = (f"{kind}_proxy", f"{kind}_proxy".upper())
    variable = next((name for name in names if os.environ.get(name)), None)
    named_by = f"the environment variable {variable}" if variable else "the system's settings"
    given = known[kind]
    try:
        found = httpx.URL(given if "://" in given else f"http://{given}")
    except httpx.InvalidURL:
        found = httpx.URL("")
    if found.scheme not in _SCHEMES or not has_host(found):
        raise ConfigurationError(
            f"The proxy named by {named_by} is not a URL such as http://proxy.example.com:3128: correct or unset it."
        )
    if found.scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
        raise ConfigurationError(
            f"The proxy named by {named_by} is a SOCKS proxy, for which the package `socksio` is needed: install it, "
            "or use an HTTP proxy."
        )
    return Proxy(found, named_by)
