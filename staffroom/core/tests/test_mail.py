"""Mail: after the commit, into the folder, and never more than the one letter that was meant."""

import json
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import pytest
from django.core import mail as django_mail
from django.db import transaction
from django.template import engines
from django.test import Client, override_settings
from django.utils import translation

from staffroom.core import mail, mailbox
from staffroom.core.errors import NotHere

INVITATION = "workspaces/mail/invitation"
LETTER = "account/email/password_changed"
HOSTILE = '<img src=x onerror=alert(1)>"\r\nBcc: all@example.com\u202egnp.exe'


SHAPES = {
    "hello_subject.txt": "{% autoescape off %}{{ name }} invites you{% endautoescape %}",
    "hello_message.txt": "{% extends 'mail/base.txt' %}{% block text %}{{ name }}{% endblock %}",
    "hello_message.html": "{% extends 'mail/base.html' %}{% block text %}<p>{{ name }}</p>{% endblock %}",
}


def in_the_shape_of_a_letter(template: str, context: dict[str, Any]) -> str:
    return engines["django"].from_string(SHAPES[template]).render(context)


def test_nothing_is_sent_before_the_commit_and_nothing_after_a_rollback() -> None:
    def names() -> set[str]:
        return {letter.name for letter in mailbox.letters(10_000)}

    before = names()
    with transaction.atomic():
        mail.send(LETTER, "ada@example.com", {})
        assert names() == before
    with transaction.atomic():
        mail.send(LETTER, "bob@example.com", {})
        transaction.set_rollback(True)
    assert len(names() - before) == 1


def test_a_hostile_name_makes_neither_a_header_nor_a_tag() -> None:
    with mock.patch("staffroom.core.mail.render_to_string", in_the_shape_of_a_letter):
        message = mail.compose("hello", "ada@example.com", {"name": HOSTILE})
    assert message.subject == '<img src=x onerror=alert(1)>" Bcc: all@example.com gnp.exe invites you'
    assert message.message()["Bcc"] is None
    html = str(message.alternatives[0][0])
    assert "<img" not in html
    assert "&lt;img src=x" in html


def test_a_letter_is_written_in_its_readers_language() -> None:
    html = str(mail.compose(LETTER, "ada@example.com", {}, language="ru").alternatives[0][0])
    assert '<html lang="ru">' in html


@override_settings(
    EMAIL_URL="smtp://mail.example.com", EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend"
)
def test_the_worker_writes_the_same_letter_from_its_facts() -> None:
    facts = {
        "organization": "Acme", "inviter": "Ada", "inviter_email": "ada@example.com", "role": "member",
        "expires_at": datetime(2030, 1, 2, 3, 4, tzinfo=UTC), "url": "https://example.com/invitations/token",
    }  # fmt: skip
    letter = mail.compose(INVITATION, "bob@example.com", facts, language="ru")
    with mock.patch.object(mail.write, "defer") as defer, translation.override("ru"):
        mail.post(INVITATION, "bob@example.com", facts)
    mail.write(**json.loads(json.dumps(defer.call_args.kwargs)))
    sent = django_mail.outbox.pop()
    assert (sent.subject, sent.body, sent.to) == (letter.subject, letter.body, ["bob@example.com"])
    assert sent.alternatives == letter.alternatives  # type: ignore[attr-defined]
    assert any('lang="ru"' in str(html) for html, _ in letter.alternatives)


def test_the_newest_letter_comes_first_and_can_be_opened() -> None:
    for to in ("first@example.com", "second@example.com"):
        mail.send(LETTER, to, {})
    newest = mailbox.letters()[0]
    assert newest.to == "second@example.com"
    assert newest.subject in Client().get("/dev/mail").content.decode()
    assert newest.to in Client().get(f"/dev/mail/{newest.name}").content.decode()


def test_the_look_of_a_letter_is_shown_without_scripts_or_cookies_power() -> None:
    mail.send(LETTER, "ada@example.com", {})
    answer = Client().get(f"/dev/mail/{mailbox.letters()[0].name}/html")
    policy = answer.headers["Content-Security-Policy"]
    assert "sandbox allow-top-navigation-by-user-activation" in policy
    assert "default-src 'none'" in policy
    assert "allow-scripts" not in policy


@pytest.mark.parametrize("name", ["../secret.key", "nothing", "00000000000000000000-00000000"])
def test_only_letters_can_be_opened(name: str) -> None:
    with pytest.raises(NotHere):
        mailbox.letter(name)
