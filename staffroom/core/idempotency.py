"""The same write, sent twice, happens once: the second gets the first one's answer, for 24 hours.

A claim lives in the transaction of the write. What failed rolled back and left no claim, so it may be tried
again with the same key. What is kept is encrypted with a key made of the caller's own: an answer may hold a
secret that is stored nowhere else (an invitation's link, a new API key).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass

from cryptography.fernet import Fernet
from django.conf import settings
from django.db import OperationalError, connection
from django.utils.translation import gettext as _

from .errors import Conflict
from .sentences import part

_LOCK_NOT_AVAILABLE = "55P03"


class KeyUsedOtherwise(Conflict):
    code, title = "idempotency_key_reused", "This Idempotency-Key was used for another request"

    def default_sentence(self) -> str:
        return _("This Idempotency-Key was used for another request. Use a new key for a new request.")


class StillAtWork(Conflict):
    code, title = "idempotency_key_in_use", "The first request with this Idempotency-Key is still at work"

    def default_sentence(self) -> str:
        return _("The first request with this Idempotency-Key is still at work. Ask again in a moment.")


@dataclass(frozen=True, slots=True)
class Asked:
    """One write: who asked, where, with which key, and for what (`request`: everything that must be equal)."""

    actor: str
    place: str
    key: str
    request: bytes

    @property
    def id(self) -> bytes:
        return self._digest(b"id")

    def _digest(self, purpose: bytes) -> bytes:
        said = "\n".join((self.actor, self.place, self.key)).encode("utf-8", "surrogatepass")
        return hmac.digest(settings.SECRET_KEY.encode(), purpose + b"\n" + said, "sha256")

    @property
    def box(self) -> Fernet:
        return Fernet(base64.urlsafe_b64encode(self._digest(b"box")))


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


@part
def first_answer(asked: Asked) -> Answer | None:
    """What was answered before; None makes the claim. Raises `KeyUsedOtherwise` and `StillAtWork`."""
    row = _claim(asked)
    if row is None:
        return None
    request, status, body = row
    if not hmac.compare_digest(bytes(request), _hashed(asked.request)):
        raise KeyUsedOtherwise
    return Answer(status, asked.box.decrypt(bytes(body)))


@part
def keep(asked: Asked, answer: Answer) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT keep_answer(%s, %s::smallint, %s)",
            [asked.id, answer.status, asked.box.encrypt(answer.body)],
        )


def _claim(asked: Asked) -> tuple[bytes, int, bytes] | None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM claim_answer(%s, %s)", [asked.id, _hashed(asked.request)])
            row: tuple[bytes, int, bytes] | None = cursor.fetchone()
            return row
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            raise StillAtWork from error
        raise


def _hashed(request: bytes) -> bytes:
    return hashlib.sha256(request).digest()
