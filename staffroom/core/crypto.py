"""Secrets at rest: sealed with a key that is derived from the installation's own.

    row.secret = seal(text)
    unseal(row.secret)

After the installation's key was changed, the former ones stay in `STAFFROOM_OLD_SECRET_KEYS` until everything
sealed with them is gone or sealed anew.
"""

from __future__ import annotations

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.translation import gettext as _

from .errors import StaffroomError


class SealBroken(StaffroomError):
    code, status, title = "seal_broken", 500, "A secret cannot be read"

    def default_sentence(self) -> str:
        return _(
            "This was sealed with a key that the installation no longer has. "
            "Its operator can add the former key to STAFFROOM_OLD_SECRET_KEYS."
        )


def seal(text: str) -> str:
    return _ring().encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """Raises `SealBroken` for what none of the keys opens."""
    try:
        return _ring().decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise SealBroken from None


def _ring() -> MultiFernet:
    """The first key seals, each of them opens."""
    return MultiFernet([_key(secret) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


@lru_cache(maxsize=8)
def _key(secret: str) -> Fernet:
    derived = HKDF(SHA256(), length=32, salt=None, info=b"staffroom sealed text").derive(secret.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
