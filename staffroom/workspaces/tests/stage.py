"""One troupe, and an organization of its own for every trial: the same people in the same places.

Alice owns it, Ann and Amy are admins, Bob and Ben members, Finn was one. Amy has invited Dora, and Finn to come back;
Alice has invited Eva at two addresses, both of which are hers. Deeds go through the API, with a key of whoever acts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from allauth.account.models import EmailAddress
from django.db import transaction
from django.test import Client
from django.utils import timezone

from staffroom.accounts.models import User
from staffroom.core.errors import StaffroomError
from staffroom.core.ids import new_id
from staffroom.core.scope import workspace_scope
from staffroom.workspaces import invitations, keys, personal, queries
from staffroom.workspaces.models import ORGANIZATION, Invitation, Membership, Slug, Workspace

from .races import passer_by

ADMINS, MEMBERS, OUTSIDE = ("ann", "amy"), ("bob", "ben"), ("dora", "eva", "zoe")


class Troupe:
    def __init__(self) -> None:
        with transaction.atomic():
            self.people = {name: passer_by(name) for name in ("alice", *ADMINS, *MEMBERS, "finn", *OUTSIDE)}
            self.second_address = f"second-{self.people['eva'].email}"
            EmailAddress.objects.create(user=self.people["eva"], email=self.second_address, verified=True)
        self.keys = {name: self._key(user) for name, user in self.people.items()}

    def __getitem__(self, name: str) -> UUID:
        return self.people[name].id

    def __getattr__(self, name: str) -> User:
        try:
            return self.people[name]
        except KeyError:
            raise AttributeError(name) from None

    @staticmethod
    def _key(user: User) -> str:
        [home] = queries.contexts(user.id)
        with workspace_scope(home.id):
            return keys.issue(by="system", user=user)

    def stages(self, number: int) -> list[Stage]:
        """In one transaction: what costs in a trial is the trial."""
        with transaction.atomic():
            return [self._stage() for _ in range(number)]

    def _stage(self) -> Stage:
        slug = f"stage-{uuid4().hex[-12:]}"
        workspace = Workspace(kind=ORGANIZATION, name="Stage", slug=slug, owner=self.alice)
        stage = Stage(self, workspace.id, slug)
        personal.plant(workspace)
        with workspace_scope(workspace.id):
            Slug.objects.create(slug=slug, workspace_id=workspace.id)
            Membership.objects.bulk_create(
                Membership(workspace_id=workspace.id, user_id=self[name], role=role, status=status)
                for name, role, status in _PLACES
            )
            Invitation.objects.bulk_create(
                [
                    stage.invited("dora", self.dora.email, "member", "amy"),
                    stage.invited("finn", self.finn.email, "member", "amy"),
                    stage.invited("eva", self.eva.email, "member", "alice"),
                    stage.invited("eva again", self.second_address, "admin", "alice"),
                ]
            )
        return stage


_PLACES = [
    *((name, "admin", "active") for name in ADMINS),
    *((name, "member", "active") for name in MEMBERS),
    ("finn", "member", "left"),
]


@dataclass(frozen=True)
class Answer:
    """`code` is the error's stable word, empty for a success."""

    deed: str
    status: int
    code: str
    said: Any = None

    @property
    def done(self) -> bool:
        return self.status < 300


@dataclass
class Stage:
    troupe: Troupe
    workspace: UUID
    slug: str
    invitations: dict[str, UUID] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    wished: str = field(default_factory=lambda: f"wish-{uuid4().hex[-12:]}")

    def invited(self, whom: str, address: str, role: str, by: str) -> Invitation:
        id_, expires_at = new_id(), timezone.now() + invitations.VALID
        token = invitations._token(id_, expires_at)
        self.invitations[whom], self.tokens[whom] = id_, token
        return Invitation(
            id=id_,
            workspace_id=self.workspace,
            email=address,
            email_norm=address,
            role=role,
            token_hash=keys.hashed(token),
            expires_at=expires_at,
            invited_by_id=self.troupe[by],
        )

    # --- deeds: each of them with a connection of its own ---------------------------------------------------------

    def ask(self, who: str, method: str, path: str, body: Any = None, deed: str = "") -> Answer:
        client = Client(
            raise_request_exception=False, headers={"Authorization": f"Bearer {self.troupe.keys[who]}"}
        )
        at, said = f"/api/v1/{path}", json.dumps(body or {})
        answer = client.generic(method, at, said, content_type="application/json")
        if answer.status_code == 308:  # the address has changed a moment ago: as every client does
            answer = client.generic(method, answer["Location"], said, content_type="application/json")
        told = json.loads(answer.content) if answer.content else {}
        code = told.get("code", "") if answer.status_code > 299 else ""
        return Answer(deed or f"{who} {method} {path}", answer.status_code, code, told)

    def here(self, who: str, method: str, path: str = "", body: Any = None) -> Answer:
        return self.ask(who, method, f"o/{self.slug}{path}", body, f"{who} {method} {path} {body or ''}")

    def accept(self, who: str = "dora", by: str = "token") -> Answer:
        named = self.tokens[who] if by == "token" else self.invitations[who]
        return self.ask(who, "POST", f"invitations/{named}/accept", deed=f"{who} accepts")

    def decline(self, who: str = "dora") -> Answer:
        return self.ask(who, "POST", f"invitations/{self.tokens[who]}/decline", deed=f"{who} declines")

    def accept_at(self, which: str) -> Answer:
        """Eva, whose address changes between two of her requests."""
        eva = User.objects.get(id=self.troupe["eva"])
        eva.email = self.troupe.second_address if which == "eva again" else eva.email
        return self.ruled("eva accepts", lambda: invitations.accept(self.tokens[which], user=eva))

    def invite(self, by: str, address: str, role: str = "member") -> Answer:
        return self.here(by, "POST", "/invitations", {"email": address, "role": role})

    def revoke(self, by: str, whom: str = "dora") -> Answer:
        return self.here(by, "DELETE", f"/invitations/{self.invitations[whom]}")

    def resend(self, by: str, whom: str = "dora") -> Answer:
        return self.here(by, "POST", f"/invitations/{self.invitations[whom]}/resend")

    def role(self, by: str, whom: str, role: str) -> Answer:
        return self.here(by, "PATCH", f"/members/{self.troupe[whom]}", {"role": role})

    def remove(self, by: str, whom: str) -> Answer:
        return self.here(by, "DELETE", f"/members/{self.troupe[whom]}")

    def leave(self, who: str) -> Answer:
        return self.here(who, "POST", "/leave")

    def transfer(self, to: str, by: str = "alice", leave: bool = False) -> Answer:
        return self.here(by, "POST", "/owner", {"user_id": str(self.troupe[to]), "leave": leave})

    def rename(self, by: str, slug: str) -> Answer:
        return self.here(by, "PATCH", "", {"slug": slug})

    def found(self, who: str, slug: str) -> Answer:
        return self.ask(who, "POST", "organizations", {"name": "Wish", "slug": slug}, f"{who} founds {slug}")

    def close(self, by: str = "alice") -> Answer:
        return self.ask(by, "DELETE", f"o/{self.slug}", {"confirm": self.slug}, f"{by} closes")

    def reopen(self, by: str = "alice") -> Answer:
        return self.ask(by, "POST", f"o/{self.slug}/deletion/cancel", deed=f"{by} reopens")

    def ruled(self, deed: str, verb: Any) -> Answer:
        try:
            verb()
        except StaffroomError as error:
            return Answer(deed, error.status, error.code)
        return Answer(deed, 200, "")
