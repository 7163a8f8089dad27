"""What a person signs in with besides the password."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from allauth.mfa.models import Authenticator
from django.db.models import QuerySet

from .models import User


@dataclass(frozen=True, slots=True)
class Passkey:
    id: int
    name: str
    alone: bool  # it replaces the password, too
    added_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Factors:
    app: Authenticator | None
    passkeys: list[Passkey]
    codes_left: int | None  # None: there are no recovery codes

    @property
    def any(self) -> bool:
        return bool(self.app or self.passkeys)


def has_second_factor(user: User, *, but: Authenticator | None = None) -> bool:
    """Whether an app or a passkey (other than `but`) stands behind the password; every sign-in then asks for it."""
    rows = _strong(user)
    return (rows.exclude(pk=but.pk) if but else rows).exists()


def factors(user: User) -> Factors:
    rows = list(Authenticator.objects.filter(user=user).order_by("created_at", "id"))
    codes = next((row for row in rows if row.type == Authenticator.Type.RECOVERY_CODES), None)
    return Factors(
        app=next((row for row in rows if row.type == Authenticator.Type.TOTP), None),
        passkeys=[_passkey(row) for row in rows if row.type == Authenticator.Type.WEBAUTHN],
        codes_left=len(codes.wrap().get_unused_codes()) if codes else None,
    )


def _passkey(row: Authenticator) -> Passkey:
    kept = row.wrap()
    return Passkey(row.id, kept.name, bool(kept.is_passwordless), row.created_at, row.last_used_at)


def _strong(user: User) -> QuerySet[Authenticator]:
    rows: QuerySet[Authenticator] = Authenticator.objects.filter(user=user)
    return rows.exclude(type=Authenticator.Type.RECOVERY_CODES)
