"""A person's phone and paper in tests: codes of an app as allauth itself computes them."""

from __future__ import annotations

import re
import time
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from django.test import Client

from staffroom.accounts.models import User
from staffroom.core import mailbox
from tests.cast import PASSWORD

AUTHENTICATE, REAUTHENTICATE = "/accounts/2fa/authenticate/", "/accounts/2fa/reauthenticate/"


class App:
    """Shows each code once, as a patient person would wait for the next; one step ahead is within the tolerance."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.shown = 0

    def code(self) -> str:
        step = max(int(time.time()) // 30 - 1, self.shown + 1)
        self.shown = step
        return format_hotp_value(hotp_value(self.secret, step))

    def wrong(self) -> str:
        near = int(time.time()) // 30
        right = {format_hotp_value(hotp_value(self.secret, near + step)) for step in range(-3, 4)}
        return next(code for code in map("{:06}".format, range(20)) if code not in right)


def with_app(user: User) -> App:
    """As if the person had set it up."""
    app = App(generate_totp_secret())
    TOTP.activate(user, app.secret)
    return app


def with_codes(user: User) -> list[str]:
    RecoveryCodes.activate(user)
    row = Authenticator.objects.get(user=user, type=Authenticator.Type.RECOVERY_CODES)
    codes: list[str] = row.wrap().get_unused_codes()
    return codes


def password_given(user: User, **more: str) -> Client:
    """Somebody who has passed the first step of signing in."""
    client = Client(raise_request_exception=False)
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD} | more)
    return client


def is_in(client: Client) -> bool:
    return client.get("/accounts/settings").status_code == 200


def confirmed(client: Client, at: str) -> Any:
    """Opens a page that asks for the password first."""
    return client.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": at}, follow=True)


def secret_on(page: str) -> App:
    found = re.search(r'id="secret" value="([A-Z2-7]+)"', page)
    assert found, page
    return App(found[1])


def subjects_to(user: User) -> list[str]:
    return [letter.subject for letter in mailbox.letters() if letter.to == user.email]
