"""Words that run low are told once at a fifth, at a twentieth and at nothing, and again after words have come."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _

from staffroom.core import mail
from staffroom.core.scope import current_workspace_id, workspace_scope
from staffroom.core.sentences import part
from staffroom.workspaces import queries as workspaces

from .models import Alert


@dataclass(frozen=True, slots=True)
class Left:
    """The words left in the open workspace, and how low that is; `share` in per cent of what was there last."""

    words: int
    level: int
    share: int | None


_LEFT = """
    SELECT b.words_left, coalesce(billing_level(b.words_left, a.base), 0), least(100, b.words_left * 100 / nullif(a.base, 0))
    FROM ledger_balance() b LEFT JOIN billing_alert a ON a.workspace_id = current_workspace()
"""


def left() -> Left:
    """For every page, in one statement."""
    current_workspace_id()
    with connection.cursor() as cursor:
        cursor.execute(_LEFT)
        return Left(*cursor.fetchone())


@part
def ran_out() -> None:
    """Somebody was not answered for want of words: told at once, and once."""
    _look(ran_out=True)


def look(workspace_id: UUID) -> None:
    """The job's look at one workspace."""
    with workspace_scope(workspace_id):
        _look(ran_out=False)


@part
def _look(*, ran_out: bool) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT level, told, words_left FROM billing_watch(%s)", [ran_out])
        level, told, words_left = cursor.fetchone()
    if level > told:
        _tell(level, words_left)


def _tell(level: int, words_left: int) -> None:
    place = workspaces.place()
    for address, name, language in workspaces.payers():
        told = {
            "name": name,
            "organization": place.name if place.slug else "",
            "words_left": words_left,
            "level": level,
            "none": level == Alert.NONE,
            "url": f"{settings.PUBLIC_URL}/{f'o/{place.slug}' if place.slug else 'me'}/billing",
        }
        mail.send("billing/mail/low", address, told, language=language)


def sentence(level: int) -> str:
    """What a page says to those who can do something about it."""
    return {
        Alert.LOW: _("Less than a fifth of the words is left."),
        Alert.VERY_LOW: _("Less than a twentieth of the words is left."),
        Alert.NONE: _("The words have run out: AI employees are paused. Customers' messages are kept."),
    }.get(level, "")
