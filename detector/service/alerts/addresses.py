"""Where a webhook may go: not into the own network, whatever its name resolves to and however an address is written.

The host is resolved once, every address found is judged, and the connection goes to the very address that was judged;
a name that says something else a moment later (DNS rebinding) changes nothing.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from detector.errors import InputError

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Networks whose addresses hold an IPv4 address in their last 32 bits: translation (RFC 6052, RFC 8215) and the
#: long retired "compatible" form.
_EMBEDDING = tuple(ipaddress.IPv6Network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96"))
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,62})?(\.[a-z0-9_]([a-z0-9_-]{0,62})?)*\.?")
#: An address written as no ordinary program writes it: octal, hexadecimal, with fewer than four parts.
_ODD_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)\.?")


class AddressRefusedError(InputError):
    """A webhook may not go there."""

    code = "address_refused"


@dataclass(frozen=True)
class Target:
    """Where a webhook goes. ``path`` holds the query as well."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def shown(self) -> str:
        """The address for people and logs: without path and query, which often hold a key."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"http": 80, "https": 443}[self.scheme] == self.port
        return f"{self.scheme}://{host}" + ("" if usual else f":{self.port}")


def read_target(url: str, private_hosts: Sequence[str]) -> Target:
    """Return where ``url`` leads, without asking any name server.

    ``private_hosts``: hosts, or ``host:port``, that may lie in the own network and may be reached without TLS.

    Raises
    ------
    AddressRefusedError
        When it is no address of a web server, holds a user name, a fragment or an odd number, or is not HTTPS.
    """
    if len(url) > 2_000 or not url.isascii() or any(c.isspace() or not c.isprintable() for c in url):
        raise AddressRefusedError("The address of a webhook is plain ASCII without blanks, at most 2,000 characters.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AddressRefusedError("This is not an address such as https://example.com/alerts.") from None
    host = (parts.hostname or "").lower()
    if parts.scheme not in ("http", "https") or not host:
        raise AddressRefusedError("The address of a webhook begins with https:// and names a host.")
    if parts.username is not None or parts.password is not None or "\\" in url:
        raise AddressRefusedError("The address of a webhook holds no user name and no backslash.")
    if parts.fragment:
        raise AddressRefusedError("The address of a webhook has no part behind #.")
    _check_host(host)
    found = Target(
        parts.scheme,
        host,
        port or {"http": 80, "https": 443}[parts.scheme],
        (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
    )
    if parts.scheme == "http" and not is_private_host(found, private_hosts):
        raise AddressRefusedError("A webhook goes over https://; plain http:// is for hosts that the operator named.")
    return found


def is_private_host(target: Target, private_hosts: Sequence[str]) -> bool:
    """Return whether the operator named this host as one that may lie in the own network."""
    return target.host in private_hosts or f"{target.host}:{target.port}" in private_hosts


def resolve(target: Target, private_hosts: Sequence[str]) -> str:
    """Return the address to connect to: the first that the name server gives, if none of them is refused.

    Raises
    ------
    AddressRefusedError
        When one of the addresses is not a public one, and the host is none that the operator named.
    OSError
        When the name cannot be resolved.
    """
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses:
        raise OSError("the name has no address")
    named = is_private_host(target, private_hosts)
    for address in addresses:
        refuse(address, private=named)
    return addresses[0]


def refuse(address: str, *, private: bool = False) -> None:
    """Raise ``AddressRefusedError`` unless ``address`` is a public one, or with ``private`` one of the own network."""
    if "%" in address:
        raise AddressRefusedError("A webhook may not go to a link-local address.")
    for meant in _meant(ipaddress.ip_address(address)):
        # Cloud metadata lives on link-local addresses; nobody's webhook does.
        if meant.is_link_local or meant.is_multicast or meant.is_unspecified or (meant.is_reserved and not private):
            raise AddressRefusedError("A webhook may not go to this address: it is of no ordinary machine.")
        if not private and not meant.is_global:
            raise AddressRefusedError(
                "A webhook may not go into the own network. An operator can allow this host by name: "
                "DETECTOR_WEBHOOK_PRIVATE_HOSTS."
            )


def _meant(address: _Address) -> tuple[_Address, ...]:
    """Return the addresses that one stands for: an IPv4 address inside an IPv6 one counts as what it is."""
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    inner: list[_Address] = []
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        inner.append(address.sixtofour)
    if address.teredo is not None:
        inner.extend(address.teredo)
    if any(address in network for network in _EMBEDDING):
        embedded = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        # A public machine behind a translator is public, though the prefix itself need not be.
        return (embedded,) if int(address) >> 32 else (address, embedded)
    return (address, *inner)


def _check_host(host: str) -> None:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        last = host.rstrip(".").rsplit(".", 1)[-1]
        if not _HOST.fullmatch(host) or len(host) > 253 or _ODD_NUMBER.fullmatch(last):
            raise AddressRefusedError(
                "The host of a webhook is a name, or an address in its usual form, such as 203.0.113.7."
            ) from None
