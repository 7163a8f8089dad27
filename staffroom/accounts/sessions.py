"""Sessions in the database, each with its user, and where it was last seen, in columns."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.utils import timezone

from .models import Session

BEGAN = "began"  # seconds since 1970


class SessionStore(DatabaseStore):
    seen_from: tuple[str, str] = ("", "")  # address and agent of the browser at hand

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        user_id = data.get(SESSION_KEY)
        if user_id:
            data.setdefault(BEGAN, int(timezone.now().timestamp()))
        session = cast(Session, super().create_model_instance(data))
        session.user_id = user_id
        session.began_at = datetime.fromtimestamp(data[BEGAN], UTC) if BEGAN in data else None
        session.address, session.agent = self.seen_from
        return session

    def preload(self, encoded: str) -> dict[str, Any]:
        """Take what the door's statement has already read, instead of asking again."""
        data: dict[str, Any] = self.decode(encoded)
        self._session_cache = data
        return data
