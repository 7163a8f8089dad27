"""A copy is whole and independent, and tells neither side about the other."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection

from staffroom.core.errors import NotHere
from staffroom.core.scope import workspace_scope
from staffroom.employees import copies, links, personas, queries, roster
from staffroom.employees.models import Employee, Version
from staffroom.knowledge import ingestion, sources
from staffroom.knowledge.models import Source
from staffroom.workspaces.members import Member
from staffroom.workspaces.models import AuditEntry
from tests.cast import Cast
from tests.owner import as_owner

SETTINGS = {
    "greeting": "Good day",
    "reply_limit": 99,
    "no_answer": "phrase",
    "no_answer_phrase": "I will ask.",
}


class Team(Cast):
    """Bob is a member of Acme and owns Bobs, which nobody else knows."""

    def __init__(self) -> None:
        super().__init__()
        self.bobs = self.organization("Bobs", self.bob)
        self.here, self.there = self.member(self.bob, self.acme), self.member(self.bob, self.bobs)
        with self.inside(self.acme):
            self.mira = roster.hire("Mira", persona="# Role\n\nKind.", model="extract", by=self.here)
            self.mira = personas.save(self.mira, settings=SETTINGS, by=self.here)
            roster.switch(self.mira, False, by=self.here)
            for number in range(3):
                source = sources.add(f"Text {number}", f"We open at {number}.", by=self.here)
                links.link(self.mira, source, by=self.here)
            sources.add("Private", "The safe is behind the mirror.", by=self.here)
            roster.hire("Somebody else", by=self.here)

    def copy(self, to: Member | None = None, **more: Any) -> Employee:
        return copies.copy(self.mira.id, by=self.here, to=to or self.there, **more)

    def texts(self, workspace: Any) -> list[tuple[str, str]]:
        with self.inside(workspace):
            return list(Source.objects.order_by("title").values_list("title", "text"))

    def told(self, workspace: Any) -> AuditEntry:
        with self.inside(workspace):
            return AuditEntry.objects.filter(action="employee.copied").latest("number")

    def post(self, key: str, context: str, to: Any, **headers: str) -> Any:
        path = f"/api/v1/{context}/employees/{self.mira.id}/copy"
        return self.api(key).post(path, {"to": to}, content_type="application/json", headers=headers)


@pytest.fixture
def team() -> Team:
    return Team()


class TestTheCopy:
    def test_it_has_what_the_original_has(self, team: Team) -> None:
        new = team.copy()
        assert (new.name, new.persona, new.model) == ("Mira", "# Role\n\nKind.", "extract")
        assert new.settings == team.mira.settings
        assert (new.workspace_id, new.created_by_id, new.version) == (team.bobs.id, team.bob.id, 1)
        with team.inside(team.bobs):
            assert Version.objects.get(employee=new).author_name == "Bob"
            linked = Source.objects.filter(id__in=queries.source_ids(new.id))
            assert {(one.title, one.state) for one in linked} == {(f"Text {n}", "ready") for n in range(3)}

    def test_nothing_else_of_the_context_comes_along(self, team: Team) -> None:
        team.copy()
        assert [title for title, _text in team.texts(team.bobs)] == ["Text 0", "Text 1", "Text 2"]
        with team.inside(team.bobs):
            assert Employee.objects.count() == 1
            everything = as_owner(
                "SELECT (to_jsonb(e) - 'persona')::text FROM employees_employee e WHERE workspace_id = %(id)s"
                " UNION ALL SELECT to_jsonb(s)::text FROM knowledge_source s WHERE workspace_id = %(id)s"
                " UNION ALL SELECT to_jsonb(a)::text FROM workspaces_auditentry a WHERE workspace_id = %(id)s",
                id=team.bobs.id,
            )
        said = " ".join(row[0] for row in everything)
        assert "Text 2" in said
        for secret in (str(team.acme.id), str(team.mira.id), str(team.acme.slug), '"Acme"', "mirror"):
            assert secret not in said

    def test_it_goes_its_own_way(self, team: Team) -> None:
        new = team.copy()
        with team.inside(team.acme):
            personas.save(team.mira, persona="Rude.", by=team.here)
            for source in Source.objects.all():
                sources.delete(source, by=team.here)
            roster.dismiss(team.mira, by=team.here)
        with team.inside(team.bobs):
            new.refresh_from_db()
            assert (new.persona, len(queries.source_ids(new.id))) == ("# Role\n\nKind.", 3)

    def test_a_duplicate_answers_from_the_same_texts_under_another_name(self, team: Team) -> None:
        new = team.copy(to=team.here)
        assert (new.name, new.active) == ("Mira (copy)", True)
        assert len(team.texts(team.acme)) == 4
        with team.inside(team.acme):
            assert queries.source_ids(new.id) == queries.source_ids(team.mira.id)
            links.choose(new, set(queries.source_ids(new.id)), set(), by=team.here)
            assert len(queries.source_ids(team.mira.id)) == 3

    def test_a_name_of_ones_own_and_the_longest_one(self, team: Team) -> None:
        assert team.copy(name=" Mara ").name == "Mara"
        with team.inside(team.acme):
            team.mira = personas.save(team.mira, name="M" * 80, by=team.here)
        assert team.copy(to=team.here).name == "M" * 73 + " (copy)"

    def test_long_texts_are_read_by_the_job(self, team: Team) -> None:
        long = "\n\n".join(f"# Part {n}\n\nWords of part {n}." for n in range(3000))
        with team.inside(team.acme):
            links.link(team.mira, sources.add("Volume", long, by=team.here), by=team.here)
        team.copy()
        with team.inside(team.bobs):
            volume = Source.objects.get(title="Volume")
        assert volume.state == "pending"
        assert as_owner("SELECT 1 FROM procrastinate_jobs WHERE args->>'source_id' = %s", str(volume.id))
        ingestion.prepare(str(team.bobs.id), str(volume.id))
        with team.inside(team.bobs):
            assert Source.objects.get(id=volume.id).state == "ready"

    def test_both_logs_name_the_actor_and_not_the_other_place(self, team: Team) -> None:
        new = team.copy()
        there, here = team.told(team.bobs), team.told(team.acme)
        assert there.target == {"employee": str(new.id), "name": "Mira"}
        assert (there.before, there.after) == ({"from": "another context"}, None)
        assert here.target == {"employee": str(team.mira.id), "name": "Mira"}
        assert (here.before, here.after) == (None, {"to": "another context"})
        assert here.actor == there.actor == {"user": str(team.bob.id), "name": "Bob", "email": team.bob.email}


class TestAllOrNothing:
    def test_a_failure_at_the_last_step_leaves_nothing(
        self, team: Team, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write, told = copies.audit.write, []

        def fails_the_second_time(*args: Any, **more: Any) -> None:
            if told:
                raise RuntimeError("the server went away")
            told.append(write(*args, **more))

        monkeypatch.setattr(copies.audit, "write", fails_the_second_time)
        with pytest.raises(RuntimeError):
            team.copy()
        with team.inside(team.bobs):
            assert not Employee.objects.exists()
            assert not Source.objects.exists()
        for workspace in (team.acme, team.bobs):
            with team.inside(workspace):
                assert not AuditEntry.objects.filter(action="employee.copied").exists()

    def test_copies_in_both_directions_at_once_wait_for_one_another(self, team: Team) -> None:
        back = team.copy()
        failed: list[BaseException] = []

        def run(employee: Employee, by: Member, to: Member) -> None:
            try:
                for _time in range(8):
                    copies.copy(employee.id, by=by, to=to)
            except BaseException as error:
                failed.append(error)
            finally:
                connection.close()

        ways = [(team.mira, team.here, team.there), (back, team.there, team.here)] * 2
        threads = [threading.Thread(target=run, args=way) for way in ways]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []


class TestWhoMay:
    def test_to_every_context_one_works_in(self, team: Team) -> None:
        key, acme = team.key(team.bob), f"o/{team.acme.slug}"
        for to in ("me", team.bobs.slug, team.acme.slug):
            answer = team.post(key, acme, to)
            assert answer.status_code == 201
            context = "me" if to == "me" else f"o/{to}"
            found = team.api(key).get(f"/api/v1/{context}/employees/{answer.json()['id']}").json()
            assert found == answer.json()
            assert len(found["knowledge"]) == 3

    def test_where_one_does_not_work_is_nowhere(self, team: Team) -> None:
        key, acme = team.key(team.bob), f"o/{team.acme.slug}"
        foreign = team.post(key, acme, team.rival.slug)
        assert foreign.status_code == 404
        for to in ("nowhere", "", "../me", "x" * 5000, "ME", str(team.rival.id)):
            assert (answer := team.post(key, acme, to)).status_code == 404
            assert answer.json() == foreign.json()
        assert team.post(key, acme, None).status_code == 422
        assert as_owner("SELECT 1 FROM employees_employee WHERE workspace_id = %s", team.rival.id) == []

    def test_a_former_member_copies_neither_in_nor_out(self, team: Team) -> None:
        key = team.key(team.finn)
        assert team.post(key, f"o/{team.acme.slug}", "me").status_code == 404
        assert team.post(key, "me", team.acme.slug).status_code == 404
        as_owner(
            "UPDATE workspaces_membership SET status = 'removed' WHERE user_id = %s AND workspace_id = %s",
            team.bob.id, team.acme.id,
        )  # fmt: skip
        assert team.post(team.key(team.bob), f"o/{team.acme.slug}", "me").status_code == 404

    def test_an_organizations_key_stays_at_home(self, team: Team) -> None:
        key, acme = team.organization_key(team.acme, "member"), f"o/{team.acme.slug}"
        assert team.post(key, acme, team.acme.slug).status_code == 201
        for to in ("me", team.bobs.slug, team.rival.slug):
            assert team.post(key, acme, to).status_code == 404

    def test_an_employee_of_another_context_is_not_there(self, team: Team) -> None:
        assert team.post(team.key(team.bob), "me", "me").status_code == 404
        assert team.post(team.key(team.bob), f"o/{team.bobs.slug}", team.acme.slug).status_code == 404
        with pytest.raises(NotHere):
            copies.copy(team.mira.id, by=team.there, to=team.here)

    def test_a_former_slug_leads_to_the_organization(self, team: Team) -> None:
        former, key = team.bobs.slug, team.key(team.bob)
        moved = f"moved-{team.mark}"
        team.api(key).patch(f"/api/v1/o/{former}", {"slug": moved}, content_type="application/json")
        answer = team.post(key, f"o/{team.acme.slug}", former)
        assert answer.status_code == 201
        assert team.api(key).get(f"/api/v1/o/{moved}/employees/{answer.json()['id']}").status_code == 200

    def test_a_repeated_key_copies_once(self, team: Team) -> None:
        key, acme, once = team.key(team.bob), f"o/{team.acme.slug}", {"Idempotency-Key": "once"}
        first, second = (team.post(key, acme, team.bobs.slug, **once) for _ in range(2))
        assert first.status_code == second.status_code == 201
        assert first.json() == second.json()
        assert second["Idempotency-Replayed"] == "true"
        assert team.post(key, acme, "me", **once).status_code == 409
        with team.inside(team.bobs):
            assert Employee.objects.count() == 1


class TestThePage:
    def test_it_lists_the_other_contexts_with_ones_role(self, team: Team) -> None:
        page = team.browser(team.bob).get(team.here.url(f"employees/{team.mira.id}/copy")).content.decode()
        assert f'value="{team.bobs.slug}"' in page
        assert f'value="{team.acme.slug}"' not in page
        assert "Owner" in page
        assert "3 texts" in page

    def test_one_lands_on_the_copy_with_a_way_back(self, team: Team) -> None:
        browser, at = team.browser(team.bob), team.here.url(f"employees/{team.mira.id}")
        answer = browser.post(f"{at}/copy", {"to": team.bobs.slug, "name": "Mara"}, follow=True)
        assert answer.redirect_chain[0][0].startswith(f"/o/{team.bobs.slug}/employees/")
        assert f'<a href="{at}">' in answer.content.decode()

    def test_the_menus_duplicate_in_one_click(self, team: Team) -> None:
        browser = team.browser(team.bob)
        for path in ("employees", f"employees/{team.mira.id}"):
            assert f"{team.mira.id}/copy" in browser.get(team.here.url(path)).content.decode()
        answer = browser.post(
            team.here.url(f"employees/{team.mira.id}/copy"), {"to": team.acme.slug}, follow=True
        )
        assert "Mira (copy)" in answer.content.decode()

    def test_a_name_that_cannot_be_keeps_what_was_chosen(self, team: Team) -> None:
        at = team.here.url(f"employees/{team.mira.id}/copy")
        answer = team.browser(team.bob).post(at, {"to": team.bobs.slug, "name": "x" * 81})
        assert answer.status_code == 422
        assert f'value="{team.bobs.slug}" checked' in answer.content.decode()

    def test_somebody_with_one_context_is_told_so(self, team: Team) -> None:
        sam = team.member(team.sam)
        with workspace_scope(sam.workspace_id):
            mine = roster.hire("Mine", by=sam)
        page = team.browser(team.sam).get(f"/me/employees/{mine.id}/copy").content.decode()
        assert "You work in no other context" in page
