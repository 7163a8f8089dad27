"""Each save is a version, and nobody overwrites what they have not seen."""

from __future__ import annotations

from typing import Any

import pytest

from staffroom.core.errors import Invalid
from staffroom.employees import personas, roster
from staffroom.employees.models import Employee, Version
from staffroom.employees.settings import Settings
from staffroom.workspaces.members import Member
from tests.cast import Cast


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


@pytest.fixture
def alice(cast: Cast) -> Member:
    return cast.member(cast.alice, cast.acme)


@pytest.fixture
def bob(cast: Cast) -> Member:
    return cast.member(cast.bob, cast.acme)


@pytest.fixture
def employee(cast: Cast, alice: Member, bob: Member) -> Any:
    with cast.inside(cast.acme):
        yield roster.hire("Mira", persona="First.", by=alice)


def test_a_save_is_a_version_with_its_author(cast: Cast, employee: Employee, bob: Member) -> None:
    now = personas.save(employee, by=bob, edited=1, persona="Second.")
    newest = Version.objects.get(employee=employee, number=2)
    assert (now.version, now.persona) == (2, "Second.")
    assert (newest.persona, newest.author_id, newest.author_name) == ("Second.", cast.bob.id, "Bob")


def test_a_save_without_a_change_is_no_version(employee: Employee) -> None:
    now = personas.save(
        employee, by="system", edited=0, persona="First.\r\n", model="", settings={"reply_limit": "400"}
    )
    assert now.version == 1


def test_the_second_of_two_editors_is_told_and_loses_nothing(
    employee: Employee, alice: Member, bob: Member
) -> None:
    personas.save(employee, by=bob, edited=1, persona="Bob's.")
    with pytest.raises(personas.EditedMeanwhile) as told:
        personas.save(employee, by=alice, edited=1, persona="Alice's.")
    assert (told.value.status, told.value.code, told.value.extra) == (409, "edited_meanwhile", {"version": 2})
    assert "Bob" in str(told.value)
    assert Employee.objects.get(id=employee.id).persona == "Bob's."
    assert personas.save(employee, by=alice, edited=2, persona="Alice's.").version == 3


def test_a_new_name_alone_is_no_version_and_needs_no_newest(employee: Employee) -> None:
    personas.save(employee, by="system", persona="Second.")
    now = personas.save(employee, by="system", edited=1, name=" Mara ", persona="Second.")
    assert (now.name, now.version, now.handle) == ("Mara", 2, employee.handle)


def test_every_wrong_field_is_said_at_once_and_nothing_is_written(employee: Employee) -> None:
    with pytest.raises(Invalid) as refused:
        personas.save(employee, by="system", name="", model="pirate:x", settings={"reply_limit": 0})
    assert set(refused.value.errors) == {"name", "model", "settings.reply_limit"}
    assert Employee.objects.get(id=employee.id).name == "Mira"


def test_a_former_version_comes_back_as_a_new_one(employee: Employee) -> None:
    personas.save(employee, by="system", persona="Second.", settings={"reply_limit": 50})
    now = personas.restore(employee, 1, by="system")
    assert (now.version, now.persona, now.settings["reply_limit"]) == (3, "First.", 400)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"reply_limit": "0"}, "reply_limit"),
        ({"reply_limit": "many"}, "reply_limit"),
        ({"reply_limit": True}, "reply_limit"),
        ({"reply_limit": "9" * 5000}, "reply_limit"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": "nan"}, "temperature"),
        ({"temperature": 2.1}, "temperature"),
        ({"greeting": "x" * 1001}, "greeting"),
        ({"no_answer": "shrug"}, "no_answer"),
        ({"no_answer": "phrase"}, "no_answer_phrase"),
    ],
)
def test_a_wrong_setting_is_said_by_field(employee: Employee, given: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        personas.save(employee, by="system", settings=given)
    assert set(refused.value.errors) == {f"settings.{field}"}


def test_settings_keep_what_is_not_given_and_forget_what_is_unknown() -> None:
    before = Settings(greeting="Hi", reply_limit=100)
    after = before.changed({"temperature": "0,5", "colour": "red"})
    assert after == Settings(greeting="Hi", reply_limit=100, temperature=0.5)
    assert Settings.of(after.stored | {"colour": "red"}) == after
    assert after.changed({"temperature": ""}).temperature is None
