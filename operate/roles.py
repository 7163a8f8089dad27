"""The three roles, their passwords and what they may do in a database.

owner     makes the tables; bypasses row-level security; only migrations use it
app       rows only, under row-level security; owns nothing
platform  rows only, across workspaces: operator's pages and jobs
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from operate.sql import literal, name, quoted

SUPERUSER, OWNER, APP, PLATFORM = "postgres", "staffroom_owner", "staffroom_app", "staffroom_platform"
ATTRIBUTES = {
    OWNER: "LOGIN BYPASSRLS",
    APP: "LOGIN NOBYPASSRLS",
    PLATFORM: "LOGIN BYPASSRLS",
}
FORMAT = 1  # part of the stamp: raise it when the statements below change


@dataclass(frozen=True, slots=True)
class Urls:
    """Addresses of one database, one for each role."""

    app: str
    platform: str
    owner: str
    superuser: str = ""

    def environment(self) -> dict[str, str]:
        """As the children read them."""
        return {
            "STAFFROOM_DB_APP": self.app,
            "STAFFROOM_DB_PLATFORM": self.platform,
            "STAFFROOM_DB_OWNER": self.owner,
        }


def password(secret: str, role: str) -> str:
    """Derived, so that nothing but the installation's key has to be kept."""
    return hmac.new(secret.encode(), f"database role {role}".encode(), hashlib.sha256).hexdigest()


def url(role: str, word: str, host: str, database: str) -> str:
    """The socket folder goes into the query: as a host name its letters would lose their case."""
    return f"postgresql://{role}:{quote(word, safe='')}@/{database}?host={quote(host, safe='/')}"


def role_statements(secret: str, which: Iterable[str] = ATTRIBUTES) -> list[str]:
    """Makes the roles, or makes existing ones as they should be."""
    return [statement for role in which for statement in (_create(role), _shape(role, secret))]


def _create(role: str) -> str:
    return (
        f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {literal(role)}) "
        f"THEN CREATE ROLE {name(role)}; END IF; END $$"
    )


def _shape(role: str, secret: str) -> str:
    return f"ALTER ROLE {name(role)} {ATTRIBUTES[role]} PASSWORD {literal(password(secret, role))}"


def database_statements(database: str, owner: str = OWNER) -> list[str]:
    """Who may do what inside a new, empty database; run in it, by its owner or above."""
    users = f"{name(APP)}, {name(PLATFORM)}"
    default = f"ALTER DEFAULT PRIVILEGES FOR ROLE {quoted(owner)} IN SCHEMA public"
    return [
        f"REVOKE ALL ON DATABASE {quoted(database)} FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE {quoted(database)} TO {users}",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        f"GRANT USAGE ON SCHEMA public TO {users}",
        f"{default} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {users}",
        f"{default} GRANT USAGE, SELECT ON SEQUENCES TO {users}",
    ]


def stamp(secret: str) -> str:
    """Changes with the key and with the statements above; tells nothing about the key."""
    return hmac.new(secret.encode(), f"roles {FORMAT}".encode(), hashlib.sha256).hexdigest()
