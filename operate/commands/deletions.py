"""`staffroom deletions`: what is being deleted, and what was, with the certificates."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from operate import house
from operate.refusals import Refusal

if TYPE_CHECKING:
    from operate.commands import Commands
    from staffroom.workspaces.certificates import Record


def register(commands: Commands) -> None:
    summary = "what waits to be erased, is being erased, and was; with certificates"
    deletions = commands.add_parser("deletions", help=summary, description=summary)
    deletions.add_argument("--certificate", metavar="ID", help="all of one, as JSON: by the workspace's id")
    deletions.set_defaults(run=run)


def run(given: argparse.Namespace) -> None:
    with house.opened():
        from staffroom.workspaces import certificates

        found = certificates.records()
    if given.certificate:
        print(_whole(found, given.certificate))
        return
    for one in found:
        print(_line(one))
    if not found:
        print("Nothing was ever deleted here.")


def _whole(found: list[Record], chosen: str) -> str:
    for one in found:
        if str(one.workspace) == chosen:
            return json.dumps(asdict(one), default=str, indent=2, ensure_ascii=False)
    raise Refusal(f"There is no deletion of {chosen}. Without --certificate all are listed with their ids.")


def _line(one: Record) -> str:
    name = f"/o/{one.slug}" if one.slug else "personal account"
    said = f"{one.state(datetime.now(UTC)):8} {name}  {one.workspace}  asked {one.asked_at:%Y-%m-%d %H:%M}"
    if one.finished_at:
        before, after = sum(one.rows_before.values()), sum(one.rows_after.values())
        files = f"{one.files_before} → {one.files_after} files"
        return f"{said}  done {one.finished_at:%Y-%m-%d %H:%M}  {before} → {after} rows, {files}"
    if one.begun_at:
        erased, whole = sum(one.rows_erased.values()), sum(one.rows_before.values())
        return f"{said}  {erased} of {whole} rows erased"
    return f"{said}  erased after {one.delete_after:%Y-%m-%d %H:%M}"
