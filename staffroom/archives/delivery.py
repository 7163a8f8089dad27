"""A file of the storage as the body of an answer, piece by piece: the loop waits, a thread reads."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

from asgiref.sync import sync_to_async
from django.core.files.base import File

EVERY: Final = 3.0  # seconds
_AT_ONCE: Final = 256 * 1024


class Pieces:
    """Ends early for whoever may not have it any more: `may` is asked every few seconds, in the thread that reads.

    Closed with its answer, also when nobody has asked for the first piece.
    """

    def __init__(self, file: File[bytes], may: Callable[[], bool]) -> None:
        self.file, self.may, self.asked = file, may, monotonic()
        self.read = sync_to_async(self._read, thread_sensitive=False)

    def __aiter__(self) -> Pieces:
        return self

    async def __anext__(self) -> bytes:
        if piece := await self.read():
            return piece
        raise StopAsyncIteration

    def close(self) -> None:
        self.file.close()

    def _read(self) -> bytes:
        if monotonic() - self.asked > EVERY:
            if not self.may():
                return b""  # shorter than announced: the client sees that it is not all
            self.asked = monotonic()
        piece: bytes = self.file.read(_AT_ONCE)
        return piece
