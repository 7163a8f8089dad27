"""Where a person is signed in, and being signed out from afar."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from staffroom.accounts import browsers
from staffroom.accounts.models import Session
from tests.cast import PASSWORD, Cast

from .keyring import is_in

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1"
EDGE = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0"


@pytest.fixture(autouse=True)
def forgotten_limits() -> None:
    cache.clear()


@pytest.fixture
def cast() -> Cast:
    return Cast()


def signed_in(cast: Cast, agent: str, address: str = "203.0.113.7") -> Client:
    client = Client(headers={"User-Agent": agent}, REMOTE_ADDR=address)
    client.post("/accounts/login/", {"login": cast.alice.email, "password": PASSWORD})
    return client


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (FIREFOX, "Firefox on Linux"),
        (PHONE, "Safari on iPhone"),
        (EDGE, "Edge on Windows"),
        ("curl/8.5.0", "Unknown browser"),
        ("", "Unknown browser"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18 Safari/605.1.15", "Safari on macOS"),
    ],
)
def test_a_browser_is_called_by_name(agent: str, name: str) -> None:
    assert browsers.called(agent) == name


def test_each_is_listed_with_its_place_and_this_one_first(cast: Cast) -> None:
    this = signed_in(cast, FIREFOX)
    signed_in(cast, PHONE, "2001:db8::1")
    shown = browsers.of(cast.alice, this=this.session.session_key)
    assert [(one.name, one.address, one.is_this) for one in shown] == [
        ("Firefox on Linux", "203.0.113.7", True),
        ("Safari on iPhone", "2001:db8::1", False),
    ]
    assert all(one.began_at and timezone.now() - one.began_at < timedelta(minutes=1) for one in shown)
    page = this.get("/accounts/security").content.decode()
    assert "Safari on iPhone" in page
    assert "This browser" in page
    assert this.session.session_key not in page


def test_one_is_signed_out_with_its_next_request(cast: Cast) -> None:
    this, other = signed_in(cast, FIREFOX), signed_in(cast, PHONE)
    handle = browsers.handle(other.session.session_key)
    this.post(f"/accounts/browsers/{handle}/sign-out")
    assert (is_in(this), is_in(other)) == (True, False)


def test_all_others_are_signed_out_and_this_one_stays(cast: Cast) -> None:
    this, others = signed_in(cast, FIREFOX), [signed_in(cast, PHONE), signed_in(cast, EDGE)]
    page = this.post("/accounts/browsers/sign-out", follow=True).content.decode()
    assert "2 browsers are signed out." in page
    assert is_in(this)
    assert not any(map(is_in, others))


def test_nobody_signs_another_person_out(cast: Cast) -> None:
    theirs = cast.browser(cast.sam)
    handle = browsers.handle(theirs.session.session_key)
    assert cast.browser(cast.alice).post(f"/accounts/browsers/{handle}/sign-out").status_code == 404
    cast.browser(cast.alice).post("/accounts/browsers/sign-out")
    assert is_in(theirs)


def test_reading_signs_nobody_out(cast: Cast) -> None:
    this, other = signed_in(cast, FIREFOX), signed_in(cast, PHONE)
    handle = browsers.handle(other.session.session_key)
    assert this.get(f"/accounts/browsers/{handle}/sign-out").status_code == 405
    assert this.get("/accounts/browsers/sign-out").status_code == 405
    assert is_in(other)


def test_a_session_that_was_signed_out_is_not_written_back(cast: Cast) -> None:
    this = signed_in(cast, FIREFOX)
    kept = this.session
    assert kept["_auth_user_id"] == str(cast.alice.id)
    browsers.sign_out_all(cast.alice)
    kept["late"] = "news"
    with pytest.raises(UpdateError):
        kept.save()
    assert not Session.objects.filter(user=cast.alice).exists()


def test_a_new_password_signs_the_others_out_and_this_one_stays(cast: Cast) -> None:
    this, other = signed_in(cast, FIREFOX), signed_in(cast, PHONE)
    new = "another battery horse entirely"
    fields = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    answer = this.post("/accounts/password/change/", fields)
    assert answer.headers["Location"] == "/accounts/security"
    assert (is_in(this), is_in(other)) == (True, False)
    assert [one.is_this for one in browsers.of(cast.alice, this=this.session.session_key)] == [True]


def test_a_wrong_old_password_signs_nobody_out(cast: Cast) -> None:
    this, other = signed_in(cast, FIREFOX), signed_in(cast, PHONE)
    new = "another battery horse entirely"
    this.post("/accounts/password/change/", {"oldpassword": "wrong", "password1": new, "password2": new})
    assert is_in(other)


class TestSeen:
    def test_it_is_noted_once_a_minute_in_the_same_statement(self, cast: Cast) -> None:
        this = signed_in(cast, FIREFOX)
        key = this.session.session_key
        before = Session.objects.get(pk=key).seen_at
        this.get("/accounts/settings")
        assert Session.objects.get(pk=key).seen_at == before
        Session.objects.filter(pk=key).update(seen_at=before - timedelta(minutes=2))
        with CaptureQueriesContext(connection) as asked:
            this.get("/me/", headers={"User-Agent": PHONE}, REMOTE_ADDR="198.51.100.4")
        assert len([one for one in asked if "accounts_session" in one["sql"]]) == 1
        row = Session.objects.get(pk=key)
        assert row.seen_at >= before
        assert (row.address, browsers.called(row.agent)) == ("198.51.100.4", "Safari on iPhone")

    def test_when_it_began_stays_when_the_session_is_written_again(self, cast: Cast) -> None:
        this = signed_in(cast, FIREFOX)
        began = Session.objects.get(pk=this.session.session_key).began_at
        this.get("/accounts/security/second-factor?next=/me/")
        row = Session.objects.get(pk=this.session.session_key)
        assert row.began_at == began
        assert row.address == "203.0.113.7"

    def test_hostile_agents_fit(self, cast: Cast) -> None:
        this = signed_in(cast, "<script>" + "x" * 10_000)
        assert is_in(this)
        assert "Unknown browser" in this.get("/accounts/security").content.decode()

    def test_one_that_has_expired_is_not_shown(self, cast: Cast) -> None:
        this = signed_in(cast, FIREFOX)
        Session.objects.filter(user=cast.alice).update(expire_date=timezone.now())
        assert browsers.of(cast.alice, this=this.session.session_key) == []
