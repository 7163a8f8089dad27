"""The pages of employees and knowledge, as a browser sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from staffroom.employees import links, roster
from staffroom.knowledge import sources
from tests.cast import Cast


class Team(Cast):
    def __init__(self) -> None:
        super().__init__()
        self.me = self.member(self.alice, self.acme)

    def hire(self, name: str = "Mira", **values: Any) -> Any:
        with self.inside(self.acme):
            return roster.hire(name, by=self.me, **values)

    def add(self, title: str = "Rules", text: str = "Be kind.") -> Any:
        with self.inside(self.acme):
            return sources.add(title, text, by=self.me)

    def here(self, path: str) -> str:
        return self.me.url(path)


@pytest.fixture(scope="module")
def team() -> Team:
    return Team()


@pytest.fixture
def alice(team: Team) -> Client:
    return team.browser(team.alice)


class TestEmployees:
    def test_hiring_leads_to_the_employee_with_the_templates_persona(self, team: Team, alice: Client) -> None:
        answer = alice.post(team.here("employees/new"), {"name": "Otto", "template": "learning"}, follow=True)
        assert "patient teacher" in answer.content.decode()

    def test_a_name_that_cannot_be_keeps_what_was_typed(self, team: Team, alice: Client) -> None:
        answer = alice.post(team.here("employees/new"), {"name": "x" * 81, "template": "sales"})
        assert answer.status_code == 422
        assert "x" * 81 in answer.content.decode()
        assert 'value="sales" checked' in answer.content.decode()

    def test_a_second_editor_sees_both_texts_and_may_save_over(self, team: Team, alice: Client) -> None:
        employee = team.hire(persona="First.")
        typed = {"name": "Mira", "model": "", "reply_limit": "300", "no_answer": "answer"}
        path = team.here(f"employees/{employee.id}/persona")
        assert alice.post(path, typed | {"edited": "1", "persona": "Ann's text."}).status_code == 302
        answer = alice.post(path, typed | {"edited": "1", "persona": "Mine <b>."})
        page = answer.content.decode()
        assert answer.status_code == 409
        assert "Ann&#x27;s text." in page
        assert "Mine &lt;b&gt;." in page
        assert 'name="edited" value="2"' in page
        assert alice.post(path, typed | {"edited": "2", "persona": "Mine <b>."}).status_code == 302

    def test_wrong_settings_keep_the_persona(self, team: Team, alice: Client) -> None:
        employee = team.hire()
        answer = alice.post(
            team.here(f"employees/{employee.id}/persona"),
            {"edited": "1", "name": "", "persona": "Long work.", "reply_limit": "-1", "model": "openai:x"},
        )
        page = answer.content.decode()
        assert answer.status_code == 422
        assert "Long work." in page
        assert page.count("field-error") >= 3

    def test_switching_off_answers_with_the_switch(self, team: Team, alice: Client) -> None:
        employee = team.hire()
        path = team.here(f"employees/{employee.id}/shift")
        assert 'aria-checked="false"' in alice.delete(path).content.decode()
        assert 'aria-checked="true"' in alice.post(path).content.decode()

    def test_a_member_sees_no_button_to_delete_what_others_made(self, team: Team) -> None:
        employee, source = team.hire("Of Alice"), team.add()
        bob = team.browser(team.bob)
        for path in ("employees", f"employees/{employee.id}", f"knowledge/{source.id}"):
            page = bob.get(team.here(path)).content.decode()
            assert f"{employee.id}/dismissal" not in page
            assert "deletion" not in page
        assert bob.post(team.here(f"employees/{employee.id}/dismissal")).status_code == 403
        assert bob.post(team.here(f"knowledge/{source.id}/deletion")).status_code == 403

    def test_versions_are_shown_and_brought_back(self, team: Team, alice: Client) -> None:
        employee = team.hire(persona="First.")
        alice.post(
            team.here(f"employees/{employee.id}/persona"),
            {"edited": "1", "name": "M", "persona": "Second.", "reply_limit": "300", "no_answer": "answer"},
        )
        page = alice.get(team.here(f"employees/{employee.id}/versions")).content.decode()
        assert page.index("Version 2") < page.index("Version 1")
        answer = alice.post(team.here(f"employees/{employee.id}/versions/1/restoration"), follow=True)
        assert "First." in answer.content.decode()


class TestKnowledge:
    def test_a_pasted_text_is_shown_in_its_passages(self, team: Team, alice: Client) -> None:
        answer = alice.post(
            team.here("knowledge/new"),
            {"title": "Hours", "text": "# Sunday\n\nWe <i>sleep</i>."},
            follow=True,
        )
        page = answer.content.decode()
        assert "<b><bdi>Sunday</bdi></b>" in page
        assert "We &lt;i&gt;sleep&lt;/i&gt;." in page

    def test_a_text_without_a_title_keeps_the_text(self, team: Team, alice: Client) -> None:
        answer = alice.post(team.here("knowledge/new"), {"title": " ", "text": "Kept as it is."})
        assert answer.status_code == 422
        assert "Kept as it is." in answer.content.decode()

    def test_deleting_says_who_loses_it(self, team: Team, alice: Client) -> None:
        employee, source = team.hire("Loser"), team.add("Doomed")
        with team.inside(team.acme):
            links.link(employee, source, by=team.me)
        assert "Loser" in alice.get(team.here(f"knowledge/{source.id}")).content.decode()
        assert alice.post(team.here(f"knowledge/{source.id}/deletion")).status_code == 302
        assert alice.get(team.here(f"knowledge/{source.id}")).status_code == 404

    def test_ticking_links_and_answers_with_the_list(self, team: Team, alice: Client) -> None:
        employee, source = team.hire(), team.add()
        answer = alice.post(
            team.here(f"employees/{employee.id}/knowledge"),
            {"shown": [source.id, "x"], "source": [source.id]},
        )
        assert f'value="{source.id}" checked' in answer.content.decode()
        assert "toast" in answer["HX-Trigger"]

    def test_more_passages_follow_on_demand(self, team: Team, alice: Client) -> None:
        source = team.add("Long", "\n\n".join(f"# H{n}\n\nText {n}." for n in range(50)))
        path = team.here(f"knowledge/{source.id}/passages")
        page = alice.get(f"{path}?after=19").content.decode()
        assert "Text 20." in page
        assert "after=39" in page
        assert alice.get(f"{path}?after=" + "9" * 50).status_code == 200


@pytest.mark.parametrize("path", ["employees", "knowledge"])
def test_a_list_costs_the_same_whatever_its_length(path: str) -> None:
    team = Team()
    browser = team.browser(team.alice)
    counts = []
    grow: Callable[[], Any] = team.hire if path == "employees" else team.add
    for more in (1, 12):
        for _ in range(more):
            grow()
        browser.get(team.here(path))
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(team.here(path)).status_code == 200
        counts.append(sum("set_config" not in query["sql"] for query in queries))
    assert counts[0] == counts[1]
    assert counts[1] <= 5, "door, balance, list, and what belongs to its rows"
