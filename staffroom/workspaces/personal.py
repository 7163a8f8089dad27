"""The personal account: one for each user, there from the first moment."""

from __future__ import annotations

from staffroom.accounts.models import User
from staffroom.core import tables
from staffroom.core.names import called
from staffroom.core.scope import workspace_scope
from staffroom.core.sentences import part

from . import queries
from .members import Member
from .models import PERSONAL, Membership, Workspace
from .permissions import Role


@part
def open_for(user: User) -> Workspace:
    return plant(Workspace(kind=PERSONAL, name=user.shown_name[:80], owner=user))


def home(user: User) -> Member:
    """The person in their own account. Outside every scope."""
    [context] = [context for context in queries.contexts(user.id) if context.kind == PERSONAL]
    return Member(
        workspace_id=context.id,
        kind=PERSONAL,
        slug=None,
        name=context.name,
        role=Role.OWNER,
        user_id=user.id,
        user_email=user.email,
        user_name=user.shown_name,
    )


@part
def plant(workspace: Workspace) -> Workspace:
    """Write a new workspace with its owner's membership and whatever it must have from the start."""
    with workspace_scope(workspace.id):
        tables.save(workspace)
        tables.save(Membership(workspace_id=workspace.id, user_id=workspace.owner_id, role=Membership.ADMIN))
        for ring in called("WORKSPACE_BORN"):
            ring(workspace.id)
    return workspace
