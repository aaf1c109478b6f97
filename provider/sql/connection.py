"""Connections to PostgreSQL: one per provider process, made on first use, verified against the stack's authority."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from provider.errors import PipeError, first_line, from_database
from provider.files import kept
from provider.who import who

if TYPE_CHECKING:
    import psycopg

    from provider.config import Config, Server
    from provider.runtime import Cancellation

    # Rows as tuples of whatever the query selects.
    Connection = psycopg.Connection[tuple[Any, ...]]

CONNECT_TIMEOUT_SECONDS = 10
_CANCEL_TIMEOUT_SECONDS = 2
_REFUSALS = {
    "password authentication failed": "the role's password is not the stack's; run up again to set it",
    "no pg_hba.conf entry": "pg_hba.conf lets this role in only over TLS",
    "does not exist": "role and database are made by earlier resources; make this one depend on them",
}


def connect(server: Server, *, timeout: int = CONNECT_TIMEOUT_SECONDS) -> Connection:
    """Open a session in autocommit; raises psycopg.OperationalError. The certificate must name the host."""
    import psycopg

    return psycopg.connect(
        host=server.host,
        port=server.port,
        dbname=server.database,
        user=server.username,
        password=server.password,
        sslmode="verify-full",
        # Not only for now: cancelling a statement makes another connection.
        sslrootcert=kept(server.ca_certificate),
        gssencmode="disable",
        connect_timeout=timeout,
        application_name=f"pulumi-resource-pipe{who()}",
        autocommit=True,
    )


class Database:
    """The provider's own session, shared by its resources, one user at a time."""

    def __init__(self, config: Config, cancellation: Cancellation) -> None:
        """Remember the configuration; nothing is contacted."""
        self._config = config
        self._cancellation = cancellation
        self._lock = threading.Lock()
        self._connection: Connection | None = None

    @contextlib.contextmanager
    def session(self, doing: str) -> Iterator[Connection]:
        """Lend the session, in a known state. ``doing`` names the work in errors.

        Errors of PostgreSQL become PipeError, one sentence each. A cancellation ends the running statement.
        """
        import psycopg

        with self._lock:
            connection = self._usable(doing)
            try:
                with self._cancellation.interrupting(lambda: _interrupt(connection)):
                    yield connection
            except psycopg.Error as error:
                raise from_database(error, doing) from error

    def _usable(self, doing: str) -> Connection:
        """Return a session that answers and reaches a primary, without what the work before left behind in it."""
        import psycopg

        for attempt in ("kept", "new"):
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = connect(self._config.server())
                    attempt = "new"
                row = self._connection.execute("SELECT pg_catalog.pg_is_in_recovery()").fetchone()
                self._connection.execute("RESET ALL")
                self._connection.execute("RESET ROLE")
            except psycopg.Error as error:
                self._drop()
                # A kept session may have ended with a failover or a restart meanwhile; a new one may not fail.
                if attempt == "new":
                    raise connection_error(error, self._config.server(), doing) from error
            else:
                if row is not None and not row[0]:
                    return self._connection
                self._drop()
        raise PipeError(f"{doing} failed: the provider's port leads to a replica", "give it the read-write port")

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _interrupt(connection: Connection) -> None:
    """End the statement that runs; where that fails, the end of the process ends it."""
    import psycopg

    with contextlib.suppress(psycopg.Error):
        connection.cancel_safe(timeout=_CANCEL_TIMEOUT_SECONDS)


def refusal_hint(cause: str) -> str | None:
    """Return what to do about a login or certificate that was refused; None for any other cause.

    By libpq's text, as a connection that fails carries no SQLSTATE.
    """
    if "certificate" in cause:
        return "the provider's ca_certificate did not sign the server's certificate, or that does not name the host"
    return next((hint for text, hint in _REFUSALS.items() if text in cause), None)


def connection_error(error: psycopg.Error, server: Server, doing: str) -> PipeError:
    """Return the error for a connection that cannot be made: address and role, libpq's cause, what to look at."""
    if error.sqlstate:
        return from_database(error, doing)
    cause = first_line(str(error))
    return PipeError(
        f'{doing} failed: no connection to {server.host}:{server.port} as "{server.username}": {cause}',
        refusal_hint(cause) or "the cluster may be starting or gone; look at it with: make status",
    )
