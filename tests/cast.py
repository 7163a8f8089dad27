"""The standing cast: two organizations and the few people who meet in them.

Alice owns Acme; Ann is its admin, Bob a member, Finn was one. Sam is a stranger: he owns Rival, where nobody of
Acme has ever been. Build one cast for a class; every cast is new and sees nothing of another.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cached_property
from uuid import uuid4

from django.db import transaction
from django.test import Client

from staffroom.accounts import people
from staffroom.accounts.models import User
from staffroom.core.scope import workspace_scope
from staffroom.workspaces import keys, personal, queries
from staffroom.workspaces.members import Member
from staffroom.workspaces.models import ORGANIZATION, Membership, Slug, Workspace
from staffroom.workspaces.permissions import Role

PASSWORD = "correct horse battery staple"


class Cast:
    def __init__(self) -> None:
        self.mark = uuid4().hex[-8:]
        self.alice = self.person("alice")
        self.acme = self.organization("Acme", self.alice)

    @cached_property
    def ann(self) -> User:
        return self.joined(self.person("ann"), Membership.ADMIN)

    @cached_property
    def bob(self) -> User:
        return self.joined(self.person("bob"), Membership.MEMBER)

    @cached_property
    def finn(self) -> User:
        return self.joined(self.person("finn"), Membership.MEMBER, status=Membership.REMOVED)

    @cached_property
    def sam(self) -> User:
        return self.person("sam")

    @cached_property
    def rival(self) -> Workspace:
        return self.organization("Rival", self.sam)

    def person(self, name: str) -> User:
        return people.add(
            f"{name}-{self.mark}@example.com", name=name.title(), password=PASSWORD, verified=True
        )

    def organization(self, name: str, owner: User) -> Workspace:
        slug = f"{name.lower()}-{uuid4().hex[-8:]}"
        with transaction.atomic():
            workspace = Workspace(kind=ORGANIZATION, name=name, slug=slug, owner=owner)
            personal.plant(workspace)
            with workspace_scope(workspace.id):
                Slug.objects.create(slug=slug, workspace_id=workspace.id)
        return workspace

    def joined(
        self, user: User, role: str, *, workspace: Workspace | None = None, status: str = Membership.ACTIVE
    ) -> User:
        with self.inside(workspace or self.acme):
            Membership.objects.create(user_id=user.id, role=role, status=status)
        return user

    def inside(self, workspace: Workspace) -> AbstractContextManager[None]:
        return workspace_scope(workspace.id)

    def member(self, user: User, workspace: Workspace | None = None) -> Member:
        """The actor that the door would find; the personal account without a workspace."""
        for context in queries.contexts(user.id):
            if context.id == workspace.id if workspace else context.slug is None:
                return Member(
                    context.id, context.kind, context.slug, context.name, Role(context.role),
                    user.id, user.email, user.shown_name,
                )  # fmt: skip
        raise LookupError("no member there")

    def browser(self, user: User | None = None) -> Client:
        """A signed-in browser (or a stranger's); errors answer as pages, as they do for people."""
        client = Client(raise_request_exception=False)
        if user:
            client.force_login(user)
        return client

    def key(self, user: User) -> str:
        """A personal API key."""
        with workspace_scope(self.member(user).workspace_id):
            return keys.issue(by="system", user=user)

    def organization_key(self, workspace: Workspace, role: str = "admin") -> str:
        with workspace_scope(workspace.id):
            return keys.issue(by="system", role=role)

    def api(self, token: str) -> Client:
        return Client(raise_request_exception=False, headers={"Authorization": f"Bearer {token}"})
