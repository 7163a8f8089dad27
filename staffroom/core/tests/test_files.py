"""Files lie below their workspace, and nobody reaches another's."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.core.files.base import ContentFile

from staffroom.core import files
from staffroom.core.scope import ScopeMissing
from tests.cast import Cast


@pytest.fixture
def cast() -> Cast:
    return Cast()


def kept(cast: Cast, workspace: Any, name: str = "a/b.txt") -> str:
    with cast.inside(workspace):
        return files.save(name, ContentFile(b"text"))


def test_a_name_carries_its_workspace(cast: Cast) -> None:
    path = kept(cast, cast.acme)
    assert path.startswith(f"workspaces/{cast.acme.id}/a/b")
    with cast.inside(cast.acme):
        assert files.opened(path).read() == b"text"


def test_the_same_name_twice_is_two_files(cast: Cast) -> None:
    assert kept(cast, cast.acme) != kept(cast, cast.acme)


def test_no_scope_no_file(cast: Cast) -> None:
    path = kept(cast, cast.acme)
    for use in (files.opened, files.remove):
        with pytest.raises(ScopeMissing):
            use(path)


def test_a_file_of_another_workspace_is_refused(cast: Cast) -> None:
    path = kept(cast, cast.acme)
    around = f"workspaces/{cast.rival.id}/../{cast.acme.id}/a/b.txt"
    for name in (path, around, "/etc/passwd", f"workspaces/{cast.rival.id}"):
        with cast.inside(cast.rival), pytest.raises(files.ForeignFile):
            files.opened(name)


def test_erasing_in_batches_ends_with_nothing_and_spares_others(cast: Cast) -> None:
    for number in range(5):
        kept(cast, cast.acme, f"{number}/x")
    other = kept(cast, cast.rival)
    assert [files.erase(cast.acme.id, 2) for _ in range(4)] == [2, 2, 1, 0]
    assert files.count(cast.acme.id) == 0
    with cast.inside(cast.rival):
        assert files.opened(other).read() == b"text"


def test_the_last_sweep_leaves_no_empty_folder(cast: Cast) -> None:
    place = settings.STORAGES["default"]["OPTIONS"]["location"] / files.folder(cast.acme.id)
    for name in ("a/b/c.txt", "a/d.txt", "e.txt"):
        kept(cast, cast.acme, name)
    assert place.is_dir()
    for _again in range(2):
        files.sweep(cast.acme.id)
        assert not place.exists()
