"""Setting up a second factor, signing in with it, and losing it."""

from __future__ import annotations

import json
import re

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.test import Client

from staffroom.accounts import codes
from staffroom.accounts.security import factors, has_second_factor
from staffroom.core.crypto import unseal
from staffroom.core.errors import TooMany
from staffroom.workspaces.tests.races import at_once
from tests.cast import PASSWORD, Cast

from .keyring import (
    AUTHENTICATE,
    REAUTHENTICATE,
    confirmed,
    is_in,
    password_given,
    secret_on,
    subjects_to,
    with_app,
    with_codes,
)

ACTIVATE = "/accounts/2fa/totp/activate/"
DEACTIVATE = "/accounts/2fa/totp/deactivate/"
CODES = "/accounts/2fa/recovery-codes/"

_BROWSER_SAYS = {
    "clientDataJSON": "e30",
    "authenticatorData": "AAAA",
    "attestationObject": "oWE",
    "signature": "AA",
}
NO_PASSKEYS = [
    "", "{}", "[]", "null", "1", '{"id": "x"}', '{"response": null}', "[" * 50_000, "x" * 70_000,
    json.dumps({"id": "AA", "rawId": "AA", "type": "public-key", "response": {}}),
    json.dumps({"id": "AA", "rawId": "AA", "type": "public-key", "response": _BROWSER_SAYS}),
    json.dumps({"id": "AA", "rawId": "AA", "response": _BROWSER_SAYS | {"userHandle": "eA"}}),
    json.dumps({"id": "AA", "rawId": "AA", "response": _BROWSER_SAYS | {"userHandle": None}}),
    json.dumps({"id": 1, "rawId": [], "response": [1]}),
]  # fmt: skip


@pytest.fixture(autouse=True)
def forgotten_limits() -> None:
    cache.clear()


@pytest.fixture
def cast() -> Cast:
    return Cast()


def shown_codes(page: str) -> list[str]:
    found = re.search(r'<pre class="codes"[^>]*>(.*?)</pre>', page, re.S)
    assert found, page
    return found[1].split("\n")


class TestSettingUp:
    def test_the_app_is_added_after_the_password_and_a_right_code(self, cast: Cast) -> None:
        browser = cast.browser(cast.alice)
        asked = browser.get(ACTIVATE)
        assert asked.headers["Location"].startswith("/accounts/reauthenticate/")
        page = confirmed(browser, ACTIVATE).content.decode()
        assert 'src="data:image/svg+xml;base64,' in page
        app = secret_on(page)
        assert "not right" in browser.post(ACTIVATE, {"code": app.wrong()}).content.decode()
        assert not has_second_factor(cast.alice)
        done = browser.post(ACTIVATE, {"code": app.code()}, follow=True)
        assert len(shown_codes(done.content.decode())) == 10
        assert has_second_factor(cast.alice)
        assert "An app was added to your Staffroom account" in subjects_to(cast.alice)

    def test_the_secret_is_not_readable_in_the_database(self, cast: Cast) -> None:
        app = with_app(cast.alice)
        stored = Authenticator.objects.get(user=cast.alice).data
        assert app.secret not in str(stored)
        assert unseal(stored["secret"]) == app.secret
        with_codes(cast.alice)
        seed = Authenticator.objects.get(user=cast.alice, type="recovery_codes").data["seed"]
        assert len(unseal(seed)) == 80

    def test_who_signed_in_elsewhere_without_it_has_to_show_it_there(self, cast: Cast) -> None:
        browser, other = cast.browser(cast.alice), cast.browser(cast.alice)
        app = secret_on(confirmed(browser, ACTIVATE).content.decode())
        browser.post(ACTIVATE, {"code": app.code()})
        assert is_in(browser)
        assert not is_in(other)

    def test_the_way_goes_on_to_where_one_was_going(self, cast: Cast) -> None:
        browser = cast.browser(cast.alice)
        goal = f"/o/{cast.acme.slug}/organization?tab=members"
        page = browser.get("/accounts/security/second-factor", {"next": goal}).content.decode()
        assert ACTIVATE in page
        app = secret_on(confirmed(browser, ACTIVATE).content.decode())
        shown = browser.post(ACTIVATE, {"code": app.code()}, follow=True)
        assert "/accounts/security/onward" in shown.content.decode()
        assert browser.get("/accounts/security/onward").headers["Location"] == goal
        assert browser.get("/accounts/security/onward").headers["Location"] == "/accounts/security"

    def test_who_has_one_is_led_on_at_once(self, cast: Cast) -> None:
        browser = cast.browser(cast.alice)
        with_app(cast.alice)
        led = browser.get("/accounts/security/second-factor?next=/me/", follow=True)
        assert led.redirect_chain[-1][0] == "/me/"

    @pytest.mark.parametrize(
        "goal", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", ""]
    )
    def test_the_way_never_leads_out_of_the_house(self, cast: Cast, goal: str) -> None:
        browser = cast.browser(cast.alice)
        with_app(cast.alice)
        browser.get("/accounts/security/second-factor", {"next": goal})
        assert browser.get("/accounts/security/onward").headers["Location"] == "/accounts/security"

    def test_there_is_no_way_on_without_one(self, cast: Cast) -> None:
        browser = cast.browser(cast.alice)
        browser.get("/accounts/security/second-factor?next=/me/")
        assert browser.get("/accounts/security/onward").headers["Location"] == "/accounts/security"


class TestSigningIn:
    def test_the_password_alone_opens_nothing(self, cast: Cast) -> None:
        with_app(cast.alice)
        client = password_given(cast.alice)
        assert not is_in(client)
        assert "_auth_user_id" not in client.session

    def test_the_code_does_and_the_way_goes_on(self, cast: Cast) -> None:
        app = with_app(cast.alice)
        client = password_given(cast.alice, next="/accounts/security")
        answer = client.post(AUTHENTICATE, {"code": app.code()})
        assert answer.headers["Location"] == "/accounts/security"
        assert is_in(client)

    def test_spaces_in_a_code_do_no_harm(self, cast: Cast) -> None:
        code = with_app(cast.alice).code()
        client = password_given(cast.alice)
        client.post(AUTHENTICATE, {"code": f" {code[:3]} {code[3:]} "})
        assert is_in(client)

    def test_a_code_is_good_for_one_time(self, cast: Cast) -> None:
        code = with_app(cast.alice).code()
        first, second = password_given(cast.alice), password_given(cast.alice)
        first.post(AUTHENTICATE, {"code": code})
        refused = second.post(AUTHENTICATE, {"code": code})
        assert "used before" in refused.content.decode()
        assert (is_in(first), is_in(second)) == (True, False)

    def test_a_code_from_before_the_last_one_is_refused(self, cast: Cast) -> None:
        app = with_app(cast.alice)
        earlier, later = app.code(), app.code()
        codes.use(later, cast.alice)
        with pytest.raises(codes.WrongCode):
            codes.use(earlier, cast.alice)

    def test_another_persons_code_is_wrong(self, cast: Cast) -> None:
        with_app(cast.alice)
        client = password_given(cast.alice)
        client.post(AUTHENTICATE, {"code": with_app(cast.sam).code()})
        assert not is_in(client)

    @pytest.mark.parametrize("code", ["", "x" * 10_000, "\0", "١٢٣٤٥٦", "000000' OR 1=1"])
    def test_nonsense_is_answered_with_the_form(self, cast: Cast, code: str) -> None:
        with_app(cast.alice)
        answer = password_given(cast.alice).post(AUTHENTICATE, {"code": code})
        assert answer.status_code == 200
        assert 'id="id_code_error"' in answer.content.decode()

    @pytest.mark.parametrize("credential", NO_PASSKEYS)
    def test_a_made_up_passkey_is_answered_with_the_form(self, cast: Cast, credential: str) -> None:
        with_app(cast.alice)
        client, alone = password_given(cast.alice), Client(raise_request_exception=False)
        assert client.post(AUTHENTICATE, {"credential": credential}).status_code == 200
        alone.get("/accounts/2fa/webauthn/login/", headers={"Accept": "application/json"})
        assert alone.post("/accounts/2fa/webauthn/login/", {"credential": credential}).status_code == 302
        assert not is_in(client)
        assert not is_in(alone)

    @pytest.mark.parametrize("credential", NO_PASSKEYS)
    def test_nothing_is_added_for_a_made_up_one(self, cast: Cast, credential: str) -> None:
        browser = cast.browser(cast.alice)
        confirmed(browser, "/accounts/2fa/webauthn/add/")
        answer = browser.post("/accounts/2fa/webauthn/add/", {"name": "x", "credential": credential})
        assert answer.status_code == 200
        assert not has_second_factor(cast.alice)

    def test_the_second_step_without_the_first_leads_to_the_beginning(self, cast: Cast) -> None:
        app = with_app(cast.alice)
        answer = Client().post(AUTHENTICATE, {"code": app.code()})
        assert answer.headers["Location"] == "/accounts/login/"

    def test_a_disabled_account_is_refused_even_between_the_steps(self, cast: Cast) -> None:
        app = with_app(cast.alice)
        client = password_given(cast.alice)
        cast.alice.is_active = False
        cast.alice.save()
        client.post(AUTHENTICATE, {"code": app.code()})
        assert not is_in(client)
        assert not is_in(password_given(cast.alice))


class TestGuessing:
    def test_it_ends_after_ten_tries_even_with_the_right_code_and_the_person_learns_of_it(
        self, cast: Cast
    ) -> None:
        app = with_app(cast.alice)
        client = password_given(cast.alice)
        for _ in range(10):
            assert client.post(AUTHENTICATE, {"code": app.wrong()}).status_code == 200
        refused = client.post(AUTHENTICATE, {"code": app.code()})
        assert refused.status_code == 429
        assert refused.headers["Retry-After"]
        client.post(AUTHENTICATE, {"code": app.code()})
        assert not is_in(client)
        told = [s for s in subjects_to(cast.alice) if s == "Somebody tries codes on your Staffroom account"]
        assert len(told) == 1

    def test_another_browser_does_not_begin_anew(self, cast: Cast) -> None:
        app = with_app(cast.alice)
        for _ in range(10):
            with pytest.raises(codes.WrongCode):
                codes.use(app.wrong(), cast.alice)
        assert password_given(cast.alice).post(AUTHENTICATE, {"code": app.code()}).status_code == 429

    def test_tries_at_the_same_moment_are_counted_each(self, cast: Cast) -> None:
        app = with_app(cast.alice)
        answers = at_once(*[lambda: codes.use(app.wrong(), cast.alice)] * 16)
        assert sum(isinstance(answer, codes.WrongCode) for answer in answers) == 10
        assert sum(isinstance(answer, TooMany) for answer in answers) == 6


class TestRecoveryCodes:
    def test_one_opens_the_account_once_and_a_mail_says_so(self, cast: Cast) -> None:
        with_app(cast.alice)
        code = with_codes(cast.alice)[3]
        first, second = password_given(cast.alice), password_given(cast.alice)
        first.post(AUTHENTICATE, {"code": f"{code[:4]} {code[4:]}"})
        second.post(AUTHENTICATE, {"code": code})
        assert (is_in(first), is_in(second)) == (True, False)
        assert factors(cast.alice).codes_left == 9
        assert "A recovery code opened your Staffroom account" in subjects_to(cast.alice)
        assert "9 codes left" in first.get("/accounts/security").content.decode()

    def test_used_at_the_same_moment_it_opens_for_one(self, cast: Cast) -> None:
        code = with_codes(cast.alice)[0]
        answers = at_once(*[lambda: codes.use(code, cast.alice)] * 8)
        assert sum(isinstance(answer, Authenticator) for answer in answers) == 1
        assert factors(cast.alice).codes_left == 9

    def test_a_code_of_the_app_at_the_same_moment_opens_for_one(self, cast: Cast) -> None:
        code = with_app(cast.alice).code()
        answers = at_once(*[lambda: codes.use(code, cast.alice)] * 8)
        assert sum(isinstance(answer, Authenticator) for answer in answers) == 1

    def test_they_are_shown_once(self, cast: Cast) -> None:
        with_app(cast.alice)
        with_codes(cast.alice)
        browser = cast.browser(cast.alice)
        page = confirmed(browser, CODES)
        assert len(shown_codes(page.content.decode())) == 10
        assert "no-store" in page.headers["Cache-Control"]
        again = browser.get(CODES).content.decode()
        assert '<pre class="codes"' not in again
        assert "10 codes are left" in again
        assert browser.get(f"{CODES}download/").status_code == 403

    def test_new_ones_end_the_old_ones(self, cast: Cast) -> None:
        with_app(cast.alice)
        old = with_codes(cast.alice)[0]
        browser = cast.browser(cast.alice)
        confirmed(browser, f"{CODES}generate/")
        new = shown_codes(browser.post(f"{CODES}generate/", follow=True).content.decode())
        assert len(new) == 10
        with pytest.raises(codes.WrongCode):
            codes.use(old, cast.alice)
        codes.use(new[0], cast.alice)
        assert "New recovery codes for your Staffroom account" in subjects_to(cast.alice)

    def test_there_are_none_without_a_second_factor(self, cast: Cast) -> None:
        browser = cast.browser(cast.alice)
        confirmed(browser, f"{CODES}generate/")
        refused = browser.post(f"{CODES}generate/")
        assert 'role="alert"' in refused.content.decode()
        assert factors(cast.alice).codes_left is None

    def test_they_alone_are_no_second_factor(self, cast: Cast) -> None:
        with_codes(cast.alice)
        assert not has_second_factor(cast.alice)
        assert is_in(password_given(cast.alice))


class TestRemoving:
    def test_the_app_goes_after_the_password_and_a_mail_says_so(self, cast: Cast) -> None:
        with_app(cast.alice)
        with_codes(cast.alice)
        browser = cast.browser(cast.alice)
        assert browser.post(DEACTIVATE).headers["Location"].startswith("/accounts/reauthenticate/")
        assert has_second_factor(cast.alice)
        confirmed(browser, DEACTIVATE)
        browser.post(DEACTIVATE)
        assert not has_second_factor(cast.alice)
        assert factors(cast.alice).codes_left is None
        assert "The app was removed from your Staffroom account" in subjects_to(cast.alice)

    def test_a_code_will_do_instead_of_the_password(self, cast: Cast) -> None:
        app = with_app(cast.alice)
        browser = cast.browser(cast.alice)
        answer = browser.post(REAUTHENTICATE, {"code": app.code(), "next": DEACTIVATE}, follow=True)
        assert "Remove the app?" in answer.content.decode()

    def test_what_was_sent_before_the_password_is_done_after_it(self, cast: Cast) -> None:
        with_app(cast.alice)
        browser = cast.browser(cast.alice)
        browser.post(DEACTIVATE)
        browser.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": DEACTIVATE})
        assert not has_second_factor(cast.alice)

    def test_nobody_removes_or_renames_anothers_passkey(self, cast: Cast) -> None:
        row = Authenticator.objects.create(
            user=cast.sam, type="webauthn", data={"name": "Sam's", "credential": {}}
        )
        browser = cast.browser(cast.alice)
        confirmed(browser, "/accounts/security")
        for deed in ("remove", "edit"):
            at = f"/accounts/2fa/webauthn/keys/{row.pk}/{deed}/"
            assert browser.get(at).status_code == 404
            assert browser.post(at, {"name": "mine"}).status_code == 404
        row.refresh_from_db()
        assert row.data["name"] == "Sam's"

    def test_the_address_can_still_be_changed_after_the_password(self, cast: Cast) -> None:
        with_app(cast.alice)
        browser, new = cast.browser(cast.alice), f"new-{cast.mark}@example.com"
        first = browser.post("/accounts/email/", {"email": new, "action_add": ""})
        assert first.headers["Location"].startswith("/accounts/reauthenticate/")
        browser.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": "/accounts/email/"})
        assert cast.alice.emailaddress_set.filter(email=new, verified=False).exists()


@pytest.mark.parametrize(
    "at",
    [
        "/accounts/security", "/accounts/security/second-factor", "/accounts/security/onward", "/accounts/2fa/",
        ACTIVATE, DEACTIVATE, CODES, f"{CODES}generate/", f"{CODES}download/", "/accounts/2fa/webauthn/",
        "/accounts/2fa/webauthn/add/", "/accounts/2fa/webauthn/keys/1/remove/", REAUTHENTICATE,
        "/accounts/2fa/webauthn/reauthenticate/",
    ],
)  # fmt: skip
def test_nobody_is_led_to_sign_in(at: str) -> None:
    answer = Client(raise_request_exception=False).get(at)
    assert (answer.status_code, answer.headers["Location"].split("?")[0]) == (302, "/accounts/login/")
