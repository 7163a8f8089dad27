"""Roles: the table of the product, written here once more by hand, against the rules and the page."""

from __future__ import annotations

import re
from html import unescape
from itertools import product
from typing import Any

import pytest
from django.test import Client

from staffroom.core.errors import StaffroomError
from staffroom.workspaces import memberships, ownership
from staffroom.workspaces.members import Member
from staffroom.workspaces.models import Membership, Workspace
from staffroom.workspaces.permissions import ROLES, SENTENCES, May, Role
from tests.cast import Cast

from .races import passer_by

# What each role may do: owner, admin, member.
TABLE = {
    May.WORK: "yes yes yes",
    May.DELETE_ANY: "yes yes no",
    May.CONNECT: "yes yes no",
    May.SEE_MEMBERS: "yes yes yes",
    May.SEE_BALANCE: "yes yes yes",
    May.MANAGE_MEMBERS: "yes yes no",
    May.BILLING: "yes yes no",
    May.SETTINGS: "yes yes no",
    May.OWN: "yes no no",
    May.LEAVE: "no yes yes",
}

# What an actor gets who does that to a target: the owner, another admin, another member, or oneself.
DEEDS = {
    # deed           actor    owner                       admin              member             oneself
    "promote":    {"owner":  "owner_cannot_be_removed     nothing            admin              owner_cannot_be_removed",
                   "admin":  "owner_cannot_be_removed     nothing            admin              nothing",
                   "member": "role_forbids                role_forbids       role_forbids       role_forbids"},
    "demote":     {"owner":  "owner_cannot_be_removed     member             nothing            owner_cannot_be_removed",
                   "admin":  "owner_cannot_be_removed     member             nothing            member",
                   "member": "role_forbids                role_forbids       role_forbids       role_forbids"},
    "crown":      {"owner":  "invalid                     invalid            invalid            invalid",
                   "admin":  "invalid                     invalid            invalid            invalid",
                   "member": "invalid                     invalid            invalid            invalid"},
    "remove":     {"owner":  "owner_cannot_be_removed     gone               gone               owner_cannot_be_removed",
                   "admin":  "owner_cannot_be_removed     gone               gone               gone",
                   "member": "role_forbids                role_forbids       role_forbids       role_forbids"},
    "transfer":   {"owner":  "owner_already               owner              owner              owner_already",
                   "admin":  "role_forbids                role_forbids       role_forbids       role_forbids",
                   "member": "role_forbids                role_forbids       role_forbids       role_forbids"},
}  # fmt: skip
TARGETS = ("owner", "admin", "member", "oneself")
LEAVING = {"owner": "owner_cannot_leave", "admin": "gone", "member": "gone"}
ACTS: dict[str, Any] = {
    "promote": lambda id_, by: memberships.change_role(id_, "admin", by=by),
    "demote": lambda id_, by: memberships.change_role(id_, "member", by=by),
    "crown": lambda id_, by: memberships.change_role(id_, "owner", by=by),
    "remove": lambda id_, by: memberships.remove(id_, by=by),
    "transfer": lambda id_, by: ownership.transfer(id_, by=by),
}


def test_the_data_is_the_table() -> None:
    assert set(TABLE) == set(May) == set(SENTENCES)
    for deed, line in TABLE.items():
        assert [deed in ROLES[role] for role in Role] == [word == "yes" for word in line.split()], deed


class Shop(Cast):
    """An owner, two admins, two members, without passwords."""

    def __init__(self) -> None:
        super().__init__()
        self.people = {"owner": self.alice, "admin": self.ann, "member": self.bob}
        self.others = {
            "admin": self.joined(passer_by(), "admin"),
            "member": self.joined(passer_by(), "member"),
        }

    def person(self, name: str) -> Any:
        return passer_by(name)

    def target(self, actor: str, target: str) -> Any:
        if target == "oneself":
            return self.people[actor]
        return self.others[target] if target in self.others else self.people[target]

    def state(self) -> dict[Any, str]:
        with self.inside(self.acme):
            owner = Workspace.objects.get(id=self.acme.id).owner_id
            rows = Membership.objects.values_list("user_id", "role", "status")
            return {
                id_: "owner" if id_ == owner else role if status == "active" else "gone"
                for id_, role, status in rows
            }


CASES = [
    (deed, actor, target, DEEDS[deed][actor].split()[place])
    for deed, actor, (place, target) in product(DEEDS, ("owner", "admin", "member"), enumerate(TARGETS))
    if (actor, target) != ("owner", "owner")
]


@pytest.mark.parametrize(("deed", "actor", "target", "expected"), CASES, ids=lambda word: str(word))
def test_deed_by_actor_to_target(deed: str, actor: str, target: str, expected: str) -> None:
    shop = Shop()
    by, whom, before = shop.member(shop.people[actor], shop.acme), shop.target(actor, target), shop.state()
    answer = said(shop, ACTS[deed], whom.id, by)
    changed = {} if expected == "nothing" else {whom.id: expected}
    if deed == "transfer":
        changed[shop.alice.id] = "admin"
    assert answer in {expected, "done"}
    assert shop.state() == (before | changed if answer == "done" else before)
    assert (answer == "done") == (expected in {"owner", "admin", "member", "gone", "nothing"})
    assert list(shop.state().values()).count("owner") == 1


def said(shop: Shop, act: Any, *args: Any) -> str:
    try:
        with shop.inside(shop.acme):
            act(*args)
    except StaffroomError as refused:
        return refused.code
    return "done"


@pytest.mark.parametrize(("actor", "expected"), LEAVING.items())
def test_leaving(actor: str, expected: str) -> None:
    shop = Shop()
    by = shop.member(shop.people[actor], shop.acme)
    if expected == "gone":
        with shop.inside(shop.acme):
            memberships.leave(by=by)
        assert shop.state()[shop.people[actor].id] == "gone"
        return
    with pytest.raises(StaffroomError) as refused, shop.inside(shop.acme):
        memberships.leave(by=by)
    assert refused.value.code == expected


@pytest.mark.parametrize("role", ["admin", "member"])
def test_what_the_door_found_is_asked_again(role: str) -> None:
    """A member object that says more than the row does opens nothing."""
    shop = Shop()
    real = shop.member(shop.people[role], shop.acme)
    lying = Member(real.workspace_id, real.kind, real.slug, real.name, Role.OWNER, real.user_id)
    with pytest.raises(StaffroomError) as refused, shop.inside(shop.acme):
        ownership.transfer(shop.others["member"].id, by=lying)
    assert refused.value.code == "role_forbids"


class TestHelp:
    def page(self, client: Client) -> str:
        answer = client.get("/help/roles")
        assert answer.status_code == 200
        return unescape(answer.content.decode())

    def test_it_is_the_table(self) -> None:
        rows = re.findall(r'<th scope="row">(.*?)</th>(.*?)</tr>', self.page(Client()), re.S)
        shown = {sentence: re.findall(r'class="yesno (yes|no)"', cells) for sentence, cells in rows}
        assert shown == {str(SENTENCES[deed]): line.split() for deed, line in TABLE.items()}

    def test_it_says_what_a_yes_is_limited_to(self) -> None:
        page = self.page(Client())
        for said in ("only what they created", "use only", "read-only", "transfer first", "never the owner"):
            assert said in page

    def test_the_members_tab_leads_there(self) -> None:
        shop = Shop()
        for who in shop.people.values():
            page = shop.browser(who).get(f"/o/{shop.acme.slug}/organization?tab=members").content.decode()
            assert 'href="/help/roles"' in page
