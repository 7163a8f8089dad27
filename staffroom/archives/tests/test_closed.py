"""In an organization that is being deleted its owner takes everything along, and nothing more is put in."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.base import ContentFile

from staffroom.archives import exports, imports, sweeping
from staffroom.archives.models import PENDING, READY, Export, Import
from staffroom.core.scope import workspace_scope
from staffroom.workspaces import deletion
from staffroom.workspaces.models import Workspace
from tests.cast import Cast
from tests.owner import as_owner

from . import house


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


@pytest.fixture
def shop(cast: Cast) -> Workspace:
    shop = cast.organization("Shop", cast.alice)
    with cast.inside(shop):
        deletion.close(by=cast.member(cast.alice, shop), confirm=shop.slug or "")
    return shop


def test_the_owner_exports_and_nobody_else(cast: Cast, shop: Workspace) -> None:
    cast.joined(cast.bob, "admin", workspace=shop)
    at = f"/o/{shop.slug}/exports"
    answers: list[Any] = [cast.browser(who).get(at).status_code for who in (cast.alice, cast.bob, cast.sam)]
    assert answers == [200, 404, 404]
    assert at in cast.browser(cast.alice).get(f"/organizations/{shop.id}/deletion").content.decode()
    by = deletion.closed_for_owner(cast.alice, shop.id)
    with workspace_scope(shop.id):
        made = exports.start(by=by)
    exports.run(shop.id, made.id)
    with workspace_scope(shop.id):
        assert Export.objects.get(id=made.id).state == READY


def test_an_import_waits_until_it_is_open_again(cast: Cast) -> None:
    shop = cast.organization("Shop", cast.alice)
    archive = house.exported(cast.member(cast.alice, shop))
    with cast.inside(shop):
        made = imports.start(ContentFile(archive, "archive.zip"), by=cast.member(cast.alice, shop))
        deletion.close(by=cast.member(cast.alice, shop), confirm=shop.slug or "")
    as_owner("UPDATE archives_import SET created_at = now() - interval '1 hour' WHERE id = %s", made.id)
    as_owner("DELETE FROM procrastinate_jobs WHERE args ->> 'import_id' = %s", str(made.id))
    imports.run(shop.id, made.id)
    sweeping.sweep()
    rung = "SELECT 1 FROM procrastinate_jobs WHERE args ->> 'import_id' = %s"
    assert as_owner(rung, str(made.id)) == []
    with cast.inside(shop):
        assert Import.objects.get(id=made.id).state == PENDING
        deletion.cancel(by=deletion.closed_for_owner(cast.alice, shop.id))
    sweeping.sweep()
    assert as_owner(rung, str(made.id)) == [(1,)]
    imports.run(shop.id, made.id)
    with cast.inside(shop):
        assert Import.objects.get(id=made.id).state == READY
