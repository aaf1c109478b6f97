"""Expected failures: what the user sees, as one sentence with the cause and ``HINT:`` lines.

Anything that is not a :class:`PipeError` is a bug of the provider and arrives with its trace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg

# SQLSTATE (or its two-letter class) -> what to do about it. Only where PostgreSQL's own hint is not enough.
_SQLSTATE_HINTS = {
    "08": "the connection was lost; look at the cluster with: make status",
    "25001": 'it cannot run inside a transaction; a migration that needs it has "-- pipe: no-transaction" on top',
    "25006": "the session reached a replica; give the provider the read-write port",
    "28P01": "the role's password is not the one in the stack; run up again, or look at the role with bin/psql",
    "28000": "pg_hba.conf lets this role in only over TLS and from the stack's own networks",
    "3D000": "the database is created by an earlier resource; make this one depend on it",
    "3F000": "the schema is created by an earlier resource or migration; make this one depend on it",
    "42501": "grant the privilege in the access matrix, or make the role a member of the owner",
    "53300": "raise max_connections in the stack's configuration, or end sessions that idle",
    "55P03": "another session holds the lock; end it or wait, then run up again",
    "57014": "the statement ran out of its time limit or was cancelled; run up again",
    "57P01": "the server was stopped or changed roles; look at it with make status, then run up again",
    "57P03": "the server is starting or changing roles; run up again in a moment",
}


class PipeError(Exception):
    """An expected failure: a lower-case fact with the object quoted, and hints that say what to do."""

    def __init__(self, message: str, *hints: str) -> None:
        """Keep the fact and its hints; ``str()`` shows both."""
        super().__init__("\n".join([message, *(f"HINT: {hint}" for hint in hints)]))
        self.message = message
        self.hints = hints


class Cancelled(PipeError):
    """The user cancelled the operation."""

    def __init__(self, doing: str) -> None:
        """Say what was cut short."""
        super().__init__(f"cancelled while {doing}", "run up again; it goes on from here")


def sqlstate_hints(sqlstate: str | None) -> tuple[str, ...]:
    """Return the hint for a SQLSTATE, by its full code or its class; empty when none is known."""
    if sqlstate is None:
        return ()
    hint = _SQLSTATE_HINTS.get(sqlstate) or _SQLSTATE_HINTS.get(sqlstate[:2])
    return (hint,) if hint else ()


def from_database(error: psycopg.Error, doing: str) -> PipeError:
    """Turn PostgreSQL's error into one sentence: what was being done, the cause, the SQLSTATE, the hints."""
    diag = error.diag
    cause = diag.message_primary or first_line(str(error)) or type(error).__name__
    code = f" (SQLSTATE {error.sqlstate})" if error.sqlstate else ""
    hints = [hint for hint in (diag.message_detail, diag.message_hint) if hint]
    return PipeError(f"{doing} failed: {cause}{code}", *hints, *sqlstate_hints(error.sqlstate))


def first_line(text: str) -> str:
    """Return the first line that is not blank: libpq puts the cause there, and repeats it per address below."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def http_hints(status: int) -> tuple[str, ...]:
    """Return what to do about a status of Patroni's REST API."""
    match status:
        case 401 | 403:
            return (
                "changes need the operator's client certificate; look at patroni_client_certificate of the provider",
            )
        case 409:
            return ("someone else changed the configuration at the same moment; run up again",)
        case 503:
            return ("the member is not ready for it; look at it with: bin/patronictl list",)
        case _:
            return ("look at the member's log with: docker logs",)
