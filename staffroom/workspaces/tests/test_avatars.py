"""Pictures of organizations and people: who may change them, who sees them, and what is left of former ones."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from PIL import Image

from staffroom.accounts import people
from staffroom.accounts.models import User
from staffroom.core import files
from staffroom.workspaces import avatars, invitations
from staffroom.workspaces.models import AuditEntry, Membership
from staffroom.workspaces.permissions import May
from tests.cast import Cast
from tests.owner import as_owner


def picture(colour: str = "red", kind: str = "PNG", size: tuple[int, int] = (40, 30)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, kind)
    return out.getvalue()


@pytest.fixture
def cast() -> Cast:
    return Cast()


def put(cast: Cast, key: str, content: bytes, query: str = "", **headers: str) -> Any:
    path = f"/api/v1/o/{cast.acme.slug}/avatar{query}"
    return cast.api(key).put(path, content, content_type="image/png", headers=headers)


def seen(url: str | None) -> Any:
    """By a stranger."""
    assert url
    assert url.startswith("http")
    return Client(raise_request_exception=False).get("/" + url.split("/", 3)[3])


def send(client: Client, path: str, content: bytes | None = None, **more: Any) -> Any:
    given = {"avatar": SimpleUploadedFile("me.png", content, "image/png")} if content is not None else {}
    return client.post(path, given | more)


class TestByApi:
    def test_whatever_the_header_says_the_content_decides(self, cast: Cast) -> None:
        answer = put(cast, cast.key(cast.ann), picture(kind="JPEG"))
        assert answer.status_code == 200
        shown = seen(answer.json()["avatar_url"])
        assert (shown.status_code, shown["Content-Type"]) == (200, "image/webp")
        assert Image.open(io.BytesIO(shown.content)).size == (256, 256)

    def test_a_picture_has_no_power_and_stays_as_it_is(self, cast: Cast) -> None:
        url = put(cast, cast.key(cast.alice), picture()).json()["avatar_url"]
        browser = cast.browser(cast.alice)
        for shown in (seen(url), browser.get("/" + url.split("/", 3)[3])):
            assert shown["Content-Security-Policy"] == "default-src 'none'; sandbox"
            assert shown["X-Content-Type-Options"] == "nosniff"
            assert shown["Cache-Control"] == "public, max-age=31536000, immutable"
            assert not shown.cookies
            assert "Cookie" not in shown.get("Vary", "")

    def test_it_stands_wherever_the_organization_stands(self, cast: Cast) -> None:
        bob, key = cast.api(cast.key(cast.bob)), cast.key(cast.alice)
        url = put(cast, key, picture()).json()["avatar_url"]
        contexts = bob.get("/api/v1/contexts").json()["items"]
        mine = bob.get("/api/v1/organizations").json()["items"]
        assert [one["avatar_url"] for one in contexts] == [None, url]
        assert [one["avatar_url"] for one in mine] == [url]
        assert bob.get(f"/api/v1/o/{cast.acme.slug}").json()["avatar_url"] == url
        sam = cast.api(cast.key(cast.sam))
        with cast.inside(cast.acme):
            invitations.invite(email=cast.sam.email, role="member", by=cast.member(cast.alice, cast.acme))
        [offer] = sam.get("/api/v1/invitations").json()["items"]
        assert offer["organization"]["avatar_url"] == url
        seat = sam.post(f"/api/v1/invitations/{offer['id']}/accept", {}, content_type="application/json")
        assert seat.json()["organization"]["avatar_url"] == url

    def test_a_part_may_be_chosen(self, cast: Cast) -> None:
        wide = Image.new("RGB", (80, 40), "red")
        wide.paste("blue", (40, 0, 80, 40))
        out = io.BytesIO()
        wide.save(out, "PNG")
        url = put(cast, cast.key(cast.alice), out.getvalue(), "?crop=0.5,0,1").json()["avatar_url"]
        drawn = Image.open(io.BytesIO(seen(url).content)).convert("RGB")
        assert drawn.getpixel((10, 10))[2] > 200  # type: ignore[index]

    @pytest.mark.parametrize("content", [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", picture()[:60]])
    def test_what_is_no_picture_changes_nothing(self, cast: Cast, content: bytes) -> None:
        key = cast.key(cast.alice)
        url = put(cast, key, picture()).json()["avatar_url"]
        answer = put(cast, key, content)
        assert (answer.status_code, list(answer.json()["errors"])) == (422, ["avatar"])
        assert seen(url).status_code == 200

    def test_more_than_fits(self, cast: Cast) -> None:
        assert put(cast, cast.key(cast.alice), bytes(5 * 1024 * 1024 + 1)).status_code == 413

    def test_a_repeated_key_changes_it_once(self, cast: Cast) -> None:
        key, once = cast.key(cast.alice), {"Idempotency-Key": "once"}
        first, second = (put(cast, key, picture(), **once) for _ in range(2))
        assert first.json() == second.json()
        assert seen(first.json()["avatar_url"]).status_code == 200
        assert put(cast, key, picture("blue"), **once).status_code == 409

    def test_tries_are_limited(self, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(avatars, "TRIES", avatars.Limit("avatars", 2, avatars.TRIES.per))
        key = cast.key(cast.alice)
        assert [put(cast, key, b"x").status_code for _ in range(3)] == [422, 422, 429]


class TestFormerOnes:
    def test_a_change_is_a_new_name_and_the_former_one_is_gone_with_its_files(self, cast: Cast) -> None:
        key = cast.key(cast.alice)
        former, now = (put(cast, key, picture(colour)).json()["avatar_url"] for colour in ("red", "blue"))
        assert (seen(former).status_code, seen(now).status_code) == (404, 200)
        assert files.count(cast.acme.id) == len(avatars.SIZES)

    def test_removing_leaves_nothing(self, cast: Cast) -> None:
        key = cast.key(cast.alice)
        url = put(cast, key, picture()).json()["avatar_url"]
        for _twice in range(2):
            answer = cast.api(key).delete(f"/api/v1/o/{cast.acme.slug}/avatar")
            assert (answer.status_code, answer.json()["avatar_url"]) == (200, None)
        assert seen(url).status_code == 404
        assert files.count(cast.acme.id) == 0

    def test_a_change_that_is_rolled_back_keeps_the_former_one(self, cast: Cast) -> None:
        url = put(cast, cast.key(cast.alice), picture()).json()["avatar_url"]
        alice = cast.member(cast.alice, cast.acme)
        pictures = avatars.drawn(picture("blue"), by=alice)
        with cast.inside(cast.acme):
            lost = avatars.change(pictures, by=alice)
            transaction.set_rollback(True)
        assert seen(url).status_code == 200
        assert seen(avatars.url(lost)).status_code == 404

    def test_the_log_tells_each_change_once(self, cast: Cast) -> None:
        key = cast.key(cast.alice)
        put(cast, key, picture())
        for _twice in range(2):
            cast.api(key).delete(f"/api/v1/o/{cast.acme.slug}/avatar")
        with cast.inside(cast.acme):
            told = list(AuditEntry.objects.order_by("number").values_list("action", flat=True))
        assert told == ["avatar.changed", "avatar.removed"]

    def test_of_a_closed_organization_nothing_is_shown(self, cast: Cast) -> None:
        url = put(cast, cast.key(cast.alice), picture()).json()["avatar_url"]
        as_owner("UPDATE workspaces_workspace SET closed_at = now() WHERE id = %s", cast.acme.id)
        assert seen(url).status_code == 404


@pytest.mark.parametrize(
    "name",
    ["x", "-256", "x-256", "x-64", "..-256", "%2e%2e%2fx-256", "x/../y-256", "x%00-256", "x" * 5000 + "-256", "é-96"],
    ids=range(10),
)  # fmt: skip
def test_a_name_that_nobody_has(name: str) -> None:
    assert Client(raise_request_exception=False).get(f"/avatars/{name}.webp").status_code == 404


def test_there_is_no_list_of_pictures() -> None:
    assert [Client().get(at).status_code for at in ("/avatars", "/avatars/", "/avatars/.webp")] == [404] * 3


class TestByPage:
    def test_choosing_changing_and_removing(self, cast: Cast) -> None:
        browser, here = cast.browser(cast.ann), f"/o/{cast.acme.slug}/organization"
        assert send(browser, f"{here}/avatar", picture(), crop="0,0,0.5").status_code == 302
        page = browser.get(f"{here}?tab=general").content.decode()
        assert "-256.webp" in page
        assert "-96.webp" in page
        assert browser.post(f"{here}/avatar/removal").status_code == 302
        assert ".webp" not in browser.get(f"{here}?tab=general").content.decode()

    def test_what_is_wrong_stands_under_the_field(self, cast: Cast) -> None:
        browser, at = cast.browser(cast.alice), f"/o/{cast.acme.slug}/organization/avatar"
        heavy = picture() + bytes(5 * 1024 * 1024)
        for content, sentence in ((None, "Choose a picture first."), (b"", "Choose a PNG"),
                                  (b"GIF", "Choose a PNG"), (heavy, "5 MB")):  # fmt: skip
            answer = send(browser, at, content)
            assert answer.status_code == 422
            page = answer.content.decode()
            assert sentence in page[page.index("id_avatar_errors") :]
            assert cast.acme.name in page

    def test_htmx_gets_the_sentence_alone_and_then_the_way_onward(self, cast: Cast) -> None:
        browser, at = cast.browser(cast.alice), f"/o/{cast.acme.slug}/organization/avatar"
        browser.defaults["HTTP_HX_REQUEST"] = "true"
        answer = send(browser, at, b"GIF")
        assert (answer.status_code, "<html" in answer.content.decode()) == (422, False)
        answer = send(browser, at, picture())
        assert answer["HX-Redirect"] == f"/o/{cast.acme.slug}/organization?tab=general"

    def test_members_see_no_form(self, cast: Cast) -> None:
        page = cast.browser(cast.bob).get(f"/o/{cast.acme.slug}/organization").content.decode()
        assert "data-crop" not in page

    def test_whoever_was_demoted_since_the_door_changes_nothing(self, cast: Cast) -> None:
        ann = cast.member(cast.ann, cast.acme)
        pictures = avatars.drawn(picture(), by=ann)
        assert ann.may(May.SETTINGS)
        with cast.inside(cast.acme):
            Membership.objects.filter(user_id=cast.ann.id).update(role=Membership.MEMBER)
        with pytest.raises(avatars.standing.RoleForbids), cast.inside(cast.acme):
            avatars.change(pictures, by=ann)


class TestAPerson:
    def test_colleagues_see_the_picture_and_the_personal_account_has_it(self, cast: Cast) -> None:
        bob = cast.browser(cast.bob)
        assert send(bob, "/accounts/settings/avatar", picture()).status_code == 302
        name = User.objects.get(id=cast.bob.id).avatar
        assert name in bob.get("/accounts/settings").content.decode()
        assert name in bob.get("/me/").content.decode()
        assert (
            name
            in cast.browser(cast.ann).get(f"/o/{cast.acme.slug}/organization?tab=members").content.decode()
        )
        people = cast.api(cast.key(cast.ann)).get(f"/api/v1/o/{cast.acme.slug}/members").json()["items"]
        shown = {one["user"]["name"]: one["user"]["avatar_url"] for one in people}
        assert shown == {"Alice": None, "Ann": None, "Bob": avatars.url(name)}
        assert seen(avatars.url(name)).status_code == 200
        assert files.count(cast.member(cast.bob).workspace_id) == len(avatars.SIZES)

    def test_the_owner_of_an_organization_is_shown_with_it(self, cast: Cast) -> None:
        send(cast.browser(cast.alice), "/accounts/settings/avatar", picture())
        api, name = cast.api(cast.key(cast.bob)), User.objects.get(id=cast.alice.id).avatar
        [mine] = api.get("/api/v1/organizations").json()["items"]
        assert mine["owner"]["avatar_url"] == avatars.url(name)
        assert api.get(f"/api/v1/o/{cast.acme.slug}").json()["owner"] == mine["owner"]

    def test_saving_the_name_leaves_the_picture_alone(self, cast: Cast) -> None:
        """The door does not read it; a user that it found is saved without it."""
        bob = cast.browser(cast.bob)
        send(bob, "/accounts/settings/avatar", picture())
        bob.post("/accounts/settings", {"name": "Robert", "language": "en", "theme": "dark"})
        bob.post("/accounts/theme", {"theme": "light"})
        found = User.objects.get(id=cast.bob.id)
        assert (found.name, bool(found.avatar), found.theme) == ("Robert", True, "light")

    def test_removing(self, cast: Cast) -> None:
        bob = cast.browser(cast.bob)
        send(bob, "/accounts/settings/avatar", picture())
        assert bob.post("/accounts/settings/avatar/removal").status_code == 302
        assert User.objects.get(id=cast.bob.id).avatar == ""
        assert files.count(cast.member(cast.bob).workspace_id) == 0

    def test_what_is_wrong_keeps_the_other_settings(self, cast: Cast) -> None:
        answer = send(cast.browser(cast.bob), "/accounts/settings/avatar", b"GIF")
        assert answer.status_code == 422
        assert 'value="Bob"' in answer.content.decode()

    def test_a_person_who_is_forgotten_has_none(self, cast: Cast) -> None:
        send(cast.browser(cast.finn), "/accounts/settings/avatar", picture())
        with transaction.atomic():
            people.forget(cast.finn)
        assert User.objects.get(id=cast.finn.id).avatar == ""

    def test_nobody_without_an_account(self) -> None:
        assert send(Client(), "/accounts/settings/avatar", picture()).status_code == 302

    def test_it_costs_no_statement_on_other_pages(self, cast: Cast) -> None:
        bob, counts = cast.browser(cast.bob), []
        for _before_and_after in range(2):
            bob.get("/me/employees")
            with CaptureQueriesContext(connection) as asked:
                bob.get("/me/employees")
            counts.append(len(asked))
            send(bob, "/accounts/settings/avatar", picture())
        assert counts[0] == counts[1]
