"""Looking at one migration while it runs, and at what is different afterwards."""

from __future__ import annotations

import threading
import time
from typing import Any, Self

import psycopg

from cli.rehearse.measured import Holds, Lock, Table, rewritten

INTERVAL_SECONDS = 0.01
Connection = psycopg.Connection[tuple[Any, ...]]

# A table that the migration itself makes is not in the catalog for others, who cannot wait for it either.
_LOCKS = """
    SELECT DISTINCT relation.oid::regclass::text, held.mode
    FROM pg_catalog.pg_locks AS held
    INNER JOIN pg_catalog.pg_stat_activity AS session ON session.pid = held.pid
    INNER JOIN pg_catalog.pg_class AS relation ON relation.oid = held.relation
    WHERE
        session.application_name LIKE 'pulumi-resource-pipe%'
        AND held.granted
        AND relation.relkind IN ('r', 'p', 'm')
        AND relation.relnamespace <> 'pg_catalog'::regnamespace
"""
_TABLES = """
    SELECT oid, oid::regclass::text, relfilenode FROM pg_catalog.pg_class
    WHERE relkind IN ('r', 'm') AND relpersistence = 'p' AND pg_get_userbyid(relowner) = 'pipe_owner'
"""
_FORGET_STATEMENTS = "SELECT upkeep.pg_stat_statements_reset(0, 0, 0, false)"
_CHANGED = """
    SELECT coalesce(sum(rows), 0) FROM upkeep.pg_stat_statements
    WHERE
        userid = 'pipe_owner'::regrole AND toplevel
        AND query ~* '^\\s*(insert|update|delete|merge|with)\\y'
        AND query !~ 'migrations\\.'
"""


class Watch:
    """Samples the locks of whoever applies migrations, from a session of its own, while its block runs."""

    def __init__(self, conninfo: str) -> None:
        """Connect; `conninfo` is the migrator's."""
        # Every name with its schema.
        self._connection: Connection = psycopg.connect(
            conninfo, autocommit=True, application_name="rehearsal watch", options="-c search_path=pg_catalog"
        )
        self._holds, self._stop, self._thread = Holds(), threading.Event(), threading.Thread()
        self._before: dict[int, Table] = {}

    def __enter__(self) -> Self:
        """Remember what there is, and begin."""
        self._before = self._tables()
        self._connection.execute("DELETE FROM rehearsal.locks")
        self._connection.execute(_FORGET_STATEMENTS)
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the samples."""
        self._stop.set()
        self._thread.join()

    def close(self) -> None:
        """End the session."""
        self._connection.close()

    def locks(self) -> list[Lock]:
        """Return the locks that were held on tables that there were before."""
        known = {table.name for table in self._before.values()} | self._partitioned()
        within = self._connection.execute("SELECT DISTINCT table_name, mode FROM rehearsal.locks").fetchall()
        return [lock for lock in self._holds.locks([(str(t), str(m)) for t, m in within]) if lock.table in known]

    def rewritten(self) -> list[tuple[str, int]]:
        """Return the tables whose files were written anew, with how many rows they have."""
        return [(name, self._count(name)) for name in rewritten(self._before, self._tables())]

    def changed_rows(self) -> int:
        """Return how many rows the migration's own statements inserted, updated or deleted."""
        row = self._connection.execute(_CHANGED.encode()).fetchone()
        return int(row[0]) if row else 0

    def _sample(self) -> None:
        while not self._stop.wait(INTERVAL_SECONDS):
            held = self._connection.execute(_LOCKS.encode()).fetchall()
            self._holds.add(time.monotonic(), [(str(table), str(mode)) for table, mode in held])

    def _tables(self) -> dict[int, Table]:
        return {oid: Table(name, file) for oid, name, file in self._connection.execute(_TABLES.encode())}

    def _count(self, table: str) -> int:
        # The name is PostgreSQL's own, quoted where it has to be.
        row = self._connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
        return int(row[0]) if row else 0

    def _partitioned(self) -> set[str]:
        query = "SELECT oid::regclass::text FROM pg_catalog.pg_class WHERE relkind = 'p'"
        return {str(name) for (name,) in self._connection.execute(query)}
