"""Word limits of members by page and by API: who sets them, who sees what, and what the log says."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from staffroom.billing import ledger, limits, queries
from staffroom.workspaces.models import AuditEntry
from tests.cast import Cast


class Team(Cast):
    """Acme: Alice owns it, Ann is an admin, Bob a member who has used 300 words."""

    def __init__(self) -> None:
        super().__init__()
        self.path, self.api_path = f"/o/{self.acme.slug}", f"/api/v1/o/{self.acme.slug}"
        for user in (self.ann, self.bob):
            assert user
        with self.inside(self.acme):
            turn = uuid4()
            ledger.reserve(turn, 300, user=self.bob.id).require()
            ledger.settle(turn, 300)

    def limited(self, words: int | None) -> None:
        with self.inside(self.acme):
            limits.limit(self.bob.id, limits.Rule(True, words), by=self.member(self.alice, self.acme))

    def words(self, user: Any) -> queries.MemberWords:
        with self.inside(self.acme):
            return queries.member_words([user.id])[user.id]

    def logged(self) -> list[tuple[Any, Any, Any]]:
        with self.inside(self.acme):
            rows = AuditEntry.objects.filter(action="limit.changed").order_by("number")
            return [(row.target, row.before, row.after) for row in rows]


@pytest.fixture
def team() -> Team:
    return Team()


def page(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.content
    return " ".join(answer.content.decode().split())


class TestPages:
    def test_an_admin_limits_a_member_and_the_list_tells(self, team: Team) -> None:
        ann = team.browser(team.ann)
        form = f"{team.path}/organization/members/{team.bob.id}/limit"
        assert "Like everybody: no limit" in page(ann, form)
        saved = ann.post(form, {"kind": "own", "words_limit": "20,000"})
        assert (saved.status_code, saved["Location"]) == (302, f"{team.path}/organization?tab=members")
        assert "300 of 20,000" in page(ann, f"{team.path}/organization?tab=members")
        assert 'value="20000"' in page(ann, form)
        assert team.words(team.bob) == queries.MemberWords(20_000, True, 300, everybody=None)
        log = page(ann, f"{team.path}/organization/audit")
        assert "Word limit changed" in log
        assert "default → 20000" in log

    def test_everybodys_limit_holds_for_whoever_has_none(self, team: Team) -> None:
        alice = team.browser(team.alice)
        alice.post(f"{team.path}/organization/members/limit", {"kind": "own", "words_limit": "500"})
        text = page(alice, f"{team.path}/organization?tab=members")
        assert "Each member may use 500 words a month" in text
        assert "300 of 500" in text
        assert "Like everybody: 500 words" in page(
            alice, f"{team.path}/organization/members/{team.bob.id}/limit"
        )
        alice.post(f"{team.path}/organization/members/{team.bob.id}/limit", {"kind": "none"})
        assert (team.words(team.bob).limit, team.words(team.ann).limit) == (None, 500)

    @pytest.mark.parametrize("typed", ["", "-5", "many", "1" * 16, "9" * 14])
    def test_what_is_no_number_of_words_is_said_under_the_field(self, team: Team, typed: str) -> None:
        form = f"{team.path}/organization/members/{team.bob.id}/limit"
        answer = team.browser(team.ann).post(form, {"kind": "own", "words_limit": typed})
        assert answer.status_code == 422
        assert b"id_words_limit_error" in answer.content
        assert team.words(team.bob).limit is None

    def test_a_choice_must_be_made(self, team: Team) -> None:
        answer = team.browser(team.ann).post(f"{team.path}/organization/members/limit", {"kind": "some"})
        assert answer.status_code == 422
        assert b"Choose one of these" in answer.content

    def test_a_member_sees_their_own_and_nobody_elses(self, team: Team) -> None:
        team.limited(300)
        bob = page(team.browser(team.bob), f"{team.path}/organization?tab=members")
        assert "300 of 300" in bob
        assert "your messages are kept and not answered" in bob
        assert bob.count("words this month") == 1
        assert "Word limit" not in bob

    def test_who_is_no_member_has_no_limit(self, team: Team) -> None:
        path = f"{team.path}/organization/members/{team.sam.id}/limit"
        assert team.browser(team.ann).post(path, {"kind": "none"}).status_code == 404


class TestApi:
    def put(self, client: Client, path: str, body: Any) -> Any:
        answer = client.put(path, body, content_type="application/json")
        return answer.status_code, answer.json()

    def patch(self, team: Team, client: Client, words: Any) -> Any:
        path = f"{team.api_path}/members/{team.bob.id}"
        return client.patch(path, {"words_limit": words}, content_type="application/json").json()

    def test_a_limit_is_set_lifted_and_taken_back(self, team: Team) -> None:
        ann = team.api(team.key(team.ann))
        assert self.put(ann, f"{team.api_path}/words-limit", {"words_limit": 700}) == (
            200,
            {"words_limit": 700},
        )
        seen = [self.patch(team, ann, words) for words in (5000, "none", None)]
        assert [(one["words_limit"], one["words_used"]) for one in seen] == [
            (5000, 300), (None, 300), (700, 300),
        ]  # fmt: skip
        bob = {"user": str(team.bob.id)}
        assert team.logged() == [
            ({"name": "everybody"}, {"words_limit": "none"}, {"words_limit": 700}),
            (bob, {"words_limit": "default"}, {"words_limit": 5000}),
            (bob, {"words_limit": 5000}, {"words_limit": "none"}),
            (bob, {"words_limit": "none"}, {"words_limit": "default"}),
        ]

    def test_what_is_so_already_is_no_change(self, team: Team) -> None:
        ann = team.api(team.key(team.ann))
        for _ in range(2):
            self.patch(team, ann, 5000)
        assert len(team.logged()) == 1

    @pytest.mark.parametrize("words", [-1, 10**13, "many", 1.5, {}])
    def test_what_is_no_number_of_words_changes_nothing(self, team: Team, words: Any) -> None:
        assert self.patch(team, team.api(team.key(team.ann)), words)["status"] == 422
        assert team.words(team.bob).limit is None

    def test_what_others_have_used_is_for_owner_and_admins(self, team: Team) -> None:
        path = f"{team.api_path}/members"
        seen = {
            name: {
                one["user"]["email"]: one["words_used"]
                for one in team.api(team.key(user)).get(path).json()["items"]
            }
            for name, user in (("ann", team.ann), ("bob", team.bob))
        }
        assert seen["ann"] == {team.alice.email: 0, team.ann.email: 0, team.bob.email: 300}
        assert seen["bob"] == {team.alice.email: None, team.ann.email: None, team.bob.email: 300}

    def test_the_list_takes_the_same_statements_for_many(self, team: Team) -> None:
        ann, seen = team.api(team.key(team.ann)), []
        for _ in range(2):
            with CaptureQueriesContext(connection) as statements:
                ann.get(f"{team.api_path}/members")
            seen.append(len(statements))
            team.joined(team.person(f"eve-{uuid4().hex[:6]}"), "member")
        assert seen[0] == seen[1]
