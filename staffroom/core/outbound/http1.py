"""Reading HTTP/1.1 answers: the head, and the three ways in which a body can end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

HEAD_SIZE: Final = 65_536
CHUNK_LINE_SIZE: Final = 4_096


class Malformed(ValueError):
    """What came is not HTTP/1.1."""


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers; the names are in lower case, repeated ones joined by commas."""

    version: str
    status: int
    headers: Mapping[str, str]


def read_head(buffer: bytearray) -> Head | None:
    """Takes the head off the buffer when it is all there. Interim answers (1xx) are skipped."""
    while True:
        end = buffer.find(b"\r\n\r\n")
        if end < 0 and len(buffer) <= HEAD_SIZE:
            return None
        if not 0 <= end <= HEAD_SIZE:
            raise Malformed("the head is too large")
        head = _head(bytes(buffer[:end]))
        del buffer[: end + 4]
        if head.status >= 200:
            return head


def _head(data: bytes) -> Head:
    first, *lines = data.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    status = rest[:3]
    if version not in ("HTTP/1.1", "HTTP/1.0") or not (status.isdecimal() and len(status) == 3):
        raise Malformed(first[:100])
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise Malformed(line[:100])
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Head(version, int(status), headers)


class Body:
    """Takes a body off a buffer as it fills; `complete` when its end was seen."""

    def __init__(self, head: Head) -> None:
        coding = head.headers.get("transfer-encoding", "").lower()
        self._chunked = coding == "chunked"
        self._left = 0 if self._chunked else _length(head, coding)
        self._between = False
        self._trailer = False
        self.complete = self._left == 0 and not self._chunked
        self.ends_with_connection = self._left < 0
        connection = head.headers.get("connection", "").lower()
        self.keep_alive = (
            head.version == "HTTP/1.1" and "close" not in connection and not self.ends_with_connection
        )

    def take(self, buffer: bytearray) -> bytes:
        """The next part of the body, empty when nothing of it has come."""
        if self._chunked:
            return self._take_chunks(buffer)
        size = len(buffer) if self._left < 0 else self._left
        part = bytes(buffer[:size])
        del buffer[:size]
        if self._left > 0:
            self._left -= len(part)
            self.complete = self._left == 0
        return part

    def _take_chunks(self, buffer: bytearray) -> bytes:
        parts: list[bytes] = []
        at = 0
        while not self.complete:
            if self._left:
                part = bytes(buffer[at : at + self._left])
                parts.append(part)
                at += len(part)
                self._left -= len(part)
                if self._left:
                    break
                self._between = True
            end = buffer.find(b"\r\n", at)
            if end < 0:
                if len(buffer) - at > CHUNK_LINE_SIZE:
                    raise Malformed("a line between chunks is too long")
                break
            self._line(bytes(buffer[at:end]))
            at = end + 2
        del buffer[:at]
        return b"".join(parts)

    def _line(self, line: bytes) -> None:
        if self._between:
            if line:
                raise Malformed("a chunk is longer than it said")
            self._between = False
        elif self._trailer:
            self.complete = not line
        else:
            self._left = _chunk_size(line)
            self._trailer = self._left == 0


def _length(head: Head, coding: str) -> int:
    """Bytes to come; -1 when only the end of the connection ends the body."""
    if coding and coding != "identity":
        raise Malformed(f"transfer coding {coding[:50]}")
    if head.status in (204, 304):
        return 0
    length = head.headers.get("content-length")
    if length is None:
        return -1
    if not (length.isascii() and length.isdecimal()):
        raise Malformed(f"content length {length[:50]}")
    return int(length)


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not digits or len(digits) > 8 or digits.strip(b"0123456789abcdefABCDEF"):
        raise Malformed("a chunk without a size")
    return int(digits, 16)
