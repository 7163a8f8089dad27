"""Sessions in the database, each with its user in a column."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

from .models import Session


class SessionStore(DatabaseStore):
    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        session = cast(Session, super().create_model_instance(data))
        session.user_id = data.get(SESSION_KEY)
        return session

    def preload(self, encoded: str) -> dict[str, Any]:
        """Take what the door's statement has already read, instead of asking again."""
        data: dict[str, Any] = self.decode(encoded)
        self._session_cache = data
        return data
