"""The format of an archive: names, version, and the shape of every line. `docs/export-format.md` tells it in words.

The shapes are what an import accepts. An export writes the same fields, JSON columns as they are stored.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

NAME: Final = "staffroom-archive"
VERSION: Final = 1

MANIFEST: Final = "manifest.json"
INDEX: Final = "index.html"
MEMBERS: Final = "members.json"
EMPLOYEES: Final = "employees/employees.jsonl"
VERSIONS: Final = "employees/versions.jsonl"
LINKS: Final = "employees/links.jsonl"
SOURCES: Final = "knowledge/sources.jsonl"
TEXTS: Final = "knowledge/texts/"
CHATS: Final = "chats/"
PROFILES: Final = "profiles/profiles.jsonl"
PURCHASES: Final = "purchases.json"
GRANTS: Final = "grants.json"
AUDIT: Final = "audit.jsonl"

_Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
_Words = Annotated[int, Meta(ge=0, le=10**15)]
_Name = Annotated[str, Meta(max_length=80)]
_Person = Annotated[str, Meta(max_length=254)]
_Model = Annotated[str, Meta(max_length=120)]
_Persona = Annotated[str, Meta(max_length=50_000)]
_Moment = Annotated[datetime, Meta(tz=True)]


class Entry(Struct):
    """One file of the archive as its manifest lists it; `size` in bytes."""

    name: Annotated[str, Meta(min_length=1, max_length=300)]
    size: Annotated[int, Meta(ge=0)]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Manifest(Struct):
    format: str
    version: int
    made_at: _Moment
    program: str
    context: dict[str, Any]
    counts: dict[str, int]
    entries: list[Entry]


class Employee(Struct):
    id: UUID
    name: Annotated[str, Meta(min_length=1, max_length=80)]
    handle: Annotated[str, Meta(max_length=60)]
    active: bool
    persona: _Persona
    model: _Model
    settings: dict[str, Any]
    version: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    created_at: _Moment


class Version(Struct):
    employee: UUID
    number: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    persona: _Persona
    model: _Model
    settings: dict[str, Any]
    author: _Person
    at: _Moment


class Source(Struct):
    """`text` and `original` are names of files in the archive; `original` is null for what was pasted."""

    id: UUID
    title: Annotated[str, Meta(min_length=1, max_length=200)]
    kind: Annotated[str, Meta(max_length=20)]
    text: Annotated[str, Meta(max_length=300)]
    created_at: _Moment
    original: str | None = None


class Link(Struct):
    employee: UUID
    source: UUID


class Chat(Struct, tag="chat", tag_field="type"):
    id: UUID
    employee: UUID | None
    employee_name: _Name
    channel: Annotated[str, Meta(max_length=12)]
    customer_name: _Name
    external_id: Annotated[str, Meta(max_length=200)]
    state: Annotated[str, Meta(pattern="^(open|closed)$")]
    created_at: _Moment
    last_message_at: _Moment
    last_number: _Count  # of its messages


class Citation(Struct):
    source: UUID
    title: Annotated[str, Meta(max_length=200)]
    heading: Annotated[str, Meta(max_length=1000)] = ""
    number: _Count = 0
    passage: UUID | None = None


class Price(Struct):
    """What a page shows of it must be of these kinds; everything else is kept as it is."""

    rate: float = 1
    parts: dict[str, _Words] = {}
    cut: bool = False


class Message(Struct, tag="message", tag_field="type"):
    id: UUID
    chat: UUID
    number: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    author: Annotated[str, Meta(pattern="^(customer|employee|manager)$")]
    name: _Person
    text: Annotated[str, Meta(max_length=1_000_000)]
    at: _Moment
    external_id: Annotated[str, Meta(max_length=200)] | None = None
    model: _Model = ""
    charged: _Words | None = None
    price: dict[str, Any] | None = None
    citations: list[Citation] | None = None
    cut: Annotated[str, Meta(max_length=40)] = ""


def chats_file(number: int, ending: str) -> str:
    return f"{CHATS}{number:06}.{ending}"


def text_file(source_id: UUID) -> str:
    return f"{TEXTS}{source_id}.txt"


def raw(stored: str | None) -> msgspec.Raw | None:
    """A JSON column as it leaves the database, into the line as it is."""
    return None if stored is None else msgspec.Raw(stored.encode())
