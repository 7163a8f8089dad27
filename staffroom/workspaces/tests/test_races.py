"""Deeds that meet at the same moment, two and eight of them, each a request with a connection of its own.

Half of the trials start together, a few milliseconds apart at most; in the other half everybody has looked and waits
at the same lock before the first may go on. Whatever the order, afterwards the tables are sound, and the audit log
tells exactly what has changed. `RACE_TRIALS=50` takes 50 of each race and size.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from random import Random, SystemRandom
from unicodedata import normalize
from uuid import uuid4

import pytest
from django.db import OperationalError, connection, transaction

from staffroom.core import answers
from staffroom.core.scope import workspace_scope
from staffroom.workspaces import keys, organizations, standing

from .races import at_once, held, jostled, one_behind_the_other
from .stage import Answer, Stage, Troupe
from .truth import State, Truth, told

TRIALS = int(os.environ.get("RACE_TRIALS", "8"))
SEED = int(os.environ.get("RACE_SEED", "0")) or SystemRandom().randrange(10**6)
Deed = Callable[[Stage], Answer]
Check = Callable[[Stage, list[Answer], State], object]
ROW = "SELECT FROM workspaces_workspace WHERE id = %s FOR NO KEY UPDATE"


@dataclass(frozen=True)
class Race:
    """`check` says what this race must come to, beside what is true after every one."""

    first: list[Deed]
    second: list[Deed]
    check: Check = lambda stage, answers, after: True
    holding: str = ROW

    def deeds(self, number: int, random: Random) -> list[Deed]:
        sides = [self.first, self.second]
        drawn = [random.sample(side, len(side)) for side in sides]
        deeds = [deed for side in drawn for deed in islice(cycle(side), number // 2)]
        return random.sample(deeds, number)


def done(answers: list[Answer], word: str = "") -> list[Answer]:
    return [one for one in answers if one.done and word in one.deed]


# --- what the races come to -------------------------------------------------------------------------------------------


def dora_is_in_once(stage: Stage, answers: list[Answer], after: State) -> None:
    assert done(answers)
    assert {one.code for one in answers if not one.done} <= {"invitation_gone"}
    assert after.members[stage.troupe["dora"]] == ("member", "active")


def in_if_accepted(stage: Stage, answers: list[Answer], after: State) -> None:
    assert after.active(stage.troupe["dora"]) == bool(done(answers, "accepts"))


def in_or_not(stage: Stage, answers: list[Answer], after: State) -> None:
    in_if_accepted(stage, answers, after)
    others = [one for one in done(answers) if "accepts" not in one.deed]
    assert bool(others) != after.active(stage.troupe["dora"]), "one or the other"


def in_once_with_two_invitations(stage: Stage, answers: list[Answer], after: State) -> None:
    states = [after.invitations[stage.invitations[which]][2] for which in ("eva", "eva again")]
    assert states == ["accepted", "accepted"]
    assert after.active(stage.troupe["eva"])


def one_is_pending(stage: Stage, answers: list[Answer], after: State) -> None:
    invited = done(answers)
    assert {one.code for one in answers if not one.done} <= {"rate_limited"}
    assert len(invited) == min(len(answers), 5)
    [id_] = {one.said["id"] for one in invited}
    tokens = [one.said["accept_url"].rpartition("/")[2] for one in invited]
    with Truth().owner as owner:
        [row] = owner.execute("SELECT token_hash FROM workspaces_invitation WHERE id = %s", [id_]).fetchall()
    assert [keys.hashed(token) for token in tokens].count(bytes(row["token_hash"])) == 1, "one link is alive"


def one_has_the_slug(stage: Stage, answers: list[Answer], after: State) -> None:
    assert {one.code for one in answers if not one.done} <= {"slug_taken"}
    founded, renamed = done(answers, "founds"), done(answers, "PATCH")
    assert (after.slug == stage.wished) == bool(renamed)
    assert len(founded) == (0 if renamed else 1)


def one_new_owner(stage: Stage, answers: list[Answer], after: State) -> None:
    [_one] = done(answers)
    assert after.owner != stage.troupe["alice"]


def owner_or_gone(stage: Stage, answers: list[Answer], after: State) -> None:
    bob = stage.troupe["bob"]
    assert (after.owner == bob) == bool(done(answers, "/owner"))
    assert after.active(bob) == (after.owner == bob)


def bob_is_gone(stage: Stage, answers: list[Answer], after: State) -> None:
    assert len([one for one in done(answers) if "PATCH" not in one.deed]) == 1
    assert not after.active(stage.troupe["bob"])


def one_of_two_admins(stage: Stage, answers: list[Answer], after: State) -> None:
    admins = [name for name in ("ann", "amy") if after.members[stage.troupe[name]] == ("admin", "active")]
    assert len(admins) == 1


def closed_once(stage: Stage, answers: list[Answer], after: State) -> None:
    """Unless the owner has given it away before, or its address, which confirms, is another one meanwhile."""
    assert after.closed == bool(done(answers, "closes"))
    assert after.closed or after.owner != stage.troupe["alice"] or after.slug != stage.slug


def moved_or_closed(stage: Stage, answers: list[Answer], after: State) -> None:
    assert len(done(answers, "/owner")) + bool(done(answers, "closes")) == 1


# --- who meets whom ---------------------------------------------------------------------------------------------------


def accepts(who: str = "dora", by: str = "token") -> Deed:
    return lambda stage: stage.accept(who, by)


def removes(by: str, whom: str) -> Deed:
    return lambda stage: stage.remove(by, whom)


def makes(by: str, whom: str, role: str) -> Deed:
    return lambda stage: stage.role(by, whom, role)


def transfers(to: str, leave: bool = False) -> Deed:
    return lambda stage: stage.transfer(to, leave=leave)


def invites(form: Callable[[str], str], by: str = "ann") -> Deed:
    return lambda stage: stage.invite(by, form(f"{stage.slug}@caf\u00e9.example"))


def founds(who: str) -> Deed:
    return lambda stage: stage.found(who, stage.wished)


def renames(by: str) -> Deed:
    return lambda stage: stage.rename(by, stage.wished)


ACCEPTANCES = [accepts(), accepts(by="id")]
CLOSES: Deed = lambda stage: stage.close()  # noqa: E731
RACES = {
    "accept, accept": Race(ACCEPTANCES, ACCEPTANCES, dora_is_in_once),
    "accept two invitations of one person": Race(
        [lambda stage: stage.accept_at("eva")],
        [lambda stage: stage.accept_at("eva again")],
        in_once_with_two_invitations,
    ),
    "accept, revoke": Race(
        ACCEPTANCES, [lambda stage: stage.revoke("alice"), lambda stage: stage.revoke("amy")], in_or_not
    ),
    "accept, decline": Race(ACCEPTANCES, [lambda stage: stage.decline()], in_or_not),
    "accept, resend": Race(
        ACCEPTANCES, [lambda stage: stage.resend("ann"), lambda stage: stage.resend("amy")], in_if_accepted
    ),
    "accept, invite again": Race(
        ACCEPTANCES,
        [lambda stage: stage.invite("ann", stage.troupe.dora.email.upper(), "admin")],
        in_if_accepted,
    ),
    "accept, removal of the inviter": Race(ACCEPTANCES, [removes("alice", "amy")], in_if_accepted),
    "accept, demotion of the inviter": Race(ACCEPTANCES, [makes("alice", "amy", "member")], in_if_accepted),
    "accept, the inviter leaves": Race(ACCEPTANCES, [lambda stage: stage.leave("amy")], in_if_accepted),
    "return, removal": Race([accepts("finn")], [removes("ann", "finn")]),
    "invite, invite": Race(
        [invites(str.lower), invites(str.title, "amy")],
        [invites(str.upper, "alice"), invites(partial(normalize, "NFD"))],
        one_is_pending,
    ),
    "create, create": Race(
        [founds("zoe"), founds("bob")],
        [founds("ann"), founds("alice")],
        one_has_the_slug,
        holding="INSERT INTO workspaces_slug (slug, workspace_id) SELECT %s, id FROM workspaces_workspace LIMIT 1",
    ),
    "rename, create": Race(
        [renames("alice"), renames("ann")],
        [founds("zoe"), founds("bob")],
        one_has_the_slug,
        holding="INSERT INTO workspaces_slug (slug, workspace_id) SELECT %s, id FROM workspaces_workspace LIMIT 1",
    ),
    "transfer, transfer": Race([transfers("bob")], [transfers("ann"), transfers("ben")], one_new_owner),
    "transfer, removal of the receiver": Race(
        [transfers("bob"), transfers("bob", leave=True)], [removes("ann", "bob")], owner_or_gone
    ),
    "transfer, the receiver leaves": Race(
        [transfers("bob"), transfers("bob", leave=True)], [lambda stage: stage.leave("bob")], owner_or_gone
    ),
    "transfer, demotion of the receiver": Race(
        [transfers("ann"), transfers("ann", leave=True)],
        [makes("amy", "ann", "member")],
        lambda stage, answers, after: one_new_owner(stage, done(answers, "/owner"), after),
    ),
    "transfer, closing": Race([transfers("bob"), transfers("ann", leave=True)], [CLOSES], moved_or_closed),
    "role change, removal": Race(
        [makes("alice", "bob", "admin"), makes("amy", "bob", "member")],
        [removes("ann", "bob"), removes("alice", "bob")],
        bob_is_gone,
    ),
    "removal, leaving": Race(
        [removes("ann", "bob"), removes("alice", "bob")], [lambda stage: stage.leave("bob")], bob_is_gone
    ),
    "admins demote each other": Race(
        [makes("ann", "amy", "member")], [makes("amy", "ann", "member")], one_of_two_admins
    ),
    "admins remove each other": Race([removes("ann", "amy")], [removes("amy", "ann")], one_of_two_admins),
    "closing, everything": Race(
        [CLOSES],
        [
            *ACCEPTANCES,
            accepts("finn"),
            invites(str.lower),
            removes("ann", "bob"),
            makes("alice", "amy", "member"),
            transfers("ben"),
            renames("alice"),
            lambda stage: stage.leave("ben"),
            lambda stage: stage.revoke("alice"),
            lambda stage: stage.resend("ann"),
            lambda stage: stage.decline(),
        ],
        closed_once,
    ),
    "closing, reopening": Race([CLOSES], [lambda stage: stage.reopen(), lambda stage: stage.leave("ben")]),
}


@pytest.fixture(scope="module")
def troupe() -> Troupe:
    return Troupe()


@pytest.fixture(scope="module")
def truth() -> Iterator[Truth]:
    truth = Truth()
    yield truth
    truth.owner.close()


@pytest.mark.parametrize("number", [2, 8])
@pytest.mark.parametrize("name", RACES)
def test_race(troupe: Troupe, truth: Truth, name: str, number: int) -> None:
    race, random = RACES[name], Random(f"{SEED} {name} {number}")
    for trial, stage in enumerate(troupe.stages(TRIALS)):
        truth.owner.execute("DELETE FROM core_ratelimit")
        before = truth.state(stage.workspace)
        deeds = [partial(deed, stage) for deed in race.deeds(number, random)]
        if trial % 2:
            answers = at_once(*deeds, pauses=jostled(random))
        else:
            locked = stage.workspace if race.holding == ROW else stage.wished
            answers = one_behind_the_other(deeds, race.holding, locked)
        story = f"RACE_SEED={SEED}, trial {trial}: {answers}"
        assert all(isinstance(one, Answer) and (one.done or named(one)) for one in answers), story
        after = truth.sound(stage.workspace)
        assert told(before, truth.entries(stage.workspace)) == after, story
        race.check(stage, answers, after)


def named(answer: Answer) -> bool:
    return 400 <= answer.status < 500 and answer.code not in ("", "error", "malformed", "method_not_allowed")


def test_two_organizations_take_one_person_in_at_the_same_moment(troupe: Troupe, truth: Truth) -> None:
    for here, there in zip(troupe.stages(TRIALS), troupe.stages(TRIALS), strict=True):
        answers = at_once(here.accept, there.accept, partial(here.accept, by="id"), there.accept)
        assert {one.done or one.code for one in answers} <= {True, "invitation_gone"}, answers
        for stage in (here, there):
            assert truth.sound(stage.workspace).active(troupe["dora"])


def test_one_form_sent_many_times_founds_one_organization(troupe: Troupe, truth: Truth) -> None:
    for _ in range(TRIALS):
        name, key = f"Form {uuid4().hex}", uuid4()
        founded = at_once(*[partial(_founded_by_form, troupe, name, key)] * 4)
        assert len({one.id for one in founded}) == 1, founded
        assert len(truth.rows("SELECT FROM workspaces_workspace WHERE name = %s", name)) == 1


def _founded_by_form(troupe: Troupe, name: str, key: object) -> object:
    return organizations.found(name, by=troupe.zoe, founding_key=key)  # type: ignore[arg-type]


def test_who_waits_in_vain_is_told_so(troupe: Troupe) -> None:
    """Also in a scope inside a longer sentence, where a statement after the error hid it."""
    [stage] = troupe.stages(1)
    with held(ROW, stage.workspace), pytest.raises(OperationalError) as refused:
        _locked_without_patience(stage)
    said = answers.named(refused.value)
    assert (said.code, said.status) == ("busy", 503)
    with workspace_scope(stage.workspace):
        assert standing.lock().id == stage.workspace


def _locked_without_patience(stage: Stage) -> None:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', '50ms', true)")
        with workspace_scope(stage.workspace):
            standing.lock()
