"""One run of migrations at a time, whichever machine it comes from: an advisory lock for as long as the run takes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import psycopg

from provider.errors import PipeError
from provider.sql.history import LOCK_KEY

if TYPE_CHECKING:
    from provider.resource import Context
    from provider.sql.connection import Connection

# As long as two statements of the default statement_timeout: the other run is then stuck rather than slow.
WAIT_SECONDS = 30 * 60
_POLL_SECONDS = 0.2


@contextlib.contextmanager
def only_run(connection: Connection, context: Context, limit: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold the lock inside the block, waiting for another run for at most ``limit`` seconds and saying for whom.

    The server frees it when the session ends, however that happens.
    """
    deadline = time.monotonic() + limit
    said: str | None = None
    while not _taken(connection):
        holder = _holder(connection)
        if time.monotonic() > deadline:
            raise PipeError(
                f"another run of migrations did not end within {limit:g} s: {holder or 'it cannot be seen'}",
                "let it end, or end it where it runs (pg_terminate_backend with its pid), then run up again",
            )
        if holder is not None and holder != said:
            context.info(f"waits for another run of migrations to end: {holder}")
            said = holder
        context.cancellation.pause(_POLL_SECONDS, "waiting for another run of migrations")
    try:
        yield
    finally:
        # A session that was lost has let go of it.
        with contextlib.suppress(psycopg.Error):
            connection.execute("SELECT pg_catalog.pg_advisory_unlock(%s)", (LOCK_KEY,))


def _taken(connection: Connection) -> bool:
    row = connection.execute("SELECT pg_catalog.pg_try_advisory_lock(%s)", (LOCK_KEY,)).fetchone()
    return row is not None and bool(row[0])


def _holder(connection: Connection) -> str | None:
    """Return who holds the lock, as far as this role may see it; None when it was let go just now."""
    row = connection.execute(
        "SELECT a.usename, a.client_addr, a.pid, a.application_name"
        " FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid)"
        " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
        " AND (l.classid::bigint << 32) | l.objid::bigint = %s"
        " AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())",
        (LOCK_KEY,),
    ).fetchone()
    if row is None:
        return None
    program = f", {row[3]}" if row[3] else ""
    return f'"{row[0]}" from {row[1] or "the server itself"}, pid {row[2]}{program}'
