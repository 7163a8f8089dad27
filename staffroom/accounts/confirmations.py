"""Deeds that cannot be taken back ask for the password once more."""

from __future__ import annotations

from datetime import timedelta

from django.utils.translation import gettext as _

from staffroom.core.errors import Invalid
from staffroom.core.ratelimits import Limit
from staffroom.core.sentences import part

from .models import User

TRIES = Limit("confirmations", 10, timedelta(minutes=15))


@part
def confirm(user: User, password: str, *, fresh: bool = False) -> None:
    """Raises `Invalid` for another password and `TooMany` after ten tries.

    `fresh`: whether somebody without a password has just shown a second factor or a passkey, which counts as much.

    The try is counted before anybody looks at the password; the caller who answers a refusal commits the count.
    """
    TRIES.count(user.pk)
    if not user.has_usable_password():
        if fresh:
            return
        raise Invalid(
            {"password": [_("Your account has no password. Set one in your account, then come back.")]}
        )
    if not password or len(password) > 1000 or not user.check_password(password):
        raise Invalid({"password": [_("That is not your password.")]})
