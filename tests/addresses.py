"""Who gets what, at every address: one line each. `tests/test_routes.py` walks it, and fails for an address without a line.

    at("GET /api/v1/{ctx}/employees", EVERYBODY)
    at("POST /api/v1/o/{slug}/invitations", ADMINS, 201, json={"email": "new@example.com", "role": "member"})

`{ctx}` is walked below /me and below /o/{slug}. Every other name in braces stands for an object that `OBJECTS` makes
anew for each call (also inside `json`), so that one caller's deed is not in the way of the next. `who` names the roles that are let in; the
other members get 403, everybody else 404 (pages: a sign-in for who is nobody).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.core.files.base import ContentFile
from django.utils import timezone

from staffroom.archives import links
from staffroom.archives.models import Export, Import
from staffroom.billing import payments, plans
from staffroom.chats import conversations
from staffroom.core import files
from staffroom.core.scope import current_workspace_id
from staffroom.employees import roster
from staffroom.knowledge import sources
from staffroom.workspaces import keys
from staffroom.workspaces.members import SYSTEM
from staffroom.workspaces.models import Workspace

OWNER = frozenset({"owner"})
ADMINS = frozenset({"owner", "admin"})
NOT_OWNER = frozenset({"admin", "member"})
EVERYBODY = frozenset({"owner", "admin", "member"})
PERSON = frozenset({"person"})  # somebody signed in, outside every context
ANYBODY = frozenset({"anybody"})


@dataclass(frozen=True)
class Address:
    method: str
    path: str
    who: frozenset[str]
    answers: tuple[int, ...] = (200,)
    json: Any = None
    form: dict[str, Any] = field(default_factory=dict)
    me: bool = True  # of `{ctx}`: whether the personal account has this address
    organization: tuple[int, ...] | None = (
        None  # what an organization answers to everybody, where that differs
    )
    keys: tuple[int, ...] | None = None  # what an organization's key gets, where that differs from its role
    moves: bool = False  # the caller's own place or the owner's chair: everybody is set back after the call

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def objects(self) -> set[str]:
        """What has to be there: named in the path, and in the body."""
        said = repr(self.json) if isinstance(self.json, dict) else ""
        return set(re.findall(r"\{(\w+)\}", self.path + said)) - {"ctx", "slug"}

    @property
    def is_api(self) -> bool:
        return self.path.startswith(("/api/", "/v1/"))


def at(name: str, who: frozenset[str], *answers: int, **more: Any) -> Address:
    method, path = name.split(" ", 1)
    return Address(method, path, who, answers or (200,), **more)


PERSONA = {"edited": "1", "name": "Ada", "persona": "Brief.", "reply_limit": "200", "no_answer": "answer"}


def invitation_id(world: Any) -> str:
    return str(world.invitation().id)


def key_id(world: Any) -> str:
    keys.issue(by=SYSTEM, role="admin", name="Old one")
    return str(keys.listed(limit=1).items[0].id)


def export_id(world: Any) -> str:
    """Ready, as the owner of the open workspace has asked for it."""
    owner_id = Workspace.objects.get(id=current_workspace_id()).owner_id
    export = Export.objects.create(
        asked_by_id=owner_id, state="ready", expires_at=timezone.now() + timedelta(hours=1)
    )
    export.file = files.save("exports/some.zip", ContentFile(b"PK"))
    Export.objects.filter(id=export.id).update(file=export.file, **links.fields(export.id, 1))
    return str(export.id)


def token(world: Any) -> str:
    return links.token(Export.objects.order_by("-created_at")[0]) or ""


def import_id(world: Any) -> str:
    owner_id = Workspace.objects.get(id=current_workspace_id()).owner_id
    return str(Import.objects.create(asked_by_id=owner_id, state="ready").id)


# What stands in braces → how to make one in the open workspace; called with the world of `tests/test_routes.py`.
OBJECTS: dict[str, Callable[[Any], str]] = {
    "invitation_id": invitation_id,
    "employee_id": lambda world: str(roster.hire("Mira", by=SYSTEM).id),
    "source_id": lambda world: str(sources.add("Handbook", "We open at ten.", by=SYSTEM).id),
    "here": lambda world: here(world),
    "number": lambda world: "1",
    "key_id": key_id,
    "export_id": export_id,
    "import_id": import_id,
    "token": token,
    "user_id": lambda world: str(world.newcomer()),
    "purchase_id": lambda world: str(
        payments.begin(plans.order(plan="starter"), "invoice", by=SYSTEM, numbered=True).id
    ),
    "test_purchase_id": lambda world: str(payments.begin(plans.order(plan="starter"), "test", by=SYSTEM).id),
    "chat_id": lambda world: str(
        conversations.start(roster.hire("Mira", by=SYSTEM).id, by=SYSTEM, channel="api").id
    ),
}


def here(world: Any) -> str:
    """The context in which the other objects are made, as a body names it."""
    return Workspace.objects.get(id=current_workspace_id()).slug or "me"


def new_invitation() -> dict[str, str]:
    return {"email": f"{uuid4().hex}@example.com", "role": "member"}


ADDRESSES: list[Address] = [
    # --- open to anybody ------------------------------------------------------------------------
    at("GET /healthz", ANYBODY),
    at("HEAD /healthz", ANYBODY),
    at("GET /readyz", ANYBODY),
    at("HEAD /readyz", ANYBODY),
    at("GET /metrics", ANYBODY),
    at("HEAD /metrics", ANYBODY),
    at("GET /api/v1/", ANYBODY, 404),
    at("POST /api/v1/", ANYBODY, 404),
    at("GET /api/v1/openapi.json", ANYBODY),
    at("GET /api/v1/docs", ANYBODY),
    at("GET /avatars/{name}.webp", ANYBODY, 404),
    at("GET /help/roles", ANYBODY),
    # --- a person's own -------------------------------------------------------------------------
    at("GET /api/v1/user", PERSON),
    at("GET /api/v1/contexts", PERSON),
    at("GET /", PERSON, 302),
    at("GET re:bare", PERSON, 302),
    at("GET /api/v1/organizations", PERSON),
    at("POST /api/v1/organizations", PERSON, 201, json={"name": "Another"}),
    at("GET /api/v1/invitations", PERSON),
    at("POST /api/v1/invitations/{invitation}/accept", PERSON, 404),
    at("POST /api/v1/invitations/{invitation}/decline", PERSON, 404),
    at("GET /organizations/new", PERSON),
    at("POST /organizations/new", PERSON, 302, form={"name": "Another"}),
    at("GET /organizations/slug", PERSON),
    at("GET /organizations/second-factor", PERSON, 302),
    # An organization that is being deleted, for its owner alone; here nobody has one.
    at("GET /organizations/{workspace_id}/deletion", PERSON, 404),
    at("POST /organizations/{workspace_id}/deletion/cancellation", PERSON, 404),
    at("POST /organizations/{workspace_id}/deletion/erasure", PERSON, 404),
    at("POST /invitations/{invitation_id}/accept", PERSON, 302),
    at("POST /invitations/{invitation_id}/decline", PERSON, 302),
    # --- the link of an invitation: who holds it may look and answer; here it is a dead one -------
    at("GET /invitations/{token}", ANYBODY, 404),
    at("POST /invitations/{token}/accept", ANYBODY, 302, 404),
    at("POST /invitations/{token}/decline", ANYBODY, 302, 404),
    at("POST /invitations/{token}/account", ANYBODY, 404),
    at("POST /invitations/{token}/switch", ANYBODY, 404),
    # --- organizations --------------------------------------------------------------------------
    at("GET /api/v1/o/{slug}", EVERYBODY),
    at("PATCH /api/v1/o/{slug}", ADMINS, json={"name": "Acme"}),
    at("PUT /api/v1/o/{slug}/avatar", ADMINS, 422),
    at("DELETE /api/v1/o/{slug}/avatar", ADMINS),
    at("DELETE /api/v1/o/{slug}", OWNER, 202, json={"confirm": "{slug}"}, moves=True),
    at("POST /api/v1/o/{slug}/deletion/cancel", OWNER, 409),  # 409: nothing to cancel
    at("GET /api/v1/o/{slug}/members", EVERYBODY),
    at("PATCH /api/v1/o/{slug}/members/{user_id}", ADMINS, json={"role": "admin"}),
    at("DELETE /api/v1/o/{slug}/members/{user_id}", ADMINS, 204),
    at("GET /api/v1/o/{slug}/words-limit", EVERYBODY),
    at("PUT /api/v1/o/{slug}/words-limit", ADMINS, json={"words_limit": None}),
    at("POST /api/v1/o/{slug}/owner", OWNER, json={"user_id": "{user_id}"}, moves=True),
    at("POST /api/v1/o/{slug}/leave", EVERYBODY, 204, 409, keys=(403,), moves=True),  # 409: the owner
    at("GET /api/v1/o/{slug}/keys", ADMINS),
    at("POST /api/v1/o/{slug}/keys", ADMINS, 201, json={"name": "Shop"}, keys=(403,)),
    at("DELETE /api/v1/o/{slug}/keys/{key_id}", ADMINS, 204, keys=(403,)),
    at("GET /api/v1/o/{slug}/security", ADMINS),
    at("PUT /api/v1/o/{slug}/security", ADMINS, json={"requires_second_factor": False}, keys=(403,)),
    at("GET /api/v1/o/{slug}/audit", ADMINS),
    at("GET /api/v1/o/{slug}/invitations", ADMINS),
    at("POST /api/v1/o/{slug}/invitations", ADMINS, 201, json=new_invitation),
    at("POST /api/v1/o/{slug}/invitations/{invitation_id}/resend", ADMINS),
    at("DELETE /api/v1/o/{slug}/invitations/{invitation_id}", ADMINS, 204),
    at("GET /{ctx}/", EVERYBODY),
    at("GET /{ctx}/contexts", EVERYBODY),
    at("GET /{ctx}/organization", EVERYBODY, me=False),
    at("POST /{ctx}/organization/name", ADMINS, 302, form={"name": "Acme"}, me=False),
    at("POST /{ctx}/organization/slug", ADMINS, 422, form={"slug": "billing"}, me=False),
    at("POST /{ctx}/organization/avatar", ADMINS, 422, me=False),
    at("POST /{ctx}/organization/avatar/removal", ADMINS, 302, me=False),
    at("GET /{ctx}/organization/slug/check", ADMINS, me=False),
    at("GET /{ctx}/organization/members/{user_id}/role", ADMINS, me=False),
    at("POST /{ctx}/organization/members/{user_id}/role", ADMINS, 302, form={"role": "admin"}, me=False),
    at("GET /{ctx}/organization/members/{user_id}/limit", ADMINS, me=False),
    at("POST /{ctx}/organization/members/{user_id}/limit", ADMINS, 302, form={"kind": "default"}, me=False),
    at("GET /{ctx}/organization/members/limit", ADMINS, me=False),
    at("POST /{ctx}/organization/members/limit", ADMINS, 302, form={"kind": "none"}, me=False),
    at("GET /{ctx}/organization/members/{user_id}/removal", ADMINS, me=False),
    at("POST /{ctx}/organization/members/{user_id}/removal", ADMINS, 302, me=False),
    at("GET /{ctx}/organization/departure", EVERYBODY, me=False),
    at("POST /{ctx}/organization/departure", EVERYBODY, 302, 409, me=False, moves=True),  # 409: the owner
    at("GET /{ctx}/organization/ownership", OWNER, 302, me=False),
    at("POST /{ctx}/organization/ownership", OWNER, 302, me=False),
    at("GET /{ctx}/organization/security", ADMINS, me=False),
    at("POST /{ctx}/organization/security/requirement", ADMINS, 302, me=False),
    at("POST /{ctx}/organization/security/waiver", ADMINS, 302, me=False),
    at("GET /{ctx}/organization/keys", ADMINS, me=False),
    at("POST /{ctx}/organization/keys", ADMINS, 422, form={"name": " "}, me=False),
    at("POST /{ctx}/organization/keys/{key_id}/revocation", ADMINS, 302, me=False),
    at("GET /{ctx}/organization/deletion", OWNER, me=False),
    at("POST /{ctx}/organization/deletion", OWNER, 422, me=False),
    at("GET /{ctx}/organization/audit", ADMINS, me=False),
    at("POST /{ctx}/organization/audit/verification", ADMINS, me=False),
    at("GET /{ctx}/organization/audit/table", ADMINS, me=False),
    at("POST /{ctx}/organization/invitations", ADMINS, 422, form={"email": "nobody"}, me=False),
    at("GET /{ctx}/organization/invitations/bulk", ADMINS, me=False),
    at("POST /{ctx}/organization/invitations/bulk", ADMINS, 422, form={"emails": "nobody"}, me=False),
    at("POST /{ctx}/organization/invitations/{invitation_id}/resend", ADMINS, 302, me=False),
    at("POST /{ctx}/organization/invitations/{invitation_id}/revoke", ADMINS, 302, me=False),
    # --- employees ------------------------------------------------------------------------------
    at("POST /api/v1/{ctx}/employees", EVERYBODY, 201, json={"name": "Otto", "template": "support"}),
    at("GET /api/v1/{ctx}/employees/{employee_id}", EVERYBODY),
    at("GET /api/v1/{ctx}/employees", EVERYBODY),
    at("PATCH /api/v1/{ctx}/employees/{employee_id}", EVERYBODY, json={"name": "Ada", "persona": "Brief."}),
    at("DELETE /api/v1/{ctx}/employees/{employee_id}", ADMINS, 204),  # members: whom they hired
    at("POST /api/v1/{ctx}/employees/{employee_id}/copy", EVERYBODY, 201, json={"to": "{here}"}),
    at("GET /api/v1/{ctx}/employees/{employee_id}/versions", EVERYBODY),
    at("POST /api/v1/{ctx}/employees/{employee_id}/versions/{number}/restore", EVERYBODY),
    at("PUT /api/v1/{ctx}/employees/{employee_id}/knowledge/{source_id}", EVERYBODY, 204),
    at("DELETE /api/v1/{ctx}/employees/{employee_id}/knowledge/{source_id}", EVERYBODY, 204),
    at("GET /{ctx}/employees", EVERYBODY),
    at("GET /{ctx}/employees/new", EVERYBODY),
    at("POST /{ctx}/employees/new", EVERYBODY, 302, form={"name": "Otto"}),
    at("GET /{ctx}/employees/{employee_id}", EVERYBODY),
    at("POST /{ctx}/employees/{employee_id}/persona", EVERYBODY, 302, form=PERSONA),
    at("POST /{ctx}/employees/{employee_id}/shift", EVERYBODY),
    at("DELETE /{ctx}/employees/{employee_id}/shift", EVERYBODY),
    at("POST /{ctx}/employees/{employee_id}/knowledge", EVERYBODY),
    at("GET /{ctx}/employees/{employee_id}/copy", EVERYBODY),
    at("POST /{ctx}/employees/{employee_id}/copy", EVERYBODY, 302, form={"name": "Otto"}),
    at("GET /{ctx}/employees/{employee_id}/versions", EVERYBODY),
    at("POST /{ctx}/employees/{employee_id}/versions/{number}/restoration", EVERYBODY, 302),
    at("POST /{ctx}/employees/{employee_id}/dismissal", ADMINS, 302),  # members: whom they hired
    # --- knowledge ------------------------------------------------------------------------------
    at("GET /api/v1/{ctx}/knowledge", EVERYBODY),
    at("POST /api/v1/{ctx}/knowledge", EVERYBODY, 201, json={"title": "Rules", "text": "Be kind."}),
    at("GET /api/v1/{ctx}/knowledge/{source_id}", EVERYBODY),
    at("DELETE /api/v1/{ctx}/knowledge/{source_id}", ADMINS, 204),  # members: what they added
    at("GET /{ctx}/knowledge", EVERYBODY),
    at("GET /{ctx}/knowledge/new", EVERYBODY),
    at("POST /{ctx}/knowledge/new", EVERYBODY, 302, form={"title": "Rules", "text": "Be kind."}),
    at("GET /{ctx}/knowledge/{source_id}", EVERYBODY),
    at("GET /{ctx}/knowledge/{source_id}/progress", EVERYBODY),
    at("GET /{ctx}/knowledge/{source_id}/passages", EVERYBODY),
    at("POST /{ctx}/knowledge/{source_id}/deletion", ADMINS, 302),  # members: what they added
    # --- chats ----------------------------------------------------------------------------------
    at("GET /api/v1/{ctx}/chats", EVERYBODY),
    at("POST /api/v1/{ctx}/chats", EVERYBODY, 201, json={"employee": "{employee_id}"}),
    at("GET /api/v1/{ctx}/chats/{chat_id}", EVERYBODY),
    at("DELETE /api/v1/{ctx}/chats/{chat_id}", ADMINS, 204),  # a member: one's own only
    at("GET /api/v1/{ctx}/chats/{chat_id}/messages", EVERYBODY),
    at("POST /api/v1/{ctx}/chats/{chat_id}/messages", EVERYBODY, json={"text": "Hello"}),
    at("GET /api/v1/{ctx}/chats/{chat_id}/events", EVERYBODY),
    at("POST /api/v1/{ctx}/chats/{chat_id}/pause", EVERYBODY),
    at("DELETE /api/v1/{ctx}/chats/{chat_id}/pause", EVERYBODY, 204),
    at("GET /{ctx}/chats", EVERYBODY),
    at("POST /{ctx}/chats/answers", EVERYBODY, 302),
    at("GET /{ctx}/chats/{chat_id}", EVERYBODY),
    at("GET /{ctx}/chats/{chat_id}/messages", EVERYBODY),
    at("POST /{ctx}/chats/{chat_id}/messages", EVERYBODY, 302, form={"text": "Hello"}),
    at("GET /{ctx}/chats/{chat_id}/history", EVERYBODY),
    at("POST /{ctx}/chats/{chat_id}/reply", EVERYBODY),
    at("POST /{ctx}/chats/{chat_id}/pause", EVERYBODY),
    at("DELETE /{ctx}/chats/{chat_id}/pause", EVERYBODY),
    at("POST /{ctx}/chats/{chat_id}/deletion", ADMINS, 302),  # members: what they began
    at("GET /{ctx}/chats/test/{employee_id}", EVERYBODY),
    at("POST /{ctx}/chats/test/{employee_id}/messages", EVERYBODY, 302, form={"text": "Hello"}),
    # --- export and import ----------------------------------------------------------------------
    at("POST /api/v1/{ctx}/exports", OWNER, 202, 409),  # 409: one is running
    at("GET /api/v1/{ctx}/exports", OWNER),
    at("GET /api/v1/{ctx}/exports/{export_id}", OWNER),
    at("POST /api/v1/{ctx}/exports/{export_id}/link", OWNER),
    at("GET /api/v1/{ctx}/exports/{export_id}/file/{token}", OWNER),
    at("POST /api/v1/{ctx}/imports", OWNER, 422),
    at("GET /api/v1/{ctx}/imports/{import_id}", OWNER),
    at("GET /{ctx}/exports", OWNER),
    at("POST /{ctx}/exports", OWNER, 302),
    at("GET /{ctx}/exports/{export_id}", OWNER),
    at("POST /{ctx}/exports/{export_id}/link", OWNER, 302),
    at("GET /{ctx}/exports/{export_id}/file/{token}", OWNER),
    at("GET /{ctx}/imports", OWNER),
    at("POST /{ctx}/imports", OWNER, 422),
    at("GET /{ctx}/imports/{import_id}", OWNER),
    # --- balance --------------------------------------------------------------------------------
    at("GET /api/v1/{ctx}/balance", EVERYBODY),
    at("GET /api/v1/{ctx}/usage", ADMINS),
    at(
        "GET /api/v1/{ctx}/charges", EVERYBODY, 403, 200
    ),  # 200: the personal account; reply by reply is hidden
    # --- purchases ------------------------------------------------------------------------------
    at("GET /api/v1/{ctx}/purchases", ADMINS),
    at("POST /api/v1/{ctx}/purchases", ADMINS, 201, json={"plan": "starter"}),
    at("GET /api/v1/{ctx}/purchases/{purchase_id}", ADMINS),
    at("GET /{ctx}/billing", EVERYBODY),
    at("GET /{ctx}/billing/left", EVERYBODY),
    at("GET /{ctx}/billing/spending", ADMINS),
    at("GET /{ctx}/billing/spending/table", ADMINS),
    at("GET /{ctx}/billing/words/history", EVERYBODY),  # in an organization it says why it is hidden
    at("GET /{ctx}/billing/words/history/table", EVERYBODY, organization=(404,)),
    at("GET /{ctx}/billing/words/history/day", EVERYBODY, organization=(404,)),
    at("GET /{ctx}/billing/purchases", ADMINS),
    at("GET /{ctx}/billing/purchases/new", ADMINS, 422),  # without saying what
    at("POST /{ctx}/billing/purchases/new", ADMINS, 302, form={"plan": "starter"}),
    at("GET /{ctx}/billing/purchases/{purchase_id}", ADMINS),
    at("POST /{ctx}/billing/purchases/{purchase_id}/checkout", ADMINS, 302),
    at("POST /{ctx}/billing/purchases/{purchase_id}/cancellation", ADMINS, 302),
    at("GET /{ctx}/billing/purchases/{purchase_id}/receipt", ADMINS),
    at("GET /{ctx}/billing/purchases/{test_purchase_id}/test", ADMINS),
    at("POST /{ctx}/billing/purchases/{test_purchase_id}/test/payment", ADMINS, 302),
    at("POST /{ctx}/billing/purchases/{test_purchase_id}/test/failure", ADMINS, 302),
    at("POST /webhooks/stripe", ANYBODY, 404),  # no secret is set: there is nobody to listen to
]

# Pages of libraries and of development: no workspace is read there, and what they do is tested in their package.
ELSEWHERE = {
    "/accounts/": "a person's own account, before and outside every workspace",
    "/dev/": "mails and components, only while STAFFROOM_ENV is development",
}
