"""The history tables and what is read from and written to them. Every function runs in the caller's transaction.

They live in schema ``migrations``, which infrastructure creates and gives to the owner. The owner alone can reach them:
the provider acts as the owner, and nobody is granted anything.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from psycopg import sql

from provider.errors import PipeError
from provider.sql.plan import Applied, File, checksum
from provider.who import who

if TYPE_CHECKING:
    from provider.sql.connection import Connection

SCHEMA = "migrations"
MIGRATIONS = "history"
REPEATABLES = "repeatable_history"

# One number for every stack: advisory locks are per database.
LOCK_KEY = int.from_bytes(hashlib.sha256(b"pulumi-resource-pipe migrations").digest()[:8], "big", signed=True)

_CREATE = {
    MIGRATIONS: """
        CREATE TABLE migrations.history (
            version         text PRIMARY KEY,
            name            text NOT NULL,
            file            text NOT NULL,
            sql             text NOT NULL,
            checksum        text NOT NULL CHECK (checksum ~ '^[0-9a-f]{64}$'),
            applied_by      text NOT NULL,
            applied_at      timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
            duration_ms     bigint NOT NULL CHECK (duration_ms >= 0)
        )""",
    REPEATABLES: """
        CREATE TABLE migrations.repeatable_history (
            name        text PRIMARY KEY,
            file        text NOT NULL,
            sql         text NOT NULL,
            checksum    text NOT NULL CHECK (checksum ~ '^[0-9a-f]{64}$'),
            applied_by  text NOT NULL,
            applied_at  timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
            duration_ms bigint NOT NULL CHECK (duration_ms >= 0)
        )""",
}
# Added to a history of whatever age: a new one gets them this way too.
_ADD = {
    MIGRATIONS: """
        ALTER TABLE migrations.history
            ADD COLUMN IF NOT EXISTS state text NOT NULL DEFAULT 'applied'
                CHECK (state IN ('partial', 'unverified', 'applied')),
            ADD COLUMN IF NOT EXISTS statements_done integer CHECK (statements_done >= 0),
            ADD COLUMN IF NOT EXISTS restore_point text,
            ADD COLUMN IF NOT EXISTS lsn pg_catalog.pg_lsn""",
}
_NEWEST_COLUMN = {MIGRATIONS: "lsn"}
_UTC = sql.SQL("""to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')""")


def act_as(connection: Connection, owner: str) -> None:
    """Become the owner until the transaction ends."""
    connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(owner)))


def exists(connection: Connection, table: str) -> bool:
    """Say whether a history table is there; the catalog answers everybody."""
    return owner_of(connection, table) is not None


def owner_of(connection: Connection, table: str) -> str | None:
    """Return the role that owns a history table, None when there is no such table."""
    row = connection.execute(
        "SELECT pg_catalog.pg_get_userbyid(c.relowner) FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s",
        (SCHEMA, table),
    ).fetchone()
    return None if row is None else str(row[0])


def ensure(connection: Connection, table: str) -> None:
    """Create or widen a history table where needed; the caller acts as the owner and holds the advisory lock."""
    if not exists(connection, table):
        row = connection.execute("SELECT pg_catalog.to_regnamespace(%s) IS NOT NULL", (SCHEMA,)).fetchone()
        if row is None or not row[0]:
            raise PipeError(
                f'the schema "{SCHEMA}", which holds the history, does not exist',
                "it is created before the first migration; make the migrations depend on it",
            )
        connection.execute(_CREATE[table].encode())
    if table in _ADD and not is_current(connection, table):
        connection.execute(_ADD[table].encode())


def is_current(connection: Connection, table: str) -> bool:
    """Say whether a history table has every column that this release writes."""
    row = connection.execute(
        "SELECT 1 FROM pg_catalog.pg_attribute WHERE attrelid = pg_catalog.to_regclass(%s) AND attname = %s",
        (f"{SCHEMA}.{table}", _NEWEST_COLUMN[table]),
    ).fetchone()
    return row is not None


def migrations(connection: Connection) -> dict[str, Applied]:
    """Return every row by version, also of a table that an older release made."""
    if not exists(connection, MIGRATIONS):
        return {}
    newer = sql.SQL("state, statements_done, restore_point, lsn::text")
    query = sql.SQL(
        "SELECT version, name, file, sql, checksum, applied_by, {utc}, duration_ms, {newer}"
        " FROM migrations.history ORDER BY version"
    ).format(utc=_UTC, newer=newer if is_current(connection, MIGRATIONS) else sql.SQL("'applied', NULL, NULL, NULL"))
    return {row[0]: Applied(*row) for row in connection.execute(query).fetchall()}


def repeatables(connection: Connection) -> dict[str, Applied]:
    """Return every row of a repeatable text by name, in the order in which they were applied; they have no version."""
    query = sql.SQL(
        "SELECT '', name, file, sql, checksum, applied_by, {utc}, duration_ms FROM migrations.repeatable_history"
        " ORDER BY applied_at, name"
    ).format(utc=_UTC)
    return {row[1]: Applied(*row) for row in connection.execute(query).fetchall()}


def record_migration(
    connection: Connection,
    file: File,
    *,
    state: str,
    duration_ms: int,
    statements_done: int | None = None,
    restore_point: tuple[str, str] | None = None,
) -> Applied:
    """Write the row of a migration, or what became of it, and return it as recorded.

    A restore point that is recorded stays: it is the one before the first statement.
    """
    query = sql.SQL(
        "INSERT INTO migrations.history AS old (version, name, file, sql, checksum, applied_by, duration_ms, state,"
        " statements_done, restore_point, lsn)"
        " VALUES (%s, %s, %s, %s, %s, session_user || %s, %s, %s, %s, %s, %s::pg_catalog.pg_lsn)"
        " ON CONFLICT (version) DO UPDATE SET name = excluded.name, file = excluded.file, sql = excluded.sql,"
        " checksum = excluded.checksum, applied_by = excluded.applied_by, applied_at = excluded.applied_at,"
        " duration_ms = old.duration_ms + excluded.duration_ms, state = excluded.state,"
        " statements_done = excluded.statements_done,"
        " restore_point = COALESCE(old.restore_point, excluded.restore_point),"
        " lsn = COALESCE(old.lsn, excluded.lsn)"
        " RETURNING version, name, file, sql, checksum, applied_by, {utc}, duration_ms, state, statements_done,"
        " restore_point, lsn::text"
    ).format(utc=_UTC)
    point, lsn = restore_point or (None, None)
    values = (
        file.version, file.name, file.file, file.sql, file.checksum, who(), duration_ms, state, statements_done,
        point, lsn,
    )  # fmt: skip
    row = connection.execute(query, values).fetchone()
    if row is None:
        raise PipeError("the history row that was just written is not there", "look for triggers on the history table")
    return Applied(*row)


def record_repeatable(connection: Connection, name: str, file: str, text: str, duration_ms: int) -> None:
    """Write or overwrite the row of a repeatable text."""
    connection.execute(
        "INSERT INTO migrations.repeatable_history (name, file, sql, checksum, applied_by, duration_ms)"
        " VALUES (%s, %s, %s, %s, session_user || %s, %s)"
        " ON CONFLICT (name) DO UPDATE SET file = excluded.file, sql = excluded.sql, checksum = excluded.checksum,"
        " applied_by = excluded.applied_by, applied_at = excluded.applied_at, duration_ms = excluded.duration_ms",
        (name, file, text, checksum(text), who(), duration_ms),
    )


def rename_migration(connection: Connection, file: File) -> None:
    """Record a new name or path of a file whose text stayed the same."""
    connection.execute(
        "UPDATE migrations.history SET name = %s, file = %s WHERE version = %s", (file.name, file.file, file.version)
    )
