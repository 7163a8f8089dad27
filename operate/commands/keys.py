"""`staffroom key add`: a new API key, shown once."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from operate import house
from operate.commands import people, verbs
from operate.refusals import USAGE, Refusal

if TYPE_CHECKING:
    from operate.commands import Commands


def register(commands: Commands) -> None:
    add = verbs(commands, "key", "API keys").add_parser("add", help="prints a new API key once")
    add.add_argument("email", metavar="EMAIL")
    add.add_argument("--organization", metavar="SLUG", help="a key of this organization, not of the person")
    add.add_argument("--role", choices=["admin", "member"], help="what an organization's key may do")
    add.set_defaults(run=run)


def run(given: argparse.Namespace) -> None:
    if bool(given.organization) != bool(given.role):
        raise Refusal("--organization and --role belong together.", USAGE)
    with house.opened():
        from staffroom.core.scope import workspace_scope
        from staffroom.workspaces import keys
        from staffroom.workspaces.members import SYSTEM

        user = people.user(given.email)
        context = people.place(user, given.organization)
        with workspace_scope(context.id):
            whose = {"role": given.role} if given.organization else {"user": user}
            print(keys.issue(by=SYSTEM, name="staffroom key add", **whose))
