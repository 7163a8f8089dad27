"""The actor: somebody with a place in a workspace, found at the door, passed on as `by=`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from .models import PERSONAL
from .permissions import May, Role, RoleForbids, deeds

SYSTEM: Final = "system"  # the actor of jobs that nobody asked for


@dataclass(frozen=True, slots=True)
class Member:
    """Who acts, and where. `user_id` is None for an organization's key, `key_id` None without a key."""

    workspace_id: UUID
    kind: str
    slug: str | None
    name: str
    role: Role
    user_id: UUID | None
    user_email: str = ""
    user_name: str = ""
    key_id: UUID | None = None
    avatar: str = ""
    last_used: bool = True
    closed: bool = False  # the owner of an organization that is being deleted, in its grace time
    # The browser's session, for streams that end with it. A secret: it is shown and compared nowhere.
    session: str | None = field(default=None, repr=False, compare=False)

    def may(self, deed: May) -> bool:
        return deed in deeds(self.kind, self.role)

    def require(self, deed: May) -> None:
        if not self.may(deed):
            raise RoleForbids

    def may_delete(self, created_by_id: UUID | None) -> bool:
        """Owner and admins delete everything, members what they created."""
        return self.may(May.DELETE_ANY) or (self.user_id is not None and created_by_id == self.user_id)

    @property
    def is_personal(self) -> bool:
        return self.kind == PERSONAL

    @property
    def prefix(self) -> str:
        """The first part of every address in this context."""
        return "/me" if self.is_personal else f"/o/{self.slug}"

    def url(self, path: str = "") -> str:
        return f"{self.prefix}/{path.lstrip('/')}"

    @property
    def as_actor(self) -> dict[str, str]:
        """How the audit log names this actor."""
        if self.key_id:
            return {"key": str(self.key_id), "user": str(self.user_id or "")}
        return {"user": str(self.user_id), "name": self.user_name, "email": self.user_email}


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody without a place in the workspace, who may still say no to an invitation."""

    email: str
    user_id: UUID | None = None
    name: str = ""

    @property
    def as_actor(self) -> dict[str, str]:
        return {"user": str(self.user_id or ""), "name": self.name, "email": self.email}


By = Member | Guest | str
