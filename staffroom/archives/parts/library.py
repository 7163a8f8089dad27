"""Knowledge: what is known of each source in one file, its text in a file of its own.

Passages are left out: they are made of the text again. An original file would lie below `knowledge/originals/`
and be named in `original`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final
from uuid import UUID

from ..format import SOURCES, text_file
from ..rows import Row, all_of, read
from ..writer import Writer
from .staff import NOBODY

_AT_ONCE: Final = 1_000_000
"""Bytes of text that are read in one statement; a longer one alone."""

_SOURCES: Final = """
    SELECT id, title, kind, created_at, octet_length(text) FROM knowledge_source
    WHERE workspace_id = %(workspace)s AND id > %(id)s ORDER BY id LIMIT %(limit)s
"""
_TEXTS: Final = """
    SELECT id, text FROM knowledge_source WHERE workspace_id = %(workspace)s AND id = ANY(%(ids)s) ORDER BY id
"""


def write(archive: Writer, workspace_id: UUID, done: Callable[[int], None]) -> dict[str, int]:
    """The texts first: a source that is deleted meanwhile has no line, at the most a text that nobody names."""
    written = 0
    for ids in _groups(_rows(workspace_id)):
        for id_, text in read(workspace_id, _TEXTS, ids=ids):
            with archive.entry(text_file(id_)) as sink:
                sink.write(text.encode())
            written += 1
            done(1)
    return {"sources": archive.lines(SOURCES, _lines(archive, workspace_id))}


def _rows(workspace_id: UUID) -> Iterator[Row]:
    return all_of(workspace_id, _SOURCES, 200, {"id": NOBODY}, lambda row: {"id": row[0]})


def _groups(rows: Iterator[Row]) -> Iterator[list[UUID]]:
    ids: list[UUID] = []
    size = 0
    for row in rows:
        if ids and (size + row[4] > _AT_ONCE or len(ids) == 200):
            yield ids
            ids, size = [], 0
        ids.append(row[0])
        size += row[4]
    if ids:
        yield ids


def _lines(archive: Writer, workspace_id: UUID) -> Iterator[dict[str, Any]]:
    there = {entry.name for entry in archive.entries}
    for id_, title, kind, created_at, _size in _rows(workspace_id):
        if (file := text_file(id_)) in there:  # one that was added meanwhile comes with the next export
            yield {"id": id_, "title": title, "kind": kind, "text": file, "created_at": created_at,
                   "original": None}  # fmt: skip
