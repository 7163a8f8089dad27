"""Roles, removal, leaving and the owner's chair, in the pages and by API."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from staffroom.accounts.models import User
from staffroom.core.errors import NotHere
from staffroom.workspaces import invitations, memberships, ownership
from staffroom.workspaces.models import AuditEntry, Invitation, Membership, Workspace
from tests.cast import PASSWORD, Cast

from .races import at_once, passer_by


@pytest.fixture(scope="module")
def people() -> dict[str, User]:
    """Passwords cost time: one cast for all, every test in an organization of its own."""
    cast = Cast()
    return {"cast": cast, "alice": cast.alice, "ann": cast.person("ann"), "bob": cast.person("bob"),
            "sam": cast.sam, "rival": cast.rival}  # type: ignore[dict-item]  # fmt: skip


class Shop:
    def __init__(self, people: dict[str, Any]) -> None:
        self.cast = cast = people["cast"]
        self.alice, self.ann, self.bob = people["alice"], people["ann"], people["bob"]
        self.sam, self.rival = people["sam"], people["rival"]
        self.acme = cast.organization("Shop", self.alice)
        cast.joined(self.ann, Membership.ADMIN, workspace=self.acme)
        cast.joined(self.bob, Membership.MEMBER, workspace=self.acme)

    def at(self, path: str) -> str:
        return f"/o/{self.acme.slug}/organization{path}"

    def api(self, who: User) -> Client:
        return self.cast.api(self.cast.key(who))

    def role(self, who: User) -> str | None:
        with self.cast.inside(self.acme):
            row = Membership.objects.filter(user_id=who.id, status="active").first()
            owner = Workspace.objects.get(id=self.acme.id).owner_id
        return "owner" if owner == who.id else row.role if row else None

    def invited_by(self, who: User) -> None:
        member = self.cast.member(who, self.acme)
        with self.cast.inside(self.acme):
            invitations.invite(email=f"x-{uuid4().hex}@example.com", role="member", by=member)

    def pending(self) -> int:
        with self.cast.inside(self.acme):
            return Invitation.objects.filter(state="pending").count()

    def log(self) -> list[str]:
        with self.cast.inside(self.acme):
            return list(AuditEntry.objects.order_by("number").values_list("action", flat=True))


@pytest.fixture
def shop(people: dict[str, Any]) -> Shop:
    return Shop(people)


def html(answer: Any) -> str:
    return str(answer.content.decode())


def told(answer: Any) -> str:
    return " ".join(str(one) for one in get_messages(answer.wsgi_request))


class TestMenus:
    def test_everybody_sees_the_deeds_that_are_theirs(self, shop: Shop) -> None:
        seen = {who: html(shop.cast.browser(getattr(shop, who)).get(shop.at("?tab=members")))
                for who in ("alice", "ann", "bob")}  # fmt: skip
        role, removal = f"{shop.bob.id}/role", f"{shop.bob.id}/removal"
        owner = f"ownership?to={shop.bob.id}"
        assert [role in seen[who] for who in seen] == [True, True, False]
        assert [removal in seen[who] for who in seen] == [True, True, False]
        assert [owner in seen[who] for who in seen] == [True, False, False]
        assert all("organization/departure" in page for page in seen.values())
        assert not any(f"{shop.alice.id}/r" in page for page in seen.values())

    def test_the_number_of_statements_does_not_depend_on_the_rows(self, shop: Shop) -> None:
        client, asked = shop.cast.browser(shop.alice), []
        for more in (0, 5):
            for _ in range(more):
                shop.cast.joined(passer_by(), "member", workspace=shop.acme)
                shop.invited_by(shop.ann)
            for path in ("?tab=members", f"/members/{shop.ann.id}/role", f"/members/{shop.ann.id}/removal",
                         "/departure", f"/ownership?to={shop.ann.id}"):  # fmt: skip
                client.get(shop.at(path))
                with CaptureQueriesContext(connection) as counted:
                    assert client.get(shop.at(path)).status_code == 200
                asked.append(len(counted))
        assert asked[:5] == asked[5:]
        assert max(asked[1:5]) <= 9


class TestRoles:
    def test_consequences_first_then_the_role(self, shop: Shop) -> None:
        shop.invited_by(shop.ann)
        client, path = shop.cast.browser(shop.alice), shop.at(f"/members/{shop.ann.id}/role")
        page = html(client.get(path))
        assert "loses 1 invitation that waits" in page
        assert "invite, change roles, remove members" in page
        answer = client.post(path, {"role": "member"})
        assert answer.headers["Location"] == shop.at("?tab=members")
        assert (shop.role(shop.ann), shop.pending()) == ("member", 0)

    @pytest.mark.parametrize("role", ["owner", "", "boss", "x" * 5000])
    def test_no_other_role_is_taken(self, shop: Shop, role: str) -> None:
        answer = shop.cast.browser(shop.alice).post(shop.at(f"/members/{shop.bob.id}/role"), {"role": role})
        assert answer.status_code == 422
        assert "Choose Admin or Member" in html(answer)
        assert shop.role(shop.bob) == "member"

    def test_whoever_steps_down_is_a_member_with_the_next_request(self, shop: Shop) -> None:
        client = shop.cast.browser(shop.ann)
        path = shop.at(f"/members/{shop.ann.id}/role")
        answer = client.post(path, {"role": "member"}, follow=True)
        assert "Failed to load invitations" in html(answer)
        assert client.post(path, {"role": "admin"}).status_code == 403

    def test_every_role_and_every_target(self, shop: Shop) -> None:
        for who in ("alice", "ann", "bob", "sam"):
            for target in ("alice", "sam"):
                for deed in ("role", "removal"):
                    path = shop.at(f"/members/{getattr(shop, target).id}/{deed}")
                    answer = shop.cast.browser(getattr(shop, who)).post(path, {"role": "member"})
                    expected = {"bob": 403, "sam": 404}.get(who, 409 if target == "alice" else 404)
                    assert answer.status_code == expected, (who, target, deed)
        assert shop.log() == []


class TestRemoval:
    def test_what_hangs_on_the_person_is_said_and_then_happens(self, shop: Shop) -> None:
        shop.invited_by(shop.ann)
        open_tab, client = shop.cast.browser(shop.ann), shop.cast.browser(shop.alice)
        assert open_tab.get(shop.at("")).status_code == 200
        path = shop.at(f"/members/{shop.ann.id}/removal")
        page = html(client.get(path))
        assert "1 invitation sent from this account and not answered yet dies" in page
        assert "Nothing is deleted" in page
        assert "Ann is no longer a member" in told(client.post(path))
        assert (shop.role(shop.ann), shop.pending()) == (None, 0)
        assert open_tab.get(shop.at("")).status_code == 404
        assert client.post(path).status_code == 404

    def test_one_leaves_rather_than_removes_oneself(self, shop: Shop) -> None:
        answer = shop.cast.browser(shop.ann).post(shop.at(f"/members/{shop.ann.id}/removal"))
        assert answer.headers["Location"] == shop.at("/departure")
        assert shop.role(shop.ann) == "admin"


class TestDeparture:
    def test_a_member_leaves_and_lands_at_home(self, shop: Shop) -> None:
        client = shop.cast.browser(shop.bob)
        assert "Your access ends with your next click" in html(client.get(shop.at("/departure")))
        answer = client.post(shop.at("/departure"), follow=True)
        assert answer.redirect_chain[-1][0] == "/me/"
        assert "You have left Shop." in html(answer)
        assert client.get(shop.at("")).status_code == 404

    def test_the_owner_sees_the_way_out(self, shop: Shop) -> None:
        client = shop.cast.browser(shop.alice)
        assert "Choose the new owner" in html(client.get(shop.at("/departure")))
        answer = client.post(shop.at("/departure"))
        assert answer.status_code == 409
        assert "The owner cannot leave." in html(answer)
        assert shop.role(shop.alice) == "owner"


class TestOwnership:
    def post(self, shop: Shop, to: Any, password: str = PASSWORD, **more: str) -> Any:
        form = {"to": str(to), "password": password, **more}
        return shop.cast.browser(shop.alice).post(shop.at("/ownership"), form)

    def test_the_password_is_asked_and_what_was_chosen_stays(self, shop: Shop) -> None:
        answer = self.post(shop, shop.bob.id, "wrong", leave="1")
        page = html(answer)
        assert answer.status_code == 422
        assert "That is not your password." in page
        assert 'value="1" checked' in page
        assert "wrong" not in page
        assert shop.role(shop.alice) == "owner"

    def test_the_former_owner_becomes_admin(self, shop: Shop) -> None:
        answer = self.post(shop, shop.bob.id)
        assert answer.headers["Location"] == shop.at("?tab=members")
        assert (shop.role(shop.bob), shop.role(shop.alice)) == ("owner", "admin")

    def test_or_leaves_in_the_same_step(self, shop: Shop) -> None:
        answer = self.post(shop, shop.bob.id, leave="1")
        assert answer.headers["Location"] == "/me/"
        assert (shop.role(shop.bob), shop.role(shop.alice)) == ("owner", None)

    def test_only_to_another_active_member(self, shop: Shop) -> None:
        statuses = {
            to: self.post(shop, to).status_code for to in (shop.sam.id, "nonsense", uuid4(), shop.alice.id)
        }
        assert list(statuses.values()) == [404, 404, 404, 409]
        assert self.post(shop, "").headers["Location"] == shop.at("?tab=members")

    def test_ten_tries_at_the_password_are_enough(self, shop: Shop) -> None:
        dan = shop.cast.person("dan")
        with shop.cast.inside(shop.acme):
            Membership.objects.create(user_id=dan.id, role="admin")
        member = shop.cast.member(shop.alice, shop.acme)
        with shop.cast.inside(shop.acme):
            ownership.transfer(dan.id, by=member)
        client, form = shop.cast.browser(dan), {"to": str(shop.bob.id), "password": ""}
        tries = [client.post(shop.at("/ownership"), form).status_code for _ in range(10)]
        assert tries == [422] * 10
        assert client.post(shop.at("/ownership"), form | {"password": PASSWORD}).status_code == 429
        assert shop.role(dan) == "owner"


class TestApi:
    def call(self, client: Client, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = getattr(client, method)(path, body or {}, content_type="application/json")
        said = answer.json() if answer.content else None
        return answer.status_code, said.get("code", said.get("role")) if said else None

    def test_roles_removal_leaving_transfer(self, shop: Shop) -> None:
        base, ann, alice = f"/api/v1/o/{shop.acme.slug}", shop.api(shop.ann), shop.api(shop.alice)
        bob = f"{base}/members/{shop.bob.id}"
        assert self.call(ann, "patch", bob, {"role": "admin"}) == (200, "admin")
        assert self.call(ann, "patch", bob, {"role": "owner"}) == (422, "invalid")
        assert self.call(ann, "patch", bob, {"words_limit": 5}) == (200, "admin")
        assert self.call(ann, "patch", bob, {"words_limit": -1}) == (422, "invalid")
        assert self.call(ann, "patch", bob, {}) == (200, "admin")
        assert self.call(ann, "delete", f"{base}/members/{shop.alice.id}") == (409, "owner_cannot_be_removed")
        assert self.call(ann, "patch", f"{base}/members/{shop.sam.id}", {"role": "admin"}) == (
            404,
            "not_found",
        )
        assert self.call(ann, "post", f"{base}/owner", {"user_id": str(shop.ann.id)}) == (403, "role_forbids")
        assert self.call(alice, "post", f"{base}/leave") == (409, "owner_cannot_leave")
        assert self.call(alice, "post", f"{base}/owner", {"user_id": str(shop.alice.id)}) == (
            409,
            "owner_already",
        )
        assert self.call(alice, "post", f"{base}/owner", {"user_id": "x"}) == (422, "invalid")
        to_bob = {"user_id": str(shop.bob.id), "leave": True}
        assert self.call(alice, "post", f"{base}/owner", to_bob) == (200, "owner")
        assert alice.get(f"{base}/members").status_code == 404
        assert self.call(ann, "post", f"{base}/leave") == (204, None)
        assert ann.get(f"{base}/members").status_code == 404

    def test_a_browsers_session_does_not_pass_by_the_password(self, shop: Shop) -> None:
        client = shop.cast.browser(shop.alice)
        path = f"/api/v1/o/{shop.acme.slug}/owner"
        assert self.call(client, "post", path, {"user_id": str(shop.bob.id)})[0] == 403
        assert shop.role(shop.alice) == "owner"


class TestRaces:
    """Eight connections at the same moment; afterwards one owner, and an entry for what happened only."""

    TRIALS = 15

    def scene(self) -> tuple[Any, Workspace, User, list[User]]:
        cast = Lean()
        others = [cast.joined(passer_by(), "admin") for _ in range(4)]
        return cast, cast.acme, cast.alice, others

    def one_owner(self, cast: Any) -> User:
        with cast.inside(cast.acme):
            owner = Workspace.objects.get(id=cast.acme.id).owner_id
            assert Membership.objects.filter(user_id=owner, status="active", role="admin").count() == 1
            return owner

    def actions(self, cast: Any) -> list[str]:
        with cast.inside(cast.acme):
            return list(AuditEntry.objects.values_list("action", flat=True))

    def test_transfers_to_four_people_twice(self) -> None:
        for _ in range(self.TRIALS):
            cast, acme, owner, others = self.scene()
            by = cast.member(owner, acme)
            deeds = [partial(acting, cast, ownership.transfer, one.id, by=by) for one in others * 2]
            answers = at_once(*deeds)
            assert sorted(type(one).__name__ for one in answers) == ["Membership"] + ["RoleForbids"] * 7
            assert self.actions(cast) == ["ownership.transferred"]
            assert self.one_owner(cast) in {one.id for one in others}

    def test_transfer_beside_removal_leaving_and_demotion_of_the_receiver(self) -> None:
        for _ in range(self.TRIALS):
            cast, acme, owner, [bob, *others] = self.scene()
            by, admins = cast.member(owner, acme), [cast.member(one, acme) for one in others]
            transfers = [partial(acting, cast, ownership.transfer, bob.id, by=by)] * 2
            removals = [partial(acting, cast, memberships.remove, bob.id, by=one) for one in admins]
            demotions = [
                partial(acting, cast, memberships.change_role, bob.id, "member", by=one) for one in admins[:2]
            ]
            leaving = [partial(acting, cast, memberships.leave, by=cast.member(bob, acme))]
            answers = at_once(*transfers, *removals, *demotions, *leaving)
            known = {
                "Membership",
                "NoneType",
                "NotHere",
                "OwnerCannotBeRemoved",
                "OwnerCannotLeave",
                "RoleForbids",
            }
            assert {type(one).__name__ for one in answers} <= known
            done = [one for one in answers[:2] if isinstance(one, Membership)]
            ended = [one for one in [*answers[2:5], answers[7]] if one is None]
            assert len(done) + len(ended) == 1
            assert self.one_owner(cast) == (bob.id if done else owner.id)
            ends = {"member.removed", "member.left"} & set(self.actions(cast))
            assert (len(ends), self.actions(cast).count("ownership.transferred")) == (len(ended), len(done))
            assert isinstance(answers[0], Membership | NotHere) or done


class Lean(Cast):
    def person(self, name: str) -> User:
        return passer_by(name)


def acting(cast: Any, deed: Any, *args: Any, by: Any) -> Any:
    with cast.inside(cast.acme):
        return deed(*args, by=by)
