"""Who calls, where proxies stand in between: each of them adds the address that it sees to X-Forwarded-For.

Anybody may write that header, so it is read from its end, and only as far as the operator's own proxies reach
(`STAFFROOM_TRUSTED_PROXIES`). Without the setting it is not read at all. The door puts what is found here in the
place of REMOTE_ADDR, so that limits, sessions and the audit log all speak of the same address.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings

Network = IPv4Network | IPv6Network


def networks(said: str) -> list[Network]:
    """`10.0.0.0/8, 127.0.0.1 ::1`: networks and addresses. Raises ValueError."""
    return [ip_network(one) for one in said.replace(",", " ").split()]


def client(peer: str, forwarded: str) -> str:
    """The nearest address that is no proxy of ours, `peer` being the one that we see ourselves."""
    if not settings.TRUSTED_PROXIES:
        return peer
    nearest, last = _read(peer), peer
    claimed = forwarded.split(",") if forwarded else []
    while claimed and nearest is not None and _is_ours(nearest, settings.TRUSTED_PROXIES):
        nearest = _read(claimed.pop())
        if nearest is not None:
            last = str(nearest)
    return last


def _read(said: str) -> IPv4Address | IPv6Address | None:
    """With or without a port; an IPv4 address that wears IPv6 is an IPv4 address."""
    said = said.strip()
    if said.startswith("["):
        said = said[1:].partition("]")[0]
    elif said.count(":") == 1:
        said = said.partition(":")[0]
    try:
        address = ip_address(said)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_ours(address: IPv4Address | IPv6Address, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)
