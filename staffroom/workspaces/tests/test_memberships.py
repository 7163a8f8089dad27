"""Roles, removal, leaving, transfer."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from staffroom.accounts.models import User
from staffroom.core.errors import Invalid, NotHere
from staffroom.workspaces import invitations, memberships, ownership, queries
from staffroom.workspaces.memberships import OwnerCannotBeRemoved, OwnerCannotLeave
from staffroom.workspaces.models import AuditEntry, Invitation, Membership, Workspace
from staffroom.workspaces.permissions import Role, RoleForbids
from tests.cast import Cast

from .races import TRIALS, at_once, passer_by


class Lean(Cast):
    """Without passwords."""

    def person(self, name: str) -> User:
        return passer_by(name)


@pytest.fixture
def cast() -> Cast:
    cast = Lean()
    cast.ann, cast.bob, cast.finn  # noqa: B018 - brings them on stage
    return cast


def does(cast: Cast, who: User, deed: Any, *args: Any, **kwargs: Any) -> Any:
    actor = cast.member(who, cast.acme)
    with cast.inside(cast.acme):
        return deed(*args, by=actor, **kwargs)


def log(cast: Cast) -> list[str]:
    with cast.inside(cast.acme):
        return list(AuditEntry.objects.order_by("number").values_list("action", flat=True))


def role(cast: Cast, who: User) -> Role | None:
    with cast.inside(cast.acme):
        found = queries.colleague(cast.member(cast.alice, cast.acme), who.id)
    return found.role if found else None


def test_owner_and_admins_change_roles(cast: Cast) -> None:
    does(cast, cast.ann, memberships.change_role, cast.bob.id, "admin")
    does(cast, cast.alice, memberships.change_role, cast.ann.id, "member")
    does(cast, cast.alice, memberships.change_role, cast.ann.id, "member")
    assert (role(cast, cast.bob), role(cast, cast.ann)) == (Role.ADMIN, Role.MEMBER)
    assert log(cast) == ["member.role_changed"] * 2


def test_nobody_else_and_never_the_owner(cast: Cast) -> None:
    for who, target, wished, refusal in [
        (cast.bob, cast.bob, "admin", RoleForbids),
        (cast.bob, cast.ann, "member", RoleForbids),
        (cast.ann, cast.alice, "member", OwnerCannotBeRemoved),
        (cast.ann, cast.bob, "owner", Invalid),
        (cast.ann, cast.finn, "admin", NotHere),
        (cast.ann, cast.sam, "admin", NotHere),
    ]:
        with pytest.raises(refusal):
            does(cast, who, memberships.change_role, target.id, wished)
    assert log(cast) == []


def test_removal_ends_the_membership_and_what_the_person_sent_out(cast: Cast) -> None:
    does(cast, cast.ann, invitations.invite, email=f"x-{uuid4().hex}@example.com", role="member")
    does(cast, cast.alice, memberships.remove, cast.ann.id)
    assert role(cast, cast.ann) is None
    assert log(cast) == ["invitation.sent", "member.removed", "invitation.revoked"]
    with cast.inside(cast.acme):
        assert Invitation.objects.filter(state="pending").count() == 0
    assert cast.browser(cast.ann).get(f"/o/{cast.acme.slug}/organization").status_code == 404


def test_a_demoted_admins_invitations_die_too(cast: Cast) -> None:
    does(cast, cast.ann, invitations.invite, email=f"x-{uuid4().hex}@example.com", role="member")
    does(cast, cast.ann, memberships.change_role, cast.ann.id, "member")
    assert log(cast)[-2:] == ["member.role_changed", "invitation.revoked"]


def test_the_owner_stays(cast: Cast) -> None:
    with pytest.raises(OwnerCannotBeRemoved) as removed:
        does(cast, cast.ann, memberships.remove, cast.alice.id)
    with pytest.raises(OwnerCannotLeave) as left:
        does(cast, cast.alice, memberships.leave)
    assert [error.value.code for error in (removed, left)] == [
        "owner_cannot_be_removed",
        "owner_cannot_leave",
    ]


def test_members_leave_by_themselves(cast: Cast) -> None:
    does(cast, cast.bob, memberships.leave)
    assert role(cast, cast.bob) is None
    with pytest.raises(LookupError):
        cast.member(cast.bob, cast.acme)


def test_a_transfer_makes_the_former_owner_an_admin_or_lets_them_go(cast: Cast) -> None:
    does(cast, cast.alice, ownership.transfer, cast.bob.id)
    assert cast.member(cast.bob, cast.acme).role == Role.OWNER
    assert cast.member(cast.alice, cast.acme).role == Role.ADMIN
    does(cast, cast.bob, ownership.transfer, cast.ann.id, leave=True)
    assert cast.member(cast.ann, cast.acme).role == Role.OWNER
    with pytest.raises(LookupError):
        cast.member(cast.bob, cast.acme)
    assert log(cast) == ["ownership.transferred", "ownership.transferred", "member.left"]


def test_only_the_owner_transfers_and_only_to_active_members(cast: Cast) -> None:
    for who, target, refusal in [
        (cast.ann, cast.ann, RoleForbids),
        (cast.bob, cast.bob, RoleForbids),
        (cast.alice, cast.finn, NotHere),
        (cast.alice, cast.sam, NotHere),
        (cast.alice, cast.alice, ownership.OwnerAlready),
    ]:
        with pytest.raises(refusal):
            does(cast, who, ownership.transfer, target.id)


def one_owner(cast: Cast) -> None:
    with cast.inside(cast.acme):
        owner = Workspace.objects.get(id=cast.acme.id).owner_id
        assert Membership.objects.filter(user_id=owner, status="active", role="admin").count() == 1


def test_transfers_at_the_same_moment_leave_one_owner() -> None:
    for _ in range(TRIALS // 2):
        cast = Lean()
        owner = cast.member(cast.alice, cast.acme)
        targets = [cast.ann.id, cast.bob.id]

        def transfer(cast: Cast, owner: Any, target: Any) -> Any:
            with cast.inside(cast.acme):
                return ownership.transfer(target, by=owner)

        answers = at_once(*(partial(transfer, cast, owner, target) for target in targets))
        assert sorted(type(one).__name__ for one in answers) == ["Membership", "RoleForbids"]
        one_owner(cast)


def test_transfer_beside_the_receivers_leaving() -> None:
    for _ in range(TRIALS // 2):
        cast = Lean()
        owner, bob = (
            cast.member(cast.alice, cast.acme),
            cast.member(cast.joined(cast.sam, "member"), cast.acme),
        )

        def act(cast: Cast, deed: Any, *args: Any, by: Any) -> Any:
            with cast.inside(cast.acme):
                return deed(*args, by=by)

        transferred, left = at_once(
            partial(act, cast, ownership.transfer, cast.sam.id, by=owner),
            partial(act, cast, memberships.leave, by=bob),
        )
        assert (isinstance(transferred, NotHere), left) == (True, None) or isinstance(left, OwnerCannotLeave)
        one_owner(cast)
