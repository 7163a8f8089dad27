"""`staffroom demo`: an example organization to look around in."""

from __future__ import annotations

import argparse
import asyncio
import secrets
from typing import TYPE_CHECKING, Final

from operate import house
from operate.demo import story
from operate.refusals import Refusal

if TYPE_CHECKING:
    from uuid import UUID

    from operate.commands import Commands
    from staffroom.workspaces.members import Member

PATIENCE: Final = 60.0  # seconds for all replies


def register(commands: Commands) -> None:
    summary = "an example organization: three people, two employees with knowledge, some chats"
    commands.add_parser("demo", help=summary, description=summary).set_defaults(run=run)


def run(given: argparse.Namespace) -> None:
    password = secrets.token_urlsafe(9)
    with house.opened():
        members = _people(password)
        owner = members[story.PEOPLE[0].email]
        asyncio.run(_talk(members, _begin(owner, _employees(owner))))
        print(_how_to_enter(owner, password))


def _people(password: str) -> dict[str, Member]:
    """They join without an invitation: no mail goes to addresses that nobody has."""
    from django.db import IntegrityError

    from staffroom.accounts import people
    from staffroom.core.scope import workspace_scope
    from staffroom.workspaces import organizations, standing
    from staffroom.workspaces.models import Membership
    from staffroom.workspaces.permissions import Role

    try:
        users = [
            people.add(one.email, name=one.name, password=password, verified=True) for one in story.PEOPLE
        ]
    except IntegrityError as error:
        raise Refusal(f"The example is there already; sign in as {story.PEOPLE[0].email}.") from error
    shop = organizations.found(story.NAME, by=users[0], slug=story.SLUG)
    with workspace_scope(shop.id):
        for one, user in list(zip(story.PEOPLE, users, strict=True))[1:]:
            Membership.objects.create(user_id=user.id, role=one.role)
        return {
            one.email: standing.member_for(shop, user, Role(one.role))
            for one, user in zip(story.PEOPLE, users, strict=True)
        }


def _employees(owner: Member) -> dict[str, UUID]:
    """With the model that needs no key, so that looking around costs nothing."""
    from staffroom.billing import ledger
    from staffroom.core.scope import workspace_scope
    from staffroom.employees import links, personas, roster
    from staffroom.knowledge import sources
    from staffroom.workspaces.members import SYSTEM

    hired = {}
    with workspace_scope(owner.workspace_id):
        ledger.grant("bonus", "staffroom demo", story.WORDS, by=SYSTEM, reason="to look around")
        library = {
            title: sources.add(title, story.text(file), by=owner) for title, file in story.TEXTS.items()
        }
        for one in story.EMPLOYEES:
            employee = roster.hire(one.name, template=one.template, model="extract", by=owner)
            personas.save(employee, settings={"greeting": one.greeting, "reply_limit": 120}, by=owner)
            for title in one.sources:
                links.link(employee, library[title], by=owner)
            hired[one.name] = employee.id
    return hired


def _begin(owner: Member, hired: dict[str, UUID]) -> list[UUID]:
    from staffroom.chats import conversations
    from staffroom.core.scope import workspace_scope

    with workspace_scope(owner.workspace_id):
        return [
            conversations.start(hired[one.employee], customer_name=one.customer, by=owner).id
            for one in story.CHATS
        ]


async def _talk(members: dict[str, Member], chats: list[UUID]) -> None:
    """Line by line in all chats at once; after each, the employees answer. A worker of our own, so that the product
    need not be running; beside it they share the work."""
    from staffroom.chats.worker.runner import Runner
    from staffroom.core.bus import bus

    runner = Runner(bus)
    await runner.open()
    replying = asyncio.create_task(runner.run())
    try:
        async with asyncio.timeout(PATIENCE):
            for number in range(max(len(one.lines) for one in story.CHATS)):
                await asyncio.to_thread(_say, members, chats, number)
                while await asyncio.to_thread(_waits, members):
                    await asyncio.sleep(0.1)
    except TimeoutError:
        raise Refusal(
            "The example's employees did not answer in a minute; its chats stay unanswered."
        ) from None
    finally:
        runner.stop()
        await replying
        await runner.close()


def _say(members: dict[str, Member], chats: list[UUID], number: int) -> None:
    from django.db import connection

    from staffroom.chats import arrivals, takeovers
    from staffroom.core.scope import workspace_scope

    owner = members[story.PEOPLE[0].email]
    with workspace_scope(owner.workspace_id):
        for chat, one in zip(chats, story.CHATS, strict=True):
            for line in one.lines[number : number + 1]:
                if isinstance(line, str):
                    arrivals.receive(chat, line, by=owner)
                else:
                    takeovers.write(chat, line[1], by=members[line[0]])
    connection.close()


def _waits(members: dict[str, Member]) -> bool:
    from django.db import connection

    from staffroom.chats.models import Turn
    from staffroom.core.scope import workspace_scope

    with workspace_scope(members[story.PEOPLE[0].email].workspace_id):
        waits = Turn.objects.filter(state__in=[Turn.QUEUED, Turn.RUNNING]).exists()
    connection.close()
    return waits


def _how_to_enter(owner: Member, password: str) -> str:
    from django.conf import settings

    everybody = ", ".join(f"{one.email} ({one.role})" for one in story.PEOPLE)
    return (
        f"{story.NAME} is ready at {settings.PUBLIC_URL}{owner.url('employees')}\n"
        f"Sign in as {everybody}\n"
        f"Password of all three: {password}"
    )
