"""Pictures of organizations and of people.

A person's picture belongs to the personal account, lies with its files and is written down twice: in the personal
account, where nobody else may read, and with the person, where colleagues see it. Whoever knows a picture's name may
see it: it appears on invitations and public pages, before anybody has signed in. Each change is a new name, so that
an address never shows something else than before.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID

from django.conf import settings
from django.core.files.base import ContentFile
from django.db import connection, transaction

from staffroom.accounts.models import User
from staffroom.core import files, images
from staffroom.core.errors import NotHere
from staffroom.core.ratelimits import Limit
from staffroom.core.scope import workspace_scope
from staffroom.core.sentences import part

from . import audit, queries, standing
from .members import Member
from .models import Workspace
from .permissions import May

LARGE, SMALL = SIZES = (256, 96)  # pixels
TRIES: Final = Limit("avatars", 60, timedelta(hours=1))  # decoding is work


def path(avatar: str, size: int = LARGE) -> str:
    """Where a browser finds it."""
    return f"/avatars/{avatar}-{size}.webp"


def url(avatar: str) -> str | None:
    """For programs: the whole address, None where there is no picture."""
    return f"{settings.PUBLIC_URL}{path(avatar)}" if avatar else None


def drawn(content: bytes, crop: str = "", *, by: Member) -> Mapping[int, bytes]:
    """What `change` takes. Long work: no transaction should be open. Raises `Invalid` and `TooMany`."""
    TRIES.count(by.workspace_id)
    return images.squares(content, "avatar", sizes=SIZES, crop=crop)


@part
def change(pictures: Mapping[int, bytes], *, by: Member) -> str:
    """The new name. What a sentence that fails leaves behind is shown to nobody, and goes with the workspace."""
    workspace = _locked(by)
    avatar = secrets.token_urlsafe(24)
    for size, picture in pictures.items():
        files.save(_file(avatar, size), ContentFile(picture))
    _show(workspace, avatar)
    audit.write("avatar.changed", by=by)
    return avatar


@part
def remove(*, by: Member) -> None:
    """No picture is no change, and leaves no entry."""
    workspace = _locked(by)
    if workspace.avatar:
        _show(workspace, "")
        audit.write("avatar.removed", by=by)


def picture(name: str) -> bytes:
    """The content of `/avatars/<name>.webp`. Raises `NotHere`, also for a picture that was replaced."""
    avatar, _dash, size = name.rpartition("-")
    if size not in map(str, SIZES):
        raise NotHere
    with connection.cursor() as cursor:
        cursor.execute("SELECT workspace_of_avatar(%s)", [avatar])
        workspace_id = cursor.fetchone()[0]
    if workspace_id is None:
        raise NotHere
    with workspace_scope(workspace_id):
        try:
            with files.opened(f"{files.folder(workspace_id)}/{_file(avatar, int(size))}") as file:
                return bytes(file.read())
        except FileNotFoundError:
            raise NotHere from None


def at_home(user: User) -> Member:
    """The person in the personal account, which their own picture belongs to."""
    home = queries.contexts(user.id)[0]
    return Member(
        workspace_id=home.id,
        kind=home.kind,
        slug=None,
        name=home.name,
        role=home.role,
        user_id=user.id,
        user_email=user.email,
        user_name=user.shown_name,
        avatar=home.avatar,
    )


def _locked(by: Member) -> Workspace:
    if by.is_personal:
        return Workspace.objects.select_for_update(no_key=True).get(id=by.workspace_id)
    return standing.locked(by, May.SETTINGS)


def _show(workspace: Workspace, avatar: str) -> None:
    former, workspace.avatar = workspace.avatar, avatar
    workspace.save(update_fields=["avatar"])
    if workspace.slug is None:
        User.objects.filter(id=workspace.owner_id).update(avatar=avatar)
    if former:
        transaction.on_commit(partial(_throw_away, workspace.id, former), robust=True)


def _throw_away(workspace_id: UUID, avatar: str) -> None:
    with workspace_scope(workspace_id):
        for size in SIZES:
            files.remove(f"{files.folder(workspace_id)}/{_file(avatar, size)}")


def _file(avatar: str, size: int) -> str:
    return f"avatars/{avatar}-{size}.webp"
