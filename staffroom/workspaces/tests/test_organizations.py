"""Founding, renaming, moving."""

from __future__ import annotations

from functools import partial
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from staffroom.core.errors import Invalid, NotHere
from staffroom.workspaces import organizations, queries, slugs
from staffroom.workspaces.models import AuditEntry, Membership, Workspace
from staffroom.workspaces.permissions import Role, RoleForbids
from tests.cast import Cast

from .races import TRIALS, at_once


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


def entries(cast: Cast, workspace: Workspace) -> list[str]:
    with cast.inside(workspace):
        return list(AuditEntry.objects.order_by("number").values_list("action", flat=True))


def test_the_founder_owns_it_and_the_log_says_so(cast: Cast) -> None:
    made = organizations.found(f"  Nord  {cast.mark}\n", by=cast.alice)
    assert (made.name, made.slug) == (f"Nord {cast.mark}", f"nord-{cast.mark}")
    assert cast.member(cast.alice, made).role == Role.OWNER
    assert entries(cast, made) == ["organization.founded"]
    assert queries.last_used(cast.alice.id).id == made.id


def test_a_repeated_submit_makes_one_organization(cast: Cast) -> None:
    form = uuid4()
    first = organizations.found("Twice", by=cast.alice, founding_key=form, slug=f"twice-{cast.mark}")
    again = organizations.found("Twice", by=cast.alice, founding_key=form, slug=f"twice-{cast.mark}")
    assert again.id == first.id
    assert entries(cast, first) == ["organization.founded"]
    assert organizations.found("Twice", by=cast.sam, founding_key=form).id != first.id


def test_repeated_submits_at_the_same_moment_make_one(cast: Cast) -> None:
    for trial in range(TRIALS):
        form = uuid4()
        deed = partial(organizations.found, f"Rush {trial}", by=cast.alice, founding_key=form)
        made = at_once(deed, deed, deed)
        assert len({one.id for one in made}) == 1
        assert entries(cast, made[0]) == ["organization.founded"]


def test_of_two_who_want_one_slug_at_the_same_moment_one_gets_it(cast: Cast) -> None:
    for trial in range(TRIALS):
        slug = f"race-{trial}-{cast.mark}"
        made = at_once(
            partial(organizations.found, "Mine", by=cast.alice, slug=slug),
            partial(organizations.found, "Mine", by=cast.sam, slug=slug),
        )
        assert sorted(type(one).__name__ for one in made) == ["SlugTaken", "Workspace"], made


def test_two_of_one_name_at_the_same_moment_get_two_slugs(cast: Cast) -> None:
    for trial in range(TRIALS):
        made = at_once(
            *(
                partial(organizations.found, f"Same {trial} {cast.mark}", by=who)
                for who in (cast.alice, cast.sam)
            )
        )
        assert {one.slug for one in made} == {f"same-{trial}-{cast.mark}", f"same-{trial}-{cast.mark}-2"}


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Acme\u0000\u0007 Inc", "Acme Inc"),
        ("Ac\u200bme", "Acme"),
        ("\u202eemcA\u202c", "emcA"),
        ("\ufeffAcme\u2066", "Acme"),
        ("e\u0301cole", "école"),
        ("مقهى الميناء", "مقهى الميناء"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👨\u200d👩\u200d👧 Family", "👨\u200d👩\u200d👧 Family"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("half \ud83d pair", "half pair"),
        ("x" * 80, "x" * 80),
    ],
)
def test_names_are_kept_as_they_read(cast: Cast, typed: str, kept: str) -> None:
    assert organizations.found(typed, by=cast.alice).name == kept


@pytest.mark.parametrize(
    "typed",
    ["", "   ", "\u200b\u200b", "\u2060", "\u3164", "\u2800\u2800", "\u00ad", "\u200d", "\t\n", "\u0301", "\ud800",
     "x" * 81, "x" * 10_000, "\u202e" * 10_000, None, 7],
)  # fmt: skip
def test_names_that_nobody_could_read_are_refused(cast: Cast, typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        organizations.found(typed, by=cast.alice)
    assert list(refused.value.errors) == ["name"]


def test_both_fields_complain_at_once_and_the_code_is_the_slugs(cast: Cast) -> None:
    with pytest.raises(Invalid) as refused:
        organizations.found("", slug="-", by=cast.alice)
    assert set(refused.value.errors) == {"name", "slug"}
    assert refused.value.code == "slug_malformed"


def test_founding_costs_the_same_whatever_else_there_is(cast: Cast) -> None:
    with CaptureQueriesContext(connection) as first:
        organizations.found(f"Count {cast.mark}", by=cast.alice)
    for number in range(5):
        organizations.found(f"More {number} {cast.mark}", by=cast.alice)
    with CaptureQueriesContext(connection) as later:
        organizations.found(f"Again {cast.mark}", by=cast.alice)
    assert len(first) == len(later)


def test_renaming_is_for_owner_and_admins_and_leaves_an_entry(cast: Cast) -> None:
    shop = organizations.found("Shop", by=cast.alice)
    owner = cast.member(cast.alice, shop)
    with cast.inside(shop):
        assert organizations.change(by=owner, name=" The  Shop ").name == "The Shop"
        organizations.change(by=owner, name="The Shop", slug=shop.slug)
    assert entries(cast, shop) == ["organization.founded", "organization.renamed"]
    bob = cast.joined(cast.person("barry"), Membership.MEMBER, workspace=shop)
    with pytest.raises(RoleForbids), cast.inside(shop):
        organizations.change(by=cast.member(bob, shop), name="Bob's")


def test_a_former_slug_leads_to_the_organization_and_is_held(cast: Cast) -> None:
    shop = organizations.found("Mover", by=cast.alice)
    former, new = shop.slug, f"moved-{cast.mark}"
    with cast.inside(shop):
        organizations.change(by=cast.member(cast.alice, shop), slug=new.upper())
    answer = cast.browser(cast.alice).get(f"/api/v1/o/{former}?x=1")
    assert (answer.status_code, answer.headers["Location"]) == (308, f"/api/v1/o/{new}?x=1")
    with pytest.raises(slugs.SlugTaken):
        organizations.found("Thief", by=cast.sam, slug=former)
    with cast.inside(shop):
        organizations.change(by=cast.member(cast.alice, shop), slug=former)
    assert cast.browser(cast.alice).get(f"/api/v1/o/{former}").status_code == 200


def test_who_was_removed_meanwhile_changes_nothing(cast: Cast) -> None:
    shop = organizations.found("Late", by=cast.alice)
    ann = cast.joined(cast.person("amy"), Membership.ADMIN, workspace=shop)
    actor = cast.member(ann, shop)
    with cast.inside(shop):
        Membership.objects.filter(user_id=ann.id).update(status=Membership.REMOVED)
    with pytest.raises(NotHere), cast.inside(shop):
        organizations.change(by=actor, name="Mine now")


def test_an_owner_without_a_membership_cannot_be_written(cast: Cast) -> None:
    shop = organizations.found("Owned", by=cast.alice)
    for column, value in (("status", Membership.LEFT), ("role", Membership.MEMBER)):
        with pytest.raises(DatabaseError, match="owner of a workspace"), cast.inside(shop):
            Membership.objects.filter(user_id=cast.alice.id).update(**{column: value})
    with pytest.raises(DatabaseError, match="owner of a workspace"), cast.inside(shop):
        Membership.objects.filter(user_id=cast.alice.id).delete()
    with pytest.raises(DatabaseError, match="owner of a workspace"), cast.inside(shop):
        Workspace.objects.filter(id=shop.id).update(owner=cast.sam)
    with pytest.raises(DatabaseError, match="null value"), cast.inside(shop):
        Workspace.objects.filter(id=shop.id).update(owner=None)
