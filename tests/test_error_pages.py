"""Error pages come in the product's own clothes, whatever is broken."""

from unittest import mock

import pytest
from django.db import OperationalError
from django.test import Client, override_settings

from tests.cast import Cast

pytestmark = pytest.mark.usefixtures("cast")


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


def test_an_unknown_address_says_so_without_saying_more(cast: Cast) -> None:
    answers = [cast.browser(cast.sam).get(at) for at in ("/nowhere", f"/o/{cast.acme.slug}/chats")]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert all("There is nothing here" in answer.content.decode() for answer in answers)


def test_a_form_without_its_token_is_called_expired() -> None:
    answer = Client(enforce_csrf_checks=True).post("/accounts/login/", {"login": "x"})
    assert answer.status_code == 403
    assert "This form has expired" in answer.content.decode()


def test_a_defect_shows_a_page_that_needs_no_database() -> None:
    client = Client(raise_request_exception=False)
    with mock.patch("staffroom.core.mailbox.letters", side_effect=ZeroDivisionError):
        answer = client.get("/dev/mail")
    assert answer.status_code == 500
    assert "Nothing was charged" in answer.content.decode()


def test_a_silent_database_is_no_traceback(cast: Cast) -> None:
    with mock.patch("staffroom.workspaces.doors._row", side_effect=OperationalError("gone")):
        answer = cast.browser(cast.alice).get("/accounts/settings")
    assert answer.status_code in {500, 503}
    assert "Traceback" not in answer.content.decode()


def test_development_pages_are_not_there_in_production(settings_of_production: None) -> None:
    assert {Client().get(at).status_code for at in ("/dev/mail", "/dev/ui", "/dev/mail/x/html")} == {404}


@pytest.fixture
def settings_of_production():
    with override_settings(PRODUCTION=True):
        yield
