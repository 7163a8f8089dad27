"""An import: an archive is uploaded, looked at as a whole, and only then written, batch after batch.

Every row's id follows from the import and the archive, and each batch says in its own transaction how far it is. So
a killed import goes on where it was, without doubles; what a failed one has written is told on its page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from procrastinate.contrib.django import app

from staffroom.core import files
from staffroom.core.errors import Conflict, Invalid
from staffroom.core.ids import new_id
from staffroom.core.lines import one_line
from staffroom.core.ratelimits import Limit
from staffroom.core.scope import workspace_scope
from staffroom.core.sentences import part
from staffroom.workspaces import audit
from staffroom.workspaces.members import SYSTEM, Member

from .exports import ONE_AT_A_TIME
from .holding import Holding, take, work
from .models import OPEN, READY, Import
from .problems import Problem
from .reader import Reader
from .restoring import steps
from .restoring.steps import Step
from .restoring.target import Target

A_DAY: Final = Limit("imports", 20, timedelta(days=1))
_ROWS: Final = 500
_BYTES: Final = 1_000_000  # of the lines of one batch, about
_LOOKED: Final = 40  # percent, when everything was looked at


class ImportRunning(Conflict):
    code, title = "import_running", "An import is running already"

    def default_sentence(self) -> str:
        return _("An import is running already. When it has finished, another one can begin.")


@part
def start(file: File[bytes], *, by: Member) -> Import:
    """Keep the archive and ask the worker to read it."""
    if not file.size or file.size > settings.IMPORT_LIMIT:
        most = f"{settings.IMPORT_LIMIT // 1024**2} MB"
        raise Invalid({"archive": [_("Choose an archive of at most %(most)s.") % {"most": most}]})
    A_DAY.count(by.workspace_id)
    if Import.objects.filter(state__in=OPEN).exists():
        raise ImportRunning
    path = files.save(f"imports/{new_id()}.zip", file)
    name = one_line(file.name or "")[-200:]
    try:
        with transaction.atomic():
            made = Import.objects.create(asked_by_id=by.user_id, name=name, size=file.size, file=path)
    except IntegrityError:
        files.remove(path)
        raise ImportRunning from None
    audit.write("import.start", by=by, target={"import": str(made.id), "name": name})
    ring(by.workspace_id, made.id)
    return made


def ring(workspace_id: UUID, import_id: UUID) -> None:
    read.defer(workspace_id=str(workspace_id), import_id=str(import_id))


@app.task(name="archives.read", lock=ONE_AT_A_TIME)
def read(workspace_id: str, import_id: str) -> None:
    run(UUID(workspace_id), UUID(import_id))


def run(workspace_id: UUID, import_id: UUID) -> None:
    if found := take(Import, workspace_id, import_id):
        work(found, _restore)
    tidy(workspace_id, import_id)


def tidy(workspace_id: UUID, import_id: UUID) -> None:
    """The archive of an import that has ended is not needed any more."""
    with workspace_scope(workspace_id):
        ended = Import.objects.filter(id=import_id).exclude(state__in=OPEN)
        for found in ended.exclude(file=""):
            files.remove(found.file)
        ended.update(file="")


def _restore(holding: Holding[Import]) -> None:
    found = holding.row
    with _opened(found) as file:
        reader = Reader(file.file)  # type: ignore[arg-type]
        todo = steps.of(reader)
        if not found.checked:
            _check(reader, todo, holding)
        target = Target(found.workspace_id, found.id, found.asked_by_id, reader)
        progress = _Progress(holding, _LOOKED, 99, sum(_sizes(reader, todo)))
        for number, step in enumerate(todo):
            if number >= found.step:
                skip = found.line if number == found.step else 0
                _write(target, number, step, skip, holding, progress)
            progress.past(step.name, reader)
    with workspace_scope(found.workspace_id):
        holding.finish(READY, progress=100)
        audit.write("import.finish", by=SYSTEM, target=_target(found), after=found.counts)


def _opened(found: Import) -> File[bytes]:
    try:
        with workspace_scope(found.workspace_id):
            return files.opened(found.file)
    except FileNotFoundError:
        raise Problem("gone") from None


def _check(reader: Reader, todo: list[Step], holding: Holding[Import]) -> None:
    """All of it, before the first row is written."""
    progress = _Progress(holding, 0, _LOOKED, 2 * reader.size)
    for entry in reader.manifest.entries:
        reader.verify(entry, progress)
    for step in todo:
        check = step.check(reader)
        for number, size, said in reader.lines(step.name, step.shape):
            _look(check, said, step.name, number)
            progress(size)
    with workspace_scope(holding.row.workspace_id):
        holding.write(checked=True, progress=_LOOKED)


def _look(check: Callable[[Any], None], said: Any, name: str, number: int) -> None:
    try:
        check(said)
    except Invalid as wrong:
        field = next(iter(wrong.errors), "")
        raise Problem("line", name, number, why=f"{field}: {wrong}") from None
    except Problem as problem:
        if problem.stored["entry"]:
            raise
        raise Problem(**{**problem.stored, "entry": name, "line": number}) from None


def _write(
    target: Target, number: int, step: Step, skip: int, holding: Holding[Import], progress: _Progress
) -> None:
    for rows, last, size in _batches(target.reader.lines(step.name, step.shape, skip)):
        step.ahead(target, rows)
        with workspace_scope(target.workspace_id):
            counts = dict(holding.row.counts)
            for noun, more in step.restore(target, rows).items():
                counts[noun] = counts.get(noun, 0) + more
            holding.write(step=number, line=last, counts=counts, progress=progress.at(size))
        holding.row.counts = counts


def _batches(lines: Iterator[tuple[int, int, Any]]) -> Iterator[tuple[list[Any], int, int]]:
    """Rows, the number of the last line, and the bytes of all of them."""
    rows: list[Any] = []
    last = size = 0
    for last, more, said in lines:
        rows.append(said)
        size += more
        if len(rows) == _ROWS or size > _BYTES:
            yield rows, last, size
            rows, size = [], 0
    if rows:
        yield rows, last, size


class _Progress:
    """Bytes as percent, from one share of the work to the next."""

    def __init__(self, holding: Holding[Import], start: int, end: int, whole: int) -> None:
        self.holding, self.start, self.share, self.whole = holding, start, end - start, max(1, whole)
        self.done = self.before = 0

    def __call__(self, more: int) -> None:
        self.holding.beat(self.at(more))

    def at(self, more: int) -> int:
        self.done += more
        return int(self.start + self.share * min(1.0, self.done / self.whole))

    def past(self, name: str, reader: Reader) -> None:
        """A file is behind us, also one that an earlier attempt has written."""
        self.before += next(entry.size for entry in reader.manifest.entries if entry.name == name)
        self.done = self.before


def _sizes(reader: Reader, todo: list[Step]) -> Iterator[int]:
    read_here = {step.name for step in todo}
    return (entry.size for entry in reader.manifest.entries if entry.name in read_here)


def _target(found: Import) -> dict[str, str]:
    return {"import": str(found.id), "name": found.name}
