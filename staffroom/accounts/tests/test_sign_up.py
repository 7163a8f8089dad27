"""From the sign-up page over the mailed link into the personal account."""

import re
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client

from staffroom.accounts.models import User
from staffroom.core import mailbox
from tests.cast import PASSWORD, Cast


@pytest.fixture(autouse=True)
def forgotten_limits() -> None:
    cache.clear()


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


def address() -> str:
    return f"ada-{uuid4().hex[-8:]}@example.com"


def sign_up(client: Client, **fields: str):
    form = {"name": "Ada Lovelace", "email": address(), "password1": PASSWORD}
    return client.post("/accounts/signup/", form | fields)


def letter_to(email: str) -> mailbox.Letter:
    return next(letter for letter in mailbox.letters() if letter.to == email)


def link_in(letter: mailbox.Letter) -> str:
    found = re.search(r"http://[^/\s]+(/accounts/\S+)", letter.text)
    assert found, letter.text
    return found[1]


class TestSigningUp:
    def test_the_mailed_link_leads_into_the_personal_account(self) -> None:
        client, email = Client(), address()
        assert sign_up(client, email=email).headers["Location"] == "/accounts/confirm-email/"
        link = link_in(letter_to(email))
        assert "Is this address yours?" in client.get(link).content.decode()
        assert client.post(link, follow=True).redirect_chain[-1][0] == "/me/"
        assert User.objects.get(email=email).name == "Ada Lovelace"

    def test_opening_the_link_alone_confirms_nothing(self) -> None:
        client, email = Client(), address()
        sign_up(client, email=email)
        client.get(link_in(letter_to(email)))
        assert not User.objects.get(email=email).emailaddress_set.get().verified

    def test_a_used_link_says_so(self) -> None:
        client, email = Client(), address()
        sign_up(client, email=email)
        link = link_in(letter_to(email))
        client.post(link)
        assert "no longer works" in Client().get(link).content.decode()

    def test_what_was_typed_stays_when_something_is_wrong(self) -> None:
        page = sign_up(Client(), email="ada at example", password1="short").content.decode()
        assert 'value="Ada Lovelace"' in page
        assert 'value="ada at example"' in page
        assert 'aria-describedby="id_email_error"' in page

    def test_a_known_address_learns_it_by_mail_and_a_stranger_learns_nothing(self, cast: Cast) -> None:
        known = sign_up(Client(), email=cast.alice.email)
        assert known.headers["Location"] == "/accounts/confirm-email/"
        assert "already have" in letter_to(cast.alice.email).subject

    @pytest.mark.parametrize("name", ["x" * 10_000, "   ", "\u200e\u202e", "\x00"])
    def test_a_name_that_is_too_long_or_cannot_be_seen_is_refused(self, name: str) -> None:
        answer = sign_up(Client(), name=name)
        assert answer.status_code == 200
        assert 'id="id_name_error"' in answer.content.decode()

    def test_a_name_keeps_its_letters_and_loses_what_turns_lines_around(self) -> None:
        email = address()
        sign_up(Client(), email=email, name="Ма\u202eрия\r\nBcc: x@example.com 👩\u200d🚀")
        assert User.objects.get(email=email).name == "Ма рия Bcc: x@example.com 👩\u200d🚀"

    def test_addresses_without_their_slash_lead_on(self) -> None:
        answer = Client().get("/accounts/signup?next=/x")
        assert answer.headers["Location"] == "/accounts/signup/?next=/x"


class TestSigningIn:
    def test_a_wrong_password_keeps_the_address(self, cast: Cast) -> None:
        answer = Client().post("/accounts/login/", {"login": cast.alice.email, "password": "wrong"})
        assert f'value="{cast.alice.email}"' in answer.content.decode()

    def test_guessing_ends_after_a_few_attempts_even_with_the_right_password(self, cast: Cast) -> None:
        client = Client()
        for _ in range(6):
            client.post("/accounts/login/", {"login": cast.bob.email, "password": "wrong"})
        client.post("/accounts/login/", {"login": cast.bob.email, "password": PASSWORD})
        assert "_auth_user_id" not in client.session

    def test_too_many_requests_answer_429_in_style(self) -> None:
        client = Client()
        answers = [client.post("/accounts/login/", {"login": address(), "password": "x"}) for _ in range(31)]
        assert answers[-1].status_code == 429
        assert answers[-1].headers["Retry-After"]
        assert "A little too fast" in answers[-1].content.decode()

    def test_signing_out_needs_a_post(self, cast: Cast) -> None:
        browser = cast.browser(cast.alice)
        assert "Sign out?" in browser.get("/accounts/logout/").content.decode()
        browser.post("/accounts/logout/")
        assert browser.get("/accounts/settings").status_code == 302


class TestForgottenPassword:
    @pytest.mark.parametrize(
        ("page", "known"), [("password/reset", True), ("signup", True), ("signup", False)]
    )
    def test_who_asks_for_the_mail_does_not_choose_where_its_link_leads(self, page: str, known: bool) -> None:
        email = Cast().alice.email if known else address()
        form = {"name": "Ada", "email": email, "password1": PASSWORD}
        Client().post(f"/accounts/{page}/", form, headers={"Host": "evil.test"})
        letter = letter_to(email)
        assert f"{settings.PUBLIC_URL}/accounts/" in letter.text
        assert f"{settings.PUBLIC_URL}/accounts/" in letter.html
        assert "evil.test" not in letter.text + letter.html

    def test_the_mailed_link_lets_one_choose_a_new_one(self) -> None:
        cast = Cast()
        client, other = Client(), cast.browser(cast.alice)
        client.post("/accounts/password/reset/", {"email": cast.alice.email})
        form = client.get(link_in(letter_to(cast.alice.email)), follow=True)
        new = "another battery horse entirely"
        fields = {"password1": new, "password2": new}
        done = client.post(form.redirect_chain[-1][0], fields, follow=True)
        assert "Your password is changed" in done.content.decode()
        assert other.get("/accounts/settings").status_code == 302
        assert (
            client.post("/accounts/login/", {"login": cast.alice.email, "password": new}).status_code == 302
        )

    def test_an_unknown_address_gets_the_same_page_and_no_mail(self) -> None:
        email = address()
        answer = Client().post("/accounts/password/reset/", {"email": email}, follow=True)
        assert "If there is an account" in answer.content.decode()
        assert all(letter.to != email for letter in mailbox.letters())

    def test_a_made_up_link_says_so(self) -> None:
        answer = Client().get("/accounts/password/reset/key/0-nonsense/")
        assert "no longer works" in answer.content.decode()


class TestSettings:
    def test_name_theme_and_language_are_kept_and_seen_at_once(self) -> None:
        cast = Cast()
        browser = cast.browser(cast.alice)
        fields = {"name": " Алиса ", "language": "ru", "theme": "dark"}
        page = browser.post("/accounts/settings", fields, follow=True).content.decode()
        assert '<html lang="ru" data-bs-theme="dark">' in page
        assert 'value="Алиса"' in page

    def test_nonsense_is_refused_with_what_was_typed(self, cast: Cast) -> None:
        fields = {"name": "", "language": "xx", "theme": "pink"}
        answer = cast.browser(cast.alice).post("/accounts/settings", fields)
        assert answer.status_code == 422
        assert answer.content.decode().count("field-error") >= 2

    def test_the_theme_switch_of_the_menu_answers_without_a_page(self) -> None:
        cast = Cast()
        browser = cast.browser(cast.alice)
        answer = browser.post("/accounts/theme", {"theme": "light"}, headers={"HX-Request": "true"})
        assert answer.status_code == 204
        cast.alice.refresh_from_db()
        assert cast.alice.theme == "light"

    @pytest.mark.parametrize(
        ("came_from", "goes"),
        [
            ("http://testserver/me/chats?a=1", "http://testserver/me/chats?a=1"),
            ("https://evil.test/", "/accounts/settings"),
            ("//evil.test", "/accounts/settings"),
            ("javascript:alert(1)", "/accounts/settings"),
        ],
    )
    def test_the_theme_switch_leads_back_but_never_away(self, came_from: str, goes: str) -> None:
        cast = Cast()
        form = {"theme": "dark"}
        answer = cast.browser(cast.alice).post("/accounts/theme", form, headers={"Referer": came_from})
        assert (answer.status_code, answer.headers["Location"]) == (302, goes)
