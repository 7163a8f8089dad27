"""An export: asked for, made by a job, kept for a day.

Nothing of the archive is kept between two attempts: it is written to a file without a name, which is gone with the
process, and only the finished one is put into the storage, under a name that stands in the row before.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from importlib.metadata import version
from typing import IO, Any, Final
from uuid import UUID

from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from procrastinate.contrib.django import app

from staffroom.core import files
from staffroom.core.errors import Conflict
from staffroom.core.ratelimits import Limit
from staffroom.core.scope import workspace_scope
from staffroom.core.sentences import part
from staffroom.workspaces import audit
from staffroom.workspaces.members import Member
from staffroom.workspaces.models import ORGANIZATION, Workspace

from . import links
from .holding import Holding, Lost, take, work
from .models import EXPIRED, READY, Export
from .parts import library, pages, people, records, staff, talks
from .rows import read
from .writer import Writer

KEPT: Final = timedelta(hours=24)
ONE_AT_A_TIME: Final = "archives"
"""The queue's lock: one archive in the whole installation at a time, so that mails and texts never wait for two."""
A_DAY: Final = Limit("exports", 20, timedelta(days=1))
_AT_ONCE: Final = 1024 * 1024  # bytes
_WRITTEN: Final = 90  # percent, when everything is in the file; the rest is putting it away

# Sums over the rows that count the others, so that nothing but these is read.
_AHEAD: Final = """
    SELECT (SELECT count(*) FROM employees_employee WHERE workspace_id = %(workspace)s)
         + (SELECT coalesce(sum(version), 0) FROM employees_employee WHERE workspace_id = %(workspace)s)
         + (SELECT count(*) FROM knowledge_source WHERE workspace_id = %(workspace)s)
         + (SELECT count(*) + coalesce(sum(last_number), 0) FROM chats_chat WHERE workspace_id = %(workspace)s)
"""


class ExportRunning(Conflict):
    code, title = "export_running", "An export is running already"

    def default_sentence(self) -> str:
        return _("An export is running already. When it has finished, another one can begin.")


@part
def start(*, by: Member) -> Export:
    A_DAY.count(by.workspace_id)
    try:
        with transaction.atomic():
            export = Export.objects.create(asked_by_id=by.user_id)
    except IntegrityError:
        raise ExportRunning from None
    audit.write("export.start", by=by, target={"export": str(export.id)})
    ring(by.workspace_id, export.id)
    return export


def ring(workspace_id: UUID, export_id: UUID) -> None:
    make.defer(workspace_id=str(workspace_id), export_id=str(export_id))


@app.task(name="archives.make", lock=ONE_AT_A_TIME)
def make(workspace_id: str, export_id: str) -> None:
    run(UUID(workspace_id), UUID(export_id))


@app.task(name="archives.expire")
def expire(workspace_id: str, export_id: str) -> None:
    """The file first: a row that still names one will be asked about again."""
    with workspace_scope(UUID(workspace_id)):
        due = Export.objects.filter(id=export_id, state=READY, expires_at__lte=timezone.now())
        for export in due.exclude(file=""):
            files.remove(export.file)
        due.update(state=EXPIRED, file="", link_hash=None)


def run(workspace_id: UUID, export_id: UUID) -> None:
    if export := take(Export, workspace_id, export_id):
        work(export, _make)


def _make(holding: Holding[Export]) -> None:
    workspace, language = _begin(holding)
    with tempfile.TemporaryFile(dir=files.scratch()) as file:
        archive = Writer(file, timezone.now())
        with translation.override(language):
            counts = _write(archive, workspace, _counting(holding))
        size = file.tell()
        file.seek(0)
        _keep(holding, file, size, counts)


def _begin(holding: Holding[Export]) -> tuple[Workspace, str]:
    """What an earlier attempt has put away is removed; whose language the pages speak."""
    export = holding.row
    with workspace_scope(export.workspace_id):
        if export.file:
            files.remove(export.file)
        holding.write(progress=0, file="")
        asked_by = export.asked_by
        return Workspace.objects.get(id=export.workspace_id), asked_by.language if asked_by else "en"


def _counting(holding: Holding[Export]) -> Callable[[int], None]:
    ahead = max(1, int(read(holding.row.workspace_id, _AHEAD)[0][0]))
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        holding.beat(min(done / ahead, 1) * _WRITTEN)

    return count


def _write(archive: Writer, workspace: Workspace, done: Callable[[int], None]) -> dict[str, int]:
    context = {"kind": workspace.kind, "name": workspace.name, "slug": workspace.slug}
    counts = people.write(archive, workspace.id)
    counts |= staff.write(archive, workspace.id, done)
    counts |= library.write(archive, workspace.id, done)
    counts |= talks.write(archive, workspace.id, done)
    counts |= records.write(archive, workspace.id, is_organization=workspace.kind == ORGANIZATION)
    pages.index(archive, context, counts)
    del counts["files_of_chats"]
    archive.close(context, counts, f"Staffroom {version('staffroom')}")
    return counts


def _keep(holding: Holding[Export], file: IO[bytes], size: int, counts: dict[str, int]) -> None:
    export = holding.row
    name = f"exports/{export.id}-{export.attempt}.zip"
    with workspace_scope(export.workspace_id):
        path = files.path(name)
        holding.write(file=path, progress=_WRITTEN)
    files.save_as(path, _Watched(file, size, holding))
    made = {"counts": counts, "size": size, "expires_at": timezone.now() + KEPT}
    try:
        with workspace_scope(export.workspace_id):
            holding.finish(READY, progress=100, **made, **links.fields(export.id, export.link + 1))
    except Lost:  # somebody else has it now, or all of the workspace is erased
        with workspace_scope(export.workspace_id):
            files.remove(path)
        raise


class _Watched(File):  # type: ignore[type-arg]  # not at run time
    """A file whose reader is seen to be alive: putting away a large one may take minutes."""

    def __init__(self, file: IO[bytes], size: int, holding: Holding[Any]) -> None:
        super().__init__(file, name="export.zip")
        self.length, self.holding = size, holding

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        while piece := self.read(chunk_size or _AT_ONCE):
            yield piece

    def read(self, size: int = -1) -> bytes:
        piece: bytes = self.file.read(size)  # type: ignore[union-attr]
        share = self.file.tell() / max(1, self.length)  # type: ignore[union-attr]
        self.holding.beat(_WRITTEN + share * (99 - _WRITTEN))
        return piece
