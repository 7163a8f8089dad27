"""The audit log as people read it, its chain, and its table for spreadsheets."""

from __future__ import annotations

import asyncio
import csv
import io
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from staffroom.workspaces import audit, chain, history, memberships, organizations
from staffroom.workspaces.models import AuditEntry, Membership, Workspace
from staffroom.workspaces.views.audit import COLUMNS
from tests.cast import Cast
from tests.owner import as_owner


@pytest.fixture(scope="module")
def cast() -> Cast:
    cast = Cast()
    cast.ann, cast.bob, cast.rival  # noqa: B018 - brings them on stage
    return cast


@pytest.fixture
def shop(cast: Cast) -> Workspace:
    """An organization whose log tells of a name and a role."""
    shop = cast.organization("Shop", cast.alice)
    cast.joined(cast.bob, Membership.MEMBER, workspace=shop)
    member = cast.member(cast.alice, shop)
    with cast.inside(shop):
        organizations.change(by=member, name="=Shop+1")
        memberships.change_role(cast.bob.id, "admin", by=member)
    return shop


def written(cast: Cast, shop: Workspace, number: int, action: str = "member.left", **more: Any) -> None:
    with cast.inside(shop):
        for _ in range(number):
            audit.write(action, by="system", **more)


def page(cast: Cast, shop: Workspace, path: str = "") -> str:
    answer = cast.browser(cast.alice).get(f"/o/{shop.slug}/organization/audit{path}")
    assert answer.status_code == 200
    return str(answer.content.decode())


def table(cast: Cast, shop: Workspace, path: str = "") -> list[list[str]]:
    answer = cast.browser(cast.alice).get(f"/o/{shop.slug}/organization/audit/table{path}")

    async def whole() -> bytes:
        return b"".join([part async for part in answer])

    return list(csv.reader(io.StringIO(asyncio.run(whole()).decode(), newline="")))


class TestLog:
    def test_it_says_who_did_what_to_whom(self, cast: Cast, shop: Workspace) -> None:
        seen = page(cast, shop)
        assert seen.index("Role changed") < seen.index("<b>Organization renamed")
        for said in (cast.alice.email, cast.bob.email, "member → admin", "Shop → =Shop+1"):
            assert said in seen

    def test_one_kind_alone_and_page_after_page(self, cast: Cast, shop: Workspace) -> None:
        written(cast, shop, 55)
        assert "<b>Role changed" not in page(cast, shop, "?action=member.left")
        member, numbers, cursor = cast.member(cast.alice, shop), [], None
        with cast.inside(shop):
            while True:
                found = history.entries(member, cursor, 20)
                numbers += [one.number for one in found.items]
                if (cursor := found.next) is None:
                    break
        assert numbers == list(range(57, 0, -1))

    def test_the_number_of_statements_does_not_depend_on_the_rows(self, cast: Cast, shop: Workspace) -> None:
        client, asked = cast.browser(cast.alice), []
        for more in (0, 40):
            written(cast, shop, more, target={"user": str(cast.bob.id)})
            client.get(f"/o/{shop.slug}/organization/audit")
            with CaptureQueriesContext(connection) as counted:
                client.get(f"/o/{shop.slug}/organization/audit")
            asked.append(len(counted))
        assert asked[0] == asked[1]

    def test_what_was_written_is_shown_and_not_run(self, cast: Cast, shop: Workspace) -> None:
        written(cast, shop, 1, "x<script>", target={"user": "no id", "name": "<img>"}, after="<b>")
        seen = page(cast, shop)
        assert "<script>" not in seen.split("<table")[1]
        assert "x&lt;script&gt;" in seen

    def test_by_api(self, cast: Cast, shop: Workspace) -> None:
        api = cast.api(cast.key(cast.alice))
        found = api.get(f"/api/v1/o/{shop.slug}/audit", {"limit": 1}).json()
        [entry] = found["items"]
        assert (entry["action"], entry["before"], entry["after"]) == (
            "member.role_changed", {"role": "member"}, {"role": "admin"},
        )  # fmt: skip
        assert entry["actor"]["email"] == cast.alice.email
        assert len(entry["hash"]) == 64
        then = api.get(f"/api/v1/o/{shop.slug}/audit", {"cursor": found["next"]}).json()
        assert [one["action"] for one in then["items"]] == ["organization.renamed"]
        assert api.get(f"/api/v1/o/{shop.slug}/audit", {"cursor": "x"}).status_code == 422


class TestChain:
    def verdict(self, cast: Cast, shop: Workspace) -> chain.Verdict:
        member = cast.member(cast.alice, shop)
        with cast.inside(shop):
            return chain.verify(member)

    def test_a_whole_one(self, cast: Cast, shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(chain, "ROWS", 3)
        for ip in ("2001:DB8:0::1", "::ffff:10.0.0.1", "fe80::1%eth0", "10.0.0.1", None):
            token = audit.came_from.set(ip)
            written(cast, shop, 1, target={"name": "Ёлка 🎄", "n": 1.5}, before=[1, None], after="\u202e")
            audit.came_from.reset(token)
        assert self.verdict(cast, shop) == chain.Verdict(7)
        answer = cast.browser(cast.alice).post(f"/o/{shop.slug}/organization/audit/verification")
        assert "7 entries checked" in answer.content.decode()

    @pytest.mark.parametrize(
        ("damage", "broken"),
        [
            ("UPDATE workspaces_auditentry SET action = 'nothing' WHERE workspace_id = %s AND number = 3", 3),
            ("UPDATE workspaces_auditentry SET ip = '1.2.3.4' WHERE workspace_id = %s AND number = 1", 1),
            ("UPDATE workspaces_auditentry SET hash = decode(repeat('00', 32), 'hex')"
             " WHERE workspace_id = %s AND number = 4", 4),
            ("DELETE FROM workspaces_auditentry WHERE workspace_id = %s AND number = 2", 2),
        ],
    )  # fmt: skip
    def test_an_edit_and_a_gap_show(self, cast: Cast, shop: Workspace, damage: str, broken: int) -> None:
        written(cast, shop, 3)
        as_owner(damage, shop.id)
        found = self.verdict(cast, shop)
        assert (found.broken, found.checked) == (broken, broken - 1)
        answer = cast.browser(cast.alice).post(f"/o/{shop.slug}/organization/audit/verification")
        assert f"Entry {broken}:" in answer.content.decode()


class TestTable:
    def test_every_entry_and_no_formula(self, cast: Cast, shop: Workspace) -> None:
        written(cast, shop, 1, target={"name": "@SUM(1)"}, after="\tx")
        head, newest, *rest = table(cast, shop)
        assert head == list(COLUMNS)
        assert newest[4:6] == ["'@SUM(1)", "'\tx"]
        assert [row[0] for row in [newest, *rest]] == ["3", "2", "1"]

    def test_longer_than_one_part(self, cast: Cast, shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("staffroom.workspaces.views.audit.ROWS_OF_FILE", 4)
        written(cast, shop, 9)
        assert [row[0] for row in table(cast, shop)[1:]] == [str(n) for n in range(11, 0, -1)]
        assert len(table(cast, shop, "?action=member.left")) == 10

    def test_it_ends_where_the_role_ends(self, cast: Cast, shop: Workspace) -> None:
        answer = cast.browser(cast.alice).get(f"/o/{shop.slug}/organization/audit/table")
        with cast.inside(shop):
            Membership.objects.filter(user_id=cast.bob.id).update(role="admin")
        bob = cast.browser(cast.bob).get(f"/o/{shop.slug}/organization/audit/table")
        with cast.inside(shop):
            Membership.objects.filter(user_id=cast.bob.id).update(role="member")

        async def lines(answer: Any) -> int:
            return b"".join([part async for part in answer]).count(b"\r\n")

        assert [asyncio.run(lines(one)) for one in (answer, bob)] == [3, 1]


def test_another_organization_sees_nothing(cast: Cast, shop: Workspace) -> None:
    sam = cast.browser(cast.sam)
    for path in ("", "/table"):
        assert sam.get(f"/o/{shop.slug}/organization/audit{path}").status_code == 404
    member = cast.member(cast.sam, cast.rival)
    with cast.inside(cast.rival):
        assert list(history.entries(member).items) == []
        assert not AuditEntry.objects.filter(workspace_id=shop.id).exists()
