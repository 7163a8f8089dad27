"""A code typed by a person: of an app, or one of the recovery codes. Each is good for one time."""

from __future__ import annotations

from datetime import timedelta

from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.utils.translation import gettext as _

from staffroom.core import mail
from staffroom.core.crypto import unseal
from staffroom.core.errors import StaffroomError, TooMany
from staffroom.core.ratelimits import Limit
from staffroom.core.sentences import sentence

from .models import User

# Whoever tries codes knows the password already. Three of a million are right at a time: this many guesses a day
# take years. Every try counts before it is judged, so that a hundred at once are no more than a hundred in a row.
TRIES = Limit("second factor", 10, timedelta(minutes=5))
WRONG_ONES = Limit("second factor wrong", 50, timedelta(days=1))
WARNINGS = Limit("second factor warning", 1, timedelta(days=1))


class WrongCode(StaffroomError):
    code, status, title = "wrong_code", 422, "Wrong code"

    def default_sentence(self) -> str:
        return _("This code is not right, or it was used before. Codes of an app change every 30 seconds.")


def use(code: str, user: User) -> Authenticator:
    """Spends the code. Raises `WrongCode`, or `TooMany` when somebody seems to be guessing."""
    try:
        TRIES.count(user.pk)
        with WRONG_ONES.failures(WrongCode, user.pk):
            return _owner_of(code, user)
    except TooMany:
        _warn(user)
        raise


def _owner_of(code: str, user: User) -> Authenticator:
    for row in Authenticator.objects.filter(user=user).exclude(type=Authenticator.Type.WEBAUTHN):
        is_app = row.type == Authenticator.Type.TOTP
        if _app_shows(code, row.pk) if is_app else row.wrap().validate_code(code):
            row.user = user
            return row
    raise WrongCode


@sentence
def _app_shows(code: str, pk: int) -> bool:
    """The step of a code is remembered, and no earlier one counts again (RFC 6238, 5.2)."""
    row = Authenticator.objects.select_for_update().filter(pk=pk).first()
    if row is None:
        return False
    secret, spent = unseal(row.data["secret"]), row.data.get("spent_step", 0)
    for step in yield_hotp_counters_from_time():
        if step > spent and compare_user_code(
            actual=code, expected=format_hotp_value(hotp_value(secret, step))
        ):
            row.data["spent_step"] = step
            row.save(update_fields=["data"])
            return True
    return False


def _warn(user: User) -> None:
    try:
        WARNINGS.count(user.pk)
    except TooMany:
        return
    mail.send("mfa/email/codes_guessed", user.email, {"user": user}, language=user.language)
