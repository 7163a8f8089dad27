"""Who may call, what it answers, and what a repeated write answers."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from staffroom.core.scope import workspace_scope
from staffroom.workspaces.models import Slug
from tests.cast import Cast

USER = "/api/v1/user"


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


def _problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["detail"]
    return body


def test_without_a_key_or_with_a_dead_one_a_call_gets_401(cast: Cast) -> None:
    answer = Client().get(USER)
    _problem(answer, 401, "unauthenticated")
    assert answer["WWW-Authenticate"] == "Bearer"
    _problem(cast.api("sr_nobody").get(USER), 401, "unauthenticated")
    _problem(cast.api("sr_nobody").get(f"/api/v1/o/{cast.acme.slug}"), 401, "unauthenticated")


def test_a_dead_key_is_not_helped_by_a_living_session(cast: Cast) -> None:
    browser = cast.browser(cast.alice)
    _problem(browser.get(USER, headers={"Authorization": "Bearer sr_nobody"}), 401, "unauthenticated")


def test_a_personal_key_speaks_for_its_person_everywhere(cast: Cast) -> None:
    api = cast.api(cast.key(cast.alice))
    assert api.get(USER).json()["email"] == cast.alice.email
    assert [one["kind"] for one in api.get("/api/v1/contexts").json()["items"]] == [
        "personal",
        "organization",
    ]
    assert api.get(f"/api/v1/o/{cast.acme.slug}").json()["role"] == "owner"


def test_an_organizations_key_opens_its_organization_and_no_person(cast: Cast) -> None:
    api = cast.api(cast.organization_key(cast.acme, "member"))
    assert api.get(f"/api/v1/o/{cast.acme.slug}").json()["role"] == "member"
    _problem(api.get(f"/api/v1/o/{cast.rival.slug}"), 404, "not_found")
    _problem(api.get(USER), 403, "personal_key_needed")
    _problem(api.get("/api/v1/contexts"), 403, "personal_key_needed")


def test_strangers_and_former_members_see_what_is_not_there(cast: Cast) -> None:
    for user in (cast.sam, cast.finn):
        _problem(cast.api(cast.key(user)).get(f"/api/v1/o/{cast.acme.slug}"), 404, "not_found")
    _problem(cast.api(cast.key(cast.sam)).get("/api/v1/o/nothing-of-that-name"), 404, "not_found")


def test_a_former_slug_answers_308_to_its_members_only(cast: Cast) -> None:
    organization = cast.organization("Newname", cast.alice)
    with workspace_scope(organization.id):
        Slug.objects.create(slug=f"former-{cast.mark}", workspace_id=organization.id)
    path = f"/api/v1/o/former-{cast.mark}?a=b"
    answer = cast.api(cast.key(cast.alice)).get(path)
    assert (answer.status_code, answer["Location"]) == (308, f"/api/v1/o/{organization.slug}?a=b")
    _problem(cast.api(cast.key(cast.sam)).get(path), 404, "not_found")


def test_a_browsers_session_reads_and_writes_only_from_our_own_page(cast: Cast) -> None:
    browser = Client(enforce_csrf_checks=True, raise_request_exception=False)
    browser.force_login(cast.alice)
    assert browser.get(USER).status_code == 200
    answer = browser.post("/api/v1/organizations", {"name": "X"}, content_type="application/json")
    _problem(answer, 403, "csrf_failed")


def test_unknown_routes_and_methods_are_problems(cast: Cast) -> None:
    api = cast.api(cast.key(cast.alice))
    _problem(api.get("/api/v1/nothing"), 404, "not_found")
    _problem(Client().get("/api/v1/nothing"), 404, "not_found")
    answer = api.delete("/api/v1/contexts")
    _problem(answer, 405, "method_not_allowed")
    assert answer["Allow"] == "GET"


def test_a_call_with_a_key_leaves_no_session_and_asks_twice(cast: Cast) -> None:
    api = cast.api(cast.key(cast.alice))
    api.get("/api/v1/contexts")
    with CaptureQueriesContext(connection) as queries:
        answer = api.get("/api/v1/contexts")
    assert len(queries) == 2, "the door and the list"
    assert not answer.cookies
