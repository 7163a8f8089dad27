"""The browsers in which a person is signed in: seen, and signed out from afar."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from .models import Session, User

SHOWN = 100
# The first that fits wins: every browser pretends to be those that came before it.
_BROWSERS = [
    ("Edge", r"Edg(?:e|A|iOS)?/"), ("Opera", r"OPR/|Opera"), ("Yandex Browser", r"YaBrowser/"),
    ("Vivaldi", r"Vivaldi/"), ("Samsung Internet", r"SamsungBrowser/"), ("Firefox", r"Firefox/|FxiOS/"),
    ("Chrome", r"(?:Headless)?Chrome/|CriOS/"), ("Safari", r"Safari/"),
]  # fmt: skip
_SYSTEMS = [
    ("iPad", r"iPad"), ("iPhone", r"iPhone"), ("Android", r"Android"), ("Windows", r"Windows"),
    ("ChromeOS", r"CrOS"), ("macOS", r"Mac OS X|Macintosh"), ("Linux", r"Linux|X11"),
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Browser:
    handle: str
    name: str  # "Firefox on Linux"
    address: str
    began_at: datetime | None
    seen_at: datetime
    is_this: bool


def of(user: User, *, this: str | None) -> list[Browser]:
    """This one first, then the one seen last; `this` is the key of the session at hand."""
    rows = _alive(user).order_by("-seen_at")[:SHOWN]
    shown = [
        Browser(
            handle(row.session_key), called(row.agent), row.address, row.began_at, row.seen_at,
            row.session_key == this,
        )
        for row in rows
    ]  # fmt: skip
    return sorted(shown, key=lambda browser: not browser.is_this)


def sign_out(user: User, chosen: str) -> bool:
    """The one with this handle; whether there was one."""
    keys = _alive(user).values_list("session_key", flat=True)
    found = [key for key in keys if handle(key) == chosen]
    return bool(Session.objects.filter(user=user, session_key__in=found).delete()[0])


def sign_out_all(user: User, *, but: str | None = None) -> int:
    return int(Session.objects.filter(user=user).exclude(session_key=but or "").delete()[0])


def handle(session_key: str) -> str:
    """Names a session without giving it away: whoever knows the key is that browser."""
    return hashlib.sha256(session_key.encode()).hexdigest()[:32]


def called(agent: str) -> str:
    browser = next((name for name, sign in _BROWSERS if re.search(sign, agent)), None)
    system = next((name for name, sign in _SYSTEMS if re.search(sign, agent)), None)
    if browser and system:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or system or _("Unknown browser")


def _alive(user: User) -> QuerySet[Session]:
    return Session.objects.filter(user=user, expire_date__gt=timezone.now())
