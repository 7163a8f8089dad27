"""Addresses: what may be asked for, and where a name really leads."""

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from staffroom.core.outbound.errors import Refused, Unreachable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Target:
    scheme: str
    host: str
    port: int
    path: str
    trusted: bool

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.scheme == "https" else 80
        return host if self.port == usual else f"{host}:{self.port}"


def parse(url: str, *, trusted: bool) -> Target:
    """Takes an address apart; raises Refused for what is no plain http or https address."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        host = _ascii_host(parts.hostname or "")
    except ValueError as error:
        raise Refused("This is not a web address.") from error
    if parts.scheme not in ("http", "https") or not host:
        raise Refused("Only http:// and https:// addresses can be opened.")
    if parts.username is not None or parts.password is not None:
        raise Refused("An address must not carry a name or a password.")
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="/?%:@!$&'()*+,;=~-._[]")
    return Target(parts.scheme, host, port, f"{path}?{query}" if query else path, trusted)


def _ascii_host(host: str) -> str:
    """IDNA of a name; `idna` fails with UnicodeError, which is a ValueError, on empty and overlong labels."""
    return host if ":" in host else host.encode("idna").decode("ascii").lower()


def is_public(address: str) -> bool:
    """Whether an address belongs to the open internet, also when IPv6 wraps an IPv4 one in it."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if parsed in _NAT64:
        parsed = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
    return all(
        each.is_global and not (each.is_multicast or each.is_reserved) for each in [parsed, *_wrapped(parsed)]
    )


def _wrapped(address: Address) -> list[Address]:
    if isinstance(address, ipaddress.IPv4Address):
        return []
    return [each for each in (address.ipv4_mapped, address.sixtofour, *(address.teredo or ())) if each]


_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


async def resolve(target: Target) -> list[str]:
    addresses = [target.host] if _is_address(target.host) else await _resolved(target)
    if not target.trusted and not all(map(is_public, addresses)):
        raise Refused("Addresses inside private networks cannot be opened.")
    return addresses


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def _resolved(target: Target) -> list[str]:
    """Also of odd spellings such as 127.1 and 0x7f000001, which the resolver understands."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            target.host, target.port, type=socket.SOCK_STREAM
        )
    except OSError as error:
        raise Unreachable(f"The name {target.host} is not known.") from error
    return list(dict.fromkeys(str(info[4][0]) for info in found))
