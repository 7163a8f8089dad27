"""Who and where a command means: a person by address, an organization by slug."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operate.refusals import Refusal

if TYPE_CHECKING:
    from uuid import UUID

    from staffroom.accounts.models import User
    from staffroom.workspaces.queries import Context


def user(email: str) -> User:
    from staffroom.accounts.emails import normalised
    from staffroom.accounts.models import User

    try:
        return User.objects.get_by_natural_key(normalised(email))
    except User.DoesNotExist:
        raise Refusal(f"There is no account with the address {email}.") from None


def place(of: User, slug: str | None) -> Context:
    """The personal account, or the organization, as `of` stands in it."""
    from staffroom.workspaces import queries

    for context in queries.contexts(of.id):
        if context.slug == slug:
            return context
    raise Refusal(f"{of.email} is not in an organization with the address /o/{slug}.")


def organization(slug: str) -> UUID:
    """Any organization: an operator need not be in it."""
    from staffroom.workspaces.models import Workspace

    found = Workspace.objects.using("platform").filter(slug=slug).values_list("id", flat=True).first()
    if found is None:
        raise Refusal(f"There is no organization with the address /o/{slug}.")
    return found
