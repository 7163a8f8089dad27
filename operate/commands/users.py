"""`staffroom user add`: an account without mail."""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import TYPE_CHECKING

from operate import house
from operate.commands import verbs
from operate.refusals import Refusal

if TYPE_CHECKING:
    from operate.commands import Commands


def register(commands: Commands) -> None:
    add = verbs(commands, "user", "accounts").add_parser("add", help="an account without mail")
    add.add_argument("email", metavar="EMAIL")
    add.add_argument("--name", required=True)
    add.add_argument(
        "--password", help="asked for when not given; everybody on the machine may read a command line"
    )
    add.add_argument("--verified", action="store_true", help="the address counts as proved")
    add.add_argument("--operator", action="store_true", help="may use the operator's pages")
    add.set_defaults(run=run)


def run(given: argparse.Namespace) -> None:
    password = given.password or _ask()
    with house.opened():
        from django.contrib.auth.password_validation import validate_password
        from django.core.validators import validate_email
        from django.db import IntegrityError

        from staffroom.accounts import people

        validate_email(given.email)
        validate_password(password)
        try:
            user = people.add(
                given.email,
                name=given.name,
                password=password,
                verified=given.verified,
                operator=given.operator,
            )
        except IntegrityError as error:
            raise Refusal(f"There is already an account with the address {given.email}.") from error
        print(f"Added {user.email}.")


def _ask() -> str:
    return getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
