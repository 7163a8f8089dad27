"""An organization that asks for a second factor: who is stopped, where the way leads, what goes on."""

from __future__ import annotations

import re
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from staffroom.accounts.models import User
from staffroom.accounts.tests.keyring import (
    AUTHENTICATE,
    confirmed,
    password_given,
    secret_on,
    with_app,
    with_codes,
)
from staffroom.core.scope import workspace_scope
from staffroom.employees import roster
from staffroom.workspaces import deletion, factors, invitations, memberships, personal
from staffroom.workspaces.models import AuditEntry, Membership, Workspace
from tests.cast import Cast

from .races import at_once, passer_by

ACTIVATE, ASK = "/accounts/2fa/totp/activate/", "/accounts/security/second-factor"


@pytest.fixture(autouse=True)
def forgotten_limits() -> None:
    cache.clear()


class Bank:
    """An organization that asks for a second factor; its owner has one, Bob has none."""

    def __init__(self, cast: Cast) -> None:
        self.cast, self.owner, self.bob = cast, cast.alice, passer_by("bob")
        self.acme = cast.organization("Bank", cast.alice)
        cast.joined(self.bob, Membership.ADMIN, workspace=self.acme)
        self.require()

    def require(self) -> None:
        by = self.cast.member(self.owner, self.acme)
        with self.cast.inside(self.acme):
            factors.demand(by=by, user=self.owner)

    def at(self, path: str = "") -> str:
        return f"/o/{self.acme.slug}/{path}"

    def api(self, path: str = "") -> str:
        return f"/api/v1/o/{self.acme.slug}{path}"

    def offer(self, to: User) -> tuple[Any, str]:
        by = self.cast.member(self.owner, self.acme)
        with self.cast.inside(self.acme):
            return invitations.invite(email=to.email, role="member", by=by)

    def required(self) -> bool:
        with self.cast.inside(self.acme):
            return Workspace.objects.get(id=self.acme.id).requires_second_factor

    def log(self) -> list[str]:
        with self.cast.inside(self.acme):
            return list(AuditEntry.objects.order_by("number").values_list("action", flat=True))

    def is_member(self, who: User) -> bool:
        with self.cast.inside(self.acme):
            return Membership.objects.filter(user_id=who.id, status="active").exists()


@pytest.fixture(scope="module")
def cast() -> Cast:
    it = Cast()
    with_app(it.alice)
    it.sam  # noqa: B018 - brings him on stage
    return it


@pytest.fixture
def bank(cast: Cast) -> Bank:
    return Bank(cast)


def html(answer: Any) -> str:
    return str(answer.content.decode())


def next_of(location: str) -> str:
    return parse_qs(urlsplit(location).query)["next"][0]


def set_up(browser: Client) -> Any:
    app = secret_on(html(confirmed(browser, ACTIVATE)))
    return browser.post(ACTIVATE, {"code": app.code()}, follow=True)


class TestTheDoor:
    def test_every_page_leads_to_the_one_that_explains_and_from_there_to_the_set_up(self, bank: Bank) -> None:
        browser = bank.cast.browser(bank.bob)
        for path in ("", "chats?q=1", "organization?tab=members", "employees/new", "no/such/page/here"):
            if path.startswith("no/"):
                assert browser.get(bank.at(path)).status_code == 404
                continue
            answer = browser.get(bank.at(path))
            assert urlsplit(answer.headers["Location"]).path == "/organizations/second-factor"
            page = html(browser.get(answer.headers["Location"]))
            assert "This organization asks for a second factor" in page
            link = re.search(rf'href="({ASK}[^"]+)"', page)
            assert link
            assert next_of(link[1]) == bank.at(path)

    def test_the_way_leads_back_to_where_one_was_going(self, cast: Cast, bank: Bank) -> None:
        dan = cast.joined(cast.person("dan"), Membership.MEMBER, workspace=bank.acme)
        browser, goal = cast.browser(dan), bank.at("organization?tab=members")
        page = html(browser.get(goal, follow=True))
        link = re.search(rf'href="({ASK}[^"]+)"', page)
        assert link
        browser.get(link[1])
        set_up(browser)
        assert browser.get("/accounts/security/onward").headers["Location"] == goal
        assert browser.get(goal).status_code == 200

    def test_what_is_posted_changes_nothing(self, bank: Bank) -> None:
        browser = bank.cast.browser(bank.bob)
        answer = browser.post(bank.at("organization/name"), {"name": "Mine"})
        assert parse_qs(urlsplit(answer.headers["Location"]).query)["at"] == [bank.at()]
        with bank.cast.inside(bank.acme):
            assert Workspace.objects.get(id=bank.acme.id).name == "Bank"

    def test_a_fragment_moves_the_whole_page(self, bank: Bank) -> None:
        answer = bank.cast.browser(bank.bob).get(bank.at("contexts"), headers={"HX-Request": "true"})
        assert answer.headers["HX-Redirect"].startswith("/organizations/second-factor?at=")
        assert not answer.content

    def test_programs_get_a_code(self, bank: Bank) -> None:
        key, browser = bank.cast.api(bank.cast.key(bank.bob)), bank.cast.browser(bank.bob)
        for client in (key, browser):
            for path in ("", "/members", "/audit", "/employees", "/chats", "/keys"):
                answer = client.get(bank.api(path))
                assert (answer.status_code, answer.json()["code"]) == (403, "second_factor_required"), path
        answer = key.patch(bank.api(), {"name": "Mine"}, "application/json")
        assert answer.json()["code"] == "second_factor_required"
        assert key.get("/api/v1/me/employees").status_code == 200
        assert bank.acme.slug in [one["slug"] for one in key.get("/api/v1/contexts").json()["items"]]

    def test_the_organizations_keys_go_on(self, bank: Bank) -> None:
        assert bank.cast.api(bank.cast.organization_key(bank.acme)).get(bank.api()).status_code == 200

    def test_strangers_learn_nothing_of_it(self, bank: Bank) -> None:
        finn = bank.cast.joined(passer_by("finn"), "member", workspace=bank.acme, status=Membership.LEFT)
        for who in (bank.cast.sam, finn):
            assert bank.cast.browser(who).get(bank.at()).status_code == 404
            assert bank.cast.api(bank.cast.key(who)).get(bank.api()).status_code == 404
            there = bank.cast.browser(who).get("/organizations/second-factor", {"at": bank.at()})
            assert there.headers["Location"] == bank.at()

    def test_recovery_codes_alone_are_none(self, bank: Bank) -> None:
        with_codes(bank.bob)
        assert bank.cast.browser(bank.bob).get(bank.at()).status_code == 302

    def test_it_costs_no_statement_more(self, bank: Bank) -> None:
        api, asked = bank.cast.api(bank.cast.key(bank.owner)), []
        for required in (True, False):
            with bank.cast.inside(bank.acme):
                Workspace.objects.filter(id=bank.acme.id).update(requires_second_factor=required)
            api.get(bank.api())
            with CaptureQueriesContext(connection) as counted:
                assert api.get(bank.api()).status_code == 200
            asked.append(len(counted))
        assert asked[0] == asked[1]

    def test_what_a_closed_organization_still_has_is_behind_it_too(self, bank: Bank) -> None:
        dora = passer_by("dora")
        bank.cast.joined(dora, Membership.ADMIN, workspace=bank.acme)
        with bank.cast.inside(bank.acme):
            Workspace.objects.filter(id=bank.acme.id).update(owner=dora)
        by = bank.cast.member(dora, bank.acme)
        with bank.cast.inside(bank.acme):
            deletion.close(by=by, confirm=bank.acme.slug or "")
        api = bank.cast.api(bank.cast.key(dora))
        answer = api.post(bank.api("/exports"), {}, "application/json")
        assert answer.json()["code"] == "second_factor_required"
        with_app(dora)
        assert api.post(bank.api("/exports"), {}, "application/json").status_code == 202

    def test_nothing_is_copied_into_it(self, bank: Bank) -> None:
        home = personal.home(bank.bob)
        with workspace_scope(home.workspace_id):
            mira = roster.hire("Mira", by=home)
        api = bank.cast.api(bank.cast.key(bank.bob))
        answer = api.post(f"/api/v1/me/employees/{mira.id}/copy", {"to": bank.acme.slug}, "application/json")
        assert answer.json()["code"] == "second_factor_required"

    def test_who_removes_the_last_one_is_told_and_then_stands_outside(self, cast: Cast, bank: Bank) -> None:
        eve = cast.joined(cast.person("eve"), Membership.MEMBER, workspace=bank.acme)
        app = with_app(eve)
        browser = password_given(eve)
        browser.post(AUTHENTICATE, {"code": app.code()})
        assert browser.get(bank.at()).status_code == 200
        page = html(confirmed(browser, "/accounts/2fa/totp/deactivate/"))
        assert "It is your only second factor" in page
        assert "<bdi>Bank</bdi>" in page
        browser.post("/accounts/2fa/totp/deactivate/")
        assert browser.get(bank.at()).status_code == 302

    def test_who_has_another_one_is_not_warned(self, cast: Cast, bank: Bank) -> None:
        fay = cast.joined(cast.person("fay"), Membership.MEMBER, workspace=bank.acme)
        with_app(fay)
        row = Authenticator.objects.create(user=fay, type="webauthn", data={"name": "Key", "credential": {}})
        browser = cast.browser(fay)
        assert "only second factor, and these" not in html(
            confirmed(browser, "/accounts/2fa/totp/deactivate/")
        )
        Authenticator.objects.filter(user=fay, type="totp").delete()
        page = html(browser.get(f"/accounts/2fa/webauthn/keys/{row.pk}/remove/"))
        assert "It is your only second factor" in page

    @pytest.mark.parametrize(
        "at",
        ["https://evil.example/o/x", "//o/x", "/\\o/x", "javascript:alert(1)", "/me/", "", "/o/x\r\nX: y"],
    )
    def test_the_page_leads_nowhere_else(self, bank: Bank, at: str) -> None:
        answer = bank.cast.browser(bank.bob).get("/organizations/second-factor", {"at": at})
        assert answer.headers["Location"] == "/"

    def test_the_switcher_lists_it_with_a_mark(self, bank: Bank) -> None:
        page = html(bank.cast.browser(bank.bob).get("/me/contexts"))
        assert f'href="{bank.at()}"' in page
        assert "second factor needed" in page
        assert "second factor needed" not in html(bank.cast.browser(bank.owner).get("/me/contexts"))


class TestSwitching:
    def test_who_has_none_is_led_to_set_it_up_first(self, cast: Cast, bank: Bank) -> None:
        shop = cast.organization("Shop", cast.sam)
        at, browser = f"/o/{shop.slug}/organization/security", cast.browser(cast.sam)
        page = html(browser.get(at))
        assert "lock yourself out" in page
        assert "/requirement" not in page
        answer = browser.post(f"{at}/requirement")
        assert next_of(answer.headers["Location"]) == at
        api = cast.api(cast.key(cast.sam)).put(
            f"/api/v1/o/{shop.slug}/security", {"requires_second_factor": True}, "application/json"
        )
        assert api.json()["code"] == "second_factor_required"
        assert browser.get(at).status_code == 200

    def test_on_and_off_with_an_entry_each(self, bank: Bank) -> None:
        browser, at = bank.cast.browser(bank.owner), bank.at("organization/security")
        page = html(browser.get(at))
        assert "1 of 2 members has no second factor" in page
        assert "<bdi>Bob</bdi>" in page
        browser.post(f"{at}/waiver")
        browser.post(f"{at}/waiver")
        assert not bank.required()
        assert bank.cast.browser(bank.bob).get(bank.at()).status_code == 200
        browser.post(f"{at}/requirement")
        browser.post(f"{at}/requirement")
        assert bank.required()
        assert bank.log() == ["second_factor.required", "second_factor.waived", "second_factor.required"]
        assert "Second factor required" in html(browser.get(bank.at("organization/audit")))

    def test_by_api_a_person_only(self, bank: Bank) -> None:
        off = {"requires_second_factor": False}
        robot = bank.cast.api(bank.cast.organization_key(bank.acme))
        assert (
            robot.put(bank.api("/security"), off, "application/json").json()["code"] == "personal_key_needed"
        )
        assert robot.get(bank.api("/security")).json()["members_without"] == 1
        api = bank.cast.api(bank.cast.key(bank.owner))
        said = api.put(bank.api("/security"), off, "application/json").json()
        assert said == {"requires_second_factor": False, "members": 2, "members_without": 1}

    def test_beside_a_removal_whoever_is_no_admin_switches_nothing(self, cast: Cast) -> None:
        for _trial in range(10):
            bank = Bank(cast)
            gus = cast.joined(passer_by("gus"), Membership.ADMIN, workspace=bank.acme)
            by, owner = cast.member(gus, bank.acme), cast.member(bank.owner, bank.acme)
            answers = at_once(
                partial(acting, bank, factors.waive, by=by),
                partial(acting, bank, memberships.remove, gus.id, by=owner),
            )
            assert answers[1] is None
            assert {type(answers[0]).__name__} <= {"NoneType", "NotHere"}
            assert bank.required() == (answers[0] is not None)
            assert ("second_factor.waived" in bank.log()) == (answers[0] is None)


class TestInvitations:
    def test_the_page_says_so_and_leads_through_it_before_accepting(self, cast: Cast, bank: Bank) -> None:
        hal = cast.person("hal")
        _invitation, token = bank.offer(hal)
        assert "asks for a second factor" in html(Client().get(f"/invitations/{token}"))
        browser = cast.browser(hal)
        page = html(browser.get(f"/invitations/{token}"))
        assert f"/invitations/{token}/accept" not in page
        link = re.search(rf'href="({ASK}[^"]+)"', page)
        assert link
        assert browser.post(f"/invitations/{token}/accept").headers["Location"] == f"/invitations/{token}"
        assert not bank.is_member(hal)
        browser.get(link[1])
        set_up(browser)
        assert browser.get("/accounts/security/onward").headers["Location"] == f"/invitations/{token}"
        assert f"/invitations/{token}/accept" in html(browser.get(f"/invitations/{token}"))
        assert browser.post(f"/invitations/{token}/accept").headers["Location"] == bank.at()
        assert bank.is_member(hal)

    def test_out_of_the_switcher_one_comes_to_the_same_page(self, bank: Bank) -> None:
        ida = passer_by("ida")
        invitation, token = bank.offer(ida)
        browser = bank.cast.browser(ida)
        answer = browser.post(f"/invitations/{invitation.id}/accept")
        assert answer.headers["Location"] == f"/invitations/{token}"
        assert not bank.is_member(ida)

    def test_programs_get_the_code_and_the_invitation_stays(self, bank: Bank) -> None:
        jon = passer_by("jon")
        invitation, token = bank.offer(jon)
        api = bank.cast.api(bank.cast.key(jon))
        for named in (invitation.id, token):
            answer = api.post(f"/api/v1/invitations/{named}/accept", {}, "application/json")
            assert answer.json()["code"] == "second_factor_required"
        with_app(jon)
        assert api.post(f"/api/v1/invitations/{token}/accept", {}, "application/json").status_code == 200

    def test_whoever_signs_up_for_it_lands_on_the_page_that_leads_on(self, bank: Bank) -> None:
        kim = passer_by("kim")
        _invitation, token = bank.offer(kim)
        assert invitations.arrive(kim, token) == f"/invitations/{token}"
        with_app(kim)
        assert invitations.arrive(kim, token) == bank.at()

    def test_a_stranger_with_the_link_learns_no_more_than_before(self, bank: Bank) -> None:
        _invitation, token = bank.offer(passer_by("lea"))
        assert bank.cast.browser(bank.cast.sam).post(f"/invitations/{token}/accept").status_code == 302
        assert bank.cast.browser(bank.cast.sam).get(f"/invitations/{uuid4().hex}").status_code == 404


def acting(bank: Bank, deed: Any, *args: Any, by: Any) -> Any:
    with bank.cast.inside(bank.acme):
        return deed(*args, by=by)
