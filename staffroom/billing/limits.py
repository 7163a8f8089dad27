"""Words a month for a member, or for everybody without a limit of their own. A month is the calendar's, in UTC.

What counts are the words of replies that the member asked for; what customers ask for through channels, and
programs with the organization's own key, counts for nobody. The ledger refuses, in the step that looks at the balance.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

from django.utils.translation import gettext as _

from staffroom.core.errors import Invalid, NotHere
from staffroom.core.sentences import part
from staffroom.workspaces import audit, standing
from staffroom.workspaces.members import Member
from staffroom.workspaces.permissions import May

from . import ledger
from .ledger import Rule

__all__ = ["LIKE_ALL", "MOST", "NO_LIMIT", "Rule", "limit", "limit_everybody", "next_month"]

MOST: Final = 10**12
NO_LIMIT: Final = Rule(True, None)
LIKE_ALL: Final = Rule(False, None)


@part
def limit(user_id: UUID, rule: Rule, *, by: Member) -> None:
    """A member's own rule: so many words, `NO_LIMIT`, or `LIKE_ALL`."""
    _set(user_id, rule, by=by)


@part
def limit_everybody(words: int | None, *, by: Member) -> None:
    """For each member without a rule of their own; None is no limit."""
    _set(None, Rule(True, words), by=by)


def next_month() -> date:
    """When new words come."""
    today = datetime.now(UTC).date()
    return date(today.year + today.month // 12, today.month % 12 + 1, 1)


def _set(user_id: UUID | None, rule: Rule, *, by: Member) -> None:
    if rule.words is not None and not 0 <= rule.words <= MOST:
        raise Invalid({"words_limit": [_("Between 0 and %(most)s words.") % {"most": f"{MOST:,}"}]})
    # The wallet first, then the workspace's row, as everywhere in billing.
    before = ledger.limit(user_id, rule)
    standing.locked(by, May.SETTINGS)
    if user_id and standing.seat(user_id) is None:
        raise NotHere
    if before == rule:
        return
    target = {"user": str(user_id)} if user_id else {"name": "everybody"}
    audit.write("limit.changed", by=by, target=target, before=_said(before), after=_said(rule))


def _said(rule: Rule) -> dict[str, Any]:
    """In the words of the API."""
    return {"words_limit": "default" if not rule.own else "none" if rule.words is None else rule.words}
