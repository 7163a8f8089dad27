"""An organization in which every table of tenants has rows, for scenes about what becomes of all of it."""

from __future__ import annotations

from uuid import UUID

from django.core.files.base import ContentFile
from django.utils import timezone

from staffroom.archives import exports, imports
from staffroom.billing import alerts, ledger, payments, plans, reports
from staffroom.billing.models import Dispute
from staffroom.chats import arrivals, conversations, takeovers, tally
from staffroom.core import files
from staffroom.core.ids import new_id
from staffroom.employees import links, roster
from staffroom.knowledge import sources
from staffroom.workspaces import invitations, keys, organizations
from staffroom.workspaces.members import SYSTEM, Member
from staffroom.workspaces.models import Workspace
from tests.cast import Cast
from tests.owner import as_owner
from tests.test_schema import tenant_tables

# Tables that only the scene itself fills.
LATER = {"workspaces_deletion"}


def furnished(cast: Cast, workspace: Workspace, chats: int = 3) -> Workspace:
    """By whoever owns it."""
    by = cast.member(workspace.owner, workspace)
    with cast.inside(workspace):
        mira = roster.hire("Mira", by=by)
        handbook = sources.add("Handbook", "We open at ten. " * 400, by=by)
        links.link(mira, handbook, by=by)
        for number in range(chats):
            chat = conversations.start(mira.id, by=by)
            arrivals.receive(chat.id, f"Question {number}", by=by)
        takeovers.write(chat.id, "I am a person.", by=by)
        invitations.invite(email=f"new-{workspace.id.hex}@example.com", role="member", by=by)
        keys.issue(by=by, role="admin")
        ledger.grant("purchased", f"order {workspace.id}", 5000, by=by, reason="An invoice")
        spent(chat.id, by)
        bought(by)
        exports.start(by=by)
        imports.start(ContentFile(b"no archive", "house.zip"), by=by)
        for name in ("avatars/a.webp", "knowledge/deep/b.pdf", "c.txt"):
            files.save(name, ContentFile(b"content"))
        workspace.slug = organizations.change(by=by, slug=f"moved-{workspace.id.hex[-8:]}").slug
    return workspace


def spent(chat_id: UUID, by: Member) -> None:
    """A reply that was paid, told in days."""
    turn = new_id()
    ledger.reserve(turn, 50, chat=chat_id)
    ledger.settle(turn, 40, {})
    reports.fold()
    alerts.look(by.workspace_id)
    tally.count(timezone.now())


def bought(by: Member) -> None:
    payment = payments.begin(plans.order(amount=5000), "test", by=by)
    payments.paid(payment.id, amount=payment.amount, currency="USD", by=SYSTEM)
    payments.disputed(payment.id, "dispute", cents=100, state=Dispute.OPEN, by=SYSTEM)


def rows(workspace_id: UUID) -> dict[str, int]:
    """How many of each table are there, as the owner of the tables sees them."""
    counts = " UNION ALL ".join(
        f"SELECT '{table}', count(*) FROM {table} WHERE workspace_id = %(id)s"
        for table in sorted(tenant_tables())
    )
    return {table: count for table, count in as_owner(counts, id=workspace_id) if count}


def bare_tables(workspace_id: UUID) -> set[str]:
    return tenant_tables() - set(rows(workspace_id)) - LATER


def fingerprint(*workspace_ids: UUID) -> list[tuple[str, str]]:
    """Every row of these workspaces, table by table, as one sum each."""
    sums = " UNION ALL ".join(
        f"SELECT '{table}', md5(coalesce(string_agg(to_jsonb(t)::text, ',' ORDER BY to_jsonb(t)::text), ''))"
        f" FROM {table} t WHERE {column} = ANY (%(ids)s)"
        for table, column in [
            *((table, "workspace_id") for table in sorted(tenant_tables())),
            ("workspaces_workspace", "id"),
        ]
    )
    return as_owner(sums, ids=list(workspace_ids))
