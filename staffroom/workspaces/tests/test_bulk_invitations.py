"""Inviting a pasted list."""

from __future__ import annotations

import random
import re
import time
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from staffroom.core import mailbox
from staffroom.core.errors import Invalid, TooMany
from staffroom.workspaces import addressees, invitations, memberships
from staffroom.workspaces.invitations import AlreadyMember, Done, Refused
from staffroom.workspaces.models import AuditEntry, Invitation
from staffroom.workspaces.permissions import RoleForbids
from tests.cast import Cast

from .races import at_once, passer_by


class Lean(Cast):
    """Without passwords."""

    def person(self, name: str) -> Any:
        return passer_by(name)


@pytest.fixture
def cast() -> Cast:
    cast = Lean()
    cast.ann, cast.bob  # noqa: B018 - brings them on stage
    return cast


def new(number: int = 1) -> list[str]:
    return [f"{uuid4().hex}@example.com" for _ in range(number)]


def invite(cast: Cast, *wanted: str, role: str = "member", by: Any = None) -> list[Done | Refused]:
    member = cast.member(by or cast.alice, cast.acme)
    with cast.inside(cast.acme):
        return invitations.invite_many([(one, role) for one in wanted], by=member)


def pending(cast: Cast) -> dict[str, str]:
    with cast.inside(cast.acme):
        return dict(Invitation.objects.filter(state="pending").values_list("email", "role"))


class TestReading:
    @pytest.mark.parametrize(
        ("text", "emails"),
        [
            ("a@x.org, b@x.org;c@x.org\nd@x.org\r\ne@x.org\rf@x.org", list("abcdef")),
            (" a@x.org ;;\n\n ,b@x.org,", list("ab")),
            ("Ann Lee <a@x.org>\nBob<b@x.org>", list("ab")),
            ("<a@x.org>, <b@x.org>", list("ab")),
            ('"Doe, J; the first" <a@x.org>; b@x.org', list("ab")),
            ("Doe, John <a@x.org>; Roe, Jane <b@x.org>", list("ab")),
            ("c@x.org, Doe, John <a@x.org>", list("ca")),
            ("'Ann' <a@x.org>", list("a")),
        ],
    )  # fmt: skip
    def test_lists_as_people_paste_them(self, text: str, emails: list[str]) -> None:
        assert [one.email for one in addressees.read(text)] == [f"{name}@x.org" for name in emails]

    @pytest.mark.parametrize(
        ("text", "typed"),
        [
            ("Ann, a@x.org", ["Ann", "a@x.org"]),
            ("Ann <at home>, a@x.org", ["Ann <at home>", "a@x.org"]),
            ("a@x.org b@x.org", ["a@x.org b@x.org"]),
            ('an "open quote, a@x.org', ['an "open quote', "a@x.org"]),
            ("a@x.org <", ["a@x.org <"]),
            ("one, two, three", ["one", "two", "three"]),
            ("", []),
            (" ,;\n\t;", []),
        ],
    )  # fmt: skip
    def test_what_is_no_address_stays_as_it_was_typed(self, text: str, typed: list[str]) -> None:
        assert [one.typed for one in addressees.read(text)] == typed

    def test_nothing_of_a_text_gets_lost(self) -> None:
        dice = random.Random(7)
        for _ in range(500):
            text = "".join(dice.choices('ab@. <>",;\n\t\\é', k=dice.randint(0, 40)))
            kept = "".join(one.typed for one in addressees.read(text))
            drop = re.compile(r"[\s,;]")
            assert drop.sub("", kept) == drop.sub("", text)

    @pytest.mark.parametrize("sign", ['"', "<", ">", '"<', ",", "a,", '<">'])
    def test_a_hostile_text_takes_no_time(self, sign: str) -> None:
        began = time.process_time()
        addressees.read(sign * 300_000)
        assert time.process_time() - began < 5


class TestInviting:
    def test_each_gets_an_answer_in_its_place(self, cast: Cast) -> None:
        one, two, known = new(3)
        invite(cast, known)
        answers = invite(cast, two, "nobody", cast.bob.email, known, one)
        assert [type(answer) for answer in answers] == [Done, Refused, Refused, Done, Done]
        assert [answer.email for answer in answers] == [two, "nobody", cast.bob.email, known, one]
        assert [getattr(answer, "renewed", None) for answer in answers] == [False, None, None, True, False]
        assert [type(answer.error) for answer in answers if isinstance(answer, Refused)] == [
            Invalid,
            AlreadyMember,
        ]
        assert set(pending(cast)) == {one, two, known}

    def test_every_one_has_its_mail_its_link_and_its_entry(self, cast: Cast) -> None:
        addresses = new(3)
        answers = invite(cast, *addresses, role="admin")
        offers = [invitations.offer(one.token) for one in answers if isinstance(one, Done)]
        assert [offer.email for offer in offers] == addresses
        assert {letter.to for letter in mailbox.letters(20)} >= set(addresses)
        with cast.inside(cast.acme):
            assert AuditEntry.objects.filter(action="invitation.sent").count() == 3
        assert set(pending(cast).values()) == {"admin"}

    def test_an_address_named_twice_is_invited_once(self, cast: Cast) -> None:
        [address] = new()
        answers = invite(cast, address, address.upper(), f" {address}")
        assert [one.repeated for one in answers] == [False, True, True]
        assert len({one.invitation.id for one in answers if isinstance(one, Done)}) == 1
        assert len([letter for letter in mailbox.letters(20) if letter.to == address]) == 1

    def test_a_limit_stops_one_address_and_no_other(self, cast: Cast) -> None:
        often, fresh = new(2)
        for _ in range(5):
            invite(cast, often)
        refused, done = invite(cast, often, fresh)
        assert isinstance(refused, Refused)
        assert isinstance(refused.error, TooMany)
        assert isinstance(done, Done)

    def test_what_the_organization_may_not_send_today_is_refused_and_not_counted(self, cast: Cast) -> None:
        invite(cast, *new(97))
        last = new(5)
        answers = invite(cast, *last)
        assert [type(one) for one in answers].count(Done) == 3
        refused = [one.email for one in answers if isinstance(one, Refused)]
        other = cast.organization("Other", cast.alice)
        with cast.inside(other):
            member = cast_member(cast, other)
            for _ in range(5):  # none of the five of the day was used up
                assert isinstance(invitations.invite_many([(refused[0], "member")], by=member)[0], Done)

    def test_more_than_a_hundred_are_refused_as_a_whole(self, cast: Cast) -> None:
        with pytest.raises(Invalid):
            invite(cast, *new(101))
        assert pending(cast) == {}
        [address] = new()
        assert len(invite(cast, *[address] * 101)) == 101

    def test_roles(self, cast: Cast) -> None:
        with pytest.raises(RoleForbids):
            invite(cast, *new(), by=cast.bob)
        [refused] = invite(cast, *new(), role="owner")
        assert isinstance(refused, Refused)
        assert isinstance(refused.error, Invalid)
        assert list(refused.error.errors) == ["role"]

    def test_statements_for_one_more(self, cast: Cast) -> None:
        counts = []
        for number in (1, 11):
            addresses = new(number)
            with CaptureQueriesContext(connection) as asked:
                invite(cast, *addresses)
            counts.append(len(asked))
        assert (counts[1] - counts[0]) / 10 <= 12


def cast_member(cast: Cast, workspace: Any) -> Any:
    from staffroom.workspaces.members import Member
    from staffroom.workspaces.permissions import Role

    return Member(
        workspace.id, "organization", workspace.slug, workspace.name, Role.OWNER, cast.alice.id,
        cast.alice.email, "Alice",
    )  # fmt: skip


class TestRaces:
    def test_two_lists_of_the_same_addresses_in_other_orders_never_wait_for_each_other(self) -> None:
        """Each address has a counter that both take. In the order of the lists they would lock each other out."""
        for trial in range(12):
            addresses = new(8)
            shops = [Lean() for _ in range(4)]
            lists = [random.Random(trial * 10 + n).sample(addresses, 8) for n in range(4)]
            deeds = [partial(invite, cast, *list_) for cast, list_ in zip(shops, lists, strict=True)]
            answers = at_once(*deeds)
            assert [type(answer) for answer in answers] == [list] * 4, answers
            assert all(isinstance(one, Done) for answer in answers for one in answer)
            assert [len(pending(cast)) for cast in shops] == [8] * 4

    def test_a_list_beside_the_removal_of_whoever_sends_it(self) -> None:
        for _ in range(10):
            cast = Lean()
            ann, alice = cast.ann, cast.member(cast.alice, cast.acme)
            sends, addresses = cast.member(ann, cast.acme), new(5)

            def send(cast: Any = cast, sends: Any = sends, addresses: Any = addresses) -> Any:
                with cast.inside(cast.acme):
                    return invitations.invite_many([(one, "member") for one in addresses], by=sends)

            def remove(cast: Any = cast, ann: Any = ann, alice: Any = alice) -> None:
                with cast.inside(cast.acme):
                    memberships.remove(ann.id, by=alice)

            at_once(send, remove)
            assert pending(cast) == {}


class TestPage:
    def post(self, cast: Cast, emails: str, role: str = "member", who: Any = None) -> Any:
        path = f"/o/{cast.acme.slug}/organization/invitations/bulk"
        return cast.browser(who or cast.alice).post(path, {"emails": emails, "role": role})

    def test_refused_lines_stay_and_the_others_are_invited(self, cast: Cast) -> None:
        one, two = new(2)
        answer = self.post(cast, f"{one}, Two <{two}>; oops\n{cast.bob.email}, {one}", "admin")
        page = answer.content.decode()
        assert answer.status_code == 200
        assert "2 invitations sent, 2 lines refused" in page
        assert kept(page) == ["oops", cast.bob.email]
        assert page.count(one) == 1 + page.count(f'the link for {one}"')
        assert "Already a member" in page
        assert 'value="admin" selected' in page
        assert pending(cast) == {one: "admin", two: "admin"}

    def test_links_are_there_where_no_mail_leaves(self, cast: Cast) -> None:
        [one] = new()
        page = self.post(cast, one).content.decode()
        token = re.search(r"/invitations/([\w-]{43})\"", page)[1]  # type: ignore[index]
        assert invitations.offer(token).email == one
        assert "No mail server is set up here" in page

    def test_too_many_are_refused_with_everything_kept(self, cast: Cast) -> None:
        addresses = new(101)
        answer = self.post(cast, "\n".join(addresses))
        assert answer.status_code == 422
        assert kept(answer.content.decode()) == addresses
        assert "At most 100" in answer.content.decode()
        assert pending(cast) == {}

    @pytest.mark.parametrize(
        "emails", ["", " ,;\n", "nobody", "\0", "<script>alert(1)</script>", "x" * 100_000]
    )
    def test_nothing_to_invite_is_bad_input(self, cast: Cast, emails: str) -> None:
        answer = self.post(cast, emails)
        assert answer.status_code == 422
        assert "<script>alert" not in answer.content.decode()

    def test_a_role_that_there_is_not_keeps_everything(self, cast: Cast) -> None:
        addresses = new(2)
        answer = self.post(cast, "\n".join(addresses), "owner")
        assert (answer.status_code, kept(answer.content.decode())) == (422, addresses)

    def test_members_have_no_such_page(self, cast: Cast) -> None:
        assert self.post(cast, "", who=cast.bob).status_code == 403
        assert (
            cast.browser(cast.bob).get(f"/o/{cast.acme.slug}/organization/invitations/bulk").status_code
            == 403
        )


def kept(page: str) -> list[str]:
    from html import unescape

    text = re.search(r"<textarea[^>]*>\n?(.*?)</textarea>", page, re.S)[1]  # type: ignore[index]
    return unescape(text).split("\n")


def test_by_api_the_results_stand_where_the_addresses_did(cast: Cast) -> None:
    one, two = new(2)
    api, path = cast.api(cast.key(cast.alice)), f"/api/v1/o/{cast.acme.slug}/invitations"
    wanted = [
        {"email": one, "role": "admin"},
        {"email": "x"},
        {"email": two},
        {"email": one, "role": "member"},
    ]
    results = api.post(path, {"invitations": wanted}, content_type="application/json").json()["results"]
    assert [result["email"] for result in results] == [one, "x", two, one]
    assert results[0]["invitation"] == results[3]["invitation"]
    assert results[0]["invitation"]["role"] == "admin"
    assert results[1]["problem"]["code"] == "invalid"
    assert pending(cast) == {one: "admin", two: "member"}
