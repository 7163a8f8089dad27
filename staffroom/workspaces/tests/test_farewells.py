"""A person's account is deleted: what stands in the way, what follows, and what is left."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator

from staffroom.accounts import people
from staffroom.accounts.models import Session, User
from staffroom.chats import conversations, takeovers
from staffroom.chats.models import Message
from staffroom.core import mailbox
from staffroom.core.errors import NotHere
from staffroom.core.scope import workspace_scope
from staffroom.employees import roster
from staffroom.workspaces import deletion, erasing, farewells, invitations, organizations, ownership, queries
from staffroom.workspaces.farewells import OwnsOrganizations
from staffroom.workspaces.members import Member
from staffroom.workspaces.models import AuditEntry, Invitation, Workspace
from tests.cast import PASSWORD, Cast
from tests.owner import as_owner

from .races import TRIALS, at_once, passer_by

PAGE = "/accounts/deletion"


@pytest.fixture(scope="module")
def cast() -> Cast:
    cast = Cast()
    cast.sam  # noqa: B018 - brings him on stage
    return cast


@pytest.fixture
def dora(cast: Cast) -> User:
    """An admin of Acme and a member of Rival."""
    dora = passer_by("dora")
    cast.joined(dora, "admin")
    cast.joined(dora, "member", workspace=cast.rival)
    return dora


def log(cast: Cast, workspace: Workspace, user: User) -> list[str]:
    with cast.inside(workspace):
        found = AuditEntry.objects.filter(actor__user=str(user.id)).order_by("number")
        return list(found.values_list("action", flat=True))


def html(answer: Any) -> str:
    return str(answer.content.decode())


class TestWhatStandsInTheWay:
    def test_an_organization_that_one_owns_with_both_ways_out(self, cast: Cast) -> None:
        owner = cast.person("olga")
        place = cast.organization("Own", owner)
        page = html(cast.browser(owner).get(PAGE))
        assert f"/o/{place.slug}/organization?tab=members" in page
        assert f"/o/{place.slug}/organization/deletion" in page
        assert cast.browser(owner).post(PAGE, {"password": PASSWORD}).status_code == 409
        with pytest.raises(OwnsOrganizations):
            farewells.depart(owner)
        assert User.objects.get(id=owner.id).email == owner.email

    def test_one_in_its_grace_time_too_until_it_is_given_up(self, cast: Cast) -> None:
        owner = passer_by("olga")
        place = cast.organization("Own", owner)
        with cast.inside(place):
            deletion.close(by=cast.member(owner, place), confirm=place.slug or "")
        assert f"/organizations/{place.id}/deletion" in html(cast.browser(owner).get(PAGE))
        with pytest.raises(OwnsOrganizations):
            farewells.depart(owner)
        with cast.inside(place):
            deletion.hasten(by=deletion.closed_for_owner(owner, place.id))
        farewells.depart(owner)
        list(erasing.steps(place.id))
        assert (
            as_owner("SELECT 1 FROM workspaces_workspace WHERE owner_id = %s AND slug IS NOT NULL", owner.id)
            == []
        )

    def test_nothing_is_half_done(self, cast: Cast, dora: User) -> None:
        cast.organization("Own", dora)
        with pytest.raises(OwnsOrganizations):
            farewells.depart(dora)
        assert len(queries.contexts(dora.id)) == 4

    def test_the_password_is_asked_for_and_wrong_ones_are_counted(self, cast: Cast) -> None:
        pam = cast.person("pam")
        browser = cast.browser(pam)
        assert [browser.post(PAGE, {"password": "no"}).status_code for _ in range(11)] == [422] * 10 + [429]
        assert User.objects.get(id=pam.id).is_active

    def test_strangers_sign_in_first(self, cast: Cast) -> None:
        assert cast.browser().get(PAGE)["Location"].startswith("/accounts/login/")


class TestWhatFollows:
    def test_it_is_said_before(self, cast: Cast, dora: User) -> None:
        page = html(cast.browser(dora).get(PAGE))
        assert all(name in page for name in ("Acme", "Rival", "Delete account", "cannot be restored"))
        assert PAGE in html(cast.browser(dora).get("/accounts/settings"))

    def test_every_membership_ends_as_if_one_had_left(self, cast: Cast, dora: User) -> None:
        with cast.inside(cast.acme):
            invitations.invite(
                email=f"{uuid4().hex}@example.com", role="member", by=cast.member(dora, cast.acme)
            )
        farewells.depart(dora)
        assert log(cast, cast.acme, dora) == ["invitation.sent", "member.left", "invitation.revoked"]
        assert log(cast, cast.rival, dora) == ["member.left"]
        with cast.inside(cast.acme):
            assert not Invitation.objects.filter(invited_by_id=dora.id, state="pending").exists()
            assert queries.colleague(cast.member(cast.alice, cast.acme), dora.id) is None

    def test_a_closed_organization_opens_again_without_the_person(self, cast: Cast, dora: User) -> None:
        place = cast.organization("Shut", cast.sam)
        cast.joined(dora, "member", workspace=place)
        with cast.inside(place):
            deletion.close(by=cast.member(cast.sam, place), confirm=place.slug or "")
        farewells.depart(dora)
        with cast.inside(place):
            deletion.cancel(by=deletion.closed_for_owner(cast.sam, place.id))
            assert queries.member_count(cast.member(cast.sam, place)) == 1

    def test_sessions_keys_and_factors_end(self, cast: Cast, dora: User) -> None:
        browser, api = cast.browser(dora), cast.api(cast.key(dora))
        Authenticator.objects.create(user=dora, type="totp", data={})
        assert (browser.get("/me/").status_code, api.get("/api/v1/user").status_code) == (200, 200)
        farewells.depart(dora)
        assert (browser.get("/me/").status_code, api.get("/api/v1/user").status_code) == (302, 401)
        for model in (Session, Authenticator, EmailAddress):
            assert not model.objects.filter(user_id=dora.id).exists()

    def test_the_personal_account_goes_the_way_of_every_deletion(self, cast: Cast, dora: User) -> None:
        home = cast.member(dora).workspace_id
        with workspace_scope(home):
            roster.hire("Mine", by=cast.member(dora))
        farewells.depart(dora)
        list(erasing.steps(home))
        assert as_owner("SELECT 1 FROM workspaces_workspace WHERE id = %s", home) == []
        kept = as_owner(
            "SELECT kind, slug, finished_at IS NULL FROM workspaces_certificate WHERE workspace = %s", home
        )
        assert kept == [("personal", "", False)]

    def test_nothing_is_left_by_which_the_person_is_known(self, cast: Cast, dora: User) -> None:
        farewells.depart(dora)
        [row] = as_owner("SELECT to_jsonb(u)::text FROM accounts_user u WHERE id = %s", dora.id)
        assert dora.name not in row[0]
        assert dora.email not in row[0]
        left = User.objects.get(id=dora.id)
        assert (left.is_active, left.is_staff, left.has_usable_password()) == (False, False, False)
        letter = next(one for one in mailbox.letters() if one.to == dora.email)
        assert letter.subject == "Your account is deleted"

    def test_the_address_is_free_for_a_new_account(self, cast: Cast) -> None:
        pia = passer_by("pia")
        farewells.depart(pia)
        again = people.add(pia.email, name="Pia", password=None, verified=True)  # type: ignore[arg-type]
        assert again.id != pia.id
        assert [one.slug for one in queries.contexts(again.id)] == [None]

    def test_what_was_written_in_organizations_stays_under_the_name_as_it_was(
        self, cast: Cast, dora: User
    ) -> None:
        with cast.inside(cast.acme):
            chat = conversations.start(roster.hire("Mira", by="system").id, by="system")
            takeovers.write(chat.id, "Hello.", by=cast.member(dora, cast.acme))
        farewells.depart(dora)
        with cast.inside(cast.acme):
            assert Message.objects.values_list("name", "user_id").get(chat_id=chat.id) == ("Dora", dora.id)

    def test_in_the_page(self, cast: Cast) -> None:
        pam = cast.person("pim")
        browser = cast.browser(pam)
        done = browser.post(PAGE, {"password": PASSWORD})
        assert done["Location"] == "/accounts/login/"
        assert "Your account is deleted." in html(browser.get("/accounts/login/"))
        sign_in = browser.post("/accounts/login/", {"login": pam.email, "password": PASSWORD})
        assert sign_in.status_code == 200


class TestRaces:
    def test_with_founding_nobody_owns_an_organization_who_is_gone(self) -> None:
        for _ in range(TRIALS):
            eve = passer_by("eve")
            founded, departed = at_once(
                partial(organizations.found, f"Eve {uuid4().hex}", by=eve), partial(farewells.depart, eve)
            )
            if isinstance(founded, Workspace):
                assert isinstance(departed, OwnsOrganizations)
            else:
                assert (type(founded), departed) == (NotHere, None)

    def test_with_joining_nobody_is_a_member_who_is_gone(self, cast: Cast) -> None:
        for _ in range(TRIALS):
            eve = passer_by("eve")
            place = cast.organization("Place", cast.sam)
            with cast.inside(place):
                _, token = invitations.invite(email=eve.email, role="member", by=cast.member(cast.sam, place))
            joined, departed = at_once(
                partial(invitations.accept, token, user=eve), partial(farewells.depart, eve)
            )
            assert departed is None
            assert isinstance(
                joined, Member | NotHere | invitations.EmailUnverified | invitations.WrongAccount
            )
            active = "SELECT count(*) FROM workspaces_membership WHERE user_id = %s AND status = 'active' AND workspace_id = %s"
            assert as_owner(active, eve.id, place.id) == [(0,)]

    def test_with_a_transfer_to_the_person(self, cast: Cast) -> None:
        for _ in range(TRIALS):
            eve = passer_by("eve")
            place = cast.organization("Place", cast.sam)
            cast.joined(eve, "admin", workspace=place)

            def transfer(place: Workspace, eve: User, by: Member) -> Any:
                with workspace_scope(place.id):
                    return ownership.transfer(eve.id, by=by)

            given, departed = at_once(
                partial(transfer, place, eve, cast.member(cast.sam, place)), partial(farewells.depart, eve)
            )
            owner = as_owner(
                "SELECT u.is_active FROM workspaces_workspace w JOIN accounts_user u ON u.id = w.owner_id WHERE w.id = %s",
                place.id,
            )
            assert owner == [(True,)]
            assert isinstance(given, NotHere) != isinstance(departed, OwnsOrganizations)
