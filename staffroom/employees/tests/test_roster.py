"""Who is hired, renamed, switched, dismissed, and by whom."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from staffroom.core.errors import Invalid, NotHere
from staffroom.employees import links, personas, queries, roster
from staffroom.employees.models import Employee, EmployeeSource, Version
from staffroom.employees.templates import TEMPLATES
from staffroom.knowledge import sources
from staffroom.workspaces.models import AuditEntry
from staffroom.workspaces.permissions import RoleForbids
from tests.cast import Cast
from tests.owner import as_owner


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


class TestHiring:
    @pytest.mark.parametrize("template", [one.key for one in TEMPLATES])
    def test_a_template_gives_the_persona(self, cast: Cast, template: str) -> None:
        bob = cast.member(cast.bob, cast.acme)
        with cast.inside(cast.acme):
            employee = roster.hire("Mira", template=template, by=bob)
            [version] = Version.objects.filter(employee=employee)
        assert employee.persona.startswith("# Role\n\nYou ")
        assert (version.number, version.persona, version.author_name) == (1, employee.persona, "Bob")
        assert employee.created_by_id == cast.bob.id
        assert employee.active

    def test_a_persona_of_ones_own_comes_before_the_template(self, cast: Cast) -> None:
        with cast.inside(cast.acme):
            assert (
                roster.hire("A", template="sales", persona="Sell hats.", by="system").persona == "Sell hats."
            )
            assert roster.hire("B", by="system").persona == ""

    @pytest.mark.parametrize(
        ("name", "handle"),
        [
            ("Mira Klein", "mira-klein"),
            ("Мира", "mira"),
            ("客服", "kefu"),
            ("🦊", "fox-face"),
            ("  Zoë  ", "zoe"),
        ],
    )
    def test_the_handle_is_the_name_for_programs(self, name: str, handle: str) -> None:
        cast = Cast()
        with cast.inside(cast.acme):
            assert roster.hire(name, by="system").handle.startswith(handle[:3])

    def test_two_of_one_name_have_two_handles(self, cast: Cast) -> None:
        with cast.inside(cast.acme):
            first, second = (roster.hire("Twin", by="system") for _ in range(2))
        assert first.handle == "twin"
        assert second.handle.startswith("twin-")

    @pytest.mark.parametrize(
        ("given", "field"),
        [
            ({"name": ""}, "name"),
            ({"name": "x" * 10_000}, "name"),
            ({"name": "\u200b\u202e"}, "name"),
            ({"name": "A", "template": "pirate"}, "template"),
            ({"name": "A", "model": "openai:gpt-5"}, "model"),
            ({"name": "A", "model": "nonsense"}, "model"),
            ({"name": "A", "persona": "x" * 50_001}, "persona"),
        ],
    )
    def test_what_cannot_be_is_said_by_field(self, cast: Cast, given: dict[str, str], field: str) -> None:
        with pytest.raises(Invalid) as refused, cast.inside(cast.acme):
            roster.hire(given.pop("name"), by="system", **given)
        assert set(refused.value.errors) == {field}

    def test_marks_that_turn_the_direction_are_taken_out_of_names(self, cast: Cast) -> None:
        with cast.inside(cast.acme):
            assert roster.hire("Mi\u202era\u200b\n", by="system").name == "Mi ra"


class TestDismissing:
    def test_members_dismiss_whom_they_hired_and_admins_everybody(self, cast: Cast) -> None:
        bob, ann = cast.member(cast.bob, cast.acme), cast.member(cast.ann, cast.acme)
        with cast.inside(cast.acme):
            of_bob, of_ann = roster.hire("B", by=bob), roster.hire("A", by=ann)
            with pytest.raises(RoleForbids):
                roster.dismiss(of_ann, by=bob)
            roster.dismiss(of_bob, by=bob)
            roster.dismiss(of_ann, by=ann)
            assert not Employee.objects.filter(
                name__in=["A", "B"], created_by__in=[cast.bob, cast.ann]
            ).exists()

    def test_every_deed_is_in_the_audit_log(self) -> None:
        cast = Cast()
        alice = cast.member(cast.alice, cast.acme)
        with cast.inside(cast.acme):
            employee = roster.hire("Mira", by=alice)
            employee = personas.save(employee, by=alice, name="Mara")
            roster.switch(employee, False, by=alice)
            roster.switch(employee, False, by=alice)
            roster.dismiss(employee, by=alice)
            actions = list(AuditEntry.objects.order_by("number").values_list("action", flat=True))
        assert actions[-4:] == ["employee.hire", "employee.rename", "employee.off", "employee.dismiss"]


class TestKnowledge:
    def test_linking_twice_is_one_link_and_unlinking_takes_it_away(self, cast: Cast) -> None:
        with cast.inside(cast.acme):
            employee, source = roster.hire("L", by="system"), sources.add("S", "text", by="system")
            links.link(employee, source, by="system")
            links.link(employee, source, by="system")
            assert queries.source_ids(employee.id) == [source.id]
            links.unlink(employee, source, by="system")
            assert queries.source_ids(employee.id) == []

    def test_ticks_change_only_what_the_page_showed(self, cast: Cast) -> None:
        with cast.inside(cast.acme):
            employee = roster.hire("T", by="system")
            one, two, three = (sources.add(f"S{n}", "text", by="system").id for n in range(3))
            links.choose(employee, {one, two, three}, {one, three}, by="system")
            assert queries.source_ids(employee.id) == [one, three]
            links.choose(employee, {two, three}, {two}, by="system")
            assert queries.source_ids(employee.id) == [one, two]

    def test_a_deleted_source_leaves_every_employee(self, cast: Cast) -> None:
        alice = cast.member(cast.alice, cast.acme)
        with cast.inside(cast.acme):
            source = sources.add("S", "text", by=alice)
            staff = [roster.hire(f"E{n}", by=alice) for n in range(3)]
            for employee in staff:
                links.link(employee, source, by=alice)
            assert [name for _id, name in queries.users_of(alice, source.id)] == ["E0", "E1", "E2"]
            sources.delete(source, by=alice)
            assert [queries.source_ids(employee.id) for employee in staff] == [[], [], []]


class TestTheWall:
    def test_nobody_finds_the_employee_of_another_workspace(self, cast: Cast) -> None:
        with cast.inside(cast.acme):
            employee = roster.hire("Secret", by="system")
            source = sources.add("S", "text", by="system")
        sam = cast.member(cast.sam, cast.rival)
        with cast.inside(cast.rival):
            with pytest.raises(NotHere):
                queries.employee(sam, employee.id)
            assert queries.employees(sam).items == []
            assert queries.use(sam, [source.id]) == {}
            mine = roster.hire("Mine", by=sam)
            links.choose(mine, {source.id}, {source.id}, by=sam)
            assert queries.source_ids(mine.id) == [], "a foreign source cannot be ticked"
            with pytest.raises(NotHere):
                personas.restore(mine, 7, by=sam)

    def test_the_key_refuses_a_link_across_workspaces_even_to_the_owner_of_the_tables(
        self, cast: Cast
    ) -> None:
        with cast.inside(cast.acme):
            source = sources.add("S", "text", by="system")
        with cast.inside(cast.rival):
            employee = roster.hire("Mine", by="system")
            with pytest.raises(IntegrityError), transaction.atomic():
                EmployeeSource.objects.create(employee_id=employee.id, source_id=source.id)
        for workspace in (cast.acme, cast.rival):
            with pytest.raises(Exception, match="same_workspace"):
                as_owner(
                    "INSERT INTO employees_employeesource (id, workspace_id, created_at, employee_id, source_id)"
                    " VALUES (gen_random_uuid(), %s, now(), %s, %s) RETURNING id",
                    workspace.id,
                    employee.id,
                    source.id,
                )
