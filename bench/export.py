"""What an export of 100,000 messages costs beside one of nothing, and its way back: memory and time.

Each is done by a process of its own, which tells the most memory that it has ever held.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from uuid import UUID

from bench.api import _leave
from bench.figures import Figure, note, shown
from bench.house import databases

MESSAGES, CHATS, SOURCES = 100_000, 1_000, 200
LIMIT = 50  # megabytes

_CHILD = """
import re, sys, time, django
django.setup()
from uuid import UUID
from staffroom.archives import exports, imports
began = time.monotonic()
{"export": exports, "import": imports}[sys.argv[1]].run(UUID(sys.argv[2]), UUID(sys.argv[3]))
# Not getrusage: what the parent held at the fork would count.
most = re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())
print(int(most[1]) / 1024, time.monotonic() - began)
"""

# Texts of a hundred words or so, each another: what repeats itself would pack away to nothing.
_FILL = """
INSERT INTO knowledge_source (id, workspace_id, created_at, title, kind, text, words, cut_into, language, state, progress,
        error, attempt)
    SELECT gen_random_uuid(), %(w)s, now(), 'Source ' || n, 'text',
           (SELECT string_agg(md5(n || ' ' || k), ' ') FROM generate_series(1, 1000) k), 1000, 0, 'simple', 'ready', 100, '', 1
    FROM generate_series(1, %(sources)s) n;
INSERT INTO chats_chat (id, workspace_id, created_at, employee_name, channel, customer_name, external_id, state,
        last_number, answered, last_message_at, last_author, last_line)
    SELECT gen_random_uuid(), %(w)s, now(), 'Mira', 'api', 'Customer ' || n, '', 'open', %(each)s, %(each)s, now(),
           'employee', 'Bye'
    FROM generate_series(1, %(chats)s) n;
INSERT INTO chats_message (id, workspace_id, created_at, chat_id, number, author, text, words, name, model, charged,
        price, cut)
    SELECT gen_random_uuid(), %(w)s, now(), c.id, n, CASE WHEN n %% 2 = 0 THEN 'employee' ELSE 'customer' END,
           (SELECT string_agg(md5(c.id::text || n || k), ' ') FROM generate_series(1, 12) k), 100, 'Mira', '',
           CASE WHEN n %% 2 = 0 THEN 450 END, CASE WHEN n %% 2 = 0 THEN '{"rate": 1, "parts": {"reply": 100}}'::jsonb END, ''
    FROM chats_chat c, generate_series(1, %(each)s) n WHERE c.workspace_id = %(w)s;
"""


@dataclass(frozen=True, slots=True)
class Spent:
    megabytes: float
    seconds: float
    size: int


def main() -> list[Figure]:
    with databases("staffroom") as store:
        os.environ.update(store.environments[0])
        import django

        django.setup()
        empty, full = exported(0), exported(MESSAGES)
        nothing, everything = imported(empty), imported(full)
        _leave()
    return shown(
        [
            Figure("export of an empty organization: memory", empty.megabytes, "MB"),
            Figure(f"export of {MESSAGES:,} messages: memory beyond that", full.megabytes - empty.megabytes, "MB", LIMIT),
            Figure(f"export of {MESSAGES:,} messages: time", full.seconds, "s"),
            Figure(f"export of {MESSAGES:,} messages: size", full.size / 1024**2, "MB"),
            Figure(f"import of {MESSAGES:,} messages: memory beyond an empty one",
                   everything.megabytes - nothing.megabytes, "MB", LIMIT),
            Figure(f"import of {MESSAGES:,} messages: time", everything.seconds, "s"),
        ]
    )  # fmt: skip


_archives: dict[int, bytes] = {}


def exported(messages: int) -> Spent:
    from staffroom.archives import exports
    from staffroom.core import files
    from staffroom.core.scope import workspace_scope
    from tests.cast import Cast

    cast = Cast()
    by = cast.member(cast.alice, cast.acme)
    if messages:
        _fill(by.workspace_id, messages // CHATS)
    with workspace_scope(by.workspace_id):
        export = exports.start(by=by)
    megabytes, seconds = _run("export", by.workspace_id, export.id)
    with workspace_scope(by.workspace_id):
        export.refresh_from_db()
        assert export.state == "ready", export.problem
        with files.opened(export.file) as file:
            _archives[export.size] = file.read()
    return Spent(megabytes, seconds, export.size)


def imported(spent: Spent) -> Spent:
    from django.core.files.base import ContentFile

    from staffroom.archives import imports
    from staffroom.core.scope import workspace_scope
    from tests.cast import Cast

    cast = Cast()
    by = cast.member(cast.alice, cast.acme)
    with workspace_scope(by.workspace_id):
        found = imports.start(ContentFile(_archives[spent.size], name="archive.zip"), by=by)
    megabytes, seconds = _run("import", by.workspace_id, found.id)
    with workspace_scope(by.workspace_id):
        found.refresh_from_db()
        assert found.state == "ready", found.problem
    return Spent(megabytes, seconds, spent.size)


def _fill(workspace_id: UUID, each: int) -> None:
    from django.db import connection

    from staffroom.core.scope import workspace_scope

    with workspace_scope(workspace_id), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        for statement in _FILL.split(";\n")[:-1]:
            note(statement.split("(", 1)[0].strip())
            cursor.execute(statement, {"w": workspace_id, "each": each, "chats": CHATS, "sources": SOURCES})


def _run(what: str, workspace_id: UUID, row_id: UUID) -> tuple[float, float]:
    note(what)
    command = [sys.executable, "-W", "ignore", "-c", _CHILD, what, str(workspace_id), str(row_id)]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=True)
    megabytes, seconds = map(float, done.stdout.split())
    return megabytes, seconds


if __name__ == "__main__":
    main()
