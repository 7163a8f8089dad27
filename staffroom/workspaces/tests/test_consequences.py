"""Before somebody's role, place or chair changes, the page says what hangs on them."""

from __future__ import annotations

from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.test import override_settings
from django.urls import get_resolver, path

from staffroom.accounts.models import User
from staffroom.chats import conversations, takeovers
from staffroom.employees import roster
from staffroom.workspaces import invitations, keys
from tests.cast import Cast

from .races import passer_by


class Shop(Cast):
    """Ann has sent two invitations, made a key, begun three chats and taken over one."""

    def __init__(self) -> None:
        super().__init__()
        self.bob  # noqa: B018 - brings him on stage
        for who in (self.ann, self.alice):
            self.hang(who)

    def hang(self, who: User) -> None:
        by = self.member(who, self.acme)
        with self.inside(self.acme):
            for _ in range(2):
                invitations.invite(email=f"{uuid4().hex}@example.com", role="member", by=by)
            keys.issue(by=by, role="admin")
            mira = roster.hire("Mira", by=by)
            chats = [conversations.start(mira.id, by=by) for _ in range(3)]
            takeovers.pause(chats[0].id, by=by)

    def person(self, name: str) -> User:
        return passer_by(name)

    def page(self, path: str, who: User | None = None) -> str:
        answer = self.browser(who or self.alice).get(f"/o/{self.acme.slug}/organization/{path}")
        assert answer.status_code == 200
        return unescape(str(answer.content.decode()))


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop()


ENDS = ("2 invitations sent from this account", "1 chat taken over at present goes back", "3 chats begun",
        "1 API key of the organization made from this account keeps working")  # fmt: skip


def test_removal(shop: Shop) -> None:
    page = shop.page(f"members/{shop.ann.id}/removal")
    for said in (*ENDS, "for their API keys", "Nothing is deleted", "new invitation, which restores"):
        assert said in page


def test_leaving(shop: Shop) -> None:
    page = shop.page("departure", shop.ann)
    for said in (*ENDS, "for your API keys", "Nothing is deleted"):
        assert said in page


def test_another_role(shop: Shop) -> None:
    page = shop.page(f"members/{shop.ann.id}/role")
    for said in ("loses 2 invitations that wait", "1 chat taken over at present stays", "3 chats begun",
                 "keeps working, with the role that it has", "for their API keys", "/help/roles"):  # fmt: skip
        assert said in page


def test_transfer_tells_what_hangs_on_the_one_who_may_leave(shop: Shop) -> None:
    page = shop.page(f"ownership?to={shop.bob.id}")
    for said in (*ENDS, "owns Acme at once", "You become an admin", "If you leave in the same step"):
        assert said in page


def test_nobody_else_is_told(shop: Shop) -> None:
    for path_ in (f"members/{shop.ann.id}/removal", f"members/{shop.ann.id}/role"):
        assert shop.browser(shop.bob).get(f"/o/{shop.acme.slug}/organization/{path_}").status_code == 403


class TestAnOwnerWhoWantsToLeave:
    def page(self, shop: Shop) -> str:
        return shop.page("departure")

    def test_is_shown_the_transfer(self, shop: Shop) -> None:
        assert 'organization/ownership"' in self.page(shop)

    def test_and_the_deletion_where_there_is_that_page(self, shop: Shop) -> None:
        with override_settings(ROOT_URLCONF=with_deletion("organization_deletion")):
            page = self.page(shop)
        assert f'href="/o/{shop.acme.slug}/organization/deletion"' in page
        assert "two ways out" in page

    def test_and_not_where_another_page_stands_there(self, shop: Shop) -> None:
        with override_settings(ROOT_URLCONF=with_deletion("something_else")):
            assert "organization/deletion" not in self.page(shop)


def with_deletion(name: str) -> Any:
    """The program's addresses, and one more before them."""
    there = path("o/<slug:slug>/organization/deletion", lambda request, slug: HttpResponse(), name=name)
    return type("Addresses", (), {"urlpatterns": [there, *get_resolver().url_patterns]})


class TestGeneral:
    def test_a_change_of_address_lists_what_changes_and_what_goes_on(self, shop: Shop) -> None:
        page = unescape(shop.browser(shop.ann).get(f"/o/{shop.acme.slug}/organization").content.decode())
        for said in (f"/o/{shop.acme.slug}/…", f"/api/v1/o/{shop.acme.slug}/…", "public pages of employees",
                     "90 days", "links in mails that were sent", "Links of invitations do not hold"):  # fmt: skip
            assert said in page

    def test_members_read_and_cannot_write(self, shop: Shop) -> None:
        page = shop.browser(shop.bob).get(f"/o/{shop.acme.slug}/organization").content.decode()
        main = page[page.index("<main") : page.index("</main>")]
        assert shop.acme.slug in main
        assert ("<form" in main, "<input" in main) == (False, False)

    def test_the_former_address_leads_to_the_same_place_with_method_and_query(self) -> None:
        shop = Shop()
        former, new = shop.acme.slug, f"new-{shop.mark}"
        client, api = shop.browser(shop.alice), shop.api(shop.key(shop.alice))
        client.post(f"/o/{former}/organization/slug", {"slug": new})
        body = {"data": {"email": "a@example.com"}, "content_type": "application/json"}
        for who, method, address, more in (
            (client, "get", "/o/{}/organization?tab=members&q=a%20b", {}),
            (client, "post", "/o/{}/organization/name", {}),
            (api, "get", "/api/v1/o/{}/members?limit=1", {}),
            (api, "post", "/api/v1/o/{}/invitations", body),
        ):
            answer = getattr(who, method)(address.format(former), **more)
            assert (answer.status_code, answer.headers["Location"]) == (308, address.format(new))
        assert shop.browser(shop.sam).get(f"/o/{former}/organization").status_code == 404
