"""How the catalog was before the changes that are under way: one row in schema ``migrations``, until they are done.

In the database and not in Pulumi's state, so that an `up` that failed half-way, or was killed, leaves it for the next
one, wherever that runs: what the first half changed is then still told from what somebody changed by hand.
Every function runs in the caller's transaction, which acts as the owner.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from provider.sql.history import owner_of

if TYPE_CHECKING:
    from provider.sql.connection import Connection

TABLE = "catalog_before"
_CREATE = """
CREATE TABLE IF NOT EXISTS migrations.catalog_before (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    lines    jsonb NOT NULL,
    taken_at timestamp with time zone NOT NULL DEFAULT clock_timestamp()
)"""


def ensure(connection: Connection) -> None:
    """Create the table where it is missing: before a picture is taken, so that it is part of it."""
    if owner_of(connection, TABLE) is None:
        connection.execute(_CREATE)


def keep(connection: Connection, lines: Mapping[str, str]) -> None:
    """Keep a picture, unless one is there that no `up` has come to the end of."""
    connection.execute(
        "INSERT INTO migrations.catalog_before (lines) VALUES (%s::jsonb) ON CONFLICT DO NOTHING",
        (json.dumps(dict(lines)),),
    )


def find(connection: Connection) -> dict[str, str] | None:
    """Return the kept picture."""
    row = connection.execute("SELECT lines FROM migrations.catalog_before").fetchone()
    return None if row is None else dict(row[0])


def is_kept(connection: Connection) -> bool:
    """Say whether an `up` that was to change the catalog has not come to its end."""
    return owner_of(connection, TABLE) is not None and find(connection) is not None


def forget(connection: Connection) -> None:
    """Remove the kept picture: what has changed since is part of what is expected now, or never will be."""
    connection.execute("DELETE FROM migrations.catalog_before")
