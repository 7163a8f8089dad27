"""What Django's test client cannot wait for: an answer that a view has promised (`core.server.Later`)."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from unittest import mock

from staffroom.chats import routes
from staffroom.chats.streams import Streams
from staffroom.core.bus import Bus
from staffroom.core.server import Later


def taken_in(answer: Any) -> Any:
    """With a message taken in, as the web process does it; not with the reply, which nobody writes here."""
    if not isinstance(answer, Later):
        return answer
    kept = asyncio.run(_taken_in(answer))
    kept.json = lambda: json.loads(kept.content)  # as the test client's own answers have it
    return kept


async def _taken_in(promise: Later) -> Any:
    web = Streams(Bus())
    await web.open()
    try:
        with mock.patch.object(routes, "streams", web):
            return await promise.make()
    finally:
        await web.close()
