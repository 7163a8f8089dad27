"""An archive that somebody uploaded: hostile until every byte of it was looked at.

Nothing is ever unpacked to disk, and no name in it becomes a path. The directory is measured before it is read,
sizes are those that the directory declares (no entry gives more), and every line is decoded into a typed shape.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from typing import IO, Any, Final, TypeVar

import msgspec

from . import format
from .problems import Problem

ENTRIES: Final = 100_000
UNPACKED: Final = 8 * 1024**3  # bytes
RATIO: Final = 100
SMALL: Final = 256 * 1024**2
"""Bytes up to which the ratio is not asked: text that repeats itself packs very well."""
LINE: Final = 8 * 1024**2  # bytes
_MANIFEST: Final = 40 * 1024**2  # bytes
_DIRECTORY: Final = 16 * 1024**2  # bytes
_ZIP64: Final = 56 + 20  # bytes of the two records that stand before the end of a large archive
_AT_ONCE: Final = 256 * 1024
_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")

Shape = TypeVar("Shape")
Seen = Callable[[int], None]


class Reader:
    def __init__(self, file: IO[bytes]) -> None:
        _measure(file)
        try:
            self.zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, EOFError):
            raise Problem("no_archive") from None
        self._judge(file.seek(0, 2))
        self.manifest = self._manifest()
        self.size = sum(entry.size for entry in self.manifest.entries)
        """Bytes, unpacked."""
        self.names = {entry.name for entry in self.manifest.entries}
        self._compare()

    def verify(self, entry: format.Entry, seen: Seen) -> None:
        """Size and checksum as the manifest says."""
        sha, size = hashlib.sha256(), 0
        for piece in self._pieces(entry.name):
            sha.update(piece)
            size += len(piece)
            seen(len(piece))
        if size != entry.size or sha.hexdigest() != entry.sha256:
            raise Problem("checksum", entry.name)

    def lines(self, name: str, shape: type[Shape] | Any, skip: int = 0) -> Iterator[tuple[int, int, Shape]]:
        """The number of each line from 1, its bytes, and what it says; the first `skip` lines are passed over."""
        decoder = msgspec.json.Decoder(shape)
        for number, line in enumerate(self._split(name), 1):
            if number > skip:
                yield number, len(line), _decoded(decoder, line, name, number)

    def text(self, name: str, longest: int) -> str:
        """A whole text; `longest` in characters."""
        data = b""
        for piece in self._pieces(name):
            data += piece
            if len(data) > 4 * longest:
                raise Problem("text", name, most=f"{longest:,}")
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise Problem("text", name, most=f"{longest:,}") from None
        if len(text) > longest:
            raise Problem("text", name, most=f"{longest:,}")
        return text

    def _split(self, name: str) -> Iterator[bytes]:
        rest = b""
        number = 0
        for piece in self._pieces(name):
            *lines, rest = (rest + piece).split(b"\n")
            yield from lines
            number += len(lines)
            if len(rest) > LINE:
                raise Problem("line_too_long", name, number + 1)
        if rest:
            yield rest

    def _pieces(self, name: str) -> Iterator[bytes]:
        try:
            with self.zip.open(name) as entry:
                while piece := entry.read(_AT_ONCE):
                    yield piece
        except KeyError:
            raise Problem("missing", name) from None
        except (zipfile.BadZipFile, zipfile.zlib.error, EOFError, NotImplementedError, RuntimeError):  # type: ignore[attr-defined]
            raise Problem("damaged", name) from None

    def _judge(self, size: int) -> None:
        """By the directory alone: names, ways of packing, sizes."""
        packed = unpacked = 0
        names: set[str] = set()
        for info in self.zip.infolist():
            if not _SAFE.fullmatch(info.filename):
                raise Problem("unsafe_name", _shown(info.orig_filename))
            if info.filename in names:
                raise Problem("twice", _shown(info.filename))
            if info.flag_bits & 0x1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise Problem("packed_otherwise", _shown(info.filename))
            names.add(info.filename)
            packed += info.compress_size
            unpacked += info.file_size
        if unpacked > UNPACKED:
            raise Problem("too_large", most=f"{UNPACKED // 1024**3} GB")
        if packed > size:
            raise Problem("damaged")  # entries that share their bytes
        if unpacked > max(SMALL, RATIO * packed):
            raise Problem("too_dense")

    def _manifest(self) -> format.Manifest:
        try:
            if self.zip.getinfo(format.MANIFEST).file_size > _MANIFEST:
                raise Problem("manifest", why="too large")
        except KeyError:
            raise Problem("no_manifest") from None
        encoded = b"".join(self._pieces(format.MANIFEST))
        try:
            told = msgspec.json.decode(encoded, type=_Told)
            if told.format != format.NAME:
                raise Problem("format", why=_shown(told.format))
            if not 1 <= told.version <= format.VERSION:
                raise Problem("version", why=told.version, known=format.VERSION)
            return msgspec.json.decode(encoded, type=format.Manifest)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
            raise Problem("manifest", why=_shown(str(wrong))) from None

    def _compare(self) -> None:
        """The manifest and the directory speak of the same files."""
        there = set(self.zip.namelist()) - {format.MANIFEST}
        if len(self.names) != len(self.manifest.entries):
            raise Problem("twice", format.MANIFEST)
        for name in sorted(there - self.names)[:1]:
            raise Problem("unlisted", _shown(name))
        for name in sorted(self.names - there)[:1]:
            raise Problem("missing", _shown(name))


class _Told(msgspec.Struct):
    format: str = ""
    version: int = 0


def _measure(file: IO[bytes]) -> None:
    """How large the directory is, before the library makes an object of each of its entries."""
    try:
        # Its own reader of the end record, so that both look at the same place of the file.
        end = zipfile._EndRecData(file)  # type: ignore[attr-defined]
    except (struct.error, zipfile.BadZipFile, ValueError):
        end = None
    if not end:
        raise Problem("no_archive")
    size, at = end[5], end[9] - (_ZIP64 if end[0].startswith(b"PK\x06\x06") else 0)
    if size > _DIRECTORY:
        raise Problem("too_many_entries", most=f"{ENTRIES:,}")
    file.seek(max(0, at - size))
    if file.read(size).count(b"PK\x01\x02") > ENTRIES:
        raise Problem("too_many_entries", most=f"{ENTRIES:,}")
    file.seek(0)


def _decoded(decoder: msgspec.json.Decoder[Any], line: bytes, name: str, number: int) -> Any:
    try:
        said = decoder.decode(line)
        if b"\\u0000" in line and _holds_nul(msgspec.to_builtins(said)):
            raise Problem("line", name, number, why="U+0000")
        return said
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise Problem("line", name, number, why=_shown(str(wrong))) from None


def _holds_nul(data: Any) -> bool:
    if isinstance(data, str):
        return "\x00" in data
    if isinstance(data, dict):
        return any(_holds_nul(key) or _holds_nul(value) for key, value in data.items())
    return isinstance(data, list) and any(map(_holds_nul, data))


def _shown(text: str) -> str:
    """Of a stranger's text so much as an error needs; what PostgreSQL cannot hold is left out."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()[:200]
