"""A file of the storage as the body of an answer, piece by piece: the loop waits, a thread reads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from asgiref.sync import sync_to_async
from django.core.files.base import File

_AT_ONCE: Final = 256 * 1024


async def pieces(file: File[bytes]) -> AsyncIterator[bytes]:
    read = sync_to_async(file.read, thread_sensitive=False)
    try:
        while piece := await read(_AT_ONCE):
            yield piece
    finally:
        file.close()
