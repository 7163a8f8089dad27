"""The membership rules against a plain model of them: any deeds, by anybody, in any order, with days passing.

Every deed goes through the API; the model says which answer it must get and what is true afterwards. After each step
the tables, the audit log and what people see must be what the model says. `MEMBERSHIP_EXAMPLES=1000` looks longer.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from inspect import signature
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from staffroom.core.scope import workspace_scope
from staffroom.workspaces import keys

from .stage import Answer, Stage, Troupe
from .truth import State, Truth, told

EXAMPLES = int(os.environ.get("MEMBERSHIP_EXAMPLES", "40"))
PEOPLE = ("alice", "ann", "bob", "dora", "zoe")
KEYS = ("admin key", "member key")
VALID, HELD = 7, 90  # days
Outcome = tuple[int, str]
NOT_FOUND, FORBIDDEN = (404, "not_found"), (403, "role_forbids")
GONE, INVALID = (404, "invitation_gone"), (422, "invalid")


@dataclass
class Sent:
    address: str  # the name of the person whose address it is
    role: str
    by: str | None
    expires: int
    state: str = "pending"


@dataclass
class Organization:
    """Days are counted; `members` has a role for whoever is active, `former` everybody who was."""

    owner: str
    slug: str
    name: str = "Model"
    closed: bool = False
    members: dict[str, str] = field(default_factory=dict)
    former: dict[str, tuple[str, str]] = field(default_factory=dict)
    sent: dict[UUID, Sent] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    def role(self, who: str) -> str | None:
        if self.closed:
            return None
        if who in KEYS:
            return self.keys.get(who)
        return "owner" if who == self.owner else self.members.get(who)

    def end(self, who: str, status: str) -> None:
        self.former[who] = self.members.pop(who), status
        self.revoke_sent_by(who)

    def revoke_sent_by(self, who: str) -> None:
        for one in self.sent.values():
            if one.by == who and one.state == "pending":
                one.state = "revoked"

    def join(self, who: str, role: str) -> None:
        self.former.pop(who, None)
        self.members.setdefault(who, role)


# How often each is tried, and by whom: most of what is asked should be possible, and much of it not allowed.
DEEDS = (
    ["invite", "accept"] * 8
    + ["change_role"] * 6
    + ["transfer", "look"] * 3
    + ["remove", "resend", "leave"] * 2
    + ["revoke", "decline", "rename", "close", "cancel", "found", "pass_days", "revoke_key"]
)
PARTS = ("owner", "admin", "admin", "member", "member", "member", "outsider")
GUESTS = ("outsider", "outsider", "outsider", "invited", "member")
ACTORS = ("owner", "owner", "owner", "admin", "admin", "admin", "invited", "member", "outsider", "key")


class Memberships(RuleBasedStateMachine):
    troupe: Troupe
    truth: Truth

    @initialize()
    def founded(self) -> None:
        mark = uuid4().hex[-10:]
        self.slugs = [f"{word}-{mark}" for word in ("one", "two", "three", "four")]
        self.day = 0
        self.held: dict[str, tuple[UUID, int]] = {}
        self.shops: dict[UUID, Organization] = {}
        self.stages: dict[UUID, Stage] = {}
        self.before: dict[UUID, tuple[State, int]] = {}
        self.tokens: dict[UUID, list[str]] = {}
        self.found("alice", 0)
        [workspace] = self.shops
        with workspace_scope(workspace):
            for role in ("admin", "member"):
                name = f"{role} key"
                self.troupe.keys[name] = keys.issue(by="system", role=role)
                self.shops[workspace].keys[name] = role
        for whom, role in (("ann", "admin"), ("bob", "member")):
            self.invite("alice", 0, whom, role)
            self.accept(whom, 0, 0, "token")

    @rule(
        deed=st.sampled_from(DEEDS),
        actor=st.sampled_from(ACTORS),
        on=st.sampled_from(PARTS),
        guest=st.sampled_from(GUESTS),
        shop=st.sampled_from((0, 0, 0, 1, 2)),
        role=st.sampled_from(("admin", "member", "member", "owner")),
        number=st.integers(0, 3),
        by=st.sampled_from(("token", "token", "id", "former token")),
        days=st.sampled_from((1, 3, 8, 91)),
        really=st.booleans(),
    )
    def step(self, deed: str, actor: str, on: str, guest: str, shop: int, number: int, **chosen: Any) -> None:
        """One rule for all deeds: with several, the search would leave some of them out of most of its runs."""
        it = self.at(shop)[1]
        if it.closed and number:  # little happens there
            deed, actor = "cancel", "owner"
        elif deed in ("accept", "decline") and number:
            actor = "invited"
        chosen |= {
            "shop": shop,
            "wish": number,
            "which": number // 2,
            "guest": self.playing(it, guest, number),
        }
        chosen |= {"who": self.playing(it, actor, number), "whom": self.playing(it, on, number)}
        verb = getattr(self, deed)
        verb(**{name: chosen[name] for name in signature(verb).parameters})

    def playing(self, it: Organization, part: str, number: int) -> str:
        """Somebody who has that place at this moment; anybody, where nobody has it."""
        waiting = [
            one.address for one in it.sent.values() if one.state == "pending" and one.expires > self.day
        ]
        playing = {
            "owner": [it.owner],
            "admin": [who for who, role in it.members.items() if role == "admin" and who != it.owner],
            "member": [who for who, role in it.members.items() if role == "member"],
            "invited": waiting,
            "outsider": [who for who in PEOPLE if who not in it.members],
            "key": list(KEYS),
        }[part] or list(PEOPLE)
        return playing[number % len(playing)]

    def teardown(self) -> None:
        for workspace in getattr(self, "shops", {}):
            self.truth.owner.execute(
                "UPDATE workspaces_workspace SET closed_at = now() WHERE id = %s", [workspace]
            )

    # --- who founds, renames, closes ------------------------------------------------------------------------------

    def found(self, who: str, wish: int) -> None:
        if who in KEYS or len(self.shops) == 3:
            return
        slug = self.slugs[wish]
        answer = self.ask(who, "POST", "organizations", {"name": "Model", "slug": slug})
        if self.expect(answer, (422, "slug_taken") if self.is_taken(slug, None) else (201, "")):
            [row] = self.truth.rows("SELECT id FROM workspaces_workspace WHERE slug = %s", slug)
            self.held.pop(slug, None)
            self.shops[row["id"]] = Organization(who, slug, members={who: "admin"})
            self.stages[row["id"]] = Stage(self.troupe, row["id"], slug)
            self.before[row["id"]] = self.truth.state(row["id"]), 1
            self.agree(row["id"])

    def rename(self, who: str, shop: int, wish: int) -> None:
        workspace, it = self.at(shop)
        slug, former = self.slugs[wish], it.slug
        answer = self.here(who, workspace, "PATCH", "", {"slug": slug})
        refused = self.manages(who, it)
        if not refused and slug != former and self.is_taken(slug, workspace):
            refused = 422, "slug_taken"
        if self.expect(answer, refused or (200, "")) and slug != former:
            self.held.pop(slug, None)
            self.held[former] = workspace, self.day + HELD
            it.slug = self.stages[workspace].slug = slug
        self.agree(workspace)

    def is_taken(self, slug: str, by: UUID | None) -> bool:
        if any(it.slug == slug for it in self.shops.values()):
            return True
        holder, until = self.held.get(slug, (None, 0))
        return holder not in (None, by) and until >= self.day

    def close(self, who: str, shop: int, really: bool) -> None:
        """Closed, it is there for its owner alone, who may ask again until when."""
        workspace, it = self.at(shop)
        body = {"confirm": it.slug if really else "another"}
        answer = self.here(who, workspace, "DELETE", "", body)
        if self.expect(answer, self.owns(who, it) or ((202, "") if really else INVALID)):
            it.closed = True
        self.agree(workspace)

    def cancel(self, who: str, shop: int) -> None:
        workspace, it = self.at(shop)
        answer = self.here(who, workspace, "POST", "/deletion/cancel")
        refused = self.owns(who, it) or (None if it.closed else (409, "not_closed"))
        if self.expect(answer, refused or (200, "")):
            it.closed = False
        self.agree(workspace)

    # --- invitations ----------------------------------------------------------------------------------------------

    def invite(self, who: str, shop: int, guest: str, role: str, really: bool = True) -> None:
        workspace, it = self.at(shop)
        whom, address = guest, self.person(guest).email
        body = {"email": address if really else address.upper(), "role": role}
        answer = self.here(who, workspace, "POST", "/invitations", body)
        refused = self.manages(who, it) or (INVALID if role == "owner" else None)
        if not refused and whom in it.members:
            refused = 409, "already_member"
        if self.expect(answer, refused or (201, "")):
            id_ = UUID(answer.said["id"])
            pending = [key for key, one in it.sent.items() if one.address == whom and one.state == "pending"]
            assert pending in ([], [id_]), "one pending invitation for an address"
            it.sent[id_] = Sent(whom, role, who if who in PEOPLE else None, self.day + VALID)
            self.link(answer)
        self.agree(workspace)

    def resend(self, who: str, shop: int, which: int) -> None:
        workspace, it = self.at(shop)
        id_, one = self.letter(it, which)
        answer = self.here(who, workspace, "POST", f"/invitations/{id_}/resend")
        refused = self.manages(who, it) or (None if one and one.state == "pending" else NOT_FOUND)
        if self.expect(answer, refused or (200, "")):
            assert one
            one.by, one.expires = who if who in PEOPLE else None, self.day + VALID
            self.link(answer)
        self.agree(workspace)

    def revoke(self, who: str, shop: int, which: int) -> None:
        workspace, it = self.at(shop)
        id_, one = self.letter(it, which)
        answer = self.here(who, workspace, "DELETE", f"/invitations/{id_}")
        refused = self.manages(who, it) or (None if one and one.state == "pending" else NOT_FOUND)
        if self.expect(answer, refused or (204, "")):
            assert one
            one.state = "revoked"
        self.agree(workspace)

    def accept(self, who: str, shop: int, which: int, by: str) -> None:
        self.respond(who, shop, which, by, "accept", "accepted")

    def decline(self, who: str, shop: int, which: int, by: str) -> None:
        self.respond(who, shop, which, by, "decline", "declined")

    def respond(self, who: str, shop: int, which: int, by: str, verb: str, state: str) -> None:
        if who in KEYS:
            return
        workspace, it = self.at(shop)
        id_, one = self.letter(it, which, who)
        answer = self.ask(who, "POST", f"invitations/{self.named(id_, by)}/{verb}")
        if self.expect(answer, self.refusal(it, one, who, id_, by) or (200, "")):
            assert one
            one.state = state
            if verb == "accept":
                it.join(who, one.role)
                assert answer.said["role"] == it.role(who)
        self.agree(workspace)

    def refusal(self, it: Organization, one: Sent | None, who: str, id_: UUID, by: str) -> Outcome | None:
        if one is None or it.closed or one.state != "pending" or one.expires <= self.day:
            return GONE
        if by == "former token" and len(self.tokens[id_]) > 1:
            return GONE
        if one.address != who:
            return GONE if by == "id" else (403, "wrong_account")
        return None

    def named(self, id_: UUID, by: str) -> str:
        tokens = self.tokens.get(id_, ["nobody"])
        return str(id_) if by == "id" else tokens[-1] if by == "token" else tokens[0]

    # --- members --------------------------------------------------------------------------------------------------

    def leave(self, who: str, shop: int) -> None:
        workspace, it = self.at(shop)
        role = it.role(who)
        answer = self.here(who, workspace, "POST", "/leave")
        if role is None:
            refused: Outcome | None = self.outside(who)
        elif who in KEYS:
            refused = 403, "personal_key_needed"
        else:
            refused = (409, "owner_cannot_leave") if role == "owner" else None
        if self.expect(answer, refused or (204, "")):
            it.end(who, "left")
        self.agree(workspace)

    def remove(self, who: str, shop: int, whom: str) -> None:
        workspace, it = self.at(shop)
        answer = self.here(who, workspace, "DELETE", f"/members/{self.person(whom).id}")
        if self.expect(answer, self.manages(who, it) or self.other_than_owner(it, whom) or (204, "")):
            it.end(whom, "removed")
        self.agree(workspace)

    def change_role(self, who: str, shop: int, whom: str, role: str) -> None:
        workspace, it = self.at(shop)
        answer = self.here(who, workspace, "PATCH", f"/members/{self.person(whom).id}", {"role": role})
        refused = self.manages(who, it) or (INVALID if role == "owner" else self.other_than_owner(it, whom))
        if self.expect(answer, refused or (200, "")):
            if role == "member" and it.members[whom] != role:
                it.revoke_sent_by(whom)
            it.members[whom] = role
        self.agree(workspace)

    def transfer(self, who: str, shop: int, whom: str, really: bool) -> None:
        workspace, it = self.at(shop)
        body = {"user_id": str(self.person(whom).id), "leave": really}
        answer = self.here(who, workspace, "POST", "/owner", body)
        refused = None if it.role(who) == "owner" else self.manages(who, it) or FORBIDDEN
        if not refused and whom not in it.members:
            refused = NOT_FOUND
        elif not refused and whom == it.owner:
            refused = 409, "owner_already"
        if self.expect(answer, refused or (200, "")):
            it.owner, it.members[whom] = whom, "admin"
            if really:
                it.end(who, "left")
        self.agree(workspace)

    def outside(self, who: str) -> Outcome:
        """What somebody gets who has no place there: a key is dead with its organization, and elsewhere a stranger."""
        home = next(iter(self.shops.values()))
        return (401, "unauthenticated") if who in KEYS and home.role(who) is None else NOT_FOUND

    def manages(self, who: str, it: Organization) -> Outcome | None:
        """Why this actor may not do what owner and admins may; None when nothing is in the way."""
        role = it.role(who)
        return None if role in ("owner", "admin") else self.outside(who) if role is None else FORBIDDEN

    def owns(self, who: str, it: Organization) -> Outcome | None:
        if who == it.owner:
            return None
        return self.outside(who) if it.role(who) is None else FORBIDDEN

    @staticmethod
    def other_than_owner(it: Organization, whom: str) -> Outcome | None:
        if whom not in it.members:
            return NOT_FOUND
        return (409, "owner_cannot_be_removed") if whom == it.owner else None

    # --- keys, time, what people see ------------------------------------------------------------------------------

    def revoke_key(self, who: str) -> None:
        """Where the part is a key's; a dead key has little more to show."""
        _, it = self.at(0)
        if who in it.keys:
            del it.keys[who]
            self.truth.owner.execute(
                "UPDATE workspaces_apikey SET revoked_at = now() WHERE hash = %s",
                [keys.hashed(self.troupe.keys[who])],
            )

    def pass_days(self, days: int) -> None:
        """The dates move instead of the clock, which the database reads, too."""
        self.day += days
        for workspace in self.shops:
            for table, column in (("workspaces_invitation", "expires_at"), ("workspaces_slug", "held_until")):
                self.truth.owner.execute(
                    f"UPDATE {table} SET {column} = {column} - make_interval(days => %s) WHERE workspace_id = %s",  # type: ignore[arg-type]
                    [days, workspace],
                )

    def look(self, who: str) -> None:
        """The switcher, the invitations to oneself, and in each organization its list of members."""
        if who in KEYS:
            return
        contexts = self.ask(who, "GET", "contexts").said["items"]
        mine = {it.slug: it.role(who) for it in self.shops.values() if it.role(who)}
        assert {one["slug"]: one["role"] for one in contexts if one["slug"] in self.slugs} == mine
        offers = self.ask(who, "GET", "invitations").said["items"]
        assert {UUID(one["id"]) for one in offers if one["organization"]["slug"] in self.slugs} == {
            id_
            for it in self.shops.values()
            for id_, one in it.sent.items()
            if self.refusal(it, one, who, id_, "id") is None
        }
        for workspace, it in self.shops.items():
            self.look_at(who, workspace, it)

    def look_at(self, who: str, workspace: UUID, it: Organization) -> None:
        members = self.here(who, workspace, "GET", "/members")
        sent = self.here(who, workspace, "GET", "/invitations")
        if self.expect(members, (200, "") if it.role(who) else NOT_FOUND):
            shown = {one["user"]["email"]: one["role"] for one in members.said["items"]}
            assert shown == {self.person(one).email: it.role(one) for one in it.members}
        if self.expect(sent, self.manages(who, it) or (200, "")):
            assert {(UUID(one["id"]), one["role"], one["state"]) for one in sent.said["items"]} == {
                (id_, one.role, "expired" if one.expires <= self.day else "pending")
                for id_, one in it.sent.items()
                if one.state == "pending"
            }

    # --- both sides -----------------------------------------------------------------------------------------------

    def at(self, shop: int) -> tuple[UUID, Organization]:
        return list(self.shops.items())[shop % len(self.shops)]

    def letter(self, it: Organization, which: int, who: str = "") -> tuple[UUID, Sent | None]:
        """One of the last that were sent, first of all to this person; or an id of nothing."""
        ids = sorted(it.sent, key=lambda id_: it.sent[id_].state == "pending" and it.sent[id_].address == who)
        return (ids[-1 - which], it.sent[ids[-1 - which]]) if which < len(ids) else (uuid4(), None)

    def person(self, name: str) -> Any:
        return self.troupe.people[name]

    def link(self, answer: Answer) -> None:
        token = answer.said["accept_url"].rpartition("/")[2]
        self.tokens.setdefault(UUID(answer.said["id"]), []).append(token)

    def ask(self, who: str, method: str, path: str, body: Any = None) -> Answer:
        self.truth.owner.execute("DELETE FROM core_ratelimit")
        return next(iter(self.stages.values()), Stage(self.troupe, uuid4(), "")).ask(who, method, path, body)

    def here(self, who: str, workspace: UUID, method: str, path: str, body: Any = None) -> Answer:
        self.truth.owner.execute("DELETE FROM core_ratelimit")
        return self.stages[workspace].here(who, method, path, body)

    def expect(self, answer: Answer, outcome: Outcome) -> bool:
        """Whether it happened."""
        assert (answer.status, answer.code) == outcome, answer
        return outcome[1] == ""

    def agree(self, workspace: UUID) -> None:
        it, state = self.shops[workspace], self.truth.sound(workspace)
        former, number = self.before[workspace]
        entries = self.truth.entries(workspace, number)
        assert told(former, entries) == state
        self.before[workspace] = state, number + len(entries)
        people = {self.person(name).id: (role, "active") for name, role in it.members.items()}
        people |= {self.person(name).id: ended for name, ended in it.former.items()}
        sent = {id_: (self.person(one.address).email, one.role, one.state) for id_, one in it.sent.items()}
        assert state == State(self.person(it.owner).id, it.name, it.slug, it.closed, people, sent)


@pytest.fixture(scope="module")
def truth() -> Iterator[Truth]:
    truth = Truth()
    yield truth
    truth.owner.close()


def test_the_rules_do_what_their_model_does(truth: Truth) -> None:
    Memberships.troupe, Memberships.truth = Troupe(), truth
    run_state_machine_as_test(
        Memberships,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=40,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
