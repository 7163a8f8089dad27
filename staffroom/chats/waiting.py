"""Messages that nobody answered for want of words: after a top-up they are answered with one click."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection

from staffroom.core.scope import current_workspace_id
from staffroom.core.sentences import part
from staffroom.workspaces.members import By

from . import arrivals

YOUNG: Final = timedelta(days=1)
"""Who waits longer does not expect an answer out of the blue any more."""
AT_ONCE: Final = 100

# The customer spoke last, and no turn is on its way; an employee is there who could answer.
_WAITING: Final = """
    SELECT c.id FROM chats_chat c
    JOIN employees_employee e ON e.workspace_id = c.workspace_id AND e.id = c.employee_id AND e.active
    WHERE c.workspace_id = %(workspace)s AND c.last_message_at > now() - %(young)s AND c.last_author = 'customer'
      AND c.state = 'open'
      AND NOT EXISTS (SELECT FROM chats_turn t WHERE t.workspace_id = c.workspace_id AND t.chat_id = c.id
                      AND t.state IN ('queued', 'running'))
      AND NOT EXISTS (SELECT FROM chats_pause p WHERE p.workspace_id = c.workspace_id AND p.chat_id = c.id
                      AND p.until > now())
    ORDER BY c.last_message_at LIMIT %(limit)s
"""


def chats(limit: int = AT_ONCE) -> list[UUID]:
    """Of the open workspace, who has waited longest first."""
    values: dict[str, Any] = {"workspace": current_workspace_id(), "young": YOUNG, "limit": limit}
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, values)
        return [chat_id for (chat_id,) in cursor.fetchall()]


@part
def answer(*, by: By) -> tuple[int, int]:
    """Ask for an answer in each; how many will be answered, and how many wait on because the words do not suffice."""
    asked = left = 0
    for chat_id in chats():
        if arrivals.ask_again(chat_id, by=by).turn:
            asked += 1
        else:
            left += 1
    return asked, left
