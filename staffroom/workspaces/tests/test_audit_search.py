"""Asking the audit log: by kind, person, period and words, all at once; and what every change writes."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from staffroom.accounts.models import User
from staffroom.workspaces import (
    audit,
    chain,
    history,
    invitations,
    memberships,
    organizations,
    ownership,
)
from staffroom.workspaces.history import Asked
from staffroom.workspaces.models import AuditEntry
from tests.cast import Cast
from tests.owner import as_owner

from .races import passer_by


class Log(Cast):
    """Alice changes Bob's role, Ann the name, and Sam is invited and declines."""

    def __init__(self) -> None:
        super().__init__()
        bob, ann = self.bob, self.ann
        self.by_alice, self.by_ann = self.member(self.alice, self.acme), self.member(ann, self.acme)
        with self.inside(self.acme):
            memberships.change_role(bob.id, "admin", by=self.by_alice)
            organizations.change(by=self.by_ann, name="Nordlicht Ärzte")
            invitations.invite(email=f"dora-{self.mark}@example.com", role="member", by=self.by_ann)

    def person(self, name: str) -> User:
        return passer_by(name)

    def write(self, number: int = 1, **more: Any) -> None:
        with self.inside(self.acme):
            for _ in range(number):
                audit.write("member.left", by="system", **more)

    def dated(self, days: dict[int, str]) -> None:
        """Their hashes are not those of their days then; nobody looks at them here."""
        for number, day in days.items():
            as_owner(
                "UPDATE workspaces_auditentry SET at = %s WHERE workspace_id = %s AND number = %s",
                day, self.acme.id, number,
            )  # fmt: skip

    def found(self, **asked: Any) -> list[int]:
        numbers, cursor = [], None
        while True:
            with self.inside(self.acme):
                page = history.entries(self.by_alice, cursor, 2, asked=Asked(**asked))
            numbers += [one.number for one in page.items]
            if not (cursor := page.next):
                return numbers


@pytest.fixture
def log() -> Log:
    return Log()


class TestAsking:
    def test_by_a_person_as_actor_and_as_target(self, log: Log) -> None:
        assert log.found(person=log.bob.email) == log.found(person=str(log.bob.id)) == [1]
        assert log.found(person=log.ann.email.upper()) == [3, 2]
        assert log.found(person=str(log.alice.id)) == [1]

    def test_who_was_never_here_is_nobody(self, log: Log) -> None:
        for person in (log.sam.email, "nobody", "\0\ud800", "%"):
            assert log.found(person=person) == []

    def test_a_former_member_is_still_asked_for(self, log: Log) -> None:
        with log.inside(log.acme):
            memberships.remove(log.bob.id, by=log.by_alice)
        assert log.found(person=log.bob.email) == [4, 1]

    def test_an_entry_of_somebody_about_oneself_comes_once(self, log: Log) -> None:
        by_bob = log.member(log.bob, log.acme)
        with log.inside(log.acme):
            memberships.leave(by=by_bob)
        assert log.found(person=log.bob.email) == [4, 1]

    def test_by_days_both_included(self, log: Log) -> None:
        log.dated({1: "2026-01-01 23:59:59.9999Z", 2: "2026-01-02 00:00Z", 3: "2026-01-03 12:00Z"})
        days = [date(2026, 1, day) for day in range(6)[1:]]
        assert log.found(since=days[1]) == [3, 2]
        assert log.found(until=days[1]) == [2, 1]
        assert log.found(since=days[0], until=days[0]) == [1]
        assert log.found(since=days[4]) == log.found(until=date(2025, 12, 31)) == []

    @pytest.mark.parametrize(
        ("q", "numbers"),
        [("nordlicht", [2]), ("arzte NORDLICHT", [2]), ("dora-", [3]), ("bob", [1]), ("ann", [3, 2]),
         ("admin", [1]), ("nobody", []), ("%", []), ("\0 _", []), ("user", []), ("x" * 5000, [])],
    )  # fmt: skip
    def test_by_words_of_who_whom_and_what(self, log: Log, q: str, numbers: list[int]) -> None:
        assert log.found(q=q) == numbers

    def test_all_at_once(self, log: Log) -> None:
        today = datetime.now(UTC).date()
        asked = {"person": log.ann.email, "q": "nordlicht", "since": today - timedelta(1), "until": today}
        assert log.found(action="organization.renamed", **asked) == [2]
        assert log.found(action="member.left", **asked) == []

    def test_a_rare_word_is_looked_for_a_part_of_the_log_at_a_time(
        self, log: Log, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(history, "LOOKED", 4)
        log.write(9)
        with log.inside(log.acme):
            first = history.entries(log.by_alice, None, 2, asked=Asked(q="nordlicht"))
        assert (first.items, bool(first.next), bool(first.looked_back_to)) == ([], True, True)
        assert log.found(q="nordlicht") == [2]
        assert log.found(q="nobody") == []
        assert log.found(q="ann", person=log.ann.email) == [3, 2]

    def test_the_number_of_statements_is_fixed(self, log: Log) -> None:
        counts = []
        for more in (0, 30):
            log.write(more, target={"user": str(log.bob.id)})
            with log.inside(log.acme), CaptureQueriesContext(connection) as asked:
                history.entries(log.by_alice, asked=Asked(person=log.bob.email, q="bob"))
            counts.append(len(asked))
        assert counts[0] == counts[1] <= 6

    def test_another_organizations_entries_are_never_found(self, log: Log) -> None:
        other = log.member(log.sam, log.rival)
        with log.inside(log.rival):
            for asked in (Asked(q="nordlicht"), Asked(person=str(log.ann.id)), Asked(person=log.ann.email)):
                assert history.entries(other, asked=asked).items == []


class TestPages:
    def get(self, log: Log, path: str, **asked: str) -> Any:
        return log.browser(log.alice).get(f"/o/{log.acme.slug}/organization/audit{path}", asked)

    def test_the_table_takes_the_same_question(self, log: Log) -> None:
        asked = {"person": log.ann.email, "q": "nordlicht", "action": "organization.renamed"}
        page = self.get(log, "", **asked).content.decode()
        href = re.search(r'href="([^"]+/table\?[^"]+)"', page)[1].replace("&amp;", "&")  # type: ignore[index]
        answer = log.browser(log.alice).get(href)

        async def whole() -> bytes:
            return b"".join([part async for part in answer])

        assert [line.split(",")[0] for line in asyncio.run(whole()).decode().split("\r\n")] == [
            "number",
            "2",
            "",
        ]
        assert 'value="nordlicht"' in page
        assert f'value="{log.ann.email}"' in page

    @pytest.mark.parametrize("asked", [{"from": "yesterday"}, {"to": "2026-13-40"}, {"q": "\0"}, {"person": "\0"},
                                       {"action": "x" * 5000}, {"from": "0001-01-01", "to": "9999-12-31"}])  # fmt: skip
    def test_any_question_has_an_answer(self, log: Log, asked: dict[str, str]) -> None:
        for path in ("", "/table"):
            assert self.get(log, path, **asked).status_code == 200

    def test_by_api(self, log: Log) -> None:
        api, path = log.api(log.key(log.alice)), f"/api/v1/o/{log.acme.slug}/audit"
        today = datetime.now(UTC).date().isoformat()
        asked = {"person": log.ann.email, "q": "nordlicht", "from": today, "to": today}
        assert [one["action"] for one in api.get(path, asked).json()["items"]] == ["organization.renamed"]
        assert api.get(path, {"from": "yesterday"}).status_code == 422


class TestVerifyingInSteps:
    @pytest.fixture(autouse=True)
    def short(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(chain, "STEP", 4)

    def post(self, log: Log, state: str = "", **headers: str) -> str:
        path = f"/o/{log.acme.slug}/organization/audit/verification"
        answer = log.browser(log.alice).post(path, {"state": state} if state else {}, headers=headers)
        assert answer.status_code == 200
        return str(answer.content.decode())

    def state(self, page: str) -> str:
        return re.search(r'name="state" value="([^"]+)"', page)[1]  # type: ignore[index]

    @pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}], ids=["page", "fragment"])
    def test_each_answer_leads_to_the_next_until_the_verdict(self, log: Log, headers: dict[str, str]) -> None:
        log.write(7)
        first = self.post(log, **headers)
        second = self.post(log, self.state(first), **headers)
        last = self.post(log, self.state(second), **headers)
        assert ("40%" in first, "80%" in second) == (True, True)
        assert "10 entries checked." in last
        assert 'name="state"' not in last
        assert ("<html" in last) == (not headers)

    def test_what_is_broken_later_is_found_there(self, log: Log) -> None:
        log.write(7)
        as_owner(
            "UPDATE workspaces_auditentry SET action = 'x' WHERE workspace_id = %s AND number = 6",
            log.acme.id,
        )
        assert "Entry 6:" in self.post(log, self.state(self.post(log)))

    def test_a_state_is_ours_and_of_this_organization(self, log: Log) -> None:
        log.write(7)
        state, other = self.state(self.post(log)), Log()
        for wrong in (state[:-1], "x", "é"):
            answer = log.browser(log.alice).post(
                f"/o/{log.acme.slug}/organization/audit/verification", {"state": wrong}
            )
            assert answer.status_code == 422
        path = f"/o/{other.acme.slug}/organization/audit/verification"
        assert other.browser(other.alice).post(path, {"state": state}).status_code == 422

    def test_an_end_that_falls_on_a_step_is_an_end(self, log: Log) -> None:
        log.write(1)
        assert "4 entries checked." in self.post(log)


def test_every_change_says_what_was_before_and_after(log: Log) -> None:
    """The whole life of an organization, and each entry of it."""
    dora, alice = passer_by(), log.by_alice
    with log.inside(log.acme):
        _, token = invitations.invite(email=dora.email, role="member", by=alice)
    invitations.accept(token, user=dora)
    eve = passer_by("eve")
    with log.inside(log.acme):
        memberships.remove(dora.id, by=alice)
        _, token = invitations.invite(email=dora.email, role="admin", by=alice)
        one, _ = invitations.invite(email=eve.email, role="member", by=alice)
        one, _ = invitations.invite(email=eve.email, role="admin", by=alice)
        invitations.revoke(one.id, by=alice)
        _, said_no = invitations.invite(email=eve.email, role="admin", by=alice)
        organizations.change(by=alice, slug=f"moved-{log.mark}")
    invitations.accept(token, user=dora)
    invitations.decline(said_no, user=eve)
    by_dora = log.member(dora, log.acme)
    with log.inside(log.acme):
        ownership.transfer(dora.id, by=alice)
        memberships.leave(by=alice)
        memberships.change_role(log.bob.id, "member", by=by_dora)
        rows = list(
            AuditEntry.objects.filter(number__gt=3)
            .order_by("number")
            .values_list("action", "before", "after")
        )
    ids = {name: str(user.id) for name, user in (("alice", log.alice), ("dora", dora))}
    assert rows == [
        ("invitation.sent", None, {"role": "member"}),
        ("invitation.accepted", None, {"role": "member", "status": "active"}),
        ("member.removed", {"role": "member", "status": "active"}, {"status": "removed"}),
        ("invitation.sent", None, {"role": "admin"}),
        ("invitation.sent", None, {"role": "member"}),
        ("invitation.renewed", {"role": "member"}, {"role": "admin"}),
        ("invitation.revoked", {"state": "pending"}, {"state": "revoked"}),
        ("invitation.sent", None, {"role": "admin"}),
        ("organization.moved", {"slug": log.acme.slug}, {"slug": f"moved-{log.mark}"}),
        (
            "invitation.accepted",
            {"role": "member", "status": "removed"},
            {"role": "admin", "status": "active"},
        ),
        ("invitation.declined", {"state": "pending"}, {"state": "declined"}),
        ("ownership.transferred", {"owner": ids["alice"]}, {"owner": ids["dora"]}),
        ("member.left", {"role": "admin", "status": "active"}, {"status": "left"}),
        ("member.role_changed", {"role": "admin"}, {"role": "member"}),
    ]
    assert {action for action, _, _ in rows} <= set(history.ACTIONS)
