"""Contexts full of odd texts, and archives of them read back for comparing."""

from __future__ import annotations

import hashlib
import io
import json
import random
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.files.base import ContentFile
from django.db import connection

from staffroom.archives import exports, imports
from staffroom.archives.models import Export, Import
from staffroom.chats import arrivals, conversations
from staffroom.chats.models import Chat, Message
from staffroom.core import files
from staffroom.core.scope import workspace_scope
from staffroom.employees import links, personas, roster
from staffroom.employees.models import Employee
from staffroom.knowledge import sources
from staffroom.knowledge.models import Passage, Source
from staffroom.workspaces.members import Member

ODD = [
    "Grüße aus Köln", "مرحبا بالعالم", "שלום עולם", "こんにちは世界", "안녕하세요", "สวัสดีชาวโลก", "नमस्ते दुनिया",
    "👩‍👩‍👧‍👦 family", "<script>alert(1)</script>", "=SUM(A1:A9)", "a\tb\nc", '"quotes" \\u0000 & \\backslash',
    "x" * 10_000, "\u202eright to left\u202c", "Żółć ўзбек ғ", "\u2028line\u2029paragraph", "\ufffd\ue000", "0",
    "line one\r\nline two\rline three", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𠜎𠜱", "' OR 1=1 --", "{{ profile.key }} {% tag %}",
]  # fmt: skip


def fill(by: Member, seed: int, employees: int = 3, chats: int = 5) -> None:
    """Employees × versions × knowledge × chats, in many scripts."""
    chance = random.Random(seed)
    with workspace_scope(by.workspace_id):
        library = [_source(by, chance, number) for number in range(4)]
        staff = [_employee(by, chance, library, number) for number in range(employees)]
        for number in range(chats):
            _chat(by, chance, staff, library, number)
        staff[-1].delete()  # its chats stay


def _source(by: Member, chance: random.Random, number: int) -> Source:
    text = "# Heading\n\n" + "\n\n".join(chance.choice(ODD) for _ in range(chance.randint(1, 9)))
    return sources.add(f"{chance.choice(ODD)[:150]} {number}", text, by=by)


def _employee(by: Member, chance: random.Random, library: list[Source], number: int) -> Employee:
    employee = roster.hire(f"{chance.choice(ODD)[:60]} {number}", by=by, persona=chance.choice(ODD))
    for _ in range(chance.randint(0, 4)):
        settings = {"reply_limit": chance.randint(20, 4000), "temperature": chance.choice([None, 0.5])}
        employee = personas.save(employee, by=by, persona=chance.choice(ODD), settings=settings)
    for source in chance.sample(library, 2):
        links.link(employee, source, by=by)
    roster.switch(employee, chance.random() < 0.5, by=by)
    return employee


def _chat(
    by: Member, chance: random.Random, staff: list[Employee], library: list[Source], number: int
) -> None:
    chat = conversations.start(
        chance.choice(staff).id,
        by=by,
        channel=chance.choice([Chat.API, Chat.TEST]),
        customer_name=chance.choice(ODD)[:80],
        external_id=f"customer {number}",
    )
    at = datetime(2025, 3, 1, tzinfo=UTC)
    for place in range(chance.randint(0, 12)):
        at += timedelta(seconds=chance.randint(1, 10**6), microseconds=chance.randint(0, 999_999))
        said(chat, place + 1, chance, library, at)
    Chat.objects.filter(id=chat.id).update(state=chance.choice([Chat.OPEN, Chat.CLOSED]))


def said(chat: Chat, number: int, chance: random.Random, library: list[Source], at: datetime) -> None:
    """As if it had been said, priced and cited then."""
    reply = number % 2 == 0
    message = Message.objects.create(
        chat=chat,
        number=number,
        author="employee" if reply else chance.choice(["customer", "manager"]),
        text=arrivals.checked(chance.choice(ODD)),
        words=1,
        name=chance.choice(ODD)[:200],
        external_id=None if reply else f"m{number}",
        model="openai:gpt-5-mini" if reply else "",
        charged=chance.randint(0, 10**6) if reply else None,
        price={"rate": 1.5, "sent": 3, "written": 4, "parts": {"message": 3, "reply": 4}, "cut": False} if reply else None,
        citations=_citations(chance, library) if reply else None,
        cut=chance.choice(["", "out_of_words"]) if reply else "",
    )  # fmt: skip
    Message.objects.filter(id=message.id).update(created_at=at)
    Chat.objects.filter(id=chat.id).update(
        last_number=number, last_message_at=at, last_author=message.author, last_line=message.text[:120]
    )


def _citations(chance: random.Random, library: list[Source]) -> list[dict[str, Any]]:
    passage = Passage.objects.filter(source=chance.choice(library)).order_by("?").first()
    assert passage is not None
    return [
        {"passage": str(passage.id), "source": str(passage.source_id), "title": "A title", "heading": passage.heading,
         "number": passage.number}
    ]  # fmt: skip


def exported(by: Member) -> bytes:
    """The archive of everything that is there."""
    with workspace_scope(by.workspace_id):
        export = exports.start(by=by)
    exports.run(by.workspace_id, export.id)
    with workspace_scope(by.workspace_id):
        export.refresh_from_db()
        assert export.state == "ready", export.problem
        with files.opened(export.file) as file:
            return bytes(file.read())


def begun(by: Member, archive: bytes, name: str = "archive.zip") -> Import:
    with workspace_scope(by.workspace_id):
        return imports.start(ContentFile(archive, name=name), by=by)


def imported(by: Member, archive: bytes) -> Import:
    found = begun(by, archive)
    imports.run(by.workspace_id, found.id)
    with workspace_scope(by.workspace_id):
        found.refresh_from_db()
    return found


def read_all(workspace_id: UUID, kind: type[Export] | type[Import]) -> list[Any]:
    with workspace_scope(workspace_id):
        return list(kind.objects.order_by("created_at"))


def unpacked(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.testzip() is None
        return {name: opened.read(name) for name in opened.namelist()}


def promised(archive: bytes) -> dict[str, Any]:
    """What the format promises to bring over, with every id replaced by what it stands for."""
    entries = unpacked(archive)
    read = {name: _lines(entries[f"{name}.jsonl"]) for name in _READ}
    talks = [line for name in sorted(entries) if name.startswith("chats/") and name.endswith(".jsonl")
             for line in _lines(entries[name])]  # fmt: skip
    titles = {source["id"]: source["title"] for source in read["knowledge/sources"]}
    names = {one["id"]: one["handle"] for one in read["employees/employees"]}
    chats = {one["id"]: one["external_id"] for one in talks if one["type"] == "chat"}
    return {
        "sources": _sorted(
            {"title": one["title"], "kind": one["kind"], "at": one["created_at"], "text": entries[one["text"]].decode()}
            for one in read["knowledge/sources"]
        ),
        "employees": _sorted(_without(one, "id") for one in read["employees/employees"]),
        "versions": _sorted({**one, "employee": names[one["employee"]]} for one in read["employees/versions"]),
        "links": _sorted(
            {"employee": names[one["employee"]], "source": titles[one["source"]]} for one in read["employees/links"]
        ),
        "chats": _sorted(
            {**_without(one, "id"), "employee": names.get(one["employee"])} for one in talks if one["type"] == "chat"
        ),
        "messages": _sorted(
            {
                **_without(one, "id"),
                "chat": chats[one["chat"]],
                "citations": one["citations"] and [_cited(cited, titles) for cited in one["citations"]],
            }
            for one in talks
            if one["type"] == "message"
        ),
    }  # fmt: skip


_READ = ("employees/employees", "employees/versions", "employees/links", "knowledge/sources")


def _lines(data: bytes) -> list[Any]:
    return [json.loads(line) for line in data.split(b"\n") if line]


def _cited(cited: dict[str, Any], titles: dict[str, str]) -> dict[str, Any]:
    return {**_without(cited, "passage"), "source": titles[cited["source"]]}


def _without(one: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in one.items() if name not in names}


def _sorted(rows: Any) -> list[Any]:
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


def packed(entries: dict[str, bytes], *, manifest: bool = True) -> bytes:
    """An archive of these files; its manifest is made to fit unless somebody wants it otherwise."""
    if manifest:
        told = json.loads(entries["manifest.json"])
        told["entries"] = [
            {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in entries.items()
            if name != "manifest.json"
        ]
        entries = entries | {"manifest.json": json.dumps(told).encode()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return out.getvalue()


def tally(workspace_id: UUID) -> dict[str, int]:
    """How many rows of each kind are there."""
    tables = ("employees_employee", "employees_version", "employees_employeesource", "knowledge_source",
              "knowledge_passage", "chats_chat", "chats_message", "chats_turn", "billing_entry")  # fmt: skip
    with workspace_scope(workspace_id), connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(f"SELECT '{one}', count(*) FROM {one}" for one in tables))
        return dict(cursor.fetchall())
