"""The ids of imported rows follow from the import and the ids in the archive: what is written twice is written once,
a killed import goes on without doubles, and no table has to remember what became of what."""

from __future__ import annotations

import hashlib
from uuid import UUID


def new(import_id: UUID, kind: str, said: UUID, number: int = 0) -> UUID:
    """Of the shape of UUID version 7, with the time of the id in the archive, so that rows keep their order.

    The rest is a hash over the import's own id: an archive cannot aim at a row that is there already.
    """
    mark = hashlib.sha256(import_id.bytes + said.bytes + f"{kind} {number}".encode()).digest()
    made = said.int >> 80 << 80 | int.from_bytes(mark[:10])
    made = made & ~(0xF << 76) | 0x7 << 76
    return UUID(int=made & ~(0x3 << 62) | 0x2 << 62)
