"""The `staffroom` command. Each noun has a module in `operate.commands`; what needs Django imports it there."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import suppress

from operate.refusals import Refusal

Run = Callable[[argparse.Namespace], None]
STOPPED = 130  # what a shell expects of a program that was ended by Ctrl-C


def main(arguments: list[str] | None = None) -> None:
    given = parser().parse_args(arguments)
    try:
        given.run(given)
    except Refusal as refusal:
        print(f"staffroom: {refusal}", file=sys.stderr)
        sys.exit(refusal.code)
    except KeyboardInterrupt:
        sys.exit(STOPPED)
    except BrokenPipeError:
        # The reader went away (`staffroom … | head`); Python would complain about it once more at its end.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def parser() -> argparse.ArgumentParser:
    from operate.commands import (
        deletions,
        demo,
        doctor,
        keys,
        ledger,
        parts,
        payments,
        plans,
        users,
        words,
    )

    whole = argparse.ArgumentParser(
        prog="staffroom",
        description="A self-hosted platform where people and organizations put AI employees to work.",
        epilog="Settings come from the environment; docs/operating.md lists them and the exit codes.",
    )
    commands = whole.add_subparsers(metavar="COMMAND", required=True)
    for noun in (parts, users, keys, words, plans, payments, ledger, deletions, doctor, demo):
        noun.register(commands)
    return whole


if __name__ == "__main__":
    main()
