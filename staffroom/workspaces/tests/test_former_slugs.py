"""A former address leads its members on, for 90 days is nobody else's, and tells strangers nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from staffroom.accounts.models import User
from staffroom.workspaces import deletion, organizations, slugs
from staffroom.workspaces.models import AuditEntry, Slug, Workspace
from tests.cast import Cast

from .races import passer_by


class Lean(Cast):
    """Without passwords."""

    def person(self, name: str) -> User:
        return passer_by(name)


@pytest.fixture
def cast() -> Cast:
    cast = Lean()
    cast.bob, cast.finn, cast.rival  # noqa: B018 - brings them on stage
    return cast


def moves(cast: Cast, slug: str = "") -> str:
    """The address before."""
    with cast.inside(cast.acme):
        former = Workspace.objects.get(id=cast.acme.id).slug or ""
        organizations.change(by=cast.member(cast.alice, cast.acme), slug=slug or f"new-{uuid4().hex[-8:]}")
        cast.acme.refresh_from_db()
    return former


def seen(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.headers.get("Location", "")


PAGES = ["/", "/chats", "/organization?tab=members&q=a%2Fb", "/employees?cursor=%C3%A9"]


def test_pages_and_routes_lead_on_with_path_and_query(cast: Cast) -> None:
    former = moves(cast)
    browser, api = cast.browser(cast.bob), cast.api(cast.key(cast.bob))
    for page in PAGES:
        assert seen(browser.get(f"/o/{former}{page}")) == (308, f"/o/{cast.acme.slug}{page}")
    for route in ("", "/members?limit=1&q=%25", "/chats?cursor=%C3%A9"):
        assert seen(api.get(f"/api/v1/o/{former}{route}")) == (308, f"/api/v1/o/{cast.acme.slug}{route}")
    source, words = uuid4(), {"title": "Hours", "text": "We open at ten."}
    for method, route, body in [
        ("post", "knowledge", words),
        ("patch", f"employees/{source}", {"name": "Mira"}),
        ("delete", f"knowledge/{source}", {}),
        ("put", f"employees/{source}/knowledge/{source}", {}),
    ]:
        answer = getattr(api, method)(f"/api/v1/o/{former}/{route}", body, content_type="application/json")
        assert seen(answer) == (308, f"/api/v1/o/{cast.acme.slug}/{route}"), method


def test_a_form_and_a_key_of_the_organization_are_led_on_too(cast: Cast) -> None:
    former = moves(cast)
    posted = cast.browser(cast.alice).post(f"/o/{former}/organization/name", {"name": "Mine"})
    assert seen(posted) == (308, f"/o/{cast.acme.slug}/organization/name")
    answer = cast.api(cast.organization_key(cast.acme)).get(f"/api/v1/o/{former}/members")
    assert seen(answer) == (308, f"/api/v1/o/{cast.acme.slug}/members")


def test_to_others_it_is_an_address_that_never_was(cast: Cast) -> None:
    former = moves(cast)
    callers: dict[str, Client] = {
        "stranger": cast.browser(cast.sam),
        "former member": cast.browser(cast.finn),
        "stranger's key": cast.api(cast.key(cast.sam)),
        "another's key": cast.api(cast.organization_key(cast.rival)),
        "dead key": cast.api("sr_nobody"),
        "nobody": Client(),
    }
    for name, caller in callers.items():
        for at in ("/o/%s/chats", "/api/v1/o/%s/members"):
            answers = [caller.get(at % slug) for slug in (former, f"never-{uuid4().hex[-8:]}")]
            one, other = (_without_slug(answer, at) for answer in answers)
            assert one == other, name
            assert answers[0].status_code in (302, 401, 404), name


def _without_slug(answer: Any, at: str) -> Any:
    slug = answer.request["PATH_INFO"].split("/o/")[1].split("/")[0]
    return seen(answer)[0], seen(answer)[1].replace(slug, ""), answer.content.replace(slug.encode(), b"")


def test_every_former_address_leads_to_the_present_one_at_once(cast: Cast) -> None:
    former = [moves(cast) for _ in range(4)]
    browser = cast.browser(cast.bob)
    for slug in former:
        assert seen(browser.get(f"/o/{slug}/chats")) == (308, f"/o/{cast.acme.slug}/chats")


def test_one_may_go_back_and_forth(cast: Cast) -> None:
    first = moves(cast)
    second = moves(cast, first)
    third = moves(cast, second)
    assert (third, cast.acme.slug) == (first, second)
    browser = cast.browser(cast.bob)
    assert seen(browser.get(f"/o/{first}/chats")) == (308, f"/o/{second}/chats")
    assert browser.get(f"/o/{second}/chats").status_code == 200
    with cast.inside(cast.acme):
        assert list(Slug.objects.filter(held_until=None).values_list("slug", flat=True)) == [second]
        assert AuditEntry.objects.filter(action="organization.moved").count() == 3


def test_it_is_held_for_ninety_days_and_free_afterwards(cast: Cast) -> None:
    former = moves(cast)
    for held in (timedelta(days=90), timedelta(minutes=1)):
        _held_for(cast, former, held)
        with pytest.raises(slugs.SlugTaken):
            organizations.found("Taker", by=cast.sam, slug=former)
        with pytest.raises(slugs.SlugTaken):
            slugs.available(former)
    _held_for(cast, former, -timedelta(seconds=1))
    taker = organizations.found("Taker", by=cast.sam, slug=former)
    assert taker.slug == former
    assert cast.browser(cast.bob).get(f"/o/{former}/chats").status_code == 404, "it is somebody else's now"
    assert cast.browser(cast.sam).get(f"/o/{former}/chats").status_code == 200


def _held_for(cast: Cast, slug: str, time: timedelta) -> None:
    with cast.inside(cast.acme):
        assert Slug.objects.filter(slug=slug).update(held_until=timezone.now() + time) == 1


def test_what_another_took_leads_nobody_back_when_they_move_on(cast: Cast) -> None:
    former = moves(cast)
    _held_for(cast, former, -timedelta(seconds=1))
    taker = organizations.found("Taker", by=cast.sam, slug=former)
    with cast.inside(taker):
        organizations.change(by=cast.member(cast.sam, taker), slug=f"on-{uuid4().hex[-8:]}")
    assert cast.browser(cast.bob).get(f"/o/{former}/chats").status_code == 404
    with pytest.raises(slugs.SlugTaken), cast.inside(cast.acme):
        organizations.change(by=cast.member(cast.alice, cast.acme), slug=former)


def test_of_a_deleted_organization_no_address_is_left(cast: Cast) -> None:
    former = moves(cast)
    with cast.inside(cast.acme):
        deletion.close(by=cast.member(cast.alice, cast.acme), confirm=cast.acme.slug or "")
    for who in (cast.alice, cast.bob, cast.sam):
        for slug in (former, cast.acme.slug):
            assert cast.browser(who).get(f"/o/{slug}/chats").status_code == 404
    with pytest.raises(slugs.SlugTaken):
        organizations.found("Taker", by=cast.sam, slug=former)


def test_a_write_that_is_repeated_at_the_new_address_is_the_same_write(cast: Cast) -> None:
    api, once = cast.api(cast.key(cast.alice)), {"Idempotency-Key": uuid4().hex}

    def add() -> Any:
        return api.post(
            f"/api/v1/o/{cast.acme.slug}/knowledge",
            {"title": "Hours", "text": "We open at ten."},
            content_type="application/json",
            headers=once,
        )

    first = add()
    moves(cast)
    again = add()
    assert (again.status_code, again.json()) == (201, first.json())
