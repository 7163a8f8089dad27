"""Where an organization was closed, nobody answers any more: what waits or is being written ends without a charge."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db import connection
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from staffroom.core.scope import workspace_scope
from staffroom.core.sentences import part
from staffroom.workspaces.models import Workspace

from . import takeovers

AT_ONCE: Final = 50

_ANSWERING: Final = """
    SELECT c.id FROM chats_chat c WHERE c.workspace_id = %(workspace)s AND c.id IN (
        SELECT chat_id FROM chats_turn WHERE workspace_id = %(workspace)s AND state = 'queued'
        UNION SELECT chat_id FROM chats_turn WHERE workspace_id = %(workspace)s AND state = 'running')
    ORDER BY c.id LIMIT %(most)s FOR NO KEY UPDATE
"""


@part
def ring(workspace_id: UUID) -> None:
    """Turns are locked before the workspace everywhere else, so this sentence, which holds the workspace, leaves
    them to a job. Nobody claims one meanwhile: `turns_claim` passes closed organizations by."""
    stop.defer(workspace_id=str(workspace_id))


@app.task(name="chats.stop", retry=RetryStrategy(max_attempts=5, wait=2))
def stop(workspace_id: str) -> None:
    while _stop_some(UUID(workspace_id)):
        pass


def _stop_some(workspace_id: UUID) -> bool:
    with workspace_scope(workspace_id):
        if not Workspace.objects.filter(id=workspace_id, closed_at__isnull=False).exists():
            return False
        with connection.cursor() as cursor:
            cursor.execute(_ANSWERING, {"workspace": workspace_id, "most": AT_ONCE})
            chats = [chat_id for (chat_id,) in cursor.fetchall()]
        for chat_id in chats:
            takeovers.withdraw(chat_id)
    return bool(chats)
