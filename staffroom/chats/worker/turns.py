"""The statements of the worker: each is one round trip and one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from staffroom.chats.briefs import WINDOW
from staffroom.core.pools import Pool
from staffroom.knowledge.search import Found, parameters

LEASE: Final = timedelta(seconds=8)
LOCK_CLASS: Final = 1_398_034_502
"""Of the advisory locks by which a worker shows that it lives."""

_TAKE = "SELECT * FROM turns_take(%s, %s, %s, %s, %s, %s)"
_HOLD = "SELECT held, short FROM turn_hold(%s, %s, %s)"
_CHECKPOINT = "SELECT * FROM turns_checkpoint(%s, %s, %s::uuid[], %s::uuid[], %s::int[], %s::text[])"
_HAND_BACK = "SELECT turns_hand_back(%s, %s::uuid[], %s::uuid[], %s::int[])"
_FINISH = "SELECT * FROM turns_finish(%s, %s::jsonb)"
# The scope must be open before the search begins: the search takes the workspace from the row that opens it.
_SEARCH = """
    SELECT k.id, k.source_id, k.title, k.heading, k.text, k.number, k.rank
    FROM (SELECT set_config('app.workspace_id', (%s::uuid)::text, true)::uuid AS workspace_id OFFSET 0) s,
        LATERAL knowledge_search(s.workspace_id, %s::uuid[], %s, %s) k
"""


@dataclass(frozen=True, slots=True)
class Material:
    """What the rows say about a turn."""

    employee_id: UUID | None
    name: str
    persona: str | None
    model: str | None
    settings: dict[str, Any] | None
    active: bool
    held: int | None
    sources: list[UUID]
    lines: list[tuple[Literal["customer", "employee", "manager"], bool, int, str]] | None


@dataclass(slots=True)
class Turn:
    """A claimed turn, and what has been written of its reply."""

    workspace_id: UUID
    id: UUID
    chat_id: UUID
    attempt: int
    material: Material
    pieces: list[str] = field(default_factory=list)
    length: int = 0
    told: int = 0  # characters that were put on the bus
    untold: list[str] = field(default_factory=list)
    ending: bool = False  # it is written; what it became is being stored

    def add(self, piece: str) -> None:
        self.pieces.append(piece)
        self.untold.append(piece)
        self.length += len(piece)

    @property
    def text(self) -> str:
        if len(self.pieces) > 1:
            self.pieces = ["".join(self.pieces)]
        return self.pieces[0] if self.pieces else ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a turn ended: `done`, `failed`, `cancelled` by a person, or `lost` to another attempt."""

    turn: UUID
    verdict: str
    message: UUID | None
    number: int | None
    at: datetime
    charged: int | None
    words_left: int | None
    waiting: bool  # another turn waits in the same chat


LOST: Final = "lost"


async def claim(pool: Pool, worker: int, limit: int, *, sweep: bool) -> list[Turn]:
    rows = await pool.rows(_TAKE, [worker, LOCK_CLASS, limit, LEASE, sweep, WINDOW])
    return [
        Turn(workspace, turn, chat, attempt, Material(*of)) for workspace, turn, chat, attempt, *of in rows
    ]


async def search(pool: Pool, turn: Turn, sources: Sequence[UUID], question: str, limit: int) -> list[Found]:
    values = parameters(turn.workspace_id, question, sources, limit)
    return [Found(*row) for row in await pool.rows(_SEARCH, values, patience=LEASE.seconds)]


async def hold(pool: Pool, turn: Turn, words: int) -> tuple[int, str]:
    """How many words are held for the turn, after asking for `words` altogether, and why not all: a stable word."""
    rows = await pool.rows(_HOLD, [turn.workspace_id, turn.id, words], patience=LEASE.seconds)
    held, short = rows[0]
    return held, short


async def checkpoint(pool: Pool, worker: int, turns: Sequence[Turn]) -> set[UUID]:
    """Stores all drafts and renews the leases; the turns that are not ours any more."""
    values = [
        worker,
        LEASE,
        [turn.workspace_id for turn in turns],
        [turn.id for turn in turns],
        [turn.attempt for turn in turns],
        [turn.text for turn in turns],
    ]
    return {row[0] for row in await pool.rows(_CHECKPOINT, values)}


async def hand_back(pool: Pool, worker: int, turns: Sequence[Turn]) -> None:
    values = [
        worker,
        [turn.workspace_id for turn in turns],
        [turn.id for turn in turns],
        [turn.attempt for turn in turns],
    ]
    await pool.rows(_HAND_BACK, values)


async def finish(pool: Pool, workspace_id: UUID, finishes: bytes, patience: float) -> list[Outcome]:
    rows = await pool.rows(_FINISH, [workspace_id, finishes.decode()], patience)
    return [Outcome(*row) for row in rows]
