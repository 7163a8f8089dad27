"""Low words are told once for each level, to whom it concerns, and again after words have come."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.test import override_settings

from staffroom.billing import alerts, jobs
from staffroom.core import mailbox
from staffroom.core.scope import workspace_scope
from tests.cast import Cast

from .purse import Purse


def look(purse: Purse) -> None:
    alerts.look(purse.workspace_id)


def left(purse: Purse) -> alerts.Left:
    with purse.open():
        return alerts.left()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """To whom which level was told."""
    sent: list[tuple[str, int]] = []

    def send(template: str, to: str, context: Any, *, language: str = "") -> None:
        sent.append((to, context["level"]))

    monkeypatch.setattr(alerts.mail, "send", send)
    return sent


def levels(told: list[tuple[str, int]]) -> list[int]:
    return [level for _, level in told]


def test_each_level_is_told_once(purse: Purse, told: list[tuple[str, int]]) -> None:
    purse.given(100_000)
    for spent, expected in (
        (70_000, []),
        (11_000, [1]),
        (10_000, [1]),
        (4500, [1, 2]),
        (4450, [1, 2, 3]),
        (10, [1, 2, 3]),
    ):
        purse.paid(spent)
        look(purse)
        look(purse)
        assert levels(told) == expected


def test_a_fall_through_several_levels_is_told_as_the_last(purse: Purse, told: list[tuple[str, int]]) -> None:
    purse.given(100_000)
    purse.paid(97_000)
    look(purse)
    assert levels(told) == [2]


def test_after_words_have_come_it_begins_anew(purse: Purse, told: list[tuple[str, int]]) -> None:
    purse.given(100_000)
    purse.paid(85_000)
    look(purse)
    purse.given(10_000)
    look(purse)
    assert (levels(told), left(purse).level) == ([1], 0)
    purse.paid(22_000)
    look(purse)
    assert levels(told) == [1, 1]


def test_a_refusal_is_told_at_once_and_once(purse: Purse, told: list[tuple[str, int]]) -> None:
    purse.given(5000)
    for _ in range(3):
        with purse.open():
            alerts.ran_out()
    assert levels(told) == [3]


def test_the_share_is_of_what_was_there_last(purse: Purse) -> None:
    purse.given(1000)
    purse.given(3000)
    look(purse)
    purse.paid(3000)
    assert (left(purse).share, left(purse).level, left(purse).words) == (25, 0, 1000)


def test_owner_and_admins_are_told_and_members_are_not() -> None:
    cast = Cast()
    concerned = sorted([cast.alice.email, cast.ann.email])
    assert cast.bob.email  # a member
    with override_settings(EMAIL_URL=""), cast.inside(cast.acme):
        before = {letter.name for letter in mailbox.letters()}
        alerts.ran_out()
    letters = [letter for letter in mailbox.letters() if letter.name not in before]
    assert sorted(letter.to for letter in letters) == concerned
    assert all(
        "run out" in letter.subject and f"/o/{cast.acme.slug}/billing" in letter.text for letter in letters
    )
    assert all(cast.acme.name in letter.html for letter in letters)


def test_a_personal_account_tells_its_person() -> None:
    cast = Cast()
    home = cast.member(cast.bob).workspace_id
    before = {letter.name for letter in mailbox.letters()}
    with workspace_scope(home):
        alerts.ran_out()
    letters = [letter for letter in mailbox.letters() if letter.name not in before]
    assert [letter.to for letter in letters] == [cast.bob.email]
    assert "/me/billing" in letters[0].text


def test_the_job_looks_where_something_happened(purse: Purse, told: list[tuple[str, int]]) -> None:
    purse.given(1000)
    purse.paid(900)
    jobs.watch()
    assert levels(told)[-1:] == [1]
    assert purse.workspace_id not in jobs._found(jobs.UNWATCHED, "a test looks")


def test_words_of_a_reply_that_is_being_written_are_not_gone(
    purse: Purse, told: list[tuple[str, int]]
) -> None:
    purse.given(1000)
    purse.held(950, user=uuid4())
    look(purse)
    assert levels(told) == []
