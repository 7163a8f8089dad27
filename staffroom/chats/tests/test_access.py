"""Open streams end within five seconds of what opened them: a key, a browser, a place, a second factor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings

from staffroom.accounts import browsers
from staffroom.accounts.tests.keyring import with_app
from staffroom.core.scope import workspace_scope
from staffroom.workspaces import factors, keys, personal
from tests.cast import Cast

from .house import Answer, House, Scene, _and_give_back, chat_with, hired, play


@pytest.fixture(scope="module")
def cast() -> Cast:
    it = Cast()
    it.ann, it.bob  # noqa: B018 - brings them on stage
    with_app(it.alice)
    return it


@pytest.fixture(scope="module")
def chat(cast: Cast) -> UUID:
    return chat_with(cast, hired(cast))


@pytest.fixture
def played(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Callable[[Scene], None]:
    return lambda scene: play(scene, None, cast, monkeypatch)


async def outside(call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    return await asyncio.to_thread(lambda: _and_give_back(lambda: call(*arguments, **named)))


def own(cast: Cast, user: Any, only: Any = None) -> tuple[keys.Key, str]:
    home = personal.home(user)
    with workspace_scope(home.workspace_id):
        return keys.make_own(name="Mine", by=home, only=only)


def revoke_own(user: Any, key: keys.Key) -> None:
    home = personal.home(user)
    with workspace_scope(home.workspace_id):
        keys.revoke(key.id, by=home)


async def ended(*answers: Answer) -> None:
    for answer in answers:
        await answer.until(lambda answer=answer: answer.ended, 5)


def test_of_an_organizations_key_that_is_revoked_and_of_no_other(
    cast: Cast, chat: UUID, played: Callable[[Scene], None]
) -> None:
    alice = cast.member(cast.alice, cast.acme)

    async def scene(house: House) -> None:
        first, one = await house.inside(keys.make, name="One", role="member", by=alice)
        _second, other = await house.inside(keys.make, name="Other", role="member", by=alice)
        async with house.following(chat, key=one) as ends, house.following(chat, key=other) as stays:
            await house.inside(keys.revoke, first.id, by=alice)
            await ended(ends)
            assert not stays.ended

    played(scene)


def test_of_a_personal_key_that_is_revoked_limited_or_not(
    cast: Cast, chat: UUID, played: Callable[[Scene], None]
) -> None:
    async def scene(house: House) -> None:
        (free, one), (limited, other) = await outside(own, cast, cast.bob), await outside(own, cast, cast.bob, [cast.acme.id])  # fmt: skip
        async with house.following(chat, key=one) as first, house.following(chat, key=other) as second:
            assert (first.status, second.status) == (200, 200)
            await outside(revoke_own, cast.bob, free)
            await outside(revoke_own, cast.bob, limited)
            await ended(first, second)

    played(scene)


def test_of_who_has_no_second_factor_where_one_is_required_from_now_on(
    cast: Cast, chat: UUID, played: Callable[[Scene], None]
) -> None:
    alice = cast.member(cast.alice, cast.acme)

    async def scene(house: House) -> None:
        robot = await outside(cast.organization_key, cast.acme, "member")
        bobs, alices = await house.key(cast.bob), await house.key(cast.alice)
        async with (
            house.following(chat, key=bobs) as without,
            house.following(chat, key=alices) as having,
            house.following(chat, key=robot) as machine,
        ):
            await house.inside(factors.demand, by=alice, user=cast.alice)
            await ended(without)
            assert (having.ended, machine.ended) == (False, False)
        await house.inside(factors.waive, by=alice)

    played(scene)


def test_of_a_browser_that_is_signed_out_from_afar(
    cast: Cast, chat: UUID, played: Callable[[Scene], None]
) -> None:
    def signed_in() -> str:
        return str(cast.browser(cast.ann).cookies[settings.SESSION_COOKIE_NAME].value)

    async def scene(house: House) -> None:
        gone, kept = await outside(signed_in), await outside(signed_in)
        async with in_browser(house, chat, gone) as first, in_browser(house, chat, kept) as second:
            assert (first.status, second.status) == (200, 200)
            await outside(browsers.sign_out_all, cast.ann, but=kept)
            await ended(first)
            assert not second.ended

    played(scene)


@asynccontextmanager
async def in_browser(house: House, chat: UUID, session: str) -> Any:
    answer = Answer()
    headers = {"authorization": "", "cookie": f"{settings.SESSION_COOKIE_NAME}={session}"}
    task = asyncio.create_task(house._ask("GET", f"/chats/{chat}/events", None, answer, headers=headers))
    try:
        await answer.begun.wait()
        yield answer
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
