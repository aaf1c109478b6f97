"""A small pool: connections made when first needed, kept a moment for the next resource, at most so many at once."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from airgap.base.errors import ProviderError
from airgap.postgresql.errors import explain_connection
from airgap.postgresql.settings import Settings

Row = dict[str, Any]
Connection = psycopg.Connection[Row]

# How long a connection is kept without work, in seconds: a session in a database keeps others from dropping it,
# renaming it, or copying it as a template.
IDLE_S: Final = 2.0


class Unreachable(ProviderError):
    """No connection could be made."""


class Pool:
    """Connections to the databases of one server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._guard = threading.Lock()
        self._idle: dict[str, list[tuple[float, Connection]]] = {}
        self._sweeper: threading.Timer | None = None
        limit = settings.max_connections
        self._slots = threading.BoundedSemaphore(limit) if limit else None

    @contextmanager
    def connection(self, database: str) -> Iterator[Connection]:
        """A connection for one piece of work, in autocommit mode; raises Unreachable."""
        if self._slots:
            self._slots.acquire()
        try:
            connection = self._take(database) or self._open(database)
            try:
                yield connection
            finally:
                self._give(database, connection)
        finally:
            if self._slots:
                self._slots.release()

    def leave(self, database: str) -> None:
        """Closes the idle connections to a database."""
        with self._guard:
            idle = self._idle.pop(database, [])
        for _, connection in idle:
            connection.close()

    def _take(self, database: str) -> Connection | None:
        while True:
            with self._guard:
                idle = self._idle.get(database)
                connection = idle.pop()[1] if idle else None
            if connection is None or _alive(connection):
                return connection
            connection.close()

    def _give(self, database: str, connection: Connection) -> None:
        if connection.closed or connection.info.transaction_status is not psycopg.pq.TransactionStatus.IDLE:
            connection.close()
            return
        with self._guard:
            self._idle.setdefault(database, []).append((time.monotonic(), connection))
            self._sweep_later()

    def _sweep_later(self) -> None:
        if self._sweeper is None:
            self._sweeper = threading.Timer(IDLE_S, self._sweep)
            self._sweeper.daemon = True
            self._sweeper.start()

    def _sweep(self) -> None:
        """Closes what has been idle for long enough, and comes back while anything is left."""
        limit = time.monotonic() - IDLE_S
        with self._guard:
            old = [one for kept in self._idle.values() for since, one in kept if since <= limit]
            self._idle = {
                name: fresh
                for name, kept in self._idle.items()
                if (fresh := [(since, one) for since, one in kept if since > limit])
            }
            self._sweeper = None
            if self._idle:
                self._sweep_later()
        for connection in old:
            connection.close()

    def _open(self, database: str) -> Connection:
        settings = self._settings
        parameters = settings.parameters(database)
        try:
            return psycopg.Connection[Row].connect(autocommit=True, row_factory=dict_row, **parameters)
        except psycopg.Error as error:
            sentence = explain_connection(error, settings.host, settings.port, database, settings.username)
            raise Unreachable(sentence.message, sentence.hint) from error


def _alive(connection: Connection) -> bool:
    """Whether an idle connection still stands: nothing is said on it unless the server says goodbye."""
    if connection.closed:
        return False
    readable, _, _ = select.select([connection.fileno()], [], [], 0)
    return not readable
