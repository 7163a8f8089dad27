"""Processes that are killed at any moment: what comes after is whole, and there once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from staffroom.archives import exports, imports
from staffroom.archives.models import Export, Import
from staffroom.core import files
from staffroom.core.scope import workspace_scope
from staffroom.workspaces.members import Member
from tests.cast import Cast

from . import house

ROUNDS = 6
SEED = int(os.environ.get("STAFFROOM_CRASH_SEED", "0")) or random.SystemRandom().randrange(10**6)
_CHILD = """
import sys, django
django.setup()
from uuid import UUID
from staffroom.archives import exports, imports
from staffroom.archives.parts import talks
talks._AT_ONCE = imports._ROWS = 4  # many transactions, so that there is a moment between any two
print("begins", flush=True)
{"export": exports, "import": imports}[sys.argv[1]].run(UUID(sys.argv[2]), UUID(sys.argv[3]))
"""


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


@pytest.fixture(scope="module")
def shop(cast: Cast) -> Member:
    """Large enough that an export takes some tenths of a second."""
    by = cast.member(cast.alice, cast.organization("Shop", cast.alice))
    for seed in range(2):
        house.fill(by, seed, employees=6, chats=60)
    return by


def died(what: str, by: Member, row: Export | Import, chance: random.Random) -> bool:
    """A process does the work and is killed within it, unless it was faster; its lease has run out."""
    command = [sys.executable, "-W", "ignore", "-c", _CHILD, what, str(by.workspace_id), str(row.id)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "begins\n"
        time.sleep(chance.uniform(0, 0.4))
        child.send_signal(signal.SIGKILL)
    with workspace_scope(by.workspace_id):
        past = timezone.now() - timedelta(seconds=1)
        running = type(row).objects.filter(id=row.id, state="running")
        return bool(running.update(lease_until=past))


def test_an_export_is_begun_anew_and_leaves_one_file(cast: Cast, shop: Member) -> None:
    whole, chance, deaths = house.promised(house.exported(shop)), random.Random(SEED), 0
    for _ in range(ROUNDS):
        before = files.count(shop.workspace_id)
        with workspace_scope(shop.workspace_id):
            export = exports.start(by=shop)
        deaths += died("export", shop, export, chance)
        exports.run(shop.workspace_id, export.id)
        with workspace_scope(shop.workspace_id):
            export.refresh_from_db()
            assert export.state == "ready", (SEED, export.problem)
            with files.opened(export.file) as file:
                assert house.promised(file.read()) == whole, SEED
        assert files.count(shop.workspace_id) == before + 1, SEED
    assert deaths, SEED


def test_an_import_goes_on_and_leaves_nothing_twice(cast: Cast, shop: Member) -> None:
    archive, chance, deaths = house.exported(shop), random.Random(SEED), 0
    whole = house.promised(archive)
    for _ in range(ROUNDS):
        place = cast.member(cast.sam, cast.organization("Place", cast.sam))
        found = house.begun(place, archive)
        for _death in range(2):
            deaths += died("import", place, found, chance)
        imports.run(place.workspace_id, found.id)
        assert state(place.workspace_id, found) == "ready", SEED
        assert house.promised(house.exported(place)) == whole, SEED
    assert deaths, SEED


def state(workspace_id: UUID, found: Import) -> str:
    with workspace_scope(workspace_id):
        return str(Import.objects.get(id=found.id).state)
