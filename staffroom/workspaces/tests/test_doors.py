"""Who gets in, where, and in which role."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from staffroom.core.scope import ScopeMissing, ScopeNested, workspace_scope
from staffroom.workspaces.models import Membership, Workspace
from tests.cast import Cast


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


def test_a_bare_address_leads_to_the_context_last_used(cast: Cast) -> None:
    dana = cast.person("dana")
    assert cast.browser(dana).get("/chats?x=1").headers["Location"] == "/me/chats?x=1"


def test_the_open_scope_shows_one_workspace_and_no_other(cast: Cast) -> None:
    cast.bob, cast.rival  # noqa: B018 - brings them on stage
    with cast.inside(cast.acme):
        assert set(Membership.objects.values_list("user_id", flat=True)) == {cast.alice.id, cast.bob.id}
        assert [w.id for w in Workspace.objects.all()] == [cast.acme.id]


def test_without_a_scope_nothing_is_read(cast: Cast) -> None:
    with pytest.raises(ScopeMissing):
        Membership.objects.count()
    with pytest.raises(DatabaseError, match="no workspace scope is open"), transaction.atomic():
        Membership._base_manager.count()


def test_no_second_workspace_inside_the_first(cast: Cast) -> None:
    with cast.inside(cast.acme), pytest.raises(ScopeNested), cast.inside(cast.rival):
        pass


def test_the_setting_ends_with_the_scope_even_inside_a_longer_transaction(cast: Cast) -> None:
    with transaction.atomic():
        with workspace_scope(cast.acme.id):
            pass
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('app.workspace_id', true)")
            assert cursor.fetchone() == ("",)


def test_the_owner_cannot_be_without_an_active_membership(cast: Cast) -> None:
    with pytest.raises(DatabaseError, match="owner"), cast.inside(cast.acme):
        Membership.objects.filter(user_id=cast.alice.id).update(status=Membership.LEFT)
