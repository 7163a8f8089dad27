"""The wall, read from the database itself."""

from __future__ import annotations

from functools import cache

import pytest

from tests.owner import as_owner

# Tables without `workspace_id`, each with the reason why no tenant's wall can stand there.
GLOBAL = {
    "accounts_user": "a person is global; the tenant is told by memberships",
    "accounts_user_groups": "Django's, unused",
    "accounts_user_user_permissions": "Django's, unused",
    "accounts_session": "read before the context is known, by its key",
    "account_emailaddress": "a person's own",
    "account_emailconfirmation": "a person's own",
    "mfa_authenticator": "a person's own second factors; their secrets are sealed",
    "auth_group": "Django's, unused",
    "auth_group_permissions": "Django's, unused",
    "auth_permission": "Django's, unused",
    "django_content_type": "Django's",
    "django_migrations": "Django's",
    "workspaces_workspace": "is the workspace: its own id is the key, and the policy asks for it",
    "workspaces_certificate": "the operator's, and its workspace is gone; no policy at all: four functions write it",
    "core_cache": "a library's counters of sign-ins, by address; our own code keeps nothing there",
    "core_ratelimit": "counters by the hash of what is counted; many are asked before a workspace is known",
    "billing_plan": "the operator's catalogue",
    "billing_package": "the operator's catalogue",
    "billing_number": "no policy at all: one function of the owner counts invoices and receipts",
    "billing_event": "no policy at all: a gateway's word, kept and ended by functions; the operator reads it",
    "core_answer": "no policy at all: two functions of the owner read it by a hash that only the caller can make",
}
QUEUE = "procrastinate_"  # the queue carries ids only; a job opens its own scope

# Indexes of tenant tables that begin with something else.
OTHER_INDEXES = {
    "workspaces_membership": {"memberships_of_user": "the contexts of a person, before one is chosen"},
    "workspaces_invitation": {
        "workspaces_invitation_token_hash_key": "a link is opened before its workspace is known",
        "invitations_of_address": "the invitations of a person, before any membership",
    },
    "knowledge_passage": {
        "passages_by_word": "full text: one function of the owner reads it, for one workspace"
    },
    "chats_turn": {
        "turns_waiting": "the worker claims from every workspace, oldest first",
        "turns_at_work": "the same: those whose worker is gone",
    },
    "billing_payment": {
        "one_payment_for_a_number": "numbers are the installation's, without gaps",
        "payments_by_intent": "a gateway's word comes before its workspace is known",
    },
    "workspaces_slug": {"workspaces_slug_pkey": "an address is looked up before its workspace is known"},
    "workspaces_apikey": {"workspaces_apikey_hash_key": "a key is looked up before its workspace is known"},
}

# Functions with the owner's rights, each with what it starts from.
DEFINERS = {
    "door_by_session": "a session's key",
    "door_by_key": "the hash of an API key",
    "contexts_of": "a person who has signed in",
    "organizations_of": "a person who has signed in",
    "contexts_and_bars": "a person who has signed in",
    "requiring_second_factor": "a person who has signed in",
    "places_of": "a person who has signed in",
    "erase_begin": "a closed workspace whose grace time is over",
    "erase_count": "a workspace whose erasing has begun",
    "erase_batch": "a workspace whose erasing has begun",
    "erase_end": "a workspace whose erasing has begun",
    "turns_claim": "the worker: turns that wait, of every workspace",
    "turns_checkpoint": "the worker: turns that it has claimed",
    "turns_hand_back": "the worker: turns that it has claimed",
    "access_lost": "places in workspaces: says only which of them are lost",
    "claim_slug": "a slug, for the workspace that asks",
    "taken_slugs": "slugs: says only whether they are taken",
    "invitations_of": "an address that its person has verified",
    "invitation_by_token": "the hash of a token",
    "owner_has_a_membership": "trigger: a workspace and its owner stay in step",
    "person_listed": "trigger: a person whose name or address has changed",
    "claim_answer": "a hash that only the caller can make",
    "keep_answer": "a hash that only the caller can make",
    "founded": "a person and the form that they sent",
    "workspace_of_avatar": "the name of a picture, which nobody guesses",
    "contexts_with_words": "a person who has signed in",
    "next_payment_number": "nothing: it counts",
    "keep_event": "what a gateway has signed",
    "end_event": "an event's own id",
    "payment_place": "a payment's id, or the gateway's name of its money: gives away its workspace only",
    "knowledge_search": "a workspace, and sources of it",
} | dict.fromkeys(
    [
        "ledger_balance", "ledger_begin", "ledger_expire", "ledger_extend", "ledger_grant", "ledger_lease", "ledger_limit",
        "ledger_reap", "ledger_refund", "ledger_release", "ledger_reserve", "ledger_reverse", "ledger_settle", "ledger_subscribe", "ledger_replan",
    ],
    "the open workspace",
)  # fmt: skip

# Columns that name another row without a foreign key.
UNHELD = {
    (
        "billing_hold",
        "workspace_id",
    ): "written by functions only, which hold the wallet's row; that one has the key",
    ("billing_entry", "workspace_id"): "the same",
    ("billing_memberwords", "workspace_id"): "the same",
    ("billing_day", "workspace_id"): "folded from the entries",
    ("chats_hour", "workspace_id"): "counted from the messages",
    ("billing_daychat", "workspace_id"): "folded from the entries",
}

TENANT = """
    SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'workspace_id'
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT a.attisdropped
"""


@cache
def tenant_tables() -> set[str]:
    return {name for (name,) in as_owner(TENANT)}


def test_a_table_has_a_workspace_or_a_reason() -> None:
    tables = {name for (name,) in as_owner("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    without = {name for name in tables - tenant_tables() if not name.startswith(QUEUE)}
    assert without == set(GLOBAL), "new: a reason is needed; gone: the reason is a fossil"


def test_row_security_is_on_and_forced_behind_every_tenant_table() -> None:
    rows = as_owner(
        "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class WHERE relkind IN ('r', 'p')"
    )
    walled = {name for name, on, forced in rows if on and forced}
    assert (
        tenant_tables()
        | {"workspaces_workspace", "workspaces_certificate", "core_answer", "billing_event", "billing_number"}
    ) - walled == set()


def test_every_tenant_table_has_the_one_policy() -> None:
    rows = as_owner(
        "SELECT tablename, policyname, permissive, cmd, roles::text, qual, with_check FROM pg_policies"
    )
    for table in tenant_tables() | {"workspaces_workspace"}:
        key = "id" if table == "workspaces_workspace" else "workspace_id"
        rule = f"({key} = current_workspace())"
        mine = [row[1:] for row in rows if row[0] == table]
        assert mine == [("tenant", "PERMISSIVE", "ALL", "{public}", rule, rule)], table


def test_the_workspace_of_a_row_cannot_be_missing() -> None:
    rows = as_owner(
        "SELECT table_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND column_name = 'workspace_id' AND is_nullable = 'YES'"
    )
    assert {table for (table,) in rows} & tenant_tables() == set()


def test_every_index_of_a_tenant_table_begins_with_the_workspace() -> None:
    rows = as_owner("""
        SELECT t.relname, i.relname, a.attname, x.indisprimary
        FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
        LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = x.indkey[0]
        WHERE t.relnamespace = 'public'::regnamespace
    """)
    tenant = tenant_tables()
    other = {
        (table, index)
        for table, index, first, primary in rows
        if table in tenant and first != "workspace_id" and not (primary and first == "id")
        and not index.endswith("_like")
    }  # fmt: skip
    assert other == {(table, index) for table, indexes in OTHER_INDEXES.items() for index in indexes}


def test_a_relation_between_tenant_tables_compares_the_workspace() -> None:
    rows = as_owner("""
        SELECT c.conrelid::regclass::text, c.confrelid::regclass::text,
               array(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY k(n, o)
                     JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.n ORDER BY k.o)
        FROM pg_constraint c WHERE c.contype = 'f' AND c.connamespace = 'public'::regnamespace
    """)
    tenant = tenant_tables()
    between = [(table, target, columns) for table, target, columns in rows if {table, target} <= tenant]
    assert [it for it in between if "workspace_id" not in it[2]] == []


def test_a_row_that_is_deleted_finds_by_key_what_refers_to_it() -> None:
    """Otherwise each one reads everything that the workspace has in the other table."""
    rows = as_owner("""
        SELECT c.conrelid::regclass::text, c.conname FROM pg_constraint c
        WHERE c.contype = 'f' AND c.confdeltype IN ('c', 'n') AND NOT EXISTS (
            SELECT FROM pg_index x WHERE x.indrelid = c.conrelid
            AND (x.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey)
    """)
    assert [name for table, name in rows if table in tenant_tables()] == []


def test_every_column_that_names_a_row_of_a_tenant_table_is_held_by_a_key() -> None:
    """`chat_id` of a tenant table either has a foreign key, or it names no row at all."""
    from django.apps import apps

    tenant = tenant_tables()
    held = {
        (table, column)
        for table, columns in as_owner("""
            SELECT c.conrelid::regclass::text,
                   array(SELECT a.attname::text FROM unnest(c.conkey) k(n)
                         JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.n)
            FROM pg_constraint c WHERE c.contype = 'f'
        """)
        for column in columns
    }
    fields = [
        (model._meta.db_table, field.column)
        for model in apps.get_models()
        for field in model._meta.local_concrete_fields
        if model._meta.db_table in tenant and field.is_relation
    ]
    assert {it for it in fields if it not in held} == set(UNHELD)


@pytest.mark.parametrize("role", ["staffroom_app", "staffroom_platform"])
def test_no_role_of_the_program_owns_or_makes_anything(role: str) -> None:
    powers = as_owner(
        "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication FROM pg_roles WHERE rolname = %s",
        role,
    )
    assert powers == [(False,)]
    assert as_owner("SELECT relname FROM pg_class WHERE relowner = %s::regrole", role) == []
    assert as_owner("SELECT has_schema_privilege(%s, 'public', 'CREATE')", role) == [(False,)]
    assert as_owner("SELECT has_database_privilege(%s, current_database(), 'CREATE')", role) == [(False,)]
    truncates = as_owner("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
                         " AND has_table_privilege(%s, oid, 'TRUNCATE')", role)  # fmt: skip
    assert truncates == [], "TRUNCATE does not ask row security"


def test_the_applications_role_does_not_pass_by_the_wall() -> None:
    assert as_owner("SELECT rolbypassrls FROM pg_roles WHERE rolname = 'staffroom_app'") == [(False,)]
    members = as_owner("""
        SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid
        WHERE m.member = 'staffroom_app'::regrole
    """)
    assert members == [], "what another role may, this one could take on"


def test_functions_with_the_owners_rights_are_known_and_hold_their_path() -> None:
    rows = as_owner("""
        SELECT p.proname, p.proconfig::text FROM pg_proc p
        WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace
    """)
    assert {name for name, _ in rows} == set(DEFINERS)
    assert [
        name for name, config in rows if "search_path=pg_catalog, public, pg_temp" not in (config or "")
    ] == []


def test_views_ask_as_the_one_who_looks() -> None:
    rows = as_owner("""
        SELECT relname FROM pg_class WHERE relkind IN ('v', 'm') AND relnamespace = 'public'::regnamespace
        AND NOT coalesce(reloptions::text ~ 'security_invoker=true', false)
    """)
    assert rows == [], "a view of the owner's sees every tenant"
