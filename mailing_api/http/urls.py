"""URLs from settings and providers, read by the parser that connections use; and the kinds of addresses of hosts."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final

import httpx

from mailing_api.errors import ConfigurationError

__all__ = [
    "Address",
    "Resolver",
    "canonical",
    "check_encrypted",
    "check_url",
    "has_host",
    "is_loopback",
    "literal",
    "parse",
    "port_of",
    "reach",
    "resolve",
]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Returns the addresses of a host and a port.
Resolver = Callable[[str, int], Sequence[Address]]

#: A host's name, in punycode where it is not ASCII.
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]+").fullmatch

#: The greatest length of a name, including its last dot.
_LONGEST: Final = 254
_LAST_PORT: Final = 65535
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

#: A host whose last label is a number is an IPv4 address, perhaps shortened, octal, hexadecimal or a single number.
#: Programs read such addresses differently.
_NUMBER: Final = re.compile(r"\d+|0x[0-9a-f]*", re.IGNORECASE | re.ASCII).fullmatch

#: Networks whose IPv6 addresses hold an IPv4 address in their last 32 bits: NAT64, translated, IPv4-compatible.
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_EMBEDDING: Final = (_NAT64, ipaddress.IPv6Network("::ffff:0:0:0/96"), ipaddress.IPv6Network("::/96"))
#: The 32 bits before such an address in any network: ISATAP.
_ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE})
#: Public IPv6 addresses, except for networks that `ipaddress` excludes, and those below.
_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
#: Private networks: RFC 1918 and RFC 4193.
_PRIVATE: Final = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
#: Networks for protocols and documentation, and 6to4, which RFC 7526 deprecates: versions of `ipaddress` differ here.
_ASSIGNED: Final = tuple(
    map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2002::/16", "3fff::/20"))
)


def parse(text: Any) -> httpx.URL | None:
    """Return an http or https URL with a host; None for anything else."""
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, TypeError, ValueError):
        return None
    return url if url.scheme in _DEFAULT_PORTS and has_host(url) else None


def has_host(url: httpx.URL) -> bool:
    """Return whether a URL has a host, which is an address or a valid name, and no invalid port."""
    try:
        host = url.host
    except UnicodeError:  # invalid punycode
        return False
    if url.port is not None and not 0 < url.port <= _LAST_PORT:  # the system would take it modulo 65536
        return False
    return literal(host) is not None or _is_name(url.raw_host.decode("ascii", "replace"))


def _is_name(host: str) -> bool:
    labels = host.removesuffix(".").split(".")
    if _NAME(host) is None or _NUMBER(labels[-1]) or len(host) > _LONGEST:
        return False
    return all(0 < len(label) < 64 for label in labels)


def check_url(name: str, value: Any, example: str) -> httpx.URL:
    """Return the base URL in a setting.

    Raises:
        ConfigurationError: it is not a URL with scheme and host, or has more parts than these and a path. The message
            does not quote it, since it may hold a password.
    """
    url = parse(value)
    if url is None:
        raise ConfigurationError(f"Setting `{name}` is not a URL with scheme and host, such as {example}.")
    for part, is_present in (
        ("user name or a password", url.userinfo),
        ("query or a fragment", url.query or url.fragment),
    ):
        if is_present:
            raise ConfigurationError(f"Setting `{name}` has a {part}: set it to a URL such as {example}.")
    return url


def canonical(url: httpx.URL) -> str:
    """Return the same string for all spellings of an endpoint's host and port, and of the slashes at its end."""
    host = url.raw_host.decode("ascii", "replace").rstrip(".").lower()
    address = literal(host)
    path = url.raw_path.decode("ascii", "replace").rstrip("/")
    return f"{url.scheme}://{host if address is None else address} {port_of(url)} {path}"


def check_encrypted(url: httpx.URL, setting: str, *, allow_http: bool) -> None:
    """Refuse http:// to another machine: credentials and contacts could be read and changed on the way.

    Args:
        url: the target of requests.
        setting: the source of the URL, for messages; "" if unknown.
        allow_http: the setting of that name.

    Raises:
        ConfigurationError: the URL begins with http://, its host is not this machine, and that is not allowed.
    """
    if url.scheme == "http" and not allow_http and not is_loopback(url.host):
        subject = f"Setting `{setting}`" if setting else "The URL in use"
        raise ConfigurationError(
            f"{subject} begins with http:// and names the host {url.host}: credentials and contacts would travel "
            "unencrypted. Use https://, or set `allow_http: true` if you trust the network in between."
        )


def is_loopback(host: str) -> bool:
    """Return whether a host's name or address means this machine; no name is looked up."""
    if host.lower().rstrip(".").rpartition(".")[2] == "localhost":
        return True
    address = literal(host)
    return address is not None and reach(address) == "loopback"


def resolve(host: str, port: int) -> Sequence[Address]:
    """Return the addresses of a host, looked up if it is a name.

    Raises:
        OSError: the name is unknown.
    """
    address = literal(host)
    if address is not None:
        return [address]
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise OSError("the name is not valid") from None
    return [ipaddress.ip_address(entry[4][0]) for entry in entries]


def reach(address: Address) -> str:
    """Return where an address can be reached from: `public`, or the name of a smaller network.

    An IPv6 address that holds an IPv4 address leads there by a gateway or tunnel. Unless the IPv4 address is public,
    that is a network of its own, different from the network of the IPv4 address alone.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return _place(address)
    if address.ipv4_mapped is not None:  # the system connects to that
        return _place(address.ipv4_mapped)
    embedded = _embedded(address)
    if embedded is not None and (there := _place(embedded)) != "public":
        return f"{there} by IPv6"
    place = _place(address)
    is_internet = address in _GLOBAL_UNICAST or (embedded is not None and address in _NAT64)
    return "special" if place == "public" and not is_internet else place


def _place(address: Address) -> str:
    if address.is_loopback:
        return "loopback"
    if address.is_link_local:
        return "link-local"
    if any(address in network for network in _PRIVATE):
        return f"private IPv{address.version}"
    is_special = address.is_multicast or any(address in network for network in _ASSIGNED)
    return "public" if address.is_global and not is_special else "special"


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address holds; None for none."""
    if address.is_loopback or address.is_unspecified:
        return None
    number = int(address)
    if (number >> 32) & 0xFFFFFFFF in _ISATAP or any(address in network for network in _EMBEDDING):
        return ipaddress.IPv4Address(number & 0xFFFFFFFF)
    return address.sixtofour


def port_of(url: httpx.URL) -> int:
    """Return the port of a URL, or the default port of its scheme."""
    return url.port or _DEFAULT_PORTS[url.scheme]


def literal(host: str) -> Address | None:
    """Return the address that a host is; None for a name."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
