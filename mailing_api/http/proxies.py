"""The proxy between this machine and a server, from environment variables."""

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
        url: may hold a password, so it must not be shown.
        named_by: the source of the URL, for messages, such as an environment variable.
    """

    url: httpx.URL
    named_by: str

    @property
    def place(self) -> str:
        """Host and port, for messages."""
        return self.url.netloc.decode("ascii", "replace")


def proxy_for(url: httpx.URL) -> Proxy | None:
    """Return the proxy for a server, by HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY; None for none.

    Raises:
        ConfigurationError: the variable does not hold the URL of a proxy.
    """
    known = getproxies()
    kind = next((kind for kind in (url.scheme, "all") if known.get(kind)), None)
    host = f"[{url.host}]" if ":" in url.host else url.host
    if kind is None or proxy_bypass(f"{host}:{port_of(url)}"):
        return None
    names = (f"{kind}_proxy", f"{kind}_proxy".upper())
    variable = next((name for name in names if os.environ.get(name)), None)
    named_by = f"the environment variable {variable}" if variable else "the system's settings"
    value = known[kind]
    try:
        proxy = httpx.URL(value if "://" in value else f"http://{value}")
    except httpx.InvalidURL:
        proxy = httpx.URL("")
    if proxy.scheme not in _SCHEMES or not has_host(proxy):
        raise ConfigurationError(
            f"The proxy named by {named_by} is not a URL such as http://proxy.example.com:3128: correct or unset it."
        )
    if proxy.scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
        raise ConfigurationError(
            f"The proxy named by {named_by} is a SOCKS proxy, which needs the package `socksio`: install it, or use an "
            "HTTP proxy."
        )
    return Proxy(proxy, named_by)
