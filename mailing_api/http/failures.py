"""What is said of a request that brought no answer: which part of the way failed, and which setting names it."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import msgspec

from mailing_api.errors import ConfigurationError, MailingError, ProviderFault, Unreachable, UntrustedCertificate
from mailing_api.http.certificates import Authorities, why_untrusted
from mailing_api.http.proxies import Proxy

__all__ = ["Way"]


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """The way from here to a server, and what the settings call its parts.

    Attributes:
        located_by: the setting that gives the server's URL; "" for none.
        credentials: names the settings of the credentials.
        proxy: between; None for none.
        authorities: who is trusted in place of the usual authorities.
    """

    located_by: str
    credentials: Callable[[], str]
    proxy: Proxy | None
    authorities: Authorities | None

    def failed(self, asked: str, url: httpx.URL, exc: httpx.TransportError) -> MailingError:
        """The error for a failure of the transport; only a `ProviderFault` may pass by itself.

        The server is named without the path, which may hold an address.
        """
        where = url.netloc.decode("ascii", "replace")
        if why := why_untrusted(exc):
            return self._untrusted(asked, where, why)
        if isinstance(exc, (httpx.LocalProtocolError, httpx.UnsupportedProtocol)):
            return self.unsendable(asked)
        if isinstance(exc, httpx.ProxyError) and self.proxy is not None:
            return self._proxy_refused(asked, where, str(exc), self.proxy)
        if isinstance(exc, (httpx.ConnectError, httpx.ConnectTimeout)):
            return self._unreachable(asked, where, exc)
        kind = type(exc).__name__
        if isinstance(exc, (httpx.ReadTimeout, httpx.WriteTimeout)):
            return ProviderFault(f"{asked}: no answer ({kind}): none came whole within the time-out.", maybe_done=True)
        return ProviderFault(f"{asked}: no answer ({kind}).", maybe_done=not isinstance(exc, httpx.PoolTimeout))

    def unsendable(self, asked: str) -> MailingError:
        """The error for a request that HTTP cannot carry, most often because of a credential."""
        return ConfigurationError(
            f"{asked}: nothing was sent, since a header would hold a character that HTTP does not allow. Check "
            f"{self.credentials()} for line breaks, blanks and other characters that do not belong there."
        )

    def proxy_wants_login(self, asked: str) -> MailingError:
        """The error for HTTP 407, which comes from a proxy and not from the provider."""
        named_by = self.proxy.named_by if self.proxy is not None else "the environment variable HTTPS_PROXY"
        return ConfigurationError(
            f"{asked}: the proxy named by {named_by} asks for a user name and a password (HTTP 407): give them in its "
            "URL, such as http://user:password@proxy.example.com:3128.",
            status=407,
        )

    def _untrusted(self, asked: str, where: str, why: str) -> MailingError:
        if self.proxy is not None and self.proxy.url.scheme == "https":
            where = f"{where}, or of the proxy {self.proxy.place} named by {self.proxy.named_by},"
        trusted = f" Trusted is the file named by {self.authorities.named_by}." if self.authorities else ""
        check = f" Check `{self.located_by}`." if self.located_by else ""
        return UntrustedCertificate(
            f"{asked}: the certificate of {where} is not trusted ({why}); nothing was sent.{check}{trusted} If a "
            "certificate authority of your own is used there, name its file in the environment variable SSL_CERT_FILE."
        )

    def _proxy_refused(self, asked: str, where: str, said: str, proxy: Proxy) -> MailingError:
        status = said[:3]  # the pool's words: status and reason
        if status == "407":
            return self.proxy_wants_login(asked)
        what = f"{asked}: the proxy {proxy.place}, named by {proxy.named_by}, did not connect to {where}"
        told = f" (HTTP {status})" if status.isdecimal() else ""
        if status.startswith("4"):
            return ConfigurationError(f"{what}{told}: allow that host there, or name it in NO_PROXY.")
        return ProviderFault(f"{what}{told}.")

    def _unreachable(self, asked: str, where: str, exc: httpx.TransportError) -> MailingError:
        told = f"{asked}: no answer ({type(exc).__name__}): "
        why = f", {reason}" if (reason := _system_reason(exc)) else ""
        if self.proxy is not None:
            return Unreachable(
                f"{told}the proxy {self.proxy.place}, named by {self.proxy.named_by}, cannot be reached{why}. Correct "
                f"or unset it, or name {where} in NO_PROXY."
            )
        told += f"{where} cannot be reached{why}."
        return Unreachable(f"{told} Check `{self.located_by}`.") if self.located_by else ProviderFault(told)


def _system_reason(exc: BaseException | None) -> str:
    """What the system said, such as that a name is unknown; httpx's own words may be anything."""
    while exc is not None and not isinstance(exc, OSError):
        exc = exc.__cause__ or exc.__context__
    return (exc.strerror or "").rstrip(".") if exc is not None else ""
