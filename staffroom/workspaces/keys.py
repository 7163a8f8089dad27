"""API keys: shown once, stored as a hash."""

from __future__ import annotations

import hashlib
import secrets

from staffroom.accounts.models import User
from staffroom.core.sentences import part

from .members import By, Member
from .models import ApiKey


def hashed(token: str) -> bytes:
    """SHA-256: enough for 256 random bits, which no dictionary holds."""
    return hashlib.sha256(token.encode()).digest()


@part
def issue(*, by: By, user: User | None = None, role: str = "", name: str = "") -> str:
    """A new key of the open workspace: of a person (in the personal account) or, with `role`, of an organization."""
    token = "sr_" + secrets.token_urlsafe(32)
    ApiKey.objects.create(
        hash=hashed(token),
        prefix=token[:9],
        name=name,
        user=user,
        role=role,
        made_by_id=by.user_id if isinstance(by, Member) else None,
    )
    return token
