"""What the API's answers say and do; who may call is walked in /tests/test_routes.py."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from staffroom.workspaces import invitations
from tests.cast import Cast

ORGANIZATIONS = "/api/v1/organizations"


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


@pytest.fixture(scope="module")
def alice(cast: Cast) -> Client:
    return cast.api(cast.key(cast.alice))


def post(api: Client, path: str, body: Any = None, status: int = 201, **headers: str) -> Any:
    answer = api.post(path, body or {}, content_type="application/json", headers=headers)
    assert answer.status_code == status, answer.content
    return answer.json()


def problem(answer: Any) -> tuple[int, str]:
    assert answer["Content-Type"] == "application/problem+json", answer.content
    return answer.status_code, answer.json()["code"]


class TestOrganizations:
    def test_founding_answers_the_organization(self, cast: Cast, alice: Client) -> None:
        made = post(alice, ORGANIZATIONS, {"name": "Bike Café"})
        assert (made["name"], made["role"]) == ("Bike Café", "owner")
        assert made["slug"].startswith("bike-cafe")
        assert made["owner"]["email"] == cast.alice.email
        assert alice.get(f"/api/v1/o/{made['slug']}").json() == made
        assert made in alice.get(ORGANIZATIONS).json()["items"]

    @pytest.mark.parametrize(
        ("body", "field", "code"),
        [
            ({}, "name", "invalid"),
            ({"name": ""}, "name", "invalid"),
            ({"name": 7}, "name", "invalid"),
            ({"name": "X", "slug": "a b"}, "slug", "slug_malformed"),
            ({"name": "X", "slug": "admin"}, "slug", "slug_reserved"),
        ],
    )
    def test_bad_input_says_which_field(self, alice: Client, body: Any, field: str, code: str) -> None:
        answer = alice.post(ORGANIZATIONS, body, content_type="application/json")
        assert problem(answer) == (422, code)
        assert list(answer.json()["errors"]) == [field]

    def test_a_taken_slug_says_so(self, cast: Cast, alice: Client) -> None:
        answer = alice.post(
            ORGANIZATIONS, {"name": "X", "slug": cast.rival.slug}, content_type="application/json"
        )
        assert problem(answer) == (422, "slug_taken")

    def test_the_same_key_founds_once_and_answers_twice(self, alice: Client) -> None:
        key, body = str(uuid4()), {"name": f"Once {uuid4()}"}
        first = post(alice, ORGANIZATIONS, body, **{"Idempotency-Key": key})
        assert post(alice, ORGANIZATIONS, body, **{"Idempotency-Key": key}) == first
        answer = alice.post(
            ORGANIZATIONS,
            {"name": "Other"},
            content_type="application/json",
            headers={"Idempotency-Key": key},
        )
        assert problem(answer) == (409, "idempotency_key_reused")
        named = [one for one in alice.get(ORGANIZATIONS).json()["items"] if one["name"] == body["name"]]
        assert len(named) == 1

    def test_eight_at_once_with_one_key_found_once(self, cast: Cast) -> None:
        key, body = str(uuid4()), {"name": f"Race {uuid4()}"}
        token = cast.key(cast.bob)

        def call(_: int) -> Any:
            try:
                return post(cast.api(token), ORGANIZATIONS, body, **{"Idempotency-Key": key})
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(call, range(8)))
        assert all(one == answers[0] for one in answers)

    def test_a_key_that_is_no_key_is_bad_input(self, alice: Client) -> None:
        answer = alice.post(
            ORGANIZATIONS,
            {"name": "X"},
            content_type="application/json",
            headers={"Idempotency-Key": "x" * 256},
        )
        assert problem(answer) == (422, "invalid")

    def test_name_and_slug_change_and_the_former_slug_leads_here(self, alice: Client) -> None:
        made = post(alice, ORGANIZATIONS, {"name": "Former"})
        new = f"later-{uuid4().hex[-8:]}"
        answer = alice.patch(
            f"/api/v1/o/{made['slug']}", {"name": "Later", "slug": new}, content_type="application/json"
        )
        assert (answer.json()["name"], answer.json()["slug"]) == ("Later", new)
        moved = alice.get(f"/api/v1/o/{made['slug']}/members?limit=1")
        assert (moved.status_code, moved["Location"]) == (308, f"/api/v1/o/{new}/members?limit=1")


class TestLists:
    def test_contexts_say_their_words_in_two_statements(self, alice: Client) -> None:
        alice.get("/api/v1/contexts")
        with CaptureQueriesContext(connection) as statements:
            items = alice.get("/api/v1/contexts").json()["items"]
        assert len(statements) == 2, "the door and the list"
        assert items[0]["kind"] == "personal"
        assert items[0]["slug"] is None
        assert [one["name"] for one in items[1:]] == sorted((one["name"] for one in items[1:]), key=str.lower)
        assert all(one["words_left"] == 20_000 for one in items)

    def test_members_come_in_pages(self, cast: Cast, alice: Client) -> None:
        cast.ann, cast.bob  # noqa: B018
        path, seen = f"/api/v1/o/{cast.acme.slug}/members?limit=2", []
        answer = alice.get(path).json()
        seen += answer["items"]
        assert answer["next"]
        answer = alice.get(f"{path}&cursor={answer['next']}").json()
        assert answer["next"] is None
        seen += answer["items"]
        assert sorted(one["role"] for one in seen) == ["admin", "member", "owner"]
        assert alice.get(f"{path}&q=BOB").json()["items"][0]["user"]["email"] == cast.bob.email

    @pytest.mark.parametrize(
        "query", ["limit=0", "limit=201", "limit=x", "cursor=forged", "q=%00", "cursor=%F0%28"]
    )
    def test_a_bad_page_is_bad_input(self, cast: Cast, alice: Client, query: str) -> None:
        answer = alice.get(f"/api/v1/o/{cast.acme.slug}/members?{query}")
        assert problem(answer)[0] in (400, 422)

    @pytest.mark.parametrize(("path", "more"), [("members", 1), ("invitations", 0)])
    def test_a_list_asks_as_often_for_many_as_for_few(
        self, cast: Cast, alice: Client, path: str, more: int
    ) -> None:
        url = f"/api/v1/o/{cast.acme.slug}/{path}"
        alice.get(url)
        with CaptureQueriesContext(connection) as few:
            alice.get(f"{url}?limit=1")
        for number in range(3):
            cast.joined(cast.person(f"more-{number}-{uuid4().hex[-6:]}"), "member")
        with CaptureQueriesContext(connection) as many:
            alice.get(url)
        # The door, BEGIN with its workspace, the list, COMMIT; of members also what they have used.
        assert len(few) == len(many) == 4 + more

    def test_the_balance_is_what_the_plan_gave(self, alice: Client) -> None:
        balance = alice.get("/api/v1/me/balance").json()
        assert (balance["words_left"], balance["reserved"], balance["plan"]) == (20_000, 0, "free")
        assert [part["source"] for part in balance["parts"]] == ["plan"]


class TestInvitations:
    def test_one_is_invited_and_accepts(self, cast: Cast, alice: Client) -> None:
        eve = cast.person(f"eve-{uuid4().hex[-6:]}")
        made = post(alice, f"/api/v1/o/{cast.acme.slug}/invitations", {"email": eve.email, "role": "admin"})
        assert made["accept_url"].startswith("http")
        assert (made["state"], made["role"]) == ("pending", "admin")
        api = cast.api(cast.key(eve))
        [waiting] = api.get("/api/v1/invitations").json()["items"]
        assert (waiting["id"], waiting["organization"]["slug"]) == (made["id"], cast.acme.slug)
        seat = post(api, f"/api/v1/invitations/{waiting['id']}/accept", status=200)
        assert (seat["organization"]["slug"], seat["role"]) == (cast.acme.slug, "admin")
        assert api.get(f"/api/v1/o/{cast.acme.slug}").json()["role"] == "admin"
        assert problem(api.post(f"/api/v1/invitations/{waiting['id']}/accept")) == (404, "invitation_gone")

    def test_the_link_works_for_its_address_only_and_once(self, cast: Cast, alice: Client) -> None:
        eve, mallory = (cast.person(f"{name}-{uuid4().hex[-6:]}") for name in ("eve", "mallory"))
        made = post(alice, f"/api/v1/o/{cast.acme.slug}/invitations", {"email": eve.email})
        token = made["accept_url"].rsplit("/", 1)[1]
        wrong = cast.api(cast.key(mallory)).post(f"/api/v1/invitations/{token}/accept")
        assert problem(wrong) == (403, "wrong_account")
        assert (wrong.json()["invited"], wrong.json()["signed_in"]) == (eve.email, mallory.email)
        api = cast.api(cast.key(eve))
        assert post(api, f"/api/v1/invitations/{token}/decline", status=200) == {"state": "declined"}
        assert problem(api.post(f"/api/v1/invitations/{token}/accept")) == (404, "invitation_gone")

    def test_sent_again_the_former_link_is_dead(self, cast: Cast, alice: Client) -> None:
        eve = cast.person(f"eve-{uuid4().hex[-6:]}")
        path = f"/api/v1/o/{cast.acme.slug}/invitations"
        first = post(alice, path, {"email": eve.email})
        second = post(alice, f"{path}/{first['id']}/resend", status=200)
        assert second["accept_url"] != first["accept_url"]
        api = cast.api(cast.key(eve))
        former = first["accept_url"].rsplit("/", 1)[1]
        assert problem(api.post(f"/api/v1/invitations/{former}/accept")) == (404, "invitation_gone")

    def test_taken_back_it_is_gone(self, cast: Cast, alice: Client) -> None:
        eve = cast.person(f"eve-{uuid4().hex[-6:]}")
        path = f"/api/v1/o/{cast.acme.slug}/invitations"
        made = post(alice, path, {"email": eve.email})
        assert alice.delete(f"{path}/{made['id']}").status_code == 204
        assert alice.delete(f"{path}/{made['id']}").status_code == 404
        assert made["id"] not in [one["id"] for one in alice.get(path).json()["items"]]
        api = cast.api(cast.key(eve))
        assert problem(api.post(f"/api/v1/invitations/{made['id']}/accept")) == (404, "invitation_gone")

    def test_many_are_invited_each_with_a_result(self, cast: Cast, alice: Client) -> None:
        fine = f"new-{uuid4().hex[-6:]}@example.com"
        body = {
            "invitations": [
                {"email": fine, "role": "member"},
                {"email": "no address", "role": "member"},
                {"email": cast.bob.email, "role": "member"},
                {"email": f"x{fine}", "role": "owner"},
            ]
        }
        results = post(alice, f"/api/v1/o/{cast.acme.slug}/invitations", body)["results"]
        assert results[0]["invitation"]["accept_url"]
        assert [it["problem"] and it["problem"]["code"] for it in results] == [
            None, "invalid", "already_member", "invalid",
        ]  # fmt: skip

    @pytest.mark.parametrize("count", [0, 101])
    def test_as_many_as_fit(self, cast: Cast, alice: Client, count: int) -> None:
        body = {"invitations": [{"email": "a@example.com"}] * count}
        answer = alice.post(f"/api/v1/o/{cast.acme.slug}/invitations", body, content_type="application/json")
        assert problem(answer) == (422, "invalid")
        assert list(answer.json()["errors"]) == ["invitations"]

    def test_the_list_gives_the_link_again(self, cast: Cast, alice: Client) -> None:
        path = f"/api/v1/o/{cast.acme.slug}/invitations"
        made = post(alice, path, {"email": f"link-{uuid4().hex[-6:]}@example.com"})
        listed = {one["id"]: one for one in alice.get(f"{path}?limit=200").json()["items"]}
        assert listed[made["id"]]["accept_url"] == made["accept_url"]
        assert invitations.link("x") in made["accept_url"].replace(made["accept_url"].rsplit("/", 1)[1], "x")
