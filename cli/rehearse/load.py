"""Clients at work while a migration runs: each reads and writes every table of the application's, again and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any, Self

import psycopg
from psycopg import sql

CLIENTS = 3
# Between two statements of a client: a lock is met by one of them within milliseconds.
PAUSE_SECONDS = 0.005
_TABLES = """
    SELECT relname FROM pg_catalog.pg_class
    WHERE
        relnamespace = 'pipe'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
        AND has_table_privilege(oid, 'SELECT, UPDATE') AND has_table_privilege(oid, 'DELETE')
    ORDER BY relname
"""


class Load:
    """Works while its block runs. It takes the locks that reading and writing take, and changes no row."""

    def __init__(self, conninfo: str) -> None:
        """Prepare; `conninfo` is the application's."""
        self._conninfo = conninfo
        self._stop = threading.Event()
        self._threads: Sequence[threading.Thread] = ()
        self._took: list[tuple[float, float]] = []
        self._open: dict[int, float] = {}
        self._failures: list[tuple[float, str]] = []

    def __enter__(self) -> Self:
        """Start the clients."""
        self._threads = [threading.Thread(target=self._work, args=(n,), daemon=True) for n in range(CLIENTS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop them, each after the statement that it is at."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=60)

    def longest(self, since: float) -> float:
        """Return the longest time that a statement took which ended, or has been waiting, since a moment."""
        now = time.monotonic()
        ended = [took for end, took in list(self._took) if end >= since]
        return max([*ended, *(now - began for began in list(self._open.values()))], default=0.0)

    def failures(self, since: float) -> list[str]:
        """Return what clients were refused with since a moment, each text once."""
        return list(dict.fromkeys(text for at, text in list(self._failures) if at >= since))

    def _work(self, client: int) -> None:
        while not self._stop.is_set():
            try:
                with psycopg.connect(self._conninfo, autocommit=True, application_name="rehearsal load") as session:
                    self._rounds(client, session)
            except psycopg.Error as error:
                # What a client meets is part of the picture: a column that is gone, a deadlock.
                self._failures.append((time.monotonic(), " ".join(str(error).split())))
                self._stop.wait(PAUSE_SECONDS)

    def _rounds(self, client: int, session: psycopg.Connection[tuple[Any, ...]]) -> None:
        while not self._stop.is_set():
            tables = [str(name) for (name,) in session.execute(_TABLES)]
            for table in tables:
                name = sql.Identifier("pipe", table)
                for query in ("SELECT FROM {} LIMIT 1", "DELETE FROM {} WHERE false"):
                    if self._stop.wait(PAUSE_SECONDS):
                        return
                    self._timed(client, session, sql.SQL(query).format(name))

    def _timed(self, client: int, session: psycopg.Connection[tuple[Any, ...]], query: sql.Composed) -> None:
        self._open[client] = began = time.monotonic()
        try:
            session.execute(query)
        except psycopg.errors.UndefinedTable:
            # It was dropped or renamed since the list was made.
            pass
        finally:
            del self._open[client]
            ended = time.monotonic()
            self._took.append((ended, ended - began))
