"""Pages of organizations: founding, settings, people, the switcher."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from staffroom.accounts.models import User
from staffroom.workspaces import invitations, organizations, queries
from staffroom.workspaces.models import Invitation, Membership
from staffroom.workspaces.permissions import Role
from staffroom.workspaces.views.contexts import sections
from tests.cast import Cast

from .races import passer_by


@pytest.fixture(scope="module")
def cast() -> Cast:
    cast = Cast()
    cast.ann, cast.bob, cast.finn, cast.rival  # noqa: B018 - brings them on stage
    return cast


def at(cast: Cast, path: str = "") -> str:
    return f"/o/{cast.acme.slug}/{path}"


def html(answer: object) -> str:
    return answer.content.decode()  # type: ignore[attr-defined]


def questions(client: Client, path: str) -> int:
    client.get(path)
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(path)
    assert answer.status_code == 200
    return len(asked)


class TestFounding:
    def found(self, client: Client, **fields: str) -> object:
        return client.post("/organizations/new", {"name": "", "slug": "", "form_id": str(uuid4()), **fields})

    def test_one_lands_in_the_new_organization(self, cast: Cast) -> None:
        client = cast.browser(cast.alice)
        answer = self.found(client, name=f"Nord {cast.mark}")
        assert answer.headers["Location"] == f"/o/nord-{cast.mark}/"
        assert "Good to see you, Alice" in html(client.get(answer.headers["Location"]))

    def test_the_same_form_twice_leads_to_the_same_place(self, cast: Cast) -> None:
        client, form = cast.browser(cast.alice), str(uuid4())
        answers = [self.found(client, name="Twice", form_id=form).headers["Location"] for _ in range(3)]
        assert len(set(answers)) == 1

    def test_what_was_typed_stays_with_the_error_under_its_field(self, cast: Cast) -> None:
        answer = self.found(cast.browser(cast.alice), name="<b>Acme</b>", slug=cast.acme.slug)
        page = html(answer)
        assert answer.status_code == 422
        assert 'value="&lt;b&gt;Acme&lt;/b&gt;"' in page
        assert f'value="{cast.acme.slug}"' in page
        assert "is taken" in page.split('id="id_slug_error"')[1]
        assert 'id="id_name_error"' not in page

    @pytest.mark.parametrize("fields", [{"name": "x" * 10_000}, {"name": "\u202e\u200b"}, {"name": "A\0B", "slug": "-"},
                                        {"slug": "x" * 10_000}, {"form_id": "nonsense", "slug": "ю"}])  # fmt: skip
    def test_bad_input_is_answered_with_the_form(self, cast: Cast, fields: dict[str, str]) -> None:
        answer = self.found(cast.browser(cast.alice), **fields)
        assert answer.status_code == 422
        assert "field-error" in html(answer)

    def test_the_check_while_typing(self, cast: Cast) -> None:
        client = cast.browser(cast.alice)
        said = {
            query: html(client.get("/organizations/slug", query))
            for query in ({"slug": f"Free-{cast.mark}"}, {"slug": cast.acme.slug}, {"slug": "billing"}, {"slug": "a_b"},
                          {"name": f"Ёлки {cast.mark}"}, {})
            for query in [tuple(query.items())]
        }  # fmt: skip
        free, taken, reserved, malformed, made, nothing = said.values()
        assert f"/o/free-{cast.mark}" in free
        assert "is taken" in taken
        assert "reserved" in reserved
        assert "Latin letters" in malformed
        assert f"/o/elki-{cast.mark}" in made
        assert nothing.strip() == ""

    def test_strangers_sign_in_first(self) -> None:
        assert Client().get("/organizations/new").status_code == 302
        assert Client().get("/organizations/slug").status_code == 302


class TestSettings:
    def test_owner_and_admins_change_name_and_address(self, cast: Cast) -> None:
        client = cast.browser(cast.alice)
        shop = organizations.found("Before", by=cast.alice)
        assert client.post(f"/o/{shop.slug}/organization/name", {"name": "After"}).status_code == 302
        new = f"after-{cast.mark}"
        answer = client.post(f"/o/{shop.slug}/organization/slug", {"slug": new})
        assert answer.headers["Location"] == f"/o/{new}/organization?tab=general"
        assert 'value="After"' in html(client.get(answer.headers["Location"]))
        moved = client.get(f"/o/{shop.slug}/organization?tab=members")
        assert (moved.status_code, moved.headers["Location"]) == (308, f"/o/{new}/organization?tab=members")

    def test_refusals_keep_what_was_typed(self, cast: Cast) -> None:
        client = cast.browser(cast.ann)
        for path, field, typed in (
            ("name", "name", "\u200b"),
            ("slug", "slug", "no spaces"),
            ("slug", "slug", "api"),
        ):
            answer = client.post(at(cast, f"organization/{path}"), {field: typed})
            assert answer.status_code == 422
            assert f'value="{typed}"' in html(answer)
            assert f'id="id_{field}_error"' in html(answer)

    def test_members_read_only(self, cast: Cast) -> None:
        client = cast.browser(cast.bob)
        page = html(client.get(at(cast, "organization?tab=general")))
        assert cast.acme.name in page
        assert "organization/name" not in page
        for path in ("name", "slug"):
            assert client.post(at(cast, f"organization/{path}"), {path: "mine"}).status_code == 403
        assert client.get(at(cast, "organization/slug/check?slug=x")).status_code == 403

    def test_ones_own_slug_is_no_error_while_typing(self, cast: Cast) -> None:
        client = cast.browser(cast.alice)
        assert html(client.get(at(cast, f"organization/slug/check?slug={cast.acme.slug}"))).strip() == ""
        assert "Free" in html(client.get(at(cast, f"organization/slug/check?slug=free-{cast.mark}x")))
        assert "taken" in html(client.get(at(cast, f"organization/slug/check?slug={cast.rival.slug}")))

    def test_the_personal_account_has_no_such_page(self, cast: Cast) -> None:
        assert cast.browser(cast.alice).get("/me/organization").status_code == 404

    @pytest.mark.parametrize("path", ["", "organization", "contexts", "organization?tab=members"])
    def test_strangers_and_former_members_get_what_nobody_there_gets(self, cast: Cast, path: str) -> None:
        for who in (cast.sam, cast.finn):
            client = cast.browser(who)
            there, nowhere = client.get(at(cast, path)), client.get(f"/o/no-such-{cast.mark}/{path}")
            assert (there.status_code, nowhere.status_code) == (404, 404)
            assert html(there).replace(cast.acme.slug, "") == html(nowhere).replace(
                f"no-such-{cast.mark}", ""
            )


class TestMembers:
    def test_every_member_sees_the_list_and_only_some_the_invitations(self, cast: Cast) -> None:
        with cast.inside(cast.acme):
            invitations.invite(
                email=f"z{cast.mark}@example.com", role="member", by=cast.member(cast.alice, cast.acme)
            )
        shown = {
            who: html(cast.browser(who).get(at(cast, "organization?tab=members")))
            for who in (cast.alice, cast.ann, cast.bob)
        }
        for page in shown.values():
            for one in (cast.alice, cast.ann, cast.bob):
                assert one.email in page
        alert = "Failed to load invitations."
        assert [alert in page for page in shown.values()] == [False, False, True]
        assert [f"z{cast.mark}@example.com" in page for page in shown.values()] == [True, True, False]
        assert re.search(r'alert-info".*?<p>Failed to load invitations\. Only', shown[cast.bob], re.S)

    def test_inviting_shows_the_link_and_says_that_no_mail_left(self, cast: Cast) -> None:
        client, address = cast.browser(cast.alice), f"new-{uuid4().hex}@example.com"
        answer = client.post(at(cast, "organization/invitations"), {"email": address, "role": "admin"})
        page = html(client.get(answer.headers["Location"].partition("#")[0]))
        assert f"{address} is invited" in page
        assert "No mail server is set up here" in page
        token = re.search(r'id="invited-link" value="[^"]*/invitations/([\w-]+)"', page)[1]  # type: ignore[index]
        assert invitations.offer(token).role == Role.ADMIN
        assert not invitations.is_mailed(token)

    @pytest.mark.parametrize(
        "fields", [{"email": "nobody"}, {"email": ""}, {"email": "a@example.com", "role": "owner"}, {}]
    )
    def test_a_refused_invitation_keeps_what_was_typed(self, cast: Cast, fields: dict[str, str]) -> None:
        answer = cast.browser(cast.alice).post(
            at(cast, "organization/invitations"), {"role": "member", **fields}
        )
        assert answer.status_code == 422
        assert "field-error" in html(answer)
        assert f'value="{fields.get("email", "")}"' in html(answer) or not fields.get("email")

    def test_limits_and_members_are_said_beside_the_form(self, cast: Cast) -> None:
        client = cast.browser(cast.alice)
        answer = client.post(
            at(cast, "organization/invitations"), {"email": cast.bob.email, "role": "member"}
        )
        assert answer.status_code == 409
        assert "is a member of this organization already" in html(answer)
        address = f"often-{uuid4().hex}@example.com"
        answers = [
            client.post(at(cast, "organization/invitations"), {"email": address, "role": "member"})
            for _ in range(6)
        ]
        assert [answer.status_code for answer in answers] == [302] * 5 + [429]
        assert "too often" in html(answers[-1])

    def test_resend_and_revoke(self, cast: Cast) -> None:
        client, address = cast.browser(cast.alice), f"again-{uuid4().hex}@example.com"
        with cast.inside(cast.acme):
            one, token = invitations.invite(
                email=address, role="member", by=cast.member(cast.alice, cast.acme)
            )
        assert client.post(at(cast, f"organization/invitations/{one.id}/resend")).status_code == 302
        with pytest.raises(invitations.InvitationGone):
            invitations.offer(token)
        for _ in range(2):
            assert client.post(at(cast, f"organization/invitations/{one.id}/revoke")).status_code == 302
        with cast.inside(cast.acme):
            assert Invitation.objects.get(id=one.id).state == "revoked"
        foreign = cast.browser(cast.sam)
        for deed in ("revoke", "resend"):
            path = f"/o/{cast.rival.slug}/organization/invitations/{one.id}/{deed}"
            assert foreign.post(path).status_code == 404
        assert (
            cast.browser(cast.bob).post(at(cast, f"organization/invitations/{one.id}/resend")).status_code
            == 403
        )

    def test_long_lists_come_in_pages_and_can_be_searched(self, cast: Cast) -> None:
        crowd = cast.organization("Crowd", cast.alice)
        people = [passer_by(f"extra{number:02}") for number in range(60)]
        with cast.inside(crowd):
            for one in people:
                Membership.objects.create(user=one, role="member")
        member, client = cast.member(cast.alice, crowd), cast.browser(cast.alice)
        with cast.inside(crowd):
            first = queries.members(member, limit=50)
            rest = queries.members(member, first.next, limit=50)
            assert [one.email for one in [*first.items, *rest.items]] == [
                cast.alice.email,
                *(one.email for one in people),
            ]
            assert rest.next is None
            assert [one.name for one in queries.members(member, q="EXTRA07").items] == ["Extra07"]
            assert queries.members(member, q="100%_\\\0\ud800").items == []
            assert queries.member_count(member) == 61
        page = html(client.get(f"/o/{crowd.slug}/organization?tab=members"))
        next_ = re.search(r'rel="next" href="([^"]+)"', page)[1].replace("&amp;", "&")  # type: ignore[index]
        assert "Extra59" in html(client.get(next_))
        assert "Nobody of that name" in html(client.get(f"/o/{crowd.slug}/organization?tab=members&q=zzz"))
        assert client.get(f"/o/{crowd.slug}/organization?tab=members&cursor=nonsense").status_code == 422

    def test_the_page_asks_the_same_number_of_questions_however_many_there_are(self, cast: Cast) -> None:
        small, large = cast.organization("Small", cast.alice), cast.organization("Large", cast.alice)
        crowd, owner = [passer_by() for _ in range(30)], cast.member(cast.alice, large)
        with cast.inside(large):
            for number, one in enumerate(crowd):
                Membership.objects.create(user=one, role="member")
                invitations.invite(email=f"q{number}-{uuid4().hex}@example.com", role="member", by=owner)
        client = cast.browser(cast.alice)
        asked = [questions(client, f"/o/{shop.slug}/organization?tab=members") for shop in (small, large)]
        assert asked[0] == asked[1] <= 8


class TestSwitcher:
    @pytest.fixture
    def eve(self, cast: Cast) -> User:
        return passer_by("eve")

    def test_it_shows_contexts_roles_invitations_and_the_way_on(self, cast: Cast, eve: User) -> None:
        cast.joined(eve, "member")
        mine = organizations.found("Eves", by=eve)
        with cast.inside(cast.rival):
            invitations.invite(email=eve.email, role="admin", by=cast.member(cast.sam, cast.rival))
        page = html(cast.browser(eve).get(at(cast, f"contexts?at={at(cast, 'organization')}?tab=members")))
        names = re.findall(r'data-name="([^"]+)"( aria-current="true")?', page)
        assert [(name, bool(current)) for name, current in names] == [
            ("Acme", True),
            ("Eve", False),
            ("Eves", False),
        ]
        assert f'href="/o/{mine.slug}/organization?tab=members"' in page
        assert 'href="/me/"' in page
        assert "Rival" in page
        assert f'href="{at(cast, "organization")}?tab=general"' in page
        assert 'href="/organizations/new"' in page

    def test_invitations_are_answered_from_it(self, cast: Cast, eve: User) -> None:
        client = cast.browser(eve)
        with cast.inside(cast.rival):
            one, _ = invitations.invite(email=eve.email, role="member", by=cast.member(cast.sam, cast.rival))
        assert client.post(f"/invitations/{one.id}/accept").headers["Location"] == f"/o/{cast.rival.slug}/"
        with cast.inside(cast.acme):
            two, _ = invitations.invite(email=eve.email, role="member", by=cast.member(cast.alice, cast.acme))
        assert client.post(f"/invitations/{two.id}/decline").status_code == 302
        answer = client.post(f"/invitations/{two.id}/accept", follow=True)
        assert "does not exist or is not valid any more" in html(answer)
        assert client.get(f"/invitations/{two.id}/accept").status_code == 405

    def test_it_asks_the_same_number_of_questions_with_fifty_organizations(
        self, cast: Cast, eve: User
    ) -> None:
        client = cast.browser(eve)
        few = questions(client, "/me/contexts?at=/me/")
        for number in range(20):
            organizations.found(f"Many {number} {cast.mark}", by=eve)
        assert questions(client, "/me/contexts?at=/me/") == few <= 7

    @pytest.mark.parametrize(
        ("page", "personal", "owned", "joined"),
        [
            ("/me/", "/me/", "/o/own/", "/o/join/"),
            ("/o/own/organization?tab=members&cursor=x", "/me/", "/o/own/organization?tab=members", "/o/join/organization?tab=members"),
            ("/o/own/organization/invitations", "/me/", "/o/own/organization", "/o/join/organization"),
            ("/o/own/contexts/0190b5e2-0000-7000-8000-000000000000?tab=x", "/me/contexts", "/o/own/contexts", "/o/join/contexts"),
            ("/o/own/no-such-section", "/me/", "/o/own/", "/o/join/"),
            ("/organizations/new", "/me/", "/o/own/", "/o/join/"),
            ("https://evil.example/me/contexts", "/me/", "/o/own/", "/o/join/"),
            ("//evil.example/me/contexts", "/me/", "/o/own/", "/o/join/"),
            ("/me/../o/own/contexts", "/me/", "/o/own/", "/o/join/"),
            ("/me/%2e%2e/x", "/me/", "/o/own/", "/o/join/"),
            ("/me\\contexts", "/me/", "/o/own/", "/o/join/"),
            ("javascript:alert(1)", "/me/", "/o/own/", "/o/join/"),
            ("/me/\r\nx", "/me/", "/o/own/", "/o/join/"),
            ("/" + "x/" * 5_000, "/me/", "/o/own/", "/o/join/"),
            ("", "/me/", "/o/own/", "/o/join/"),
        ],
    )  # fmt: skip
    def test_the_section_is_kept_where_it_exists(
        self, page: str, personal: str, owned: str, joined: str
    ) -> None:
        keep = sections(page)
        places = [
            ("personal", None, Role.OWNER),
            ("organization", "own", Role.OWNER),
            ("organization", "join", Role.MEMBER),
        ]
        urls = [keep(queries.Context(uuid4(), kind, slug, "", "", role, None)) for kind, slug, role in places]
        assert urls == [personal, owned, joined]


class TestHome:
    def test_it_says_what_to_do_next(self, cast: Cast) -> None:
        page = html(cast.browser(cast.alice).get(at(cast)))
        for said in (
            "Good to see you, Alice",
            "words left",
            "Hire an AI employee",
            "Answered by AI alone",
            "20,000",
        ):
            assert said in page
        assert "Invite a colleague" not in html(cast.browser(cast.bob).get(at(cast)))
        assert "Work as a team" in html(cast.browser(cast.alice).get("/me/"))

    def test_it_asks_a_small_number_of_questions(self, cast: Cast) -> None:
        assert questions(cast.browser(cast.alice), at(cast)) <= 16

    def test_hostile_names_are_only_words(self, cast: Cast) -> None:
        shop = organizations.found("<script>alert(1)</script>", by=cast.alice)
        client = cast.browser(cast.alice)
        for path in ("", "organization", "organization?tab=members", "contexts"):
            assert "<script>alert" not in html(client.get(f"/o/{shop.slug}/{path}"))
