"""``pipe:sql:Endpoint``: waits until a read-write session answers at an address."""

from __future__ import annotations

import time
from typing import ClassVar

from provider.errors import PipeError, first_line, from_database
from provider.resource import Context, Field, Resource
from provider.values import Properties

WAIT_SECONDS = 120
POLL_SECONDS = 0.1
_CONNECT_SECONDS = 5
# Waiting does not mend a refused login or certificate; but a server that is being set up may still refuse for a moment.
_REFUSED_SECONDS = 5


class Endpoint(Resource):
    """A wait. Nothing is made, so nothing is read or deleted."""

    token = "pipe:sql:Endpoint"
    description = "Waits until a read-write session answers at an address; what is left out is the provider's own."
    inputs: ClassVar[dict[str, Field]] = {
        "host": Field(str, "The address's host.", required=False),
        "port": Field(int, "The address's port.", required=False),
        "database": Field(str, "The database to connect to.", required=False),
        "username": Field(str, "A role that may log in.", required=False),
        "password": Field(str, "Its password.", required=False, secret=True),
        "timeoutSeconds": Field(int, f"How long to wait; {WAIT_SECONDS} by default.", required=False),
        "triggers": Field(list, "Values whose change waits again.", required=False),
    }

    def create(self, context: Context, new: Properties) -> tuple[str, Properties]:
        """Try until it answers and may write; raises PipeError with the last cause when the time is up."""
        import psycopg

        from provider.sql.connection import connect, connection_error, refusal_hint

        server = context.config.server(**{n: new.get(n) for n in ("host", "port", "database", "username", "password")})
        address, limit = f"{server.host}:{server.port}", int(new.get("timeoutSeconds", WAIT_SECONDS))
        deadline, refused_at, cause = time.monotonic() + limit, 0.0, "no answer"
        while time.monotonic() < deadline:
            try:
                with connect(server, timeout=_CONNECT_SECONDS) as connection:
                    row = connection.execute("SHOW transaction_read_only").fetchone()
                if row == ("off",):
                    return address, new
                cause = "the session is read-only: a replica answered"
            except psycopg.OperationalError as error:
                cause = first_line(str(error))
                if refusal_hint(cause) is None:
                    refused_at = 0.0
                elif not refused_at:
                    refused_at = time.monotonic()
                elif time.monotonic() - refused_at > _REFUSED_SECONDS:
                    raise connection_error(error, server, f"waiting for {address}") from error
            except psycopg.Error as error:
                raise from_database(error, f"connecting to {address}") from error
            context.progress(f"waits for {address}: {cause}")
            context.cancellation.pause(POLL_SECONDS, f"waiting for {address}")
        raise PipeError(
            f'no read-write session at {address} as "{server.username}" within {limit} s: {cause}',
            "see which member leads: bin/patronictl list; and what the proxy thinks: docker logs of the proxy",
        )
