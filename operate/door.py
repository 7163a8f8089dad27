"""The public port: bound once by the supervisor, handed down to the web processes."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass

from operate.refusals import TAKEN, USAGE, Refusal

BACKLOG = 1024


@dataclass(frozen=True)
class Door:
    socket: socket.socket
    host: str
    port: int

    @property
    def address(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return os.environ.get("STAFFROOM_PUBLIC_URL") or f"http://{host}:{self.port}"

    def open(self) -> None:
        """From here on connections queue; before, they are refused, which is what a start should look like."""
        self.socket.listen(BACKLOG)

    def answers_ready(self) -> bool:
        """One plain request; an HTTP client would be another 3 MB in a process that asks only this."""
        everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to look, not where to listen
        try:
            with socket.create_connection(
                (everywhere.get(self.host, self.host), self.port), timeout=2
            ) as asking:
                asking.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return b" 200 " in asking.recv(64).split(b"\r\n")[0] + b" "
        except OSError:
            return False


def bind(host: str, port: int) -> Door:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        raise _refusal(host, port, error) from error
    return Door(bound, host, bound.getsockname()[1])


def _refusal(host: str, port: int, error: OSError) -> Refusal:
    if error.errno == errno.EADDRINUSE:
        return Refusal(f"Port {port} is taken by another program; choose another with --port or PORT.", TAKEN)
    if error.errno == errno.EACCES:
        return Refusal(
            f"Port {port} may not be used by this user; choose one above 1023 with --port or PORT.", USAGE
        )
    return Refusal(f"Staffroom cannot listen at {host} port {port}: {error.strerror}.", USAGE)
