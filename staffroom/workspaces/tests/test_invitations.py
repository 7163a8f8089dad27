"""Inviting and answering."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from staffroom.accounts import people
from staffroom.accounts.models import User
from staffroom.core import mailbox
from staffroom.core.errors import Invalid, NotHere, TooMany
from staffroom.core.ids import new_id
from staffroom.workspaces import invitations, keys, memberships, ownership, standing
from staffroom.workspaces.invitations import AlreadyMember, EmailUnverified, InvitationGone, WrongAccount
from staffroom.workspaces.members import Member
from staffroom.workspaces.models import AuditEntry, Invitation, Membership, Workspace
from staffroom.workspaces.permissions import Role, RoleForbids
from tests.cast import Cast

from .races import TRIALS, at_once, passer_by


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


@pytest.fixture
def dora() -> User:
    """Somebody new, with a verified account."""
    return passer_by()


def invite(
    cast: Cast, address: str, role: str = "member", *, by: User | None = None
) -> tuple[Invitation, str]:
    with cast.inside(cast.acme):
        return invitations.invite(email=address, role=role, by=cast.member(by or cast.alice, cast.acme))


def revoke(cast: Cast, invitation: Invitation) -> None:
    with cast.inside(cast.acme):
        invitations.revoke(invitation.id, by=cast.member(cast.alice, cast.acme))


def rows(cast: Cast, user: User) -> list[Membership]:
    with cast.inside(cast.acme):
        return list(Membership.objects.filter(user_id=user.id))


def entries(cast: Cast, action: str, workspace: Workspace | None = None) -> int:
    with cast.inside(workspace or cast.acme):
        return AuditEntry.objects.filter(action=action).count()


def letters(address: str) -> list[mailbox.Letter]:
    return [letter for letter in mailbox.letters(300) if letter.to == address]


class TestInviting:
    def test_the_link_is_ours_and_the_table_holds_only_its_hash(self, cast: Cast, dora: User) -> None:
        invitation, token = invite(cast, dora.email)
        assert invitations.link(token) == f"{settings.PUBLIC_URL}/invitations/{token}"
        assert bytes(invitation.token_hash) == keys.hashed(token)
        assert timedelta(days=6.99) < invitation.expires_at - timezone.now() <= timedelta(days=7)
        assert invitations.token_of(invitation) == token

    def test_the_mail_says_who_to_what_as_what_until_when(self, cast: Cast, dora: User) -> None:
        invitation, token = invite(cast, dora.email, "admin", by=cast.ann)
        [letter] = letters(dora.email)
        assert letter.subject == "Ann invites you to Acme"
        for text in (letter.text, letter.html):
            for said in ("Ann", "Acme", "admin", str(invitation.expires_at.year), "UTC", cast.ann.email):
                assert said in text
            assert f"{settings.PUBLIC_URL}/invitations/{token}." in text

    def test_nothing_is_mailed_when_the_sentence_is_rolled_back(self, cast: Cast, dora: User) -> None:
        with cast.inside(cast.acme):
            invitations.invite(email=dora.email, role="member", by=cast.member(cast.alice, cast.acme))
            transaction.set_rollback(True)
        assert letters(dora.email) == []

    def test_hostile_names_stay_words(self, cast: Cast) -> None:
        evil = people.add(
            f"evil-{uuid4().hex[-6:]}@example.com", name="<img src=x>\r\nBcc: all@example.com http://evil.example/win",
            password="x" * 12, verified=True,
        )  # fmt: skip
        shop = cast.organization("Prize", evil)
        with cast.inside(shop):
            Workspace.objects.update(name="</b><a href='https://evil.example'>\u202egnp.exe")
            invitations.invite(email="victim@example.com", role="member", by=cast.member(evil, shop))
        [letter] = letters("victim@example.com")
        file = (settings.MAIL_FOLDER / f"{letter.name}.eml").read_text()
        assert "\nBcc" not in file
        assert len(letter.subject.splitlines()) == 1
        assert "<img" not in letter.html
        assert "<a href='" not in letter.html
        for text in (letter.subject, letter.text, letter.html):
            assert "http://evil" not in text
            assert "https://evil.example" not in text
            assert "evil.example" not in text
            assert "\u202e" not in text

    def test_inviting_again_renews_the_one_that_is_pending(self, cast: Cast, dora: User) -> None:
        first, former = invite(cast, dora.email, "member")
        second, token = invite(cast, dora.email.upper(), "admin")
        assert second.id == first.id
        with pytest.raises(InvitationGone):
            invitations.offer(former)
        assert invitations.offer(token).role == Role.ADMIN

    def test_one_pending_for_an_address_however_it_is_written(self, cast: Cast) -> None:
        mark = uuid4().hex[-6:]
        for address in (
            f"Grüße@x{mark}.de",
            f"name@x{mark}.example",
            f"NAME@X{mark}.EXAMPLE",
            f"ｎame@x{mark}.example",
        ):
            try:
                invite(cast, address)
            except Invalid:
                continue
        with cast.inside(cast.acme):
            assert Invitation.objects.filter(email_norm__contains=mark).count() == 1

    @pytest.mark.parametrize(
        "address",
        ["", "nobody", "a@b", "a@b@c.example", "a b@example.com", "x@example.com\r\nBcc: y@example.com",
         "x@example.com,y@example.com", "<x@example.com>", "x" * 10_000 + "@example.com", "\u202ex@example.com",
         "x@exam\u200bple.com", "\ud800@example.com", "a@" + "㎒" * 60 + ".example", None, 7],
    )  # fmt: skip
    def test_addresses_in_every_wrong_form(self, cast: Cast, address: str) -> None:
        with pytest.raises(Invalid) as refused:
            invite(cast, address)
        assert list(refused.value.errors) == ["email"]

    @pytest.mark.parametrize("role", ["owner", "", "Admin", "superuser", None])
    def test_only_admin_or_member(self, cast: Cast, role: str) -> None:
        with pytest.raises(Invalid) as refused:
            invite(cast, "somebody@example.com", role)
        assert list(refused.value.errors) == ["role"]

    def test_members_invite_nobody_and_see_no_invitations(self, cast: Cast, dora: User) -> None:
        with pytest.raises(RoleForbids):
            invite(cast, dora.email, by=cast.bob)
        with pytest.raises(RoleForbids), cast.inside(cast.acme):
            invitations.pending(cast.member(cast.bob, cast.acme))

    def test_an_organizations_key_invites_and_is_asked_again_at_once(self, cast: Cast, dora: User) -> None:
        from staffroom.workspaces.models import ApiKey

        token = cast.organization_key(cast.acme)
        with cast.inside(cast.acme):
            key = ApiKey.objects.get(hash=keys.hashed(token))
            actor = Member(
                cast.acme.id, "organization", cast.acme.slug, "Acme", Role.ADMIN, None, key_id=key.id
            )
            _, link = invitations.invite(email=dora.email, role="member", by=actor)
            ApiKey.objects.filter(id=key.id).update(revoked_at=timezone.now())
            with pytest.raises(NotHere):
                invitations.invite(email="more@example.com", role="member", by=actor)
        assert invitations.accept(link, user=dora).role == Role.MEMBER
        assert "You are invited" in letters(dora.email)[0].text

    def test_who_is_a_member_needs_no_invitation(self, cast: Cast) -> None:
        with pytest.raises(AlreadyMember) as refused:
            invite(cast, cast.bob.email.upper())
        assert (refused.value.code, refused.value.status) == ("already_member", 409)

    def test_five_a_day_to_one_address(self, cast: Cast, dora: User) -> None:
        for _ in range(5):
            invite(cast, dora.email)
        with pytest.raises(TooMany) as refused:
            invite(cast, dora.email)
        assert 86_000 < refused.value.retry_after <= 86_400

    def test_a_hundred_a_day_for_an_organization(self, cast: Cast) -> None:
        busy = cast.organization("Busy", cast.alice)
        with cast.inside(busy):
            actor = cast.member(cast.alice, busy)
            for number in range(100):
                invitations.invite(email=f"n{number}-{cast.mark}@example.com", role="member", by=actor)
            with pytest.raises(TooMany):
                invitations.invite(email=f"n100-{cast.mark}@example.com", role="member", by=actor)

    def test_resending_gives_a_new_link_and_seven_new_days(self, cast: Cast, dora: User) -> None:
        invitation, former = invite(cast, dora.email)
        with cast.inside(cast.acme):
            Invitation.objects.filter(id=invitation.id).update(expires_at=timezone.now() - timedelta(hours=1))
            again, token = invitations.resend(invitation.id, by=cast.member(cast.ann, cast.acme))
            [shown] = [
                one
                for one in invitations.pending(cast.member(cast.ann, cast.acme)).items
                if one.id == again.id
            ]
            assert (shown.invited_by, shown.is_expired) == ("Ann", False)
            assert invitations.token_of(shown) == token
        with pytest.raises(InvitationGone):
            invitations.offer(former)
        assert invitations.accept(token, user=dora).slug == cast.acme.slug
        assert len(letters(dora.email)) == 2

    def test_revoking_kills_the_link_and_only_ones_own(self, cast: Cast, dora: User) -> None:
        invitation, token = invite(cast, dora.email)
        with cast.inside(cast.rival), pytest.raises(NotHere):
            invitations.revoke(invitation.id, by=cast.member(cast.sam, cast.rival))
        revoke(cast, invitation)
        with pytest.raises(InvitationGone):
            invitations.accept(token, user=dora)
        with pytest.raises(NotHere):
            revoke(cast, invitation)

    def test_the_list_comes_in_pages_with_a_constant_number_of_queries(self, cast: Cast) -> None:
        shop = cast.organization("Pages", cast.alice)
        with cast.inside(shop):
            actor = cast.member(cast.alice, shop)
            sent = [
                invitations.invite(email=f"p{n}@{cast.mark}.example", role="member", by=actor)[0].id
                for n in range(7)
            ]
            with CaptureQueriesContext(connection) as asked:
                first = invitations.pending(actor, limit=5)
            rest = invitations.pending(actor, first.next, limit=5)
            assert len(asked) == 1
            assert [one.id for one in [*first.items, *rest.items]] == sent[::-1]
            assert rest.next is None


class TestAccepting:
    def test_one_lands_inside_with_the_role_of_the_invitation(self, cast: Cast, dora: User) -> None:
        _, token = invite(cast, dora.email, "admin")
        member = invitations.accept(token, user=dora)
        assert (member.slug, member.role, member.url()) == (
            cast.acme.slug,
            Role.ADMIN,
            f"/o/{cast.acme.slug}/",
        )
        assert cast.member(dora, cast.acme).role == Role.ADMIN
        assert cast.browser(dora).get("/chats").headers["Location"] == f"/o/{cast.acme.slug}/chats"

    def test_by_its_id_from_the_list_of_ones_own(self, cast: Cast, dora: User) -> None:
        invite(cast, dora.email)
        [offer] = invitations.offers_to(dora)
        assert (offer.organization, offer.role, offer.invited_by) == ("Acme", Role.MEMBER, "Alice")
        assert invitations.accept(offer.id, user=dora).slug == cast.acme.slug
        assert invitations.offers_to(dora) == []

    def test_the_mailed_link_opens_like_the_copied_one_and_only_it_is_mailed(
        self, cast: Cast, dora: User
    ) -> None:
        _, token = invite(cast, dora.email)
        mailed = re.search(r"/invitations/(\S+)", letters(dora.email)[0].text)[1]  # type: ignore[index]
        assert mailed.startswith(f"{token}.")
        assert invitations.is_mailed(mailed)
        for other in (token, f"{token}.", f"{token}.{'x' * 24}", f"x{mailed}", mailed[:-1], f"{token}.ä"):
            assert not invitations.is_mailed(other)
        assert invitations.accept(mailed, user=dora).role == Role.MEMBER

    def test_the_wrong_account_is_told_both_addresses(self, cast: Cast, dora: User) -> None:
        _, token = invite(cast, dora.email)
        with pytest.raises(WrongAccount) as refused:
            invitations.accept(token, user=cast.sam)
        assert (refused.value.code, refused.value.status) == ("wrong_account", 403)
        assert dora.email in str(refused.value)
        assert cast.sam.email in str(refused.value)
        assert rows(cast, cast.sam) == []

    def test_an_unverified_address_opens_nothing(self, cast: Cast, dora: User) -> None:
        invitation, token = invite(cast, dora.email)
        EmailAddress.objects.filter(user=dora).update(verified=False)
        for key in (token, invitation.id):
            with pytest.raises(EmailUnverified) as refused:
                invitations.accept(key, user=dora)
            assert (refused.value.code, refused.value.status) == ("email_unverified", 403)
        assert invitations.offers_to(dora) == []

    def test_every_dead_link_gives_the_same_answer(self, cast: Cast, dora: User) -> None:
        expired, expired_token = invite(cast, dora.email)
        with cast.inside(cast.acme):
            Invitation.objects.filter(id=expired.id).update(expires_at=timezone.now() - timedelta(seconds=1))
        other, foreign_token = invite(cast, f"other-{dora.email}")
        answers = set()
        for key in (
            expired_token,
            expired.id,
            other.id,
            new_id(),
            "",
            "x",
            "\0",
            "\ud800",
            "../..",
            "x" * 10_000,
            "؀",
        ):
            with pytest.raises(InvitationGone) as gone:
                invitations.accept(key, user=dora, came_from=uuid4())
            answers.add((gone.value.code, gone.value.status, str(gone.value)))
        assert len(answers) == 1
        assert answers.pop()[:2] == ("invitation_gone", 404)
        assert invitations.offer(foreign_token).email == f"other-{dora.email}"

    def test_a_used_link_is_dead(self, cast: Cast, dora: User) -> None:
        _, token = invite(cast, dora.email)
        invitations.accept(token, user=dora)
        with pytest.raises(InvitationGone):
            invitations.accept(token, user=dora)
        assert len(rows(cast, dora)) == 1

    def test_everything_is_asked_again(self, cast: Cast, dora: User) -> None:
        amy = cast.joined(passer_by("amy"), Membership.ADMIN)
        _, token = invite(cast, dora.email, by=amy)
        with cast.inside(cast.acme):
            Membership.objects.filter(user_id=amy.id).update(role=Membership.MEMBER)
        with pytest.raises(InvitationGone):
            invitations.accept(token, user=dora)
        with cast.inside(cast.acme):
            Membership.objects.filter(user_id=amy.id).update(role=Membership.ADMIN, status=Membership.LEFT)
        with pytest.raises(InvitationGone):
            invitations.accept(token, user=dora)
        with cast.inside(cast.acme):
            Membership.objects.filter(user_id=amy.id).update(status=Membership.ACTIVE)
        assert invitations.accept(token, user=dora).role == Role.MEMBER

    def test_a_closed_organization_lets_nobody_in(self, cast: Cast, dora: User) -> None:
        shop = cast.organization("Closing", cast.alice)
        with cast.inside(shop):
            _, token = invitations.invite(email=dora.email, role="member", by=cast.member(cast.alice, shop))
            Workspace.objects.filter(id=shop.id).update(closed_at=timezone.now())
        with pytest.raises(InvitationGone):
            invitations.accept(token, user=dora)
        assert invitations.offers_to(dora) == []

    def test_a_former_member_returns_with_the_new_role(self, cast: Cast, dora: User) -> None:
        _, token = invite(cast, dora.email, "admin")
        invitations.accept(token, user=dora)
        with cast.inside(cast.acme):
            memberships.remove(dora.id, by=cast.member(cast.alice, cast.acme))
        _, token = invite(cast, dora.email, "member")
        assert invitations.accept(token, user=dora).role == Role.MEMBER
        [row] = rows(cast, dora)
        assert (row.status, row.ended_at) == (Membership.ACTIVE, None)

    def test_who_is_inside_already_keeps_the_role(self, cast: Cast, dora: User) -> None:
        _, token = invite(cast, dora.email, "admin")
        cast.joined(dora, Membership.MEMBER)
        assert invitations.accept(token, user=dora).role == Role.MEMBER

    def test_declining_ends_it_also_without_an_account(self, cast: Cast, dora: User) -> None:
        _, token = invite(cast, dora.email)
        with pytest.raises(WrongAccount):
            invitations.decline(token, user=cast.sam)
        invitations.decline(token, user=None, came_from=uuid4())
        with pytest.raises(InvitationGone):
            invitations.accept(token, user=dora)
        with pytest.raises(InvitationGone):
            invitations.decline(token, user=dora)
        with cast.inside(cast.acme):
            last = AuditEntry.objects.order_by("-number").first()
            assert last is not None
            assert (last.action, last.actor["email"]) == ("invitation.declined", dora.email)

    def test_guessing_is_throttled_and_good_links_are_not_counted(self, cast: Cast, dora: User) -> None:
        _, token = invite(cast, dora.email)
        guesser = uuid4()
        for _ in range(60):
            invitations.offer(token, came_from=guesser)
        for _ in range(30):
            with pytest.raises(InvitationGone):
                invitations.offer(uuid4().hex, came_from=guesser)
        with pytest.raises(TooMany):
            invitations.offer(uuid4().hex, came_from=guesser)
        assert invitations.offer(token, came_from=uuid4()).email == dora.email


class TestRaces:
    @pytest.fixture(autouse=True)
    def on_stage(self, cast: Cast) -> None:
        cast.ann, cast.sam  # noqa: B018 - brought on stage before the threads ask for them
        self.cast = cast

    def people(self) -> Iterator[tuple[User, Invitation, str]]:
        """A fresh organization every trial, so that no limit is reached."""
        for trial in range(TRIALS):
            self.shop = self.cast.organization(f"Race{trial}", self.cast.alice)
            self.owner = self.cast.member(self.cast.alice, self.shop)
            who = passer_by("racer")
            with self.cast.inside(self.shop):
                yield who, *invitations.invite(email=who.email, role="member", by=self.owner)

    def fresh(self) -> list[tuple[Workspace, Member, User, Invitation, str]]:
        stage = []
        for who, invitation, token in self.people():
            stage.append((self.shop, self.owner, who, invitation, token))
        return stage

    def within(self, shop: Workspace, deed: Any, *args: Any, **kwargs: Any) -> Any:
        with self.cast.inside(shop):
            return deed(*args, **kwargs)

    def memberships(self, shop: Workspace, who: User) -> list[str]:
        with self.cast.inside(shop):
            return list(Membership.objects.filter(user_id=who.id).values_list("status", flat=True))

    def test_accepting_twice_makes_one_membership_and_both_get_the_good_answer(self) -> None:
        for shop, _, who, invitation, token in self.fresh():
            deeds = [partial(invitations.accept, key, user=who) for key in (token, invitation.id, token)]
            answers = at_once(*deeds)
            joined = [one for one in answers if isinstance(one, Member)]
            # Whoever came after the first had finished finds a used link; whoever waited beside it does not.
            assert joined
            assert all(isinstance(one, Member | InvitationGone) for one in answers), answers
            assert self.memberships(shop, who) == [Membership.ACTIVE]
            assert entries(self.cast, "invitation.accepted", shop) == 1

    def test_the_second_that_waited_gets_the_same_good_answer(self) -> None:
        """Held by hand: both have found the invitation pending before either answers it."""
        [(shop, _, who, _, token), *_rest] = self.fresh()
        offer = invitations.offer(token)
        first = invitations.accept(token, user=who)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(invitations, "_offer_by_token", lambda _token: offer)
            assert invitations.accept(token, user=who) == first
        assert self.memberships(shop, who) == [Membership.ACTIVE]

    def test_accept_beside_revoke_is_one_or_the_other(self) -> None:
        for shop, owner, who, invitation, token in self.fresh():
            accepted, revoked = at_once(
                partial(invitations.accept, token, user=who),
                partial(self.within, shop, invitations.revoke, invitation.id, by=owner),
            )
            if isinstance(accepted, Member):
                assert isinstance(revoked, NotHere)
                assert self.memberships(shop, who) == [Membership.ACTIVE]
            else:
                assert isinstance(accepted, InvitationGone)
                assert revoked is None
                assert self.memberships(shop, who) == []

    def test_inviting_one_address_from_two_sides_leaves_one_pending(self) -> None:
        for shop, owner, _, _, _ in self.fresh():
            address = f"{uuid4().hex}@example.com"
            answers = at_once(
                *(
                    partial(self.within, shop, invitations.invite, email=form, role="member", by=owner)
                    for form in (address, address.upper(), address)
                )
            )
            assert all(isinstance(one, tuple) for one in answers), answers
            with self.cast.inside(shop):
                [left] = Invitation.objects.filter(email_norm=address)
                alive = [token for _, token in answers if keys.hashed(token) == bytes(left.token_hash)]
            assert len(alive) == 1

    def test_accept_beside_the_removal_of_the_inviter(self) -> None:
        for shop, owner, who, _, _ in self.fresh():
            amy = self.cast.joined(passer_by("amy"), "admin", workspace=shop)
            _, token = self.within(
                shop, invitations.invite, email=who.email, role="member", by=self.cast.member(amy, shop)
            )
            accepted, removed = at_once(
                partial(invitations.accept, token, user=who),
                partial(self.within, shop, memberships.remove, amy.id, by=owner),
            )
            assert removed is None
            assert isinstance(accepted, Member | InvitationGone)
            assert len(self.memberships(shop, who)) == (1 if isinstance(accepted, Member) else 0)

    def test_two_invitations_of_one_person_make_one_membership(self) -> None:
        for shop, owner, who, _, token in self.fresh():
            former = who.email
            User.objects.filter(id=who.id).update(email=f"new-{former}")
            EmailAddress.objects.filter(user=who).update(email=f"new-{former}")
            EmailAddress.objects.create(user=who, email=former, verified=True)
            _, second = self.within(shop, invitations.invite, email=f"new-{former}", role="admin", by=owner)
            by_former, by_new = User.objects.get(id=who.id), User.objects.get(id=who.id)
            by_former.email = former
            answers = at_once(
                partial(invitations.accept, token, user=by_former),
                partial(invitations.accept, second, user=by_new),
            )
            assert all(isinstance(one, Member) for one in answers), answers
            assert self.memberships(shop, who) == [Membership.ACTIVE]


def test_a_transfer_kills_nothing_and_the_former_owners_invitations_live(cast: Cast, dora: User) -> None:
    shop = cast.organization("Passing", cast.alice)
    ann = cast.joined(passer_by("anna"), Membership.MEMBER, workspace=shop)
    with cast.inside(shop):
        owner = cast.member(cast.alice, shop)
        _, token = invitations.invite(email=dora.email, role="admin", by=owner)
        ownership.transfer(ann.id, by=owner)
        assert standing.lock().owner_id == ann.id
    assert invitations.accept(token, user=dora).role == Role.ADMIN
