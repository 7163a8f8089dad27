"""Founding an organization, and changing its name and its address."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from uuid import UUID

from django.db import connection
from django.utils import timezone

from staffroom.accounts.models import User
from staffroom.core.checks import together
from staffroom.core.scope import workspace_scope
from staffroom.core.sentences import part

from . import audit, names, personal, slugs, standing
from .members import Member
from .models import ORGANIZATION, Slug, Workspace
from .permissions import May, Role

HELD = timedelta(days=90)  # a former slug leads to its organization and is nobody else's


def found(name: str, *, by: User, slug: str = "", founding_key: UUID | None = None) -> Workspace:
    """A new organization that `by` owns. A repeated `founding_key` gives the one that it founded before."""
    name, slug = together(partial(names.checked, name), partial(slugs.wished, slug))
    workspace = Workspace(kind=ORGANIZATION, name=name, owner=by, founding_key=founding_key)
    with workspace_scope(workspace.id):
        standing.present(by)
        former = _founded(by, founding_key) if founding_key else None
        if former is None:
            return _plant(workspace, slug, by)
    with workspace_scope(former):
        return Workspace.objects.get(id=former)


def _founded(by: User, founding_key: UUID) -> UUID | None:
    """Waits for another sentence with the same key, so that the second of two clicks finds what the first made."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT founded(%s, %s)", [by.id, founding_key])
        former: UUID | None = cursor.fetchone()[0]
    return former


def _plant(workspace: Workspace, slug: str, by: User) -> Workspace:
    if slug:
        slugs.claim(slug, workspace.id)
    workspace.slug = slug or slugs.claim_for(workspace.name, workspace.id)
    personal.plant(workspace)
    founder = standing.member_for(workspace, by, Role.OWNER)
    audit.write("organization.founded", by=founder, after={"name": workspace.name, "slug": workspace.slug})
    return workspace


@part
def change(*, by: Member, name: str | None = None, slug: str | None = None) -> Workspace:
    """Both or neither; what is None stays. What already is so is no change and leaves no entry."""
    workspace = standing.locked(by, May.SETTINGS)
    new_name, new_slug = together(
        lambda: workspace.name if name is None else names.checked(name),
        lambda: workspace.slug if slug is None else slugs.checked(slug),
    )
    if new_slug != workspace.slug:
        _move(workspace, new_slug, by)
    if new_name != workspace.name:
        _rename(workspace, new_name, by)
    return workspace


def _rename(workspace: Workspace, name: str, by: Member) -> None:
    before, workspace.name = workspace.name, name
    workspace.save(update_fields=["name"])
    audit.write("organization.renamed", by=by, before={"name": before}, after={"name": name})


def _move(workspace: Workspace, slug: str, by: Member) -> None:
    before = workspace.slug
    slugs.claim(slug, workspace.id)
    Slug.objects.filter(slug=before).update(held_until=timezone.now() + HELD)
    workspace.slug = slug
    workspace.save(update_fields=["slug"])
    audit.write("organization.moved", by=by, before={"slug": before}, after={"slug": slug})
