"""Which passages answer a question: full text, ranked by how rare the shared words are.

The work is done by `knowledge_search` in the database, which runs with the owner's rights (under row security the
full-text operator could use no index) and keeps to the open workspace by itself. A question is not a query: any
shared word counts, the rarer the more, and what matches far less than the best is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import connection

from staffroom.core.scope import current_workspace_id
from staffroom.core.sentences import part

from .spelling import spelled

_LETTERS: Final = 2_000
"""Of a long message, its beginning and its end are searched for: so many letters of each."""

STATEMENT: Final = (
    "SELECT id, source_id, title, heading, text, number, rank FROM knowledge_search(%s, %s, %s, %s)"
)


@dataclass(frozen=True, slots=True)
class Found:
    id: UUID
    source_id: UUID
    title: str
    heading: str
    text: str
    number: int
    rank: float


@part
def find(question: str, source_ids: Iterable[UUID], limit: int = 6) -> list[Found]:
    """The best passages first, at most `limit`, of those sources of the open workspace that are ready."""
    with connection.cursor() as cursor:
        cursor.execute(STATEMENT, parameters(current_workspace_id(), question, source_ids, limit))
        return [Found(*row) for row in cursor.fetchall()]


def parameters(workspace_id: UUID, question: str, source_ids: Iterable[UUID], limit: int = 6) -> list[Any]:
    """For `STATEMENT`, also on a connection of another kind; there, too, the workspace must have been set."""
    return [workspace_id, list(source_ids), _asked(question), limit]


def _asked(question: str) -> str:
    if len(question) > 2 * _LETTERS:
        question = f"{question[:_LETTERS]} {question[-_LETTERS:]}"
    return spelled(re.sub(r"\S{100,}", " ", question))
