"""An organization is closed, opened again, or given up: who may, who still sees it, and what stands still meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.test.utils import override_settings
from django.utils import timezone

from staffroom.accounts.models import User
from staffroom.core.errors import NotHere, StaffroomError
from staffroom.core.scope import workspace_scope
from staffroom.workspaces import (
    deletion,
    erasing,
    invitations,
    memberships,
    organizations,
    ownership,
)
from staffroom.workspaces.doors import door
from staffroom.workspaces.members import Member
from staffroom.workspaces.models import AuditEntry, Deletion, Invitation, Membership
from staffroom.workspaces.permissions import May, RoleForbids
from tests.cast import PASSWORD, Cast
from tests.owner import as_owner

from .races import TRIALS, at_once, passer_by


@pytest.fixture(scope="module")
def cast() -> Cast:
    """Passwords cost time: one cast for all, every test in an organization of its own."""
    cast = Cast()
    cast.ann, cast.bob, cast.sam  # noqa: B018 - brings them on stage
    return cast


class Shop:
    def __init__(self, cast: Cast, *, ann: str = "admin", bob: str = "member") -> None:
        self.cast, self.place = cast, cast.organization("Shop", cast.alice)
        cast.joined(cast.ann, ann, workspace=self.place)
        cast.joined(cast.bob, bob, workspace=self.place)
        self.slug = self.place.slug or ""
        self.at, self.api = f"/o/{self.slug}", f"/api/v1/o/{self.slug}"
        self.outside = f"/organizations/{self.place.id}/deletion"

    def act(self, who: User, verb: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        by = self.cast.member(who, self.place)
        with workspace_scope(self.place.id):
            return verb(*args, by=by, **kwargs)

    def close(self, *, now: bool = False) -> Any:
        return self.act(self.cast.alice, deletion.close, confirm=self.slug, now=now)

    def cancel(self) -> None:
        by = deletion.closed_for_owner(self.cast.alice, self.place.id)
        with workspace_scope(self.place.id):
            deletion.cancel(by=by)

    def let_grace_end(self) -> None:
        with workspace_scope(self.place.id):
            Deletion.objects.update(delete_after=timezone.now())

    @property
    def is_closed(self) -> bool:
        return bool(as_owner("SELECT closed_at FROM workspaces_workspace WHERE id = %s", self.place.id)[0][0])

    @property
    def is_there(self) -> bool:
        return bool(as_owner("SELECT 1 FROM workspaces_workspace WHERE id = %s", self.place.id))

    @property
    def log(self) -> list[str]:
        with workspace_scope(self.place.id):
            return list(AuditEntry.objects.order_by("number").values_list("action", flat=True))


@pytest.fixture
def shop(cast: Cast) -> Shop:
    return Shop(cast)


def told(answer: Any) -> str:
    return " ".join(str(one) for one in get_messages(answer.wsgi_request))


def html(answer: Any) -> str:
    return str(answer.content.decode())


class TestClosing:
    def test_only_the_owner_closes(self, cast: Cast, shop: Shop) -> None:
        for who in (cast.ann, cast.bob):
            with pytest.raises(RoleForbids):
                shop.act(who, deletion.close, confirm=shop.slug)
        assert not shop.is_closed

    @pytest.mark.parametrize("typed", ["", "shop", "Shop", "-"])
    def test_the_slug_is_typed(self, shop: Shop, typed: str) -> None:
        with pytest.raises(StaffroomError) as refused:
            shop.act(shop.cast.alice, deletion.close, confirm=typed)
        assert refused.value.status == 422
        assert not shop.is_closed

    def test_it_is_written_down(self, shop: Shop) -> None:
        asked = shop.close()
        assert asked.delete_after - asked.created_at == pytest.approx(
            timedelta(hours=72), abs=timedelta(minutes=1)
        )
        assert shop.log == ["organization.closed"]
        shop.cancel()
        assert shop.log == ["organization.closed", "organization.reopened"]

    def test_without_a_grace_time_it_is_over_at_once(self, shop: Shop) -> None:
        with override_settings(DELETION_GRACE=timedelta(0)):
            assert shop.close().is_over
        assert deletion.closed_organizations(shop.cast.alice) == []

    def test_everybody_gets_what_a_place_without_existence_gets(self, cast: Cast, shop: Shop) -> None:
        key, callers = cast.organization_key(shop.place), [cast.alice, cast.ann, cast.bob]
        shop.close()
        for who in callers:
            for path in ("/", "/organization", "/chats", "/organization/deletion"):
                assert cast.browser(who).get(shop.at + path).status_code == 404
            assert cast.api(cast.key(who)).get(shop.api).status_code == 404
        assert cast.api(key).get(f"{shop.api}/members").status_code == 401
        mine = cast.api(cast.key(cast.alice)).get("/api/v1/contexts").json()["items"]
        assert shop.slug not in [one["slug"] for one in mine]

    def test_a_former_slug_leads_nowhere(self, cast: Cast, shop: Shop) -> None:
        moved = shop.act(cast.alice, organizations.change, slug=f"moved-{uuid4().hex[:8]}")
        assert cast.browser(cast.alice).get(f"{shop.at}/chats").status_code == 308
        shop.act(cast.alice, deletion.close, confirm=moved.slug)
        assert cast.browser(cast.alice).get(f"{shop.at}/chats").status_code == 404

    def test_bare_addresses_lead_elsewhere(self, cast: Cast, shop: Shop) -> None:
        alice = cast.browser(cast.alice)
        alice.get(f"{shop.at}/chats")
        assert alice.get("/chats")["Location"] == f"{shop.at}/chats"
        shop.close()
        assert shop.slug not in alice.get("/chats")["Location"]

    def test_invitations_are_dead_until_it_is_open_again(self, cast: Cast, shop: Shop) -> None:
        _, token = shop.act(cast.alice, invitations.invite, email=cast.sam.email, role="member")
        shop.close()
        assert invitations.offers_to(cast.sam) == []
        with pytest.raises(invitations.InvitationGone):
            invitations.accept(token, user=cast.sam)
        shop.cancel()
        assert invitations.accept(token, user=cast.sam).slug == shop.slug

    def test_what_was_there_is_there_again(self, cast: Cast, shop: Shop) -> None:
        key = cast.organization_key(shop.place)
        shop.close()
        shop.cancel()
        assert cast.api(key).get(shop.api).status_code == 200
        for who, role in ((cast.alice, "owner"), (cast.ann, "admin"), (cast.bob, "member")):
            assert cast.api(cast.key(who)).get(shop.api).json()["role"] == role


class TestTheOwnerAlone:
    def test_finds_it_and_nobody_else(self, cast: Cast, shop: Shop) -> None:
        shop.close()
        assert deletion.closed_for_owner(cast.alice, shop.place.id).slug == shop.slug
        for who in (cast.ann, cast.bob, cast.sam):
            with pytest.raises(NotHere):
                deletion.closed_for_owner(who, shop.place.id)

    def test_not_an_open_one_and_not_one_whose_time_is_over(self, cast: Cast, shop: Shop) -> None:
        with pytest.raises(NotHere):
            deletion.closed_for_owner(cast.alice, shop.place.id)
        shop.close()
        by = deletion.closed_for_owner(cast.alice, shop.place.id)
        shop.let_grace_end()
        with pytest.raises(NotHere):
            deletion.closed_for_owner(cast.alice, shop.place.id)
        with pytest.raises(NotHere), workspace_scope(shop.place.id):
            deletion.cancel(by=by)

    def test_not_in_another_role(self, cast: Cast, shop: Shop) -> None:
        ann = cast.member(cast.ann, shop.place)
        shop.close()
        for verb in (deletion.cancel, deletion.hasten):
            with pytest.raises(NotHere), workspace_scope(shop.place.id):
                verb(by=ann)

    def test_the_switcher_shows_it_to_the_owner(self, cast: Cast, shop: Shop) -> None:
        shop.close()
        seen = {
            who: html(cast.browser(getattr(cast, who)).get("/me/contexts?at=/me/"))
            for who in ("alice", "ann")
        }
        assert [shop.outside in page for page in seen.values()] == [True, False]
        assert "Cancel deletion" in seen["alice"]

    def test_a_page_may_be_left_open_to_the_owner(self, cast: Cast, shop: Shop, rf: Any) -> None:
        """For pages such as the export; the others answer 404."""
        shop.close()
        for who, found in ((cast.alice, True), (cast.ann, False), (cast.sam, False)):
            request = rf.get(f"{shop.at}/exports")
            request.user, request.member, request.moved_to = who, None, None
            request.barred = request.key_only = None
            view = door(May.OWN, closed=True)(lambda _request, member: (member.slug, member.closed))
            if found:
                assert view(request, slug=shop.slug) == (shop.slug, True)
                continue
            with pytest.raises(NotHere):
                view(request, slug=shop.slug)


@pytest.fixture
def rf() -> Any:
    from django.test import RequestFactory

    return RequestFactory()


class TestPages:
    def test_the_way_to_it_is_shown_to_the_owner(self, cast: Cast, shop: Shop) -> None:
        seen = [
            html(cast.browser(who).get(f"{shop.at}/organization")) for who in (cast.alice, cast.ann, cast.bob)
        ]
        assert ["organization/deletion" in page for page in seen] == [True, False, False]
        assert "organization/deletion" in html(
            cast.browser(cast.alice).get(f"{shop.at}/organization/departure")
        )

    def test_a_password_and_the_slug_are_asked_for(self, cast: Cast, shop: Shop) -> None:
        alice = cast.browser(cast.alice)
        for wrong in (
            {"password": "wrong", "confirm": shop.slug},
            {"password": PASSWORD, "confirm": "wrong"},
            {},
        ):
            assert alice.post(f"{shop.at}/organization/deletion", wrong).status_code == 422
        assert not shop.is_closed

    def test_wrong_passwords_are_counted(self, cast: Cast) -> None:
        wen = cast.person("wen")
        place = cast.organization("Wen", wen)
        with workspace_scope(place.id):
            asked = deletion.close(by=cast.member(wen, place), confirm=place.slug or "")
        assert not asked.is_over
        client, at = cast.browser(wen), f"/organizations/{place.id}/deletion/erasure"
        assert [client.post(at, {"password": "no"}).status_code for _ in range(11)] == [422] * 10 + [429]

    def test_asked_for_and_taken_back(self, cast: Cast, shop: Shop) -> None:
        alice = cast.browser(cast.alice)
        sent = alice.post(
            f"{shop.at}/organization/deletion", {"password": PASSWORD, "confirm": f" {shop.slug.upper()} "}
        )
        assert sent["Location"] == shop.outside
        page = html(alice.get(shop.outside))
        assert "Shop is being deleted" in page
        assert cast.browser(cast.ann).get(shop.outside).status_code == 404
        assert cast.browser(cast.ann).post(f"{shop.outside}/cancellation").status_code == 404
        back = alice.post(f"{shop.outside}/cancellation")
        assert (back["Location"], "as it was" in told(back)) == (f"{shop.at}/", True)
        assert alice.get(f"{shop.at}/").status_code == 200
        assert alice.get(shop.outside).status_code == 404

    def test_now_or_later_now(self, cast: Cast, shop: Shop) -> None:
        alice = cast.browser(cast.alice)
        sent = alice.post(
            f"{shop.at}/organization/deletion", {"password": PASSWORD, "confirm": shop.slug, "now": "1"}
        )
        assert (sent["Location"], "is deleted" in told(sent)) == ("/me/", True)
        assert alice.get(shop.outside).status_code == 404
        other = Shop(cast)
        other.close()
        assert alice.post(f"{other.outside}/erasure", {"password": "wrong"}).status_code == 422
        assert alice.post(f"{other.outside}/erasure", {"password": PASSWORD})["Location"] == "/me/"
        list(erasing.steps(other.place.id))
        assert as_owner("SELECT 1 FROM workspaces_workspace WHERE id = %s", other.place.id) == []

    def test_who_has_no_password_shows_another_proof(
        self, cast: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pat = passer_by("pat")
        place = cast.organization("Pat", pat)
        client, at = cast.browser(pat), f"/o/{place.slug}/organization/deletion"
        assert "/accounts/reauthenticate/?next=" in html(client.get(at))
        proof = "staffroom.workspaces.views.deletion.did_recently_reauthenticate"
        monkeypatch.setattr(proof, lambda _request: False)
        assert client.post(at, {"confirm": place.slug}).status_code == 422
        monkeypatch.setattr(proof, lambda _request: True)
        assert client.post(at, {"confirm": place.slug}).status_code == 302


class TestApi:
    def delete(self, client: Client, shop: Shop, **body: Any) -> Any:
        return client.delete(shop.api, body, content_type="application/json")

    def test_with_a_personal_key_of_the_owner(self, cast: Cast, shop: Shop) -> None:
        refused = [
            self.delete(cast.api(cast.key(who)), shop, confirm=shop.slug)
            for who in (cast.ann, cast.bob, cast.sam)
        ]
        assert [answer.status_code for answer in refused] == [403, 403, 404]
        assert (
            self.delete(cast.api(cast.organization_key(shop.place)), shop, confirm=shop.slug).status_code
            == 403
        )
        assert self.delete(cast.browser(cast.alice), shop, confirm=shop.slug).status_code == 403
        alice = cast.api(cast.key(cast.alice))
        wrong = self.delete(alice, shop, confirm="wrong")
        assert (wrong.status_code, list(wrong.json()["errors"])) == (422, ["confirm"])
        done = self.delete(alice, shop, confirm=shop.slug)
        assert (done.status_code, list(done.json())) == (202, ["delete_after"])
        assert alice.get(shop.api).status_code == 404

    def test_cancelling(self, cast: Cast, shop: Shop) -> None:
        alice, cancel = cast.api(cast.key(cast.alice)), f"{shop.api}/deletion/cancel"
        assert alice.post(cancel).json()["code"] == "not_closed"
        shop.close()
        assert cast.api(cast.key(cast.ann)).post(cancel).status_code == 404
        assert cast.api(cast.key(cast.sam)).post(cancel).status_code == 404
        back = alice.post(cancel)
        assert (back.status_code, back.json()["slug"], back.json()["role"]) == (200, shop.slug, "owner")
        assert alice.get(shop.api).status_code == 200

    def test_again_with_now_gives_the_grace_time_up(self, cast: Cast, shop: Shop) -> None:
        alice = cast.api(cast.key(cast.alice))
        first = self.delete(alice, shop, confirm=shop.slug).json()
        assert self.delete(alice, shop, confirm=shop.slug).json() == first
        assert self.delete(alice, shop, confirm="wrong", now=True).status_code == 422
        last = self.delete(alice, shop, confirm=shop.slug, now=True)
        assert (last.status_code, last.json()["delete_after"] < first["delete_after"]) == (202, True)
        assert self.delete(alice, shop, confirm=shop.slug).status_code == 404
        assert alice.post(f"{shop.api}/deletion/cancel").status_code == 404

    def test_the_same_write_again_has_the_same_answer(self, cast: Cast, shop: Shop) -> None:
        alice, key = cast.api(cast.key(cast.alice)), {"Idempotency-Key": uuid4().hex}
        answers = [
            alice.delete(shop.api, {"confirm": shop.slug}, content_type="application/json", headers=key)
            for _ in range(2)
        ]
        assert [one.status_code for one in answers] == [202, 202]
        assert answers[0].json() == answers[1].json()


def outcome(answer: Any) -> str:
    return type(answer).__name__ if isinstance(answer, Exception | Member) else "done"


class Lean(Cast):
    def person(self, name: str) -> User:
        return passer_by(name)


class TestRaces:
    """Whoever comes second finds the organization closed; an entry for each change that happened, none for another."""

    def race(self, deed: Callable[[Shop], Callable[[], Any]]) -> list[tuple[Shop, Any, Any]]:
        trials = []
        lean = Lean()
        lean.ann, lean.bob, lean.sam  # noqa: B018 - brings them on stage
        for _ in range(TRIALS):
            shop = Shop(lean)
            other = deed(shop)
            close = partial(self.at_once_close, shop, lean.member(lean.alice, shop.place))
            closed, answer = at_once(close, other)
            trials.append((shop, closed, answer))
        return trials

    @staticmethod
    def at_once_close(shop: Shop, by: Any) -> Any:
        with workspace_scope(shop.place.id):
            return deletion.close(by=by, confirm=shop.slug)

    @staticmethod
    def act(shop: Shop, verb: Any, *args: Any, by: Any, **kwargs: Any) -> Any:
        with workspace_scope(shop.place.id):
            return verb(*args, by=by, **kwargs)

    @pytest.mark.parametrize("deed", ["invite", "role", "remove", "leave", "rename"])
    def test_with_changes_of_people_and_names(self, deed: str) -> None:
        def prepared(shop: Shop) -> Callable[[], Any]:
            cast = shop.cast
            ann, bob = cast.member(cast.ann, shop.place), cast.member(cast.bob, shop.place)
            return {
                "invite": partial(
                    self.act,
                    shop,
                    invitations.invite,
                    email=f"{uuid4().hex}@example.com",
                    role="member",
                    by=ann,
                ),
                "role": partial(self.act, shop, memberships.change_role, cast.bob.id, "admin", by=ann),
                "remove": partial(self.act, shop, memberships.remove, cast.bob.id, by=ann),
                "leave": partial(self.act, shop, memberships.leave, by=bob),
                "rename": partial(self.act, shop, organizations.change, name="New", by=ann),
            }[deed]

        entries = {"invite": "invitation.sent", "role": "member.role_changed", "remove": "member.removed",
                   "leave": "member.left", "rename": "organization.renamed"}  # fmt: skip
        for shop, closed, answer in self.race(prepared):
            assert (outcome(closed), outcome(answer)) in {("done", "done"), ("done", "NotHere")}, answer
            before = [entries[deed]] if outcome(answer) == "done" else []
            assert shop.log == [*before, "organization.closed"]
            assert shop.is_closed

    def test_with_a_transfer(self) -> None:
        """Either the new owner has an open organization, or the former one a closed one."""

        def prepared(shop: Shop) -> Callable[[], Any]:
            alice = shop.cast.member(shop.cast.alice, shop.place)
            return partial(self.act, shop, ownership.transfer, shop.cast.bob.id, by=alice)

        for shop, closed, answer in self.race(prepared):
            assert (outcome(closed), outcome(answer)) in {("RoleForbids", "done"), ("done", "NotHere")}
            assert shop.log == [
                "ownership.transferred" if outcome(answer) == "done" else "organization.closed"
            ]
            assert shop.is_closed == (outcome(closed) == "done")

    def test_with_an_acceptance(self) -> None:
        def prepared(shop: Shop) -> Callable[[], Any]:
            alice, guest = shop.cast.member(shop.cast.alice, shop.place), passer_by("guest")
            _, token = self.act(shop, invitations.invite, email=guest.email, role="member", by=alice)
            return partial(invitations.accept, token, user=guest)

        for shop, closed, answer in self.race(prepared):
            assert (outcome(closed), outcome(answer)) in {("done", "Member"), ("done", "InvitationGone")}, (
                answer
            )
            with workspace_scope(shop.place.id):
                states = list(Invitation.objects.values_list("state", flat=True))
                seats = Membership.objects.count() - 3
            assert (seats, states) == ((1, ["accepted"]) if outcome(answer) == "Member" else (0, ["pending"]))

    def test_twice_at_once_closes_once(self) -> None:
        def prepared(shop: Shop) -> Callable[[], Any]:
            return partial(self.at_once_close, shop, shop.cast.member(shop.cast.alice, shop.place))

        for shop, *answers in self.race(prepared):
            assert sorted(map(outcome, answers)) == ["NotHere", "done"]
            assert shop.log == ["organization.closed"]

    def test_cancelling_beside_giving_the_grace_time_up(self) -> None:
        """Either all of it is there again, or nothing."""
        lean = Lean()
        lean.ann, lean.bob  # noqa: B018 - brings them on stage
        for trial in range(TRIALS):
            shop = Shop(lean)
            shop.close()
            by = deletion.closed_for_owner(lean.alice, shop.place.id)
            deeds = [partial(self.act, shop, verb, by=by) for verb in (deletion.hasten, deletion.cancel)]
            hastened, cancelled = at_once(*deeds)
            list(erasing.steps(shop.place.id))
            assert {outcome(hastened), outcome(cancelled)} in ({"NotClosed", "done"}, {"NotHere", "done"}), (
                trial
            )
            assert shop.is_there == (outcome(cancelled) == "done")
            if shop.is_there:
                assert shop.log == ["organization.closed", "organization.reopened"]

    def test_cancelling_beside_erasing_at_the_very_end_of_the_grace_time(self) -> None:
        lean = Lean()
        lean.ann, lean.bob  # noqa: B018 - brings them on stage
        for trial in range(TRIALS):
            shop = Shop(lean)
            shop.close()
            by = deletion.closed_for_owner(lean.alice, shop.place.id)
            over = timezone.now() + timedelta(milliseconds=5 + trial)
            with workspace_scope(shop.place.id):
                Deletion.objects.update(delete_after=over)
            _, cancelled = at_once(
                partial(_until_over, shop), partial(self.act, shop, deletion.cancel, by=by)
            )
            _until_over(shop)
            assert outcome(cancelled) in {"done", "NotHere"}, cancelled
            assert (shop.is_there, shop.is_there and shop.is_closed) == (outcome(cancelled) == "done", False)


def _until_over(shop: Shop) -> None:
    """Until it is erased, or was opened again."""
    while shop.is_there and shop.is_closed:
        list(erasing.steps(shop.place.id))
