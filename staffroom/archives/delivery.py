"""A file of the storage as the body of an answer, piece by piece: the loop waits, a thread reads."""

from __future__ import annotations

from typing import Final

from asgiref.sync import sync_to_async
from django.core.files.base import File

_AT_ONCE: Final = 256 * 1024


class Pieces:
    """Closed with its answer, also when nobody has asked for the first piece."""

    def __init__(self, file: File[bytes]) -> None:
        self.file = file
        self.read = sync_to_async(file.read, thread_sensitive=False)

    def __aiter__(self) -> Pieces:
        return self

    async def __anext__(self) -> bytes:
        piece: bytes = await self.read(_AT_ONCE)
        if piece:
            return piece
        raise StopAsyncIteration

    def close(self) -> None:
        self.file.close()
