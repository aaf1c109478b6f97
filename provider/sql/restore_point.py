"""A named point in the WAL just before a migration: where recovery ends when the migration was a mistake."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg

from provider.errors import PipeError

if TYPE_CHECKING:
    from provider.sql.connection import Connection

_FUNCTION = "pg_catalog.pg_create_restore_point(text)"


def make(connection: Connection, version: str) -> tuple[str, str]:
    """Write it, whatever becomes of the migration; return name and LSN. Outside a transaction, as the login role.

    Recovery stops at the first point of a name, so each has its moment in its name.
    """
    name = f"pipe_migration_{version}_{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
    try:
        row = connection.execute("SELECT pg_catalog.pg_create_restore_point(%s)::text", (name,)).fetchone()
    except psycopg.errors.InsufficientPrivilege as error:
        role = connection.info.user
        raise PipeError(
            f'the role "{role}" may not make a restore point before the migration "{version}"',
            f'run as a superuser in this database: GRANT EXECUTE ON FUNCTION {_FUNCTION} TO "{role}"',
        ) from error
    if row is None:
        raise PipeError(f'no restore point was made before the migration "{version}"', "run up again")
    return name, row[0]


def hint(point: tuple[str, str]) -> str:
    """Return the hint of an error after which somebody may want to go back."""
    return f'the database as it was just before: restore point "{point[0]}" at LSN {point[1]}'
