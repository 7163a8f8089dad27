"""Another organization's name and ids, put wherever a request has room for them: nothing of it comes back.

Rival's rows are held against their state from before; a word that stands in all its texts is looked for in every
answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from staffroom.chats import conversations, takeovers
from staffroom.employees import roster
from staffroom.knowledge import sources
from staffroom.workspaces import invitations
from staffroom.workspaces.members import SYSTEM
from tests.addresses import OBJECTS, Address
from tests.test_routes import IN_CONTEXT, SMUGGLED, WITH_OBJECTS, World

SECRET = f"secret{uuid4().hex[-12:]}"


@pytest.fixture(scope="module")
def world() -> World:
    """Rival has one of everything, each with the word in it."""
    world = World()
    cast = world.cast
    sam = cast.member(cast.sam, cast.rival)
    with cast.inside(cast.rival):
        employee = roster.hire(SECRET, persona=SECRET, by=SYSTEM)
        sources.add(SECRET, f"{SECRET} opens at ten.", by=SYSTEM)
        chat = conversations.start(employee.id, by=sam, customer_name=SECRET)
        takeovers.write(chat.id, SECRET, by=sam)
        invitations.invite(email=f"{SECRET}@example.com", role="member", by=sam)
    return world


@pytest.fixture(autouse=True, scope="module")
def rival_is_untouched(world: World) -> Iterator[None]:
    before = world.snapshot(world.cast.rival)
    yield
    assert world.snapshot(world.cast.rival) == before


def told(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if _is_read_at_once(answer) else getattr(answer, "content", b"")


def _is_read_at_once(answer: Any) -> bool:
    return bool(answer.streaming) and not answer.is_async


def forged(world: World) -> dict[str, str]:
    rival = world.cast.rival
    return dict.fromkeys(SMUGGLED, str(rival.id)) | {
        "slug": rival.slug or "",
        "organization": rival.slug or "",
    }


def headers(world: World) -> dict[str, str]:
    rival = world.cast.rival
    there = f"/api/v1/o/{rival.slug}/chats"
    return {
        **dict.fromkeys(("X-Workspace", "X-Workspace-Id", "X-Tenant", "X-Tenant-Id"), str(rival.id)),
        **dict.fromkeys(("X-Organization", "X-Slug", "X-Context"), rival.slug or ""),
        **dict.fromkeys(("X-Original-Url", "X-Rewrite-Url", "X-Script-Name", "X-Forwarded-Prefix"), there),
        **dict.fromkeys(("X-User", "X-User-Id", "X-Forwarded-User", "Remote-User"), str(world.cast.sam.id)),
        "X-Role": "owner",
        "X-Http-Method-Override": "DELETE",
        "Referer": f"http://testserver/o/{rival.slug}/chats",
    }


def _named(chosen: list[Address]) -> Any:
    return pytest.mark.parametrize("address", chosen, ids=[one.name for one in chosen])


@_named([one for one in IN_CONTEXT if not one.moves])
def test_a_query_headers_and_fields_name_no_other_place(world: World, address: Address) -> None:
    who = "owner" if "owner" in address.who else "member"
    extra = forged(world)
    form = address.form | {name: said for name, said in extra.items() if name not in address.form}
    asked = replace(address, form=form if address.form else {}, organization=None)
    plain = world.caller(who, address)
    loaded = Client(raise_request_exception=False, headers=headers(world))
    loaded.cookies, loaded.defaults = plain.cookies, {**plain.defaults, **loaded.defaults}
    caller, world.caller = world.caller, lambda actor, address: loaded  # type: ignore[method-assign]
    try:
        query = {name: said for name, said in extra.items() if name not in ("kind", "plan", "id", "user_id")}
        loaded.defaults["QUERY_STRING"] = "&".join(f"{name}={said}" for name, said in query.items())
        answer = world.ask(who, asked, context=world.acme, objects_of=world.cast.acme.id)
    finally:
        world.caller = caller  # type: ignore[method-assign]
    assert answer.status_code in (*(address.organization or address.answers), 302, 422), told(answer)[:500]
    assert SECRET.encode() not in told(answer)


@_named([one for one in WITH_OBJECTS if len(one.objects) > 1 and one.objects <= set(OBJECTS)])
def test_one_foreign_id_beside_ones_own_is_enough_to_find_nothing(world: World, address: Address) -> None:
    for foreign in sorted(address.objects - {"number"}):
        ids = world.made(address, world.cast.acme.id)
        ids[foreign] = world.made(address, world.third.id)[foreign]
        before = world.snapshot(world.third)
        assert world.ask("owner", address, context=world.acme, ids=ids).status_code in (404, 422), foreign
        assert world.snapshot(world.third) == before


def ways_to(world: World, rival: str) -> list[str]:
    """Spellings that might lead there, or around the door."""
    mine = world.cast.acme.slug or ""
    return [
        f"/o/{rival}/chats",
        f"/o/{rival.upper()}/chats",
        f"/o/{rival.title()}/chats",
        f"/o/{rival}/chats/",
        f"/o/{rival}//chats",
        f"//o/{rival}/chats",
        f"/o//{rival}/chats",
        f"/o/{rival}%2Fchats",
        f"/o%2F{rival}/chats",
        f"/o/{mine}/../{rival}/chats",
        f"/o/{mine}/..%2F{rival}%2Fchats",
        f"/o/{mine}%2F..%2F{rival}/chats",
        f"/o/./{rival}/chats",
        f"/me/../o/{rival}/chats",
        f"/o/{mine}/chats/../../{rival}/chats",
        f"/o/{mine};{rival}/chats",
        f"/o/{mine}%00{rival}/chats",
        f"/o/{rival}%00/chats",
        f"/o/{rival}%20/chats",
        f"/o/{rival}%0a/chats",
        f"/o/{rival}\u0301/chats",
        f"/o/{rival.replace('e', 'ｅ').replace('r', 'ｒ')}/chats",
        f"/o/{rival.replace('v', 'ν')}/chats",
        f"/o/%ff{rival}/chats",
        f"/o/{rival}?slug={mine}",
        f"/o/{rival}/chats?/o/{mine}/",
        f"/o/{mine}/chats#/o/{rival}/chats",
        f"/O/{rival}/chats",
        f"/o/{'a' * 5000}/chats",
        f"/o/{mine},{rival}/chats",
        "/o/*/chats",
        f"/o/{mine}/o/{rival}/chats",
        f"/o/{rival}/../{mine}/chats",
    ]


@pytest.mark.parametrize("below", ["", "/api/v1"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_no_spelling_of_an_address_leads_to_another_organization(
    world: World, below: str, method: str
) -> None:
    """Each is answered as if Rival had never been there."""
    rival, never = world.cast.rival.slug or "", f"never-{uuid4().hex[-8:]}"
    for who in ("owner", "member", "former member"):
        client = world.cast.api(world.keys[who]) if below else world.cast.browser(world.users[who])
        for path in ways_to(world, rival):
            answer = _asked(client, method, below + path)
            assert answer.status_code in (200, 302, 400, 403, 404, 405, 422), (path, answer.status_code)
            assert SECRET.encode() not in told(answer), path
        seen = [
            [_asked(client, method, below + path).status_code for path in ways_to(world, slug)]
            for slug in (rival, never)
        ]
        assert seen[0] == seen[1], who


def _asked(client: Client, method: str, path: str) -> Any:
    return client.generic(method, f"http://testserver{path}", b"{}", content_type="application/json")


def test_ones_own_object_is_there_in_its_own_context_only(world: World) -> None:
    with world.cast.inside(world.cast.acme):
        source = sources.add("Hours", "At ten.", by=SYSTEM)
    alice = world.cast.api(world.keys["owner"])
    assert alice.get(f"/api/v1/{world.acme}/knowledge/{source.id}").status_code == 200
    assert alice.get(f"/api/v1/me/knowledge/{source.id}").status_code == 404
