"""What the worker says to those who watch: all its streams together, every 50 ms; a reply's first words at once."""

from __future__ import annotations

import asyncio
from typing import Final

from staffroom.chats import notes

from .turns import Turn

TICK: Final = 0.05
_LARGE: Final = 1_500
"""Characters of one note: even where each takes four bytes, a note fits into a payload."""


class Voice:
    def __init__(self) -> None:
        self._speaking: dict[int, Turn] = {}
        self._timer: asyncio.TimerHandle | None = None

    def say(self, turn: Turn, piece: str) -> None:
        turn.add(piece)
        self._speaking[id(turn)] = turn
        if turn.told == 0:
            self._speak()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TICK, self._speak)

    def _speak(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        speaking, self._speaking = self._speaking, {}
        for turn in speaking.values():
            self.flush(turn)

    def flush(self, turn: Turn) -> None:
        text = "".join(turn.untold)
        turn.untold.clear()
        for start in range(0, len(text), _LARGE):
            piece = text[start : start + _LARGE]
            notes.post(turn.chat_id.hex, notes.Said(turn.id.hex, turn.attempt, turn.told, piece))
            turn.told += len(piece)
