"""A ZIP that is written entry after entry to a file on disk; what is in memory does not grow with it."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import IO, Any, Final

import msgspec

from . import format

_AT_ONCE: Final = 64 * 1024  # bytes


class Sink:
    """Where the bytes of one entry go, in pieces of a size that is worth packing."""

    def __init__(self, out: IO[bytes]) -> None:
        self.out, self.sha, self.size = out, hashlib.sha256(), 0
        self._held = bytearray()

    def line(self, said: Any) -> None:
        self.write(msgspec.json.encode(said) + b"\n")

    def write(self, data: bytes) -> None:
        self._held += data
        if len(self._held) >= _AT_ONCE:
            self.flush()

    def flush(self) -> None:
        self.sha.update(self._held)
        self.size += len(self._held)
        self.out.write(self._held)
        self._held = bytearray()


class Writer:
    def __init__(self, file: IO[bytes], made_at: datetime) -> None:
        self.zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, allowZip64=True)
        self.made_at = made_at
        self.entries: list[format.Entry] = []

    @contextmanager
    def entry(self, name: str) -> Iterator[Sink]:
        info = zipfile.ZipInfo(name, self.made_at.timetuple()[:6])
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o644 << 16
        with self.zip.open(info, "w", force_zip64=True) as out:
            sink = Sink(out)
            yield sink
            sink.flush()
        self.entries.append(format.Entry(name, sink.size, sink.sha.hexdigest()))

    def array(self, name: str, rows: Iterable[Any]) -> int:
        """A JSON array with one row a line; how many they were."""
        number = 0
        with self.entry(name) as sink:
            sink.write(b"[")
            for row in rows:
                sink.write(b",\n" if number else b"\n")
                sink.write(msgspec.json.encode(row))
                number += 1
            sink.write(b"\n]\n")
        return number

    def lines(self, name: str, rows: Iterable[Any]) -> int:
        number = 0
        with self.entry(name) as sink:
            for row in rows:
                sink.line(row)
                number += 1
        return number

    def close(self, context: dict[str, Any], counts: dict[str, int], program: str) -> None:
        """The manifest comes last: only now is known what is in it."""
        manifest = format.Manifest(
            format.NAME, format.VERSION, self.made_at, program, context, counts, self.entries
        )
        encoded = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
        with self.zip.open(zipfile.ZipInfo(format.MANIFEST, self.made_at.timetuple()[:6]), "w") as out:
            out.write(encoded)
        self.zip.close()
