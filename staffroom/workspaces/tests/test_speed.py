"""How often the hot calls of the API ask the database: whoever raises one of these numbers says why."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from staffroom.workspaces import invitations
from tests.cast import Cast


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


@pytest.fixture(scope="module")
def alice(cast: Cast) -> Client:
    """The first call notes that the key was used."""
    client = cast.api(cast.key(cast.alice))
    client.get("/api/v1/contexts")
    return client


def statements(client: Client, method: str, path: str, body: Any = None) -> list[str]:
    with CaptureQueriesContext(connection) as asked:
        call = getattr(client, method)
        answer = call(
            f"/api/v1/{path}", **({"data": body, "content_type": "application/json"} if body else {})
        )
    assert answer.status_code < 300, answer.content
    return [one["sql"] for one in asked]


def test_reading_an_organization(cast: Cast, alice: Client) -> None:
    found = statements(alice, "get", f"o/{cast.acme.slug}")
    assert len(found) == 4, "the door, BEGIN with its workspace, the row, COMMIT"


def test_founding(alice: Client) -> None:
    found = statements(alice, "post", "organizations", {"name": f"House {uuid4()}"})
    assert len(found) == 12, found


def test_inviting_a_stranger(cast: Cast, alice: Client) -> None:
    body = {"email": f"{uuid4().hex}@example.com", "role": "member"}
    found = statements(alice, "post", f"o/{cast.acme.slug}/invitations", body)
    assert len(found) == 12, found


def test_accepting(cast: Cast) -> None:
    eve = cast.person(f"eve-{uuid4().hex[-6:]}")
    with cast.inside(cast.acme):
        _, token = invitations.invite(email=eve.email, role="member", by=cast.member(cast.alice, cast.acme))
    client = cast.api(cast.key(eve))
    client.get("/api/v1/contexts")
    found = statements(client, "post", f"invitations/{token}/accept")
    assert len(found) == 15, found


def test_changing_a_role(cast: Cast, alice: Client) -> None:
    path = f"o/{cast.acme.slug}/members/{cast.bob.id}"
    assert len(statements(alice, "patch", path, {"role": "admin"})) == 10
    found = statements(alice, "patch", path, {"role": "member"})
    assert len(found) == 11, "and the invitations that an admin may have sent"
