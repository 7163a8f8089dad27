"""What is asked before a workspace is open finds its rows by an index, whatever the planner knows of the values."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from bench.town import TABLES, Town, user_id

PERSON = user_id(7)
Owner = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture(scope="module")
def owner() -> Iterator[Owner]:
    """In a town that is gone afterwards."""
    with psycopg.connect(os.environ["STAFFROOM_DB_OWNER"]) as connection:
        connection.execute(Town().rows)
        connection.execute(f"ANALYZE {', '.join(TABLES)}")
        connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        yield connection
        connection.rollback()


@pytest.mark.parametrize(
    ("function", "values"),
    [
        ("door_by_session", ["'session'", "false", "'org-7'"]),
        ("door_by_key", [r"'\x00'", "false", "'org-7'"]),
        ("contexts_of", [f"'{PERSON}'"]),
        ("contexts_with_words", [f"'{PERSON}'"]),
        ("organizations_of", [f"'{PERSON}'"]),
        ("invitations_of", ["'person-7@example.com'"]),
        ("invitation_by_token", [r"'\x00'"]),
        ("taken_slugs", ["ARRAY['org-7']"]),
    ],
)
def test_a_function_of_the_door_reads_no_whole_table(owner: Owner, function: str, values: list[str]) -> None:
    assert scanned(owner, *body(owner, function), values) == set()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT id FROM accounts_user WHERE lower(email) = lower('person-7@example.com')",
        f"SELECT email FROM account_emailaddress WHERE user_id = '{PERSON}' AND verified",
        f"SELECT FROM workspaces_membership WHERE workspace_id = '{PERSON}' AND user_id = '{PERSON}'",
        f"SELECT FROM workspaces_auditentry WHERE workspace_id = '{PERSON}' ORDER BY number DESC LIMIT 1",
    ],
)
def test_what_a_change_looks_up_is_indexed(owner: Owner, statement: str) -> None:
    assert scanned(owner, statement, [], []) == set()


def test_a_whole_table_would_be_seen(owner: Owner) -> None:
    statement = "SELECT FROM accounts_user WHERE upper(email) = 'PERSON-7@EXAMPLE.COM'"
    assert scanned(owner, statement, [], []) == {"accounts_user"}


def body(owner: Owner, function: str) -> tuple[str, list[str]]:
    """What a function says, with its arguments as `$1` and so on, and their types."""
    source, names, types = owner.execute(
        "SELECT prosrc, proargnames, string_to_array(oidvectortypes(proargtypes), ', ') FROM pg_proc"
        " WHERE proname = %s",
        [function],
    ).fetchone() or ("", [], [])
    for number, name in enumerate(names[: len(types)], 1):
        source = re.sub(rf"\b{name}\b", f"${number}", source)
    return source, types


def scanned(owner: Owner, statement: str, types: list[str], values: list[str]) -> set[str]:
    """The tables of a town that the statement would read from end to end."""
    parameters, arguments = (f"({', '.join(each)})" if each else "" for each in (types, values))
    owner.execute(f"PREPARE asked{parameters} AS {statement}")
    try:
        [[[plan]]] = owner.execute(f"EXPLAIN (FORMAT JSON) EXECUTE asked{arguments}").fetchall()
    finally:
        owner.execute("DEALLOCATE asked")
    return {node["Relation Name"] for node in nodes(plan["Plan"]) if node["Node Type"] == "Seq Scan"} & {
        *TABLES
    }


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from nodes(inner)
