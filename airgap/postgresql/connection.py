"""Connections to one server: made when first needed, kept, shared by all resources of the process.

Changes in one database happen one after the other: GRANTs side by side would fail with "tuple concurrently updated".
A lock keeps this process's threads apart, an advisory lock keeps other providers' processes apart, and what still
collides (another tool; catalogs that all databases share) is tried again.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import psycopg
from psycopg import sql

from airgap.base.errors import ProviderError
from airgap.postgresql.errors import explain
from airgap.postgresql.plan import Statement
from airgap.postgresql.pool import Connection, Pool, Row, Unreachable
from airgap.postgresql.settings import Settings, from_config

T = TypeVar("T")

# One key for every provider like this one: "pulumi" as a number. The lock ends with its transaction.
ADVISORY_KEY: Final = int.from_bytes(b"pulumi", "big")
# How long work that is interrupted is tried again before it fails, in seconds.
INTERRUPTION_TIMEOUT_S: Final = 15.0
_RETRIED: Final = frozenset({"40001", "40P01", "55006"})


class Interrupted(ProviderError):
    """Work that met another session's change, or lost its connection; the same work may succeed a moment later.

    Doing it again is safe: all work looks at what is there before it changes anything.
    """


class Server:
    """The server that the provider is configured for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._pool = Pool(settings)
        self._guard = threading.Lock()
        self._writers: dict[str, threading.Lock] = {}

    def read(self, database: str | None, doing: str, work: Callable[[Session], T]) -> T:
        """Runs `work`, which only looks, on a connection to `database` (None: the provider's own)."""
        return _persist(lambda: self._run(database or self.settings.database, doing, work, change=False))

    def change(self, database: str | None, doing: str, work: Callable[[Session], T]) -> T:
        """Runs `work` in one transaction, alone in its database; `work` may run again when it collides with others."""
        database = database or self.settings.database
        with self._writer(database):
            return _persist(lambda: self._run(database, doing, work, change=True))

    def read_if_there(self, database: str, doing: str, work: Callable[[Session], T | None]) -> T | None:
        """As `read`, but None when there is no such database."""
        return self._if_there(database, lambda: self.read(database, doing, work))

    def change_if_there(self, database: str, doing: str, work: Callable[[Session], None]) -> None:
        """As `change`, but does nothing when there is no such database."""
        self._if_there(database, lambda: self.change(database, doing, work))

    def outside(self, doing: str, work: Callable[[Session], T]) -> T:
        """Runs `work` without a transaction, for statements that bring their own (CREATE and DROP DATABASE)."""
        with self._writer(self.settings.database):
            return _persist(lambda: self._run(self.settings.database, doing, work, change=False))

    def leave(self, database: str) -> None:
        """Closes the idle connections to a database that is about to be dropped, renamed or copied."""
        self._pool.leave(database)

    def has_database(self, name: str) -> bool:
        """Whether the database exists, asked from the provider's own one."""
        query = "SELECT 1 AS found FROM pg_catalog.pg_database WHERE datname = %(name)s"
        doing = f'look for database "{name}"'
        return self.read(None, doing, lambda session: session.one(query, {"name": name}) is not None)

    def _if_there(self, database: str, work: Callable[[], T | None]) -> T | None:
        try:
            return work()
        except Unreachable:
            # Only the catalog says for certain that a database is gone: libpq has no code for it.
            if database == self.settings.database or self.has_database(database):
                raise
            return None

    def _writer(self, database: str) -> threading.Lock:
        with self._guard:
            return self._writers.setdefault(database, threading.Lock())

    def _run(self, database: str, doing: str, work: Callable[[Session], T], change: bool) -> T:
        with self._pool.connection(database) as connection:
            session = Session(connection, doing)
            try:
                if not change:
                    return work(session)
                with connection.transaction():
                    connection.execute("SELECT pg_catalog.pg_advisory_xact_lock(%s)", [ADVISORY_KEY])
                    return work(session)
            except psycopg.Error as error:
                sentence = explain(error, session.doing)
                if _collided(error) or connection.broken:
                    raise Interrupted(sentence.message, sentence.hint) from error
                raise sentence from error


class Session:
    """One connection while a resource works on it; remembers what is being done, for the sentence when it fails."""

    def __init__(self, connection: Connection, doing: str) -> None:
        self.connection = connection
        self.doing = doing

    @property
    def version(self) -> int:
        """The server's version as a number: 170002 is 17.2."""
        return self.connection.info.server_version

    def rows(self, query: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """All rows of a query."""
        return self.connection.execute(sql.SQL(query), parameters).fetchall()

    def one(self, query: str, parameters: Mapping[str, Any] | None = None) -> Row | None:
        """The first row of a query, or None."""
        return self.connection.execute(sql.SQL(query), parameters).fetchone()

    def execute(self, statements: list[Statement]) -> None:
        """Executes statements in order; a failure is reported in the words of the one that failed."""
        for statement in statements:
            self.doing = statement.doing
            self.connection.execute(statement.query)

    def execute_together(self, statements: list[Statement]) -> None:
        """Hands all statements to the server at once, each a transaction of its own.

        The server goes through them even when this process ends in the meantime.
        """
        self.doing = statements[0].doing
        with self.connection.pipeline() as pipeline:
            for statement in statements:
                self.connection.execute(statement.query)
                pipeline.sync()

    def verifier(self, password: str, role: str) -> str:
        """The SCRAM verifier of a password, made here: the server, and so its log, never sees the password."""
        made = self.connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
        return made.decode()


def _persist(attempt: Callable[[], T]) -> T:
    """Repeats the attempt while it collides with other sessions, for INTERRUPTION_TIMEOUT_S at most."""
    deadline = time.monotonic() + INTERRUPTION_TIMEOUT_S
    pause = 0.02
    while True:
        try:
            return attempt()
        except Interrupted:
            if time.monotonic() + pause > deadline:
                raise
        # The pause differs from process to process, so that two that collided do not meet again.
        time.sleep(pause * random.uniform(0.5, 1.5))
        pause = min(pause * 2, 0.5)


def _collided(error: psycopg.Error) -> bool:
    """Whether the same work may succeed a moment later."""
    if error.sqlstate == "XX000":
        return "concurrently" in (error.diag.message_primary or "")
    return error.sqlstate in _RETRIED


def connect(config: Mapping[str, Any]) -> Server:
    """The server that the configuration describes; no connection is made before the first resource needs one."""
    return Server(from_config(config))
