"""Errors for requests without a response: which part of the connection failed, and which setting names it."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import msgspec

from mailing_api.errors import ConfigurationError, MailingError, ProviderFault, Unreachable, UntrustedCertificate
from mailing_api.http.certificates import Authorities, why_untrusted
from mailing_api.http.proxies import Proxy

__all__ = ["Way"]


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """The way from here to a server, and the settings that name its parts.

    Attributes:
        located_by: the setting that gives the server's URL; "" for none.
        credentials: names the settings of the credentials.
        proxy: None for none.
        authorities: certificate authorities trusted instead of the public ones.
    """

    located_by: str
    credentials: Callable[[], str]
    proxy: Proxy | None
    authorities: Authorities | None

    def failed(self, request: str, url: httpx.URL, exc: httpx.TransportError) -> MailingError:
        """Return the error for a failure of the transport; only a `ProviderFault` may be temporary.

        The server is named without the path, which may hold an address.
        """
        where = url.netloc.decode("ascii", "replace")
        if why := why_untrusted(exc):
            return self._untrusted(request, where, why)
        if isinstance(exc, (httpx.LocalProtocolError, httpx.UnsupportedProtocol)):
            return self.unsendable(request)
        if isinstance(exc, httpx.ProxyError) and self.proxy is not None:
            return self._proxy_refused(request, where, str(exc), self.proxy)
        if isinstance(exc, (httpx.ConnectError, httpx.ConnectTimeout)):
            return self._unreachable(request, where, exc)
        is_late = isinstance(exc, (httpx.ReadTimeout, httpx.WriteTimeout))
        why = ": it was not complete within the time-out" if is_late else ""
        return ProviderFault(
            f"{request}: no response ({type(exc).__name__}){why}.", maybe_done=not isinstance(exc, httpx.PoolTimeout)
        )

    def unsendable(self, request: str) -> MailingError:
        """Return the error for a request that HTTP cannot carry, most often because of a credential."""
        return ConfigurationError(
            f"{request}: nothing was sent, since a header would hold a character that HTTP does not allow. Check "
            f"{self.credentials()} for line breaks, spaces and other stray characters."
        )

    def proxy_wants_login(self, request: str) -> MailingError:
        """Return the error for HTTP 407, which comes from a proxy and not from the provider."""
        named_by = self.proxy.named_by if self.proxy is not None else "the environment variable HTTPS_PROXY"
        return ConfigurationError(
            f"{request}: the proxy named by {named_by} requires a user name and a password (HTTP 407): add them to its "
            "URL, such as http://user:password@proxy.example.com:3128.",
            status=407,
        )

    def _untrusted(self, request: str, where: str, why: str) -> MailingError:
        if self.proxy is not None and self.proxy.url.scheme == "https":
            where = f"{where}, or of the proxy {self.proxy.place} named by {self.proxy.named_by},"
        trusted = f" Only the authorities named by {self.authorities.named_by} are trusted." if self.authorities else ""
        check = f" Check `{self.located_by}`." if self.located_by else ""
        return UntrustedCertificate(
            f"{request}: the certificate of {where} is not trusted ({why}); nothing was sent.{check}{trusted} If it "
            "is signed by your own certificate authority, set the environment variable SSL_CERT_FILE to its file."
        )

    def _proxy_refused(self, request: str, where: str, reason: str, proxy: Proxy) -> MailingError:
        status = reason[:3]  # the pool's message: status and reason
        if status == "407":
            return self.proxy_wants_login(request)
        message = f"{request}: the proxy {proxy.place}, named by {proxy.named_by}, did not connect to {where}"
        if status.isdecimal():
            message += f" (HTTP {status})"
        if status.startswith("4"):
            return ConfigurationError(f"{message}: allow that host there, or add it to NO_PROXY.")
        return ProviderFault(f"{message}.")

    def _unreachable(self, request: str, where: str, exc: httpx.TransportError) -> MailingError:
        message = f"{request}: no response ({type(exc).__name__}): "
        why = f", {reason}" if (reason := _system_reason(exc)) else ""
        if self.proxy is not None:
            return Unreachable(
                f"{message}the proxy {self.proxy.place}, named by {self.proxy.named_by}, cannot be reached{why}. "
                f"Correct or unset it, or add {where} to NO_PROXY."
            )
        message += f"{where} cannot be reached{why}."
        return Unreachable(f"{message} Check `{self.located_by}`.") if self.located_by else ProviderFault(message)


def _system_reason(exc: BaseException | None) -> str:
    """Return the operating system's reason, such as an unknown name; httpx's own words may be anything."""
    while exc is not None and not isinstance(exc, OSError):
        exc = exc.__cause__ or exc.__context__
    return (exc.strerror or "").rstrip(".") if exc is not None else ""
