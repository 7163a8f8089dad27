"""Files of tenants: every name begins with its workspace, so that one is erased, counted and never mixed as a whole.

Django's storage keeps them (a folder, or an object store where one is configured). What is written is written
once: a change is a new name, and whoever refers to it changes the reference in the transaction of the change.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from uuid import UUID

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage

from .scope import current_workspace_id

ROOT = "workspaces"


class ForeignFile(RuntimeError):
    """A file of another workspace was asked for: a defect of the program, never of the caller."""


def save(name: str, content: File[bytes]) -> str:
    """Keep the content in the open workspace; the name under which it is found again (`avatars/x.webp` → a path)."""
    return default_storage.save(f"{folder(current_workspace_id())}/{name}", content)


def path(name: str) -> str:
    """Where a file of the open workspace will lie: a name that is written down before the file is."""
    return f"{folder(current_workspace_id())}/{name}"


def save_as(path: str, content: File[bytes]) -> None:
    """Keep the content under a path of `path`, outside every scope: a large file takes longer than a transaction may.

    Raises FileExistsError: the name was to be a new one.
    """
    if default_storage.save(path, content) != path:
        raise FileExistsError(path)


def scratch() -> Path:
    """A folder of this machine for what is too large for memory and is gone with the work."""
    place = Path(settings.FILE_UPLOAD_TEMP_DIR)
    place.mkdir(parents=True, exist_ok=True)
    return place


def opened(path: str) -> File[bytes]:
    """A file of the open workspace; raises FileNotFoundError."""
    return default_storage.open(_mine(path), "rb")


def remove(path: str) -> None:
    """A file of the open workspace; one that is gone already is fine."""
    default_storage.delete(_mine(path))


def folder(workspace_id: UUID) -> str:
    return f"{ROOT}/{workspace_id}"


def erase(workspace_id: UUID, at_most: int) -> int:
    """Remove up to so many files of a workspace, and how many it were; 0 when nothing is left."""
    removed = 0
    for path in _below(folder(workspace_id)):
        if removed == at_most:
            break
        default_storage.delete(path)
        removed += 1
    return removed


def sweep(workspace_id: UUID) -> None:
    """After the last file was erased: the empty folders, and whatever was put there in the last moment."""
    place = folder(workspace_id)
    for path in _below(place):
        default_storage.delete(path)
    for empty in [*reversed(_folders_below(place)), place]:
        if default_storage.exists(empty):
            default_storage.delete(empty)


def count(workspace_id: UUID) -> int:
    return len(_below(folder(workspace_id)))


def _below(place: str) -> list[str]:
    folders, files = _listed(place)
    found = [f"{place}/{name}" for name in files]
    for name in folders:
        found += _below(f"{place}/{name}")
    return found


def _listed(place: str) -> tuple[list[str], list[str]]:
    """Folders and files; none where there is nothing, or where somebody has just removed it."""
    try:
        return default_storage.listdir(place)
    except FileNotFoundError:
        return [], []


def _folders_below(place: str) -> list[str]:
    """Each before what lies in it."""
    found = []
    for name in _listed(place)[0]:
        found += [f"{place}/{name}", *_folders_below(f"{place}/{name}")]
    return found


def _mine(path: str) -> str:
    home = PurePosixPath(folder(current_workspace_id()))
    if home not in PurePosixPath(path).parents or ".." in PurePosixPath(path).parts:
        raise ForeignFile(path)
    return path
