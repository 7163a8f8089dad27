"""The one-time link of an export.

The token is made of the installation's key, the export and the number of the link, so that it can be shown again
until it is used, while the table holds its hash alone. It is used up the moment a download begins: of two clicks
one gets the file. Whose download broke off makes a new link, as long as the file is there.
"""

from __future__ import annotations

import base64
import hmac
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from staffroom.core.errors import Conflict, NotHere
from staffroom.core.sentences import part
from staffroom.workspaces import audit
from staffroom.workspaces.keys import hashed
from staffroom.workspaces.members import Member

from .models import READY, Export


class NoFile(Conflict):
    code, title = "export_not_ready", "There is no file to download"

    def default_sentence(self) -> str:
        return _("There is no file to download: the export is not finished, or its file has expired.")


class LinkUsed(NotHere):
    code, title = "link_used", "This link has been used"

    def default_sentence(self) -> str:
        return _(
            "This link has been used, or has expired. Each works once: make a new one on the export's page."
        )


def fields(export_id: UUID, number: int) -> dict[str, object]:
    """A new link, as columns of the row."""
    return {"link": number, "link_hash": hashed(_token(export_id, number)), "link_used_at": None}


def token(export: Export) -> str | None:
    """Of the link that waits to be used; None where there is none, or the installation's key has changed since."""
    if export.state != READY or export.link_used_at or not _lives(export):
        return None
    made = _token(export.id, export.link)
    return made if hashed(made) == bytes(export.link_hash or b"") else None


@part
def renew(export: Export, *, by: Member) -> Export:
    """A new link; the former one is dead, used or not."""
    number = export.link + 1
    alive = Export.objects.filter(id=export.id, state=READY, expires_at__gt=timezone.now(), link=export.link)
    if not alive.update(**fields(export.id, number)):
        raise NoFile
    audit.write("export.link", by=by, target={"export": str(export.id)})
    export.refresh_from_db()
    return export


@part
def use(export: Export, given: str, *, by: Member) -> Export:
    """Consume the link; raises `LinkUsed` for whoever comes second, late, or with another token."""
    now = timezone.now()
    waiting = Export.objects.filter(
        id=export.id,
        asked_by_id=by.user_id,
        state=READY,
        expires_at__gt=now,
        link_hash=hashed(given),
        link_used_at=None,
    )
    if not waiting.update(link_used_at=now):
        raise LinkUsed
    audit.write("export.download", by=by, target={"export": str(export.id)})
    return export


def _lives(export: Export) -> bool:
    return export.expires_at is not None and export.expires_at > timezone.now()


def _token(export_id: UUID, number: int) -> str:
    said = f"link {number} of export {export_id}".encode()
    made = hmac.digest(settings.SECRET_KEY.encode(), said, "sha256")
    return base64.urlsafe_b64encode(made).decode().rstrip("=")
