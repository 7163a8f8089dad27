"""How often something may happen: a window for each key that begins with the first time.

    INVITATIONS = Limit("invitations", 100, timedelta(days=1))
    INVITATIONS.count(workspace_id)      # raises TooMany from the 101st on

One statement decides, so that callers at the same moment are counted one after the other. `count` belongs to the
caller's transaction: what was rolled back did not happen. Where failures are to be counted, use `failures`.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection
from procrastinate.contrib.django import app

from .errors import StaffroomError, TooMany

_COUNT = """
    INSERT INTO core_ratelimit AS r (key, hits, until) VALUES (%(key)s, 1, clock_timestamp() + make_interval(secs => %(per)s))
    ON CONFLICT (key) DO UPDATE SET
        hits = CASE WHEN r.until <= clock_timestamp() THEN 1 ELSE least(r.hits, %(times)s) + 1 END,
        until = CASE WHEN r.until <= clock_timestamp() THEN EXCLUDED.until ELSE r.until END
    RETURNING hits, extract(epoch FROM until - clock_timestamp())
"""
_LOOK = """
    SELECT hits + 1, extract(epoch FROM until - clock_timestamp()) FROM core_ratelimit
    WHERE key = %(key)s AND until > clock_timestamp()
"""


@dataclass(frozen=True, slots=True)
class Limit:
    name: str
    times: int
    per: timedelta

    def count(self, *who: object) -> None:
        """Once more for this key; raises `TooMany` when it was once too often."""
        self._judge(_COUNT, who)

    def look(self, *who: object) -> None:
        """Raises what the next `count` would raise, and counts nothing."""
        self._judge(_LOOK, who)

    @contextmanager
    def failures(self, kind: type[StaffroomError], *who: object) -> Iterator[None]:
        """Counts only errors of this kind, after the transaction inside has been rolled back."""
        self.look(*who)
        try:
            yield
        except kind:
            self.count(*who)
            raise

    def _judge(self, statement: str, who: tuple[object, ...]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                statement, {"key": self._key(who), "times": self.times, "per": self.per.total_seconds()}
            )
            row = cursor.fetchone()
        if row and row[0] > self.times:
            raise TooMany(retry_after=max(1, math.ceil(row[1])))

    def _key(self, who: tuple[object, ...]) -> bytes:
        """No address of a person and no secret lies in the table."""
        said = "\0".join([self.name, *map(str, who)])
        return hmac.digest(settings.SECRET_KEY.encode(), said.encode("utf-8", "replace"), hashlib.sha256)


@app.task(name="core.ratelimits.forget_old", queueing_lock="core.ratelimits.forget_old")
def forget_old(timestamp: int = 0) -> int:
    """Windows that are over count for nothing; how many were thrown away."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM core_ratelimit WHERE key IN ("
            "SELECT key FROM core_ratelimit WHERE until < now() FOR UPDATE SKIP LOCKED)"
        )
        return int(cursor.rowcount)
