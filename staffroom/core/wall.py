"""Migration operations that build the tenant wall: row security, composite keys, definers' functions."""

from __future__ import annotations

from django.db import migrations

CURRENT_WORKSPACE = """
CREATE FUNCTION current_workspace() RETURNS uuid LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE opened text := current_setting('app.workspace_id', true);
BEGIN
    -- An empty string is what a reused connection answers after a setting that was local to a transaction.
    IF opened IS NULL OR opened = '' THEN
        RAISE EXCEPTION 'no workspace scope is open' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN opened::uuid;
END $$;
"""


def Wall(table: str, column: str = "workspace_id") -> migrations.RunSQL:
    """Row-level security, forced also on the table's owner where that role does not bypass it."""
    return migrations.RunSQL(
        f"""
        ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
        ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
        CREATE POLICY tenant ON {table}
            USING ({column} = current_workspace()) WITH CHECK ({column} = current_workspace());
        """,
        migrations.RunSQL.noop,
    )


def SameWorkspace(
    table: str, column: str, target: str, on_delete: str = "CASCADE", deferred: bool = False
) -> migrations.RunSQL:
    """A foreign key that also compares the workspace: foreign-key checks ignore row security.

    `target` needs a unique key over (workspace_id, id). With `SET NULL` only the column is cleared.
    """
    action = f"SET NULL ({column})" if on_delete == "SET NULL" else on_delete
    return migrations.RunSQL(
        f"""
        ALTER TABLE {table} ADD CONSTRAINT {table}_{column}_same_workspace
            FOREIGN KEY (workspace_id, {column}) REFERENCES {target} (workspace_id, id)
            ON DELETE {action}{" DEFERRABLE INITIALLY DEFERRED" if deferred else ""};
        """,
        migrations.RunSQL.noop,
    )


def Definer(signature: str, returns: str, body: str, language: str = "sql") -> migrations.RunSQL:
    """A function that runs with the owner's rights, for the few reads that no policy can serve.

    It must itself start from what it may show: a session key, a token's hash, a workspace given by hand.
    """
    name = signature.split("(")[0]
    return migrations.RunSQL(
        f"""
        CREATE FUNCTION {signature} RETURNS {returns} LANGUAGE {language} SECURITY DEFINER
            SET search_path = pg_catalog, public, pg_temp AS $body${body}$body$;
        """,
        f"DROP FUNCTION {name};",
    )
