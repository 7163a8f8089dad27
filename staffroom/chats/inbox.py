"""Chats as people see them: who talks to whom, what was said last, and whether anybody has to do something."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.utils.translation import gettext as _

from staffroom.core.errors import NotHere
from staffroom.core.paging import Page, page, position
from staffroom.workspaces.members import Member

from .models import Chat


@dataclass(frozen=True, slots=True)
class Row:
    """`active` is None when the employee was deleted. `unanswered`: a customer has written since the last answer."""

    id: UUID
    employee_id: UUID | None
    employee_name: str
    active: bool | None
    channel: str
    customer_name: str
    external_id: str
    created_by_id: UUID | None
    started_by: str | None
    state: str
    answered: int
    last_author: str
    last_line: str
    last_message_at: datetime
    paused_until: datetime | None
    paused_by: str | None
    unanswered: bool
    replying: bool

    @property
    def who(self) -> str:
        """The customer, else whoever tries the employee out."""
        return self.customer_name or self.external_id or self.started_by or _("Customer")

    @property
    def is_test(self) -> bool:
        return self.channel == Chat.TEST

    @property
    def waits(self) -> bool:
        """Nobody has answered, and nobody is about to."""
        return self.unanswered and not self.replying

    @property
    def told_state(self) -> str:
        """The one thing worth saying about it in a list."""
        if self.replying:
            return "replying"
        if self.paused_until:
            return "paused"
        if self.waits:
            return "waiting"
        return "closed" if self.state == Chat.CLOSED else ""


_ROWS: Final = """
    SELECT c.id, c.employee_id, coalesce(e.name, c.employee_name), e.active, c.channel, c.customer_name,
        c.external_id, c.created_by_id, coalesce(nullif(u.name, ''), split_part(u.email, '@', 1)), c.state,
        c.answered, c.last_author, c.last_line, c.last_message_at, p.until, p.by_name,
        EXISTS (SELECT FROM chats_message m WHERE m.workspace_id = c.workspace_id AND m.chat_id = c.id
                AND m.number > c.answered AND m.author = 'customer'),
        EXISTS (SELECT FROM chats_turn t
                WHERE t.workspace_id = c.workspace_id AND t.chat_id = c.id AND t.state = 'running')
        OR EXISTS (SELECT FROM chats_turn t
                WHERE t.workspace_id = c.workspace_id AND t.chat_id = c.id AND t.state = 'queued')
    FROM chats_chat c
    LEFT JOIN employees_employee e ON e.workspace_id = c.workspace_id AND e.id = c.employee_id
    LEFT JOIN accounts_user u ON u.id = c.created_by_id
    LEFT JOIN chats_pause p ON p.workspace_id = c.workspace_id AND p.chat_id = c.id AND p.until > now()
    WHERE c.workspace_id = %(workspace)s AND {which}
    ORDER BY c.last_message_at DESC, c.id DESC LIMIT %(limit)s
"""


def rows(
    member: Member, *, employee_id: UUID | None = None, cursor: str | None = None, limit: int = 30
) -> Page[Row]:
    """Latest message first; one statement."""
    which, values = ["true"], {"workspace": member.workspace_id, "limit": limit + 1}
    if after := position("inbox", cursor, tuple[datetime, UUID]):
        which.append("(c.last_message_at, c.id) < (%(at)s, %(after)s)")
        values |= {"at": after[0], "after": after[1]}
    if employee_id:
        which.append("c.employee_id = %(employee)s")
        values["employee"] = employee_id
    found = _read(" AND ".join(which), values)
    return page(found, limit, "inbox", lambda row: (row.last_message_at, row.id))


def row(member: Member, chat_id: UUID) -> Row:
    found = _read("c.id = %(chat)s", {"workspace": member.workspace_id, "chat": chat_id, "limit": 1})
    if not found:
        raise NotHere
    return found[0]


def _read(which: str, values: dict[str, Any]) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(_ROWS.format(which=which), values)
        return [Row(*found) for found in cursor.fetchall()]
