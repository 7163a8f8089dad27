"""Plans: what words a context gets by itself."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from staffroom.core.scope import workspace_scope
from staffroom.core.sentences import part

from . import ledger


@dataclass(frozen=True, slots=True)
class Plan:
    code: str
    words: int  # a month


FREE = Plan("free", 20_000)


@part
def begin_free(workspace_id: UUID) -> None:
    """The Free plan's first month, from the first moment. Later months begin by themselves: see `ledger.expire`."""
    with workspace_scope(workspace_id):
        ledger.begin(FREE.code, FREE.words)
