"""Keys of organizations and of persons: made, shown once, limited, revoked."""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from staffroom.accounts.models import User
from staffroom.accounts.tests.keyring import confirmed, subjects_to
from staffroom.core.errors import Invalid
from staffroom.core.scope import workspace_scope
from staffroom.employees import roster
from staffroom.workspaces import deletion, keys, memberships, personal
from staffroom.workspaces.models import ApiKey, AuditEntry, Membership
from staffroom.workspaces.permissions import RoleForbids
from tests.cast import Cast
from tests.owner import as_owner

from .races import at_once

MINE, NEW = "/accounts/keys", "/accounts/keys/new"


@pytest.fixture(scope="module")
def cast() -> Cast:
    it = Cast()
    it.ann, it.bob, it.finn, it.rival  # noqa: B018 - brings them on stage
    return it


@pytest.fixture
def at(cast: Cast) -> str:
    return f"/o/{cast.acme.slug}/organization/keys"


@pytest.fixture
def api_at(cast: Cast) -> str:
    return f"/api/v1/o/{cast.acme.slug}/keys"


def html(answer: Any) -> str:
    return str(answer.content.decode())


def token_on(page: str) -> str:
    found = re.search(r'id="new-key" value="(sr_[\w-]{43})"', page)
    assert found, page
    return found[1]


def made(cast: Cast, by: User, role: str = "admin", name: str = "Shop") -> tuple[keys.Key, str]:
    member = cast.member(by, cast.acme)
    with cast.inside(cast.acme):
        return keys.make(name=name, role=role, by=member)


def own(cast: Cast, user: User, *only: Any, name: str = "Mine") -> tuple[keys.Key, str]:
    home = personal.home(user)
    with workspace_scope(home.workspace_id):
        return keys.make_own(name=name, by=home, only=[one.id for one in only] if only else None)


def log(cast: Cast, key: keys.Key) -> list[tuple[str, Any, Any]]:
    with cast.inside(cast.acme):
        rows = AuditEntry.objects.filter(target__key=str(key.id)).order_by("number")
        return [(row.action, row.before, row.after) for row in rows]


class TestOrganization:
    def test_it_is_made_shown_once_and_works(self, cast: Cast, at: str) -> None:
        browser = cast.browser(cast.ann)
        assert "No API keys" in html(cast.browser(cast.sam).get(f"/o/{cast.rival.slug}/organization/keys"))
        answer = browser.post(at, {"name": " Web  site ", "role": "member", "form_id": str(uuid4())})
        token = token_on(html(answer))
        assert "no-store" in answer.headers["Cache-Control"]
        assert cast.api(token).get(f"/api/v1/o/{cast.acme.slug}").json()["role"] == "member"
        listed = html(browser.get(at))
        assert token not in listed
        assert token[:9] in listed
        assert "Web site" in listed

    def test_a_repeated_submit_makes_no_second_one(self, cast: Cast, at: str) -> None:
        form = {"name": "Twice", "role": "admin", "form_id": str(uuid4())}
        answers = at_once(*[lambda: cast.browser(cast.ann).post(at, form)] * 4)
        assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
        assert sum('id="new-key"' in html(answer) for answer in answers) == 1
        with cast.inside(cast.acme):
            assert ApiKey.objects.filter(name="Twice").count() == 1

    @pytest.mark.parametrize(
        ("name", "role", "says"),
        [("", "admin", "Enter a name."), ("x" * 81, "admin", "80 characters"), ("\u200b", "admin", "Enter a name"),
         ("A", "owner", "Choose Admin or Member."), ("A", "", "Choose Admin"), ("A", "x" * 5000, "Choose Admin")],
    )  # fmt: skip
    def test_bad_input_is_said_beside_the_field(
        self, cast: Cast, at: str, name: str, role: str, says: str
    ) -> None:
        answer = cast.browser(cast.alice).post(at, {"name": name, "role": role})
        assert (answer.status_code, says in html(answer)) == (422, True)
        assert 'id="new-key"' not in html(answer)

    def test_names_are_text_and_no_markup(self, cast: Cast, at: str) -> None:
        made(cast, cast.alice, name="<script>x</script>")
        page = html(cast.browser(cast.alice).get(at))
        assert "<script>x" not in page
        assert "&lt;script&gt;" in page

    def test_members_and_strangers_neither_see_nor_make(self, cast: Cast, at: str) -> None:
        key, _token = made(cast, cast.alice)
        for who, status in ((cast.bob, 403), (cast.sam, 404), (cast.finn, 404)):
            client = cast.browser(who)
            assert client.get(at).status_code == status
            assert client.post(at, {"name": "x", "role": "admin"}).status_code == status
            assert client.post(f"{at}/{key.id}/revocation").status_code == status
        assert "organization/keys" not in html(
            cast.browser(cast.bob).get(f"/o/{cast.acme.slug}/organization")
        )
        with pytest.raises(RoleForbids):
            made(cast, cast.bob)

    def test_it_survives_whoever_made_it(self, cast: Cast, at: str) -> None:
        zoe = cast.joined(cast.person("zoe"), Membership.ADMIN)
        _key, token = made(cast, zoe, name="Zoe's")
        by = cast.member(cast.alice, cast.acme)
        with cast.inside(cast.acme):
            memberships.remove(zoe.id, by=by)
            ApiKey.objects.filter(made_by=zoe).update(made_by=None)
        User.objects.filter(id=zoe.id).update(is_active=False, name="Gone")
        assert cast.api(token).get(f"/api/v1/o/{cast.acme.slug}").json()["role"] == "admin"
        assert "<bdi>Zoe</bdi>" in html(cast.browser(cast.alice).get(at))

    def test_it_opens_no_other_place(self, cast: Cast) -> None:
        _key, token = made(cast, cast.alice)
        api = cast.api(token)
        for path in (f"/api/v1/o/{cast.rival.slug}", "/api/v1/me/employees", f"/api/v1/o/{uuid4().hex[:8]}"):
            assert api.get(path).status_code == 404
        assert api.get("/api/v1/contexts").json()["code"] == "personal_key_needed"

    def test_it_dies_with_the_organization(self, cast: Cast) -> None:
        gone = cast.organization("Gone", cast.alice)
        by = cast.member(cast.alice, gone)
        with cast.inside(gone):
            _key, token = keys.make(name="x", role="admin", by=by)
        assert cast.api(token).get(f"/api/v1/o/{gone.slug}").status_code == 200
        as_owner("UPDATE workspaces_workspace SET closed_at = now() WHERE id = %s", gone.id)
        assert cast.api(token).get(f"/api/v1/o/{gone.slug}").status_code == 401

    def test_the_last_use_is_noted_once_a_minute(self, cast: Cast) -> None:
        key, token = made(cast, cast.alice)
        seen = []
        for earlier in (None, timezone.now() - timedelta(seconds=30), timezone.now() - timedelta(minutes=2)):
            with cast.inside(cast.acme):
                ApiKey.objects.filter(id=key.id).update(last_used_at=earlier)
            cast.api(token).get(f"/api/v1/o/{cast.acme.slug}")
            with cast.inside(cast.acme):
                seen.append(ApiKey.objects.get(id=key.id).last_used_at != earlier)
        assert seen == [True, False, True]

    def test_both_ends_stand_in_the_audit_log_and_the_key_is_named_there(self, cast: Cast) -> None:
        key, token = made(cast, cast.ann, name="Robot")
        cast.api(token).patch(f"/api/v1/o/{cast.acme.slug}", {"name": "By robot"}, "application/json")
        by = cast.member(cast.alice, cast.acme)
        with cast.inside(cast.acme):
            keys.revoke(key.id, by=by)
            keys.revoke(key.id, by=by)
        assert log(cast, key) == [
            ("key.made", None, {"role": "admin"}),
            ("key.revoked", {"role": "admin"}, None),
        ]
        page = html(cast.browser(cast.alice).get(f"/o/{cast.acme.slug}/organization/audit"))
        assert "API key “Robot”" in page
        assert "API key revoked" in page
        assert token not in page

    def test_the_list_costs_the_same_however_long_and_goes_on_in_pages(self, cast: Cast) -> None:
        shop = cast.organization("Shop", cast.alice)
        by, client, asked = cast.member(cast.alice, shop), cast.browser(cast.alice), []
        at = f"/o/{shop.slug}/organization/keys"
        client.get(at)
        for more in (1, 60):
            with cast.inside(shop):
                for number in range(more):
                    keys.make(name=f"k{number}", role="member", by=by)
            with CaptureQueriesContext(connection) as counted:
                page = html(client.get(at))
            asked.append(len(counted))
        assert asked[0] == asked[1]
        assert page.count("/revocation") == 50
        more = re.search(r'rel="next" href="([^"]+)"', page)
        assert more
        assert html(client.get(more[1].replace("&amp;", "&"))).count("/revocation") == 11


class TestRevoking:
    def test_it_opens_nothing_from_the_next_request_on(self, cast: Cast, at: str) -> None:
        key, token = made(cast, cast.alice)
        api = cast.api(token)
        assert api.get(f"/api/v1/o/{cast.acme.slug}").status_code == 200
        answer = cast.browser(cast.ann).post(f"{at}/{key.id}/revocation", follow=True)
        assert "Revoked" in html(answer)
        assert api.get(f"/api/v1/o/{cast.acme.slug}").status_code == 401

    def test_anothers_is_not_there(self, cast: Cast, at: str, api_at: str) -> None:
        by = cast.member(cast.sam, cast.rival)
        with cast.inside(cast.rival):
            key, token = keys.make(name="Rival", role="admin", by=by)
        personal_key, _token = own(cast, cast.alice)
        for id_ in (key.id, personal_key.id, uuid4()):
            assert cast.browser(cast.alice).post(f"{at}/{id_}/revocation").status_code == 404
            assert cast.api(cast.key(cast.alice)).delete(f"{api_at}/{id_}").status_code == 404
            assert cast.browser(cast.bob).post(f"{MINE}/{id_}/revocation").status_code == 404
        assert cast.api(token).get(f"/api/v1/o/{cast.rival.slug}").status_code == 200

    def test_beside_its_use_each_use_is_before_or_after(self, cast: Cast) -> None:
        """A change either happened with an entry or did not; and once the revocation is answered, nothing happens."""
        by = cast.member(cast.alice, cast.acme)
        for _trial in range(15):
            key, token = made(cast, cast.alice)
            names = [f"n{uuid4().hex[:8]}" for _ in range(6)]
            uses = [partial(self.rename, cast, token, name) for name in names]
            with_revocation = at_once(partial(self.revoke, cast, key, by), *uses)
            assert {answer.status_code for answer in with_revocation[1:]} <= {200, 401, 404}
            done = [
                n for n, answer in zip(names, with_revocation[1:], strict=True) if answer.status_code == 200
            ]
            with cast.inside(cast.acme):
                told = AuditEntry.objects.filter(actor__key=str(key.id)).values_list("after", flat=True)
                assert sorted(entry["name"] for entry in told) == sorted(done)
            assert self.rename(cast, token, "after").status_code == 401

    def rename(self, cast: Cast, token: str, name: str) -> Any:
        return cast.api(token).patch(f"/api/v1/o/{cast.acme.slug}", {"name": name}, "application/json")

    def revoke(self, cast: Cast, key: keys.Key, by: Any) -> None:
        with cast.inside(cast.acme):
            keys.revoke(key.id, by=by)


class TestApi:
    def test_a_person_makes_lists_and_revokes(self, cast: Cast, api_at: str) -> None:
        api = cast.api(cast.key(cast.ann))
        answer = api.post(api_at, {"name": "CI", "role": "admin"}, "application/json")
        said = answer.json()
        assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
        assert (said["made_by"], said["role"], said["prefix"]) == ("Ann", "admin", said["key"][:9])
        first = api.get(f"{api_at}?limit=1").json()["items"][0]
        assert first == {name: value for name, value in said.items() if name != "key"}
        assert api.delete(f"{api_at}/{said['id']}").status_code == 204
        assert api.get(f"{api_at}?limit=1").json()["items"][0]["revoked_at"]
        assert cast.api(said["key"]).get(api_at).status_code == 401

    def test_keys_make_and_revoke_no_keys(self, cast: Cast, api_at: str) -> None:
        key, token = made(cast, cast.alice)
        api = cast.api(token)
        assert api.get(api_at).status_code == 200
        assert api.post(api_at, {"name": "x"}, "application/json").json()["code"] == "personal_key_needed"
        assert api.delete(f"{api_at}/{key.id}").json()["code"] == "personal_key_needed"

    def test_the_same_write_gives_the_same_key_which_is_stored_sealed(self, cast: Cast, api_at: str) -> None:
        api, again = cast.api(cast.key(cast.alice)), {"HTTP_IDEMPOTENCY_KEY": uuid4().hex}
        body = {"name": "Once", "role": "member"}
        first, second = (api.post(api_at, body, "application/json", **again) for _ in range(2))
        assert second.json() == first.json()
        assert second.headers["Cache-Control"] == "no-store"
        token = first.json()["key"]
        assert api.post(api_at, {"name": "Other"}, "application/json", **again).status_code == 409
        for table in (
            "core_answer",
            "workspaces_apikey",
            "workspaces_auditentry",
            "core_cache",
            "accounts_session",
        ):
            [(hits,)] = as_owner(f"SELECT count(*) FROM {table} t WHERE t::text LIKE %s", f"%{token[3:]}%")
            assert hits == 0, table
        [(hits,)] = as_owner(
            "SELECT count(*) FROM core_answer WHERE position(%s IN body) > 0", token.encode()
        )
        assert hits == 0

    def test_a_key_is_for_programs_and_opens_no_page(self, cast: Cast, at: str) -> None:
        _key, token = own(cast, cast.alice)
        api = cast.api(token)
        for path in (at, "/me/", "/accounts/settings", "/accounts/security", MINE):
            assert "/accounts/login" in api.get(path).headers["Location"], path


class TestPersonal:
    def test_it_asks_who_one_is_shows_the_key_once_and_a_mail_tells(self, cast: Cast) -> None:
        browser = cast.browser(cast.bob)
        assert browser.get(NEW).headers["Location"].startswith("/accounts/reauthenticate/")
        sent = cast.browser(cast.bob).post(NEW, {"name": "x"})
        assert sent.headers["Location"].startswith("/accounts/reauthenticate/")
        page = html(confirmed(browser, NEW))
        assert 'value="all" checked' in page
        answer = browser.post(NEW, {"name": "Laptop", "reach": "all", "form_id": str(uuid4())})
        token = token_on(html(answer))
        assert "no-store" in answer.headers["Cache-Control"]
        assert cast.api(token).get("/api/v1/user").json()["email"] == cast.bob.email
        listed = html(browser.get(MINE))
        assert ("Laptop" in listed, token in listed, "A new password does not end it" in listed) == (
            True,
            False,
            True,
        )
        assert subjects_to(cast.bob) == ["A new API key for your Staffroom account"]

    def test_what_was_sent_before_the_password_is_made_after_it(self, cast: Cast) -> None:
        browser = cast.browser(cast.bob)
        browser.post(NEW, {"name": "Stashed", "reach": "all", "form_id": str(uuid4())})
        answer = confirmed(browser, NEW)
        assert token_on(html(answer))
        assert "no-store" in answer.headers["Cache-Control"]
        assert html(confirmed(cast.browser(cast.bob), MINE)).count("Stashed") >= 1

    def test_a_repeated_submit_makes_no_second_one(self, cast: Cast) -> None:
        browser = cast.browser(cast.bob)
        confirmed(browser, NEW)
        form = {"name": "Double", "reach": "all", "form_id": str(uuid4())}
        assert [browser.post(NEW, form).status_code for _ in range(2)] == [200, 409]

    def test_limited_it_opens_what_it_was_limited_to(self, cast: Cast) -> None:
        other = cast.organization("Other", cast.alice)
        _key, token = own(cast, cast.alice, cast.acme)
        api = cast.api(token)
        assert api.get(f"/api/v1/o/{cast.acme.slug}").json()["role"] == "owner"
        stranger = cast.api(cast.key(cast.sam)).get(f"/api/v1/o/{cast.acme.slug}").json()
        for path in (f"/api/v1/o/{other.slug}", "/api/v1/me/employees", f"/api/v1/o/{other.slug}/members"):
            assert api.get(path).json() == stranger
        assert [one["slug"] for one in api.get("/api/v1/contexts").json()["items"]] == [cast.acme.slug]
        assert [one["slug"] for one in api.get("/api/v1/organizations").json()["items"]] == [cast.acme.slug]
        assert api.get("/api/v1/user").status_code == 200

    def test_limited_it_does_nothing_outside_of_contexts(self, cast: Cast) -> None:
        _key, token = own(cast, cast.alice, cast.acme)
        api = cast.api(token)
        for path in ("organizations", f"invitations/{uuid4()}/accept", f"invitations/{uuid4()}/decline"):
            assert (
                api.post(f"/api/v1/{path}", {"name": "x"}, "application/json").json()["code"] == "key_limited"
            )
        assert api.get("/api/v1/invitations").json()["code"] == "key_limited"
        User.objects.filter(id=cast.alice.id).update(is_staff=True)
        far = Client(REMOTE_ADDR="203.0.113.9", headers={"Authorization": f"Bearer {token}"})
        assert far.get("/metrics").status_code == 404
        User.objects.filter(id=cast.alice.id).update(is_staff=False)

    def test_a_former_address_of_what_it_is_not_limited_to_leads_nowhere(self, cast: Cast) -> None:
        other = cast.organization("Mover", cast.alice)
        new = f"moved-{uuid4().hex[:8]}"
        full, limited = cast.api(cast.key(cast.alice)), cast.api(own(cast, cast.alice, cast.acme)[1])
        assert full.patch(f"/api/v1/o/{other.slug}", {"slug": new}, "application/json").status_code == 200
        assert full.get(f"/api/v1/o/{other.slug}").status_code == 308
        assert limited.get(f"/api/v1/o/{other.slug}").status_code == 404

    def test_it_reaches_no_closed_organization_and_copies_nothing_out(self, cast: Cast) -> None:
        gone, member = cast.organization("Closing", cast.alice), cast.member(cast.alice, cast.acme)
        by = cast.member(cast.alice, gone)
        with cast.inside(cast.acme):
            mira = roster.hire("Mira", by=member)
        with cast.inside(gone):
            deletion.close(by=by, confirm=gone.slug or "")
        full, limited = cast.api(cast.key(cast.alice)), cast.api(own(cast, cast.alice, cast.acme)[1])
        exports = f"/api/v1/o/{gone.slug}/exports"
        assert [api.post(exports, {}, "application/json").status_code for api in (full, limited)] == [
            202,
            404,
        ]
        at = f"/api/v1/o/{cast.acme.slug}/employees/{mira.id}/copy"
        assert limited.post(at, {"to": "me"}, "application/json").status_code == 404
        assert full.post(at, {"to": "me"}, "application/json").status_code == 201

    def test_nobody_limits_a_key_to_where_they_are_not(self, cast: Cast) -> None:
        for only in ([cast.rival.id], [uuid4()], [], [cast.acme.id, cast.rival.id]):
            home = personal.home(cast.bob)
            with pytest.raises(Invalid), workspace_scope(home.workspace_id):
                keys.make_own(name="x", by=home, only=only)

    @pytest.mark.parametrize("places", [[], ["nonsense"], [""], ["\0"]])
    def test_a_limit_without_a_place_is_refused_and_never_read_as_everywhere(
        self, cast: Cast, places: list[str]
    ) -> None:
        browser = cast.browser(cast.bob)
        confirmed(browser, NEW)
        answer = browser.post(NEW, {"name": "x", "reach": "some", "places": places})
        assert (answer.status_code, "Choose at least one context" in html(answer)) == (422, True)

    def test_what_was_chosen_stays_when_something_else_was_wrong(self, cast: Cast) -> None:
        browser = cast.browser(cast.bob)
        confirmed(browser, NEW)
        page = html(browser.post(NEW, {"name": "", "reach": "some", "places": [str(cast.acme.id)]}))
        assert f'value="{cast.acme.id}" id="place-{cast.acme.id}" checked' in page
        assert "Choose at least" not in page

    def test_it_opens_nothing_where_its_person_was_removed(self, cast: Cast) -> None:
        zoe = cast.joined(cast.person("zed"), Membership.MEMBER)
        _key, token = own(cast, zoe, cast.acme)
        assert cast.api(token).get(f"/api/v1/o/{cast.acme.slug}").status_code == 200
        by = cast.member(cast.alice, cast.acme)
        with cast.inside(cast.acme):
            memberships.remove(zoe.id, by=by)
        assert cast.api(token).get(f"/api/v1/o/{cast.acme.slug}").status_code == 404
        browser = cast.browser(zoe)
        assert "Nowhere any more" in html(browser.get(MINE))

    def test_a_new_password_does_not_end_it_and_revoking_does(self, cast: Cast) -> None:
        key, token = own(cast, cast.bob)
        cast.bob.set_password("another horse battery")
        cast.bob.save()
        api = cast.api(token)
        assert api.get("/api/v1/user").status_code == 200
        answer = cast.browser(cast.bob).post(f"{MINE}/{key.id}/revocation")
        assert answer.headers["Location"] == MINE
        assert api.get("/api/v1/user").status_code == 401

    def test_no_log_ever_holds_it(self, cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
        browser = cast.browser(cast.ann)
        confirmed(browser, NEW)
        with caplog.at_level(logging.DEBUG):
            token = token_on(html(browser.post(NEW, {"name": "Quiet", "reach": "all"})))
            cast.api(token).get("/api/v1/user")
            cast.api(token + "x").get("/api/v1/user")
        said = [one for one in caplog.records if one.name != "django.db.backends"]
        assert token not in " ".join(one.getMessage() for one in said)
