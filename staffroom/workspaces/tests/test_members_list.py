"""The members' list: orders, filters, search, and what it costs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from staffroom.accounts.models import User
from staffroom.core.errors import Invalid
from staffroom.workspaces import memberships, ownership, queries
from staffroom.workspaces.models import Membership, Workspace
from staffroom.workspaces.views import directory
from tests.cast import Cast

from .races import at_once, passer_by

NAMES = ["Ёлка", "Åsa", "bruno", "Bruno", "Carla", "", "Zoë", "Émile", "d'Arc", "Müller"]


class Crowd:
    """An owner, two admins and many members; joined one after the other, backwards in the alphabet of addresses."""

    def __init__(self) -> None:
        self.cast = cast = Lean()
        self.shop = cast.acme
        start = datetime(2026, 1, 1, tzinfo=UTC)
        for number in range(23):
            user = passer_by(f"p{99 - number}")
            User.objects.filter(id=user.id).update(name=NAMES[number % len(NAMES)])
            joined = start + timedelta(days=number // 2)  # two on each day
            with cast.inside(self.shop):
                role = "admin" if number in {4, 9} else "member"
                Membership.objects.create(user=user, role=role, joined_at=joined)
        self.member = cast.member(cast.alice, self.shop)

    def page(self, cursor: str | None = None, limit: int = 5, **asked: Any) -> Any:
        with self.cast.inside(self.shop):
            return queries.members(self.member, cursor, limit, **asked)

    def walk(self, limit: int = 5, **asked: Any) -> list[queries.Colleague]:
        seen, cursor = [], None
        while True:
            page = self.page(cursor, limit, **asked)
            seen += page.items
            if not (cursor := page.next):
                return seen


class Lean(Cast):
    """Without passwords."""

    def person(self, name: str) -> User:
        return passer_by(name)


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    return Crowd()


BY: dict[str, Callable[[queries.Colleague], Any]] = {
    "joined": lambda one: (one.joined_at, one.id),
    "name": lambda one: (one.listed, one.id),
    "role": lambda one: (["owner", "admin", "member"].index(one.role), one.listed, one.id),
}


class TestOrder:
    @pytest.mark.parametrize("sort", ["joined", "-joined", "name", "-name", "role", "-role"])
    def test_every_page_goes_on_where_the_one_before_ended(self, crowd: Crowd, sort: str) -> None:
        seen = crowd.walk(sort=sort)
        assert len({one.id for one in seen}) == len(seen) == 24
        assert seen == sorted(seen, key=BY[sort.strip("-")], reverse=sort.startswith("-"))

    @pytest.mark.parametrize("sort", ["joined", "-joined", "name", "-name", "role", "-role"])
    def test_and_back_again(self, crowd: Crowd, sort: str) -> None:
        pages, cursor = [], None
        while not pages or cursor:
            pages.append(crowd.page(cursor, sort=sort))
            cursor = pages[-1].next
        for number in range(len(pages) - 1, 0, -1):
            former = crowd.page(pages[number].previous, sort=sort)
            assert former.items == pages[number - 1].items
        assert pages[0].previous is None
        assert former.previous is None

    def test_a_first_page_is_whole_although_somebody_came_before_it(self, crowd: Crowd) -> None:
        second = crowd.page(crowd.page(sort="-joined").next, sort="-joined")
        back = crowd.page(second.previous, 7, sort="-joined")
        assert back.items == crowd.page(None, 7, sort="-joined").items

    def test_a_cursor_belongs_to_its_order(self, crowd: Crowd) -> None:
        cursor = crowd.page(sort="name").next
        for sort in ("-name", "joined", "role"):
            with pytest.raises(Invalid):
                crowd.page(cursor, sort=sort)

    def test_names_sort_without_case_and_accents(self, crowd: Crowd) -> None:
        names = [one.name for one in crowd.walk(sort="name") if one.name in {*NAMES}]
        places = [names.index(name) for name in ("Åsa", "Carla", "d'Arc", "Émile", "Müller", "Zoë", "Ёлка")]
        assert places == sorted(places)


class TestSearch:
    @pytest.mark.parametrize("q", ["muller", "MÜLLER", "mül", "Mu\u0308ller", "müller example.com"])
    def test_case_accents_and_the_order_of_words_do_not_matter(self, crowd: Crowd, q: str) -> None:
        assert [one.name for one in crowd.walk(q=q)] == ["Müller"] * 2

    def test_in_other_letters(self, crowd: Crowd) -> None:
        assert {one.name for one in crowd.walk(q="елка")} == {"Ёлка"}

    @pytest.mark.parametrize("q", ["%", "_", "\\", "100%_\\\0\ud800", "' OR 1=1", "x" * 5000, "％"])
    def test_signs_mean_themselves(self, crowd: Crowd, q: str) -> None:
        assert crowd.walk(q=q) == []

    def test_who_gave_no_name_is_found_by_the_one_that_is_shown(self, crowd: Crowd) -> None:
        [one, *_] = [one for one in crowd.walk() if one.name.startswith("p9")]
        assert one in crowd.walk(q=one.name)

    def test_of_one_role(self, crowd: Crowd) -> None:
        with crowd.cast.inside(crowd.shop):
            admins = set(Membership.objects.filter(role="admin").values_list("user_id", flat=True))
        assert [one.user_id for one in crowd.walk(role="owner")] == [crowd.cast.alice.id]
        assert {one.user_id for one in crowd.walk(role="admin")} == admins - {crowd.cast.alice.id}
        assert len(crowd.walk(role="member")) == 24 - len(admins)
        assert {one.name for one in crowd.walk(role="admin", q="zoe")} <= {"Zoë"}

    def test_a_changed_name_or_address_is_found_at_once_and_the_former_is_not(self) -> None:
        cast = Lean()
        bob = cast.bob
        User.objects.filter(id=bob.id).update(name="Никита", email=f"nikita-{cast.mark}@example.com")
        member = cast.member(cast.alice, cast.acme)
        with cast.inside(cast.acme):
            found = [[one.user_id for one in queries.members(member, q=q).items] for q in ("никита", "bob")]
        assert found == [[bob.id], []]

    def test_who_joins_while_the_name_changes_is_listed_with_the_new_one(self) -> None:
        for _ in range(10):
            cast, user = Lean(), passer_by()
            at_once(
                lambda user=user: User.objects.filter(id=user.id).update(name="Renamed"),
                lambda cast=cast, user=user: cast.joined(user, "member"),
            )
            with cast.inside(cast.acme):
                assert Membership.objects.get(user_id=user.id).listed.startswith("renamed ")

    def test_the_longest_name_there_can_be_fits_into_the_index(self, crowd: Crowd) -> None:
        """One sign that becomes eighteen letters when it is taken apart."""
        cast, user = Lean(), passer_by()
        User.objects.filter(id=user.id).update(name="\ufdfa" * 150)
        cast.joined(user, "member")
        with cast.inside(cast.acme):
            assert len(queries.members(cast.member(cast.alice, cast.acme), sort="name").items) == 2


def test_a_role_that_changes_changes_the_place() -> None:
    cast = Lean()
    ann, bob, alice = cast.ann, cast.bob, cast.member(cast.alice, cast.acme)
    with cast.inside(cast.acme):
        memberships.change_role(bob.id, "admin", by=alice)
        memberships.change_role(ann.id, "member", by=alice)
        ownership.transfer(bob.id, by=alice)
        found = queries.members(alice, sort="role").items
    assert [one.user_id for one in found] == [bob.id, cast.alice.id, ann.id]


@pytest.fixture(scope="module")
def large() -> tuple[Cast, Workspace]:
    """Three thousand members among twice as many persons."""
    cast = Lean()
    names = [f"Name {number}" for number in range(6000)]
    users = User.objects.bulk_create(
        User(name=name, email=f"{name[5:]}@{cast.mark}.example") for name in names
    )
    with cast.inside(cast.acme):
        Membership.objects.bulk_create(
            Membership(workspace_id=cast.acme.id, user=user, role="member") for user in users[:3000]
        )
    for table in ("workspaces_membership", "accounts_user"):
        with psycopg.connect(os.environ["STAFFROOM_DB_OWNER"], autocommit=True) as owner:
            owner.execute(f"VACUUM ANALYZE {table}")
    return cast, cast.acme


class TestCost:
    @pytest.mark.parametrize(("sort", "index"), [("joined", "members_by_time"), ("name", "members_by_name"),
                                                 ("-name", "members_by_name")])  # fmt: skip
    def test_a_page_reads_its_own_rows_only(self, large: Any, sort: str, index: str) -> None:
        cast, shop = large
        member = cast.member(cast.alice, shop)
        with cast.inside(shop), CaptureQueriesContext(connection) as asked:
            queries.members(member, None, 100, sort=sort)
        plan = explained(cast, shop, asked[-1]["sql"])
        assert index in plan
        assert "Seq Scan" not in plan
        [read] = re.findall(rf"{index} on workspaces_membership.*rows=(\d+)", plan)
        assert int(read) <= 101

    def test_a_search_joins_nobody_whom_it_does_not_show(self, large: Any) -> None:
        cast, shop = large
        member = cast.member(cast.alice, shop)
        with cast.inside(shop), CaptureQueriesContext(connection) as asked:
            queries.members(member, None, 100, q="name 29")
        plan = explained(cast, shop, asked[-1]["sql"])
        assert "Seq Scan on accounts_user" not in plan
        assert "accounts_user_pkey" in plan

    def test_one_statement_and_one_more_for_the_number(self, large: Any) -> None:
        cast, shop = large
        member = cast.member(cast.alice, shop)
        with cast.inside(shop), CaptureQueriesContext(connection) as asked:
            page = queries.members(member, None, 100, sort="-role", q="name", role="member")
            assert queries.member_count(member) == 1000
        assert (len(page.items), len(asked)) == (100, 2)


def explained(cast: Cast, shop: Workspace, sql: str) -> str:
    with cast.inside(shop), connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, COSTS OFF) " + sql.replace("%", "%%"))
        return "\n".join(line for (line,) in cursor.fetchall())


class TestPage:
    @pytest.fixture
    def client(self, crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.setattr(directory, "ROWS", 10)
        return crowd.cast.browser(crowd.cast.alice)

    def get(self, crowd: Crowd, client: Any, query: str) -> str:
        answer = client.get(f"/o/{crowd.shop.slug}/organization?tab=members{query}")
        assert answer.status_code == 200
        return str(answer.content.decode())

    def link(self, page: str, rel: str) -> str:
        return re.search(rf'rel="{rel}" href="[^"?]+\?tab=members([^"]+)"', page)[1].replace("&amp;", "&")  # type: ignore[index]

    def test_what_was_asked_for_goes_along_from_page_to_page(self, crowd: Crowd, client: Any) -> None:
        first = self.get(crowd, client, "&q=example&role=member&sort=-name")
        second = self.get(crowd, client, self.link(first, "next"))
        assert 'value="example"' in second
        assert '<option value="member" selected' in second
        assert '<option value="-name" selected' in second
        assert 'aria-sort="descending"' in second
        back = self.get(crowd, client, self.link(second, "prev"))
        rows = re.compile(r"<small>([^<]+@example.com)</small>")
        assert rows.findall(back) == rows.findall(first) != rows.findall(second)

    def test_a_columns_title_turns_its_order_round(self, crowd: Crowd, client: Any) -> None:
        page = self.get(crowd, client, "&sort=name")
        assert "sort=-name" in page.split("<tbody>")[0]
        assert "sort=role" in page.split("<tbody>")[0]

    @pytest.mark.parametrize(
        "query", ["&sort=nonsense", "&role=boss", "&state=x", "&sort=", "&invited=x", "&invited="]
    )
    def test_what_is_unknown_asks_for_nothing(self, crowd: Crowd, client: Any, query: str) -> None:
        assert "members-list" in self.get(crowd, client, query)

    @pytest.mark.parametrize("query", ["&cursor=x", "&sent=x", "&q=%00%ff&cursor=%00"])
    def test_a_bad_cursor_is_bad_input(self, crowd: Crowd, client: Any, query: str) -> None:
        assert client.get(f"/o/{crowd.shop.slug}/organization?tab=members{query}").status_code in {200, 422}

    def test_the_number_of_statements_is_that_of_an_empty_one(self, crowd: Crowd, client: Any) -> None:
        small = crowd.cast.organization("Small", crowd.cast.alice)
        counts = []
        for shop in (small, crowd.shop):
            for query in ("", "&q=example&sort=role&role=member"):
                path = f"/o/{shop.slug}/organization?tab=members{query}"
                client.get(path)
                with CaptureQueriesContext(connection) as asked:
                    client.get(path)
                counts.append(len(asked))
        assert len(set(counts)) == 1
        assert counts[0] <= 8

    def test_by_api(self, crowd: Crowd) -> None:
        api, path = crowd.cast.api(crowd.cast.key(crowd.cast.alice)), f"/api/v1/o/{crowd.shop.slug}/members"
        found = api.get(path, {"sort": "role", "limit": 4}).json()
        assert [one["role"] for one in found["items"]] == ["owner", "admin", "admin", "member"]
        then = api.get(path, {"sort": "role", "limit": 4, "cursor": found["next"]}).json()
        assert {one["role"] for one in then["items"]} == {"member"}
        assert api.get(path, {"q": "muller", "role": "member"}).json()["items"][0]["user"]["name"] == "Müller"
        for wrong in ({"sort": "email"}, {"role": "boss"}, {"sort": "name", "cursor": found["next"]}):
            assert api.get(path, wrong).status_code == 422
