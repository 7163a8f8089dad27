"""Every address × every kind of caller. A new address needs a line in `tests/addresses.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.utils import timezone

from staffroom.core.scope import current_workspace_id, workspace_scope
from staffroom.workspaces.models import Deletion, Invitation, Membership, Workspace
from tests.addresses import ADDRESSES, ANYBODY, ELSEWHERE, OBJECTS, PERSON, Address
from tests.cast import Cast
from tests.desk import taken_in
from tests.owner import as_owner
from tests.resolver import addresses, operations
from tests.test_schema import tenant_tables

BRACES = re.compile(r"\{(\w+)\}")
ROLES = {
    "owner": "owner",
    "admin": "admin",
    "member": "member",
    "admin's key": "admin",
    "member's key": "member",
}
STRANGERS = ("stranger", "former member", "former member's key", "another's admin key")
SMUGGLED = ("workspace_id", "workspace", "organization", "tenant", "owner_id", "owner", "user_id", "created_by",
            "created_by_id", "is_staff", "kind", "plan", "words_left", "words_limit", "id")  # fmt: skip


class World:
    """Acme with its people and keys, and Rival, which nobody of Acme may change or see."""

    def __init__(self) -> None:
        self.cast = cast = Cast()
        self.users = {
            "owner": cast.alice, "admin": cast.ann, "member": cast.bob,
            "stranger": cast.sam, "former member": cast.finn,
        }  # fmt: skip
        cast.rival  # noqa: B018 - founded here, before anybody looks
        self.third = cast.organization(
            "Third", cast.sam
        )  # where the objects lie that nobody of Acme may reach
        self.newcomers = {
            workspace.id: cast.person(name) for name, workspace in (("nora", cast.acme), ("nils", self.third))
        }
        self.keys = {name: cast.key(user) for name, user in self.users.items()} | {
            "admin's key": cast.organization_key(cast.acme, "admin"),
            "member's key": cast.organization_key(cast.acme, "member"),
            "another's admin key": cast.organization_key(cast.rival, "admin"),
            "dead key": "sr_nobody",
        }
        self.keys["former member's key"] = self.keys["former member"]

    def caller(self, actor: str, address: Address) -> Client:
        """People come to pages with a browser and to the API with a key; a former member with both."""
        if actor == "anonymous":
            return Client(raise_request_exception=False)
        if actor in self.users and (actor == "former member" or not address.is_api):
            return self._browser(actor)
        return self.cast.api(self.keys[actor])

    @cache  # noqa: B019 - as long as the module's tests
    def _browser(self, actor: str) -> Client:
        return self.cast.browser(self.users[actor])

    def ask(
        self,
        actor: str,
        address: Address,
        *,
        context: str,
        objects_of: UUID | None = None,
        ids: dict[str, str] | None = None,
        json: Any = None,
    ) -> Any:
        made = self.made(address, objects_of) if ids is None else ids
        answer = taken_in(self._ask(actor, address, context, made, json))
        if address.moves:
            self.set_back()
        if address.is_api and answer.status_code < 300 and answer.get("Content-Type") == "application/json":
            as_documented(address, answer)
        return answer

    def _ask(self, actor: str, address: Address, context: str, ids: dict[str, str], json: Any) -> Any:
        path = address.path.replace("{ctx}", context).replace("o/{slug}", context)
        path = path.replace("re:bare", "/chats").replace("{slug}", self.cast.acme.slug or "")
        for name, made in ids.items():
            path = path.replace(f"{{{name}}}", made)
        client, call = self.caller(actor, address), address.method.lower()
        body = address.json if json is None else json
        if callable(body):
            body = body()
        if isinstance(body, dict):
            known = ids | {"slug": self.cast.acme.slug or ""}
            body = {name: known.get(str(said).strip("{}"), said) for name, said in body.items()}
        if address.is_api and (body or address.method not in ("GET", "DELETE")):
            return getattr(client, call)(path, body or {}, content_type="application/json")
        if address.is_api:
            return getattr(client, call)(path)
        return getattr(client, call)(path, address.form)

    def made(self, address: Address, workspace_id: UUID | None) -> dict[str, str]:
        """The objects that the address names, new ones in a workspace; ids of nothing without one."""
        if workspace_id is None or not address.objects <= set(OBJECTS):
            return {name: str(uuid4()) for name in address.objects}
        with workspace_scope(workspace_id):
            return {name: OBJECTS[name](self) for name in sorted(address.objects)}

    def invitation(self) -> Invitation:
        """Of the open workspace."""
        return Invitation.objects.create(
            email=f"{uuid4().hex}@example.com",
            email_norm=f"{uuid4().hex}@example.com",
            role="member",
            token_hash=uuid4().bytes,
            expires_at=timezone.now() + timedelta(days=1),
        )

    def newcomer(self) -> UUID:
        """A member of the open workspace, and of no other one."""
        user = self.newcomers.get(current_workspace_id(), self.cast.finn)
        if user != self.cast.finn:
            place = {"role": Membership.MEMBER, "status": Membership.ACTIVE, "ended_at": None}
            if not Membership.objects.filter(user_id=user.id).update(**place):
                Membership.objects.create(user_id=user.id, **place)
        return user.id

    def set_back(self) -> None:
        """Everybody of Acme to the place that they had at the beginning, and Acme open."""
        with workspace_scope(self.cast.acme.id):
            Deletion.objects.all().delete()
            for name in ("owner", "admin", "member"):
                role = Membership.MEMBER if name == "member" else Membership.ADMIN
                Membership.objects.filter(user_id=self.users[name].id).update(
                    role=role, status=Membership.ACTIVE, ended_at=None
                )
            Workspace.objects.filter(id=self.cast.acme.id).update(owner=self.users["owner"], closed_at=None)

    @property
    def acme(self) -> str:
        return f"o/{self.cast.acme.slug}"

    def snapshot(self, workspace: Workspace) -> list[tuple[Any, ...]]:
        """Every row of one workspace, as the owner of the tables sees it."""
        rows = [
            f"SELECT '{table}', (to_jsonb(t) - 'last_used_at')::text FROM {table} t WHERE workspace_id = %(id)s"
            for table in sorted(tenant_tables())
        ]
        rows.append("SELECT 'workspace', to_jsonb(w)::text FROM workspaces_workspace w WHERE id = %(id)s")
        return as_owner(" UNION ALL ".join(rows) + " ORDER BY 1, 2", id=workspace.id)


def as_documented(address: Address, answer: Any) -> None:
    """An answer leaves as plain rows, unseen by the schema that describes it; so it is held against it here."""
    operation = OPERATIONS.get(address.name)
    if operation is None or not isinstance(operation.response_models.get(answer.status_code), type):
        return
    shape = operation.response_models[answer.status_code]
    said = shape.model_validate({"response": answer.json()}).model_dump(mode="json")["response"]
    assert _names(said) == _names(answer.json()), address.name


def _names(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _names(inner) for name, inner in value.items()}
    return [_names(inner) for inner in value] if isinstance(value, list) else None


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(autouse=True, scope="module")
def rival_is_untouched(world: World) -> Iterator[None]:
    before = world.snapshot(world.cast.rival)
    yield
    assert world.snapshot(world.cast.rival) == before


def _named(chosen: list[Address]) -> Any:
    return pytest.mark.parametrize("address", chosen, ids=[one.name for one in chosen])


OPERATIONS = operations()
IN_CONTEXT = [one for one in ADDRESSES if one.who not in (ANYBODY, PERSON)]
IN_BOTH = [one for one in IN_CONTEXT if "{ctx}" in one.path]
WITH_OBJECTS = [one for one in IN_CONTEXT if one.objects]
WRITES = [one for one in IN_CONTEXT if one.is_api and one.method in ("POST", "PUT", "PATCH")]


def test_every_address_has_a_line_and_every_line_an_address() -> None:
    lines = {one.name for one in ADDRESSES}
    real = {name for name in addresses() if not name.split(" ")[1].startswith(tuple(ELSEWHERE))}
    assert lines - real == set(), "lines without an address"
    assert real - lines == set(), "addresses without a line in tests/addresses.py"


def test_every_object_in_an_address_can_be_made() -> None:
    assert {name for one in WITH_OBJECTS for name in BRACES.findall(one.path)} - {"ctx", "slug"} <= set(
        OBJECTS
    )


@_named([one for one in ADDRESSES if one.who == ANYBODY])
def test_anybody(world: World, address: Address) -> None:
    for actor in ("anonymous", "stranger"):
        assert world.ask(actor, address, context=world.acme).status_code in address.answers


@_named([one for one in ADDRESSES if one.who == PERSON])
def test_somebody_signed_in(world: World, address: Address) -> None:
    nobody = (401,) if address.is_api else (302,)
    expected = {"anonymous": nobody, "owner": address.answers, "stranger": address.answers}
    if address.is_api:
        expected |= {"dead key": (401,), "admin's key": (403,)}
    seen = {actor: world.ask(actor, address, context=world.acme).status_code for actor in expected}
    assert {actor: status for actor, status in seen.items() if status not in expected[actor]} == {}


@_named(IN_CONTEXT)
def test_inside_an_organization(world: World, address: Address) -> None:
    expected: dict[str, tuple[int, ...]] = {
        actor: (address.organization or address.answers) if role in address.who else (403,)
        for actor, role in ROLES.items()
    } | dict.fromkeys(STRANGERS, (404,))
    if address.is_api:
        expected |= {"anonymous": (401,), "dead key": (401,)}
        if address.keys is not None:
            expected |= {"admin's key": address.keys, "member's key": address.keys}
    else:
        nobody = (302,) if address.method in ("GET", "HEAD") else (302, 401, 403)
        expected = {actor: it for actor, it in expected.items() if "key" not in actor} | {"anonymous": nobody}
    seen = {
        actor: world.ask(actor, address, context=world.acme, objects_of=world.cast.acme.id).status_code
        for actor in expected
    }
    assert {actor: status for actor, status in seen.items() if status not in expected[actor]} == {}


@_named(IN_BOTH)
def test_in_the_personal_account(world: World, address: Address) -> None:
    home = world.cast.member(world.cast.alice).workspace_id
    mine = address.answers if address.me else (404,)
    expected: dict[str, tuple[int, ...]] = {"owner": mine}
    if address.is_api:
        expected |= {
            "anonymous": (401,),
            "dead key": (401,),
            "admin's key": (404,),
            "another's admin key": (404,),
        }
    seen = {actor: world.ask(actor, address, context="me", objects_of=home).status_code for actor in expected}
    assert {actor: status for actor, status in seen.items() if status not in expected[actor]} == {}


@_named(WITH_OBJECTS)
def test_what_belongs_to_another_organization_is_not_there(world: World, address: Address) -> None:
    for context in [world.acme] + (["me"] if address in IN_BOTH and address.me else []):
        ids = world.made(address, world.third.id)
        before = world.snapshot(world.third)
        answer = world.ask("owner", address, context=context, ids=ids)
        named = (
            (404,) if BRACES.search(address.path.replace("{ctx}", "").replace("{slug}", "")) else (404, 422)
        )
        assert answer.status_code in named, (context, answer.content)
        assert world.snapshot(world.third) == before


@_named(WRITES)
def test_what_a_body_says_of_places_and_powers_changes_nothing(world: World, address: Address) -> None:
    """The rows of Rival are held against their state from before, at the end of this module."""
    rival = world.cast.rival
    body = address.json() if callable(address.json) else address.json
    forged = dict.fromkeys(SMUGGLED, str(rival.id)) | {"workspace": rival.slug, "organization": rival.slug}
    if not isinstance(body, dict):
        return
    forged = {name: value for name, value in forged.items() if name not in body}
    who = "owner" if "owner" in address.who else "member"
    before = as_owner("SELECT owner_id, kind FROM workspaces_workspace WHERE id = %s", world.cast.acme.id)
    answer = world.ask(who, address, context=world.acme, objects_of=world.cast.acme.id, json=body | forged)
    assert answer.status_code in (*address.answers, 422), answer.content
    assert (
        as_owner("SELECT owner_id, kind FROM workspaces_workspace WHERE id = %s", world.cast.acme.id)
        == before
    )
    staff = as_owner(
        "SELECT count(*) FROM accounts_user WHERE is_staff AND email LIKE %s", f"%{world.cast.mark}%"
    )
    assert staff == [(0,)]
