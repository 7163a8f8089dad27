"""Where passkeys can work: browsers tie them to a name and demand a secure connection."""

from __future__ import annotations

from ipaddress import ip_address

from django.http import HttpRequest
from django.utils.translation import gettext as _


def obstacle(request: HttpRequest) -> str:
    """A sentence that says why passkeys do not work at the address of this page; empty where they do."""
    host, _colon, port = request.get_host().rpartition(":")
    if not port.isdigit():
        host, port = request.get_host(), ""
    if host == "localhost":
        return ""
    if _is_loopback(host):
        there = f"http://localhost:{port}" if port else "http://localhost"
        return _(
            "Passkeys belong to a name and do not work at the address %(here)s. Open %(there)s and sign in there."
        ) % {"here": request.get_host(), "there": there}
    if request.is_secure() and not _is_ip(host):
        return ""
    return _(
        "Passkeys need an address with https:// and a name. This page was opened at %(here)s, where no browser offers them."
    ) % {"here": request.build_absolute_uri("/").rstrip("/")}


def _is_ip(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return _is_ip(host) and ip_address(host.strip("[]")).is_loopback
