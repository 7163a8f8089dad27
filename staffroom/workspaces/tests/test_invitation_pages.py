"""The page behind the link, and the way of a new person from the mail into the organization."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.test import Client

from staffroom.accounts.models import User
from staffroom.core import mailbox
from staffroom.workspaces import invitations, queries
from staffroom.workspaces.models import AuditEntry, Invitation, Membership
from tests.cast import PASSWORD, Cast

from .races import passer_by


@pytest.fixture(autouse=True)
def forgotten_limits() -> None:
    cache.clear()


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


@pytest.fixture
def address() -> str:
    return f"zoe-{uuid4().hex[-8:]}@example.com"


def invite(cast: Cast, address: str, role: str = "member") -> str:
    """The copied link's path."""
    with cast.inside(cast.acme):
        _, token = invitations.invite(email=address, role=role, by=cast.member(cast.alice, cast.acme))
    return f"/invitations/{token}"


def mailed(address: str) -> str:
    letter = next(letter for letter in mailbox.letters(300) if letter.to == address)
    return re.search(r"http://[^/]+(/invitations/\S+)", letter.text)[1]  # type: ignore[index]


def html(answer: object) -> str:
    return answer.content.decode()  # type: ignore[attr-defined]


def sign_up(client: Client, **fields: str) -> object:
    return client.post("/accounts/signup/", {"name": "Zoe", "password1": PASSWORD, **fields}, follow=True)


def places(user: User) -> set[str | None]:
    return {context.slug for context in queries.contexts(user.id)}


def test_it_says_the_same_as_the_mail_and_changes_nothing(cast: Cast, address: str) -> None:
    link = invite(cast, address, "admin")
    with cast.inside(cast.acme):
        before = list(Invitation.objects.values()), AuditEntry.objects.count()
    client = Client()
    for _ in range(2):
        answer = client.get(link)
        for said in ("Alice", "Acme", address, "Admin", "UTC"):
            assert said in html(answer)
    with cast.inside(cast.acme):
        assert (list(Invitation.objects.values()), AuditEntry.objects.count()) == before
    assert not client.session.items()


def test_nobody_keeps_it_and_nobody_is_told_its_address(cast: Cast, address: str) -> None:
    link, dora = invite(cast, address), passer_by()
    answers = [
        Client().get(link),
        Client().get("/invitations/nothing"),
        cast.browser(cast.sam).get(link),
        Client().post(f"{link}/account"),
        cast.browser(cast.sam).post(f"{link}/switch"),
        cast.browser(dora).post(f"{link}/decline"),
        Client().post(f"{link}/decline"),
    ]
    for answer in answers:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_every_dead_link_shows_one_and_the_same_page(cast: Cast, address: str) -> None:
    used, dora = invite(cast, address), passer_by()
    Client().post(f"{used}/decline")
    revoked = invite(cast, dora.email)
    with cast.inside(cast.acme):
        Invitation.objects.filter(email_norm=dora.email).update(state="revoked")
    pages = {
        re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", html(Client().get(path)))
        for path in (used, revoked, "/invitations/x", f"/invitations/{'x' * 3000}", "/invitations/%00%ff", f"{used}.proof")
    }  # fmt: skip
    assert len(pages) == 1
    assert "not valid any more" in pages.pop()
    assert Client().get(used).status_code == 404
    for deed in ("accept", "decline", "switch"):
        assert cast.browser(dora).post(f"{used}/{deed}").status_code == 404


def test_the_invited_account_accepts_and_lands_inside(cast: Cast) -> None:
    dora = passer_by()
    link, client = invite(cast, dora.email), cast.browser(dora)
    assert "Accept" in html(client.get(link))
    assert client.get(f"{link}/accept").status_code == 405
    answer = client.post(f"{link}/accept")
    assert answer.headers["Location"] == f"/o/{cast.acme.slug}/"
    assert "Welcome to Acme" in html(client.get(answer.headers["Location"]))


def test_the_token_in_the_form_decides_because_the_page_posts_without_an_origin(cast: Cast) -> None:
    dora = passer_by()
    link = invite(cast, dora.email)
    client = Client(enforce_csrf_checks=True)
    client.force_login(dora)
    page = html(client.get(link))
    token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', page)[1]  # type: ignore[index]
    assert client.post(f"{link}/accept", headers={"Origin": "null"}).status_code == 403
    evil = client.post(
        f"{link}/accept", {"csrfmiddlewaretoken": token}, headers={"Origin": "https://evil.example"}
    )
    assert evil.status_code == 403
    answer = client.post(f"{link}/accept", {"csrfmiddlewaretoken": token}, headers={"Origin": "null"})
    assert answer.headers["Location"] == f"/o/{cast.acme.slug}/"


def test_the_wrong_account_sees_both_addresses_switches_and_comes_back(cast: Cast) -> None:
    bea = cast.person(f"bea-{uuid4().hex[-6:]}")
    link, client = invite(cast, bea.email), cast.browser(cast.sam)
    page = html(client.get(link))
    assert bea.email in page
    assert cast.sam.email in page
    assert "Switch account" in page
    assert f"{link}/accept" not in page
    assert client.post(f"{link}/accept").headers["Location"] == link
    answer = client.post(f"{link}/switch")
    back = client.post(answer.headers["Location"], {"login": bea.email, "password": PASSWORD})
    assert back.headers["Location"] == link
    assert "Accept" in html(client.get(link))


def test_an_unverified_account_confirms_first(cast: Cast) -> None:
    dora = passer_by()
    EmailAddress.objects.filter(user=dora).update(verified=False)
    link, client = invite(cast, dora.email), cast.browser(dora)
    assert "Confirm your e-mail first" in html(client.get(link))
    assert client.post(f"{link}/accept").status_code == 403
    assert places(dora) == {None}


def test_a_new_person_opens_the_mail_signs_up_and_is_inside(cast: Cast, address: str) -> None:
    invite(cast, address, "admin")
    link, client = mailed(address), Client()
    page = html(client.get(link))
    assert "Create an account and join" in page
    form = client.post(f"{link}/account", follow=True)
    assert f'value="{address}"' in html(form)
    assert (
        "disabled"
        in html(form).split(f'value="{address}"')[1].split(">")[0]
        + html(form).split(f'value="{address}"')[0].rsplit("<", 1)[1]
    )
    answer = sign_up(client, email="somebody-else@example.com")
    assert answer.redirect_chain[-1][0] == f"/o/{cast.acme.slug}/"  # type: ignore[attr-defined]
    assert "Good to see you, Zoe" in html(answer)
    zoe = User.objects.get(email=address)
    assert EmailAddress.objects.get(user=zoe).verified
    assert places(zoe) == {None, cast.acme.slug}
    assert not User.objects.filter(email="somebody-else@example.com").exists()
    assert len([letter for letter in mailbox.letters(300) if letter.to == address]) == 1


def test_a_copied_link_leads_inside_but_the_address_must_be_confirmed(cast: Cast, address: str) -> None:
    link, client = invite(cast, address), Client()
    client.post(f"{link}/account")
    answer = sign_up(client)
    assert answer.redirect_chain[-1][0] == "/accounts/confirm-email/"  # type: ignore[attr-defined]
    zoe = User.objects.get(email=address)
    assert not EmailAddress.objects.get(user=zoe).verified
    assert places(zoe) == {None}
    confirm = re.search(r"http://[^/]+(/accounts/confirm-email/\S+)", mailbox.letters(1)[0].text)[1]  # type: ignore[index]
    landed = client.post(confirm, follow=True)
    assert landed.redirect_chain[-1][0] == f"/o/{cast.acme.slug}/"
    assert places(zoe) == {None, cast.acme.slug}


def test_an_invitation_that_died_on_the_way_says_so_after_sign_up(cast: Cast, address: str) -> None:
    invite(cast, address)
    link, client = mailed(address), Client()
    client.post(f"{link}/account")
    with cast.inside(cast.acme):
        Invitation.objects.filter(email_norm=address).update(state="revoked")
    answer = sign_up(client)
    assert "not valid any more" in html(answer)
    assert places(User.objects.get(email=address)) == {None}


def test_another_address_gets_an_ordinary_account(cast: Cast, address: str) -> None:
    invite(cast, address)
    client, other = Client(), f"other-{address}"
    client.post(f"{mailed(address)}/account")
    client.post("/accounts/signup/other")
    answer = sign_up(client, email=other)
    assert answer.redirect_chain[-1][0] == "/accounts/confirm-email/"  # type: ignore[attr-defined]
    assert not EmailAddress.objects.get(email=other).verified


def test_a_known_address_is_asked_to_sign_in_by_the_mailed_link_only(cast: Cast) -> None:
    bea = cast.person(f"bea-{uuid4().hex[-6:]}")
    copied = invite(cast, bea.email)
    link, client = mailed(bea.email), Client()
    assert "Create an account" in html(client.get(copied))
    page = html(client.get(link))
    assert "Create an account and join" not in page
    way = re.search(r'href="(/accounts/login/\?next=[^"]+)"', page)[1]  # type: ignore[index]
    assert client.post(way, {"login": bea.email, "password": PASSWORD}).headers["Location"] == link
    assert client.post(f"{link}/accept").headers["Location"] == f"/o/{cast.acme.slug}/"


def test_declining_needs_no_account(cast: Cast, address: str) -> None:
    link = invite(cast, address)
    assert "Declined" in html(Client().post(f"{link}/decline"))
    with cast.inside(cast.acme):
        assert Invitation.objects.get(email_norm=address).state == "declined"
        assert Membership.objects.filter(user__email=address).count() == 0


def test_guessing_answers_429_after_a_while() -> None:
    client = Client(REMOTE_ADDR=f"2001:db8::{uuid4().hex[:4]}")
    answers = [client.get(f"/invitations/{uuid4().hex}") for _ in range(32)]
    assert [answer.status_code for answer in answers] == [404] * 30 + [429] * 2
    assert answers[-1].headers["Retry-After"]
