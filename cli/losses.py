"""What would be lost with a stack: said where somebody is about to remove one that holds data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cli import connect, drill
from cli.errors import UserError
from cli.session import Session
from cli.status import collect

_HELD = """
    SELECT pg_catalog.pg_size_pretty(pg_catalog.pg_database_size(pg_catalog.current_database())),
           (SELECT count(*) FROM pipe.organizations), (SELECT count(*) FROM pipe.users)
"""


def of(session: Session) -> str:
    """Return what the stack's database and repository hold, as far as they answer."""
    held, kept = database(_held(session)), backups(_info(session))
    return f"{held}, and {kept}; {drill.last_drilled(session.stack)}"


def database(held: tuple[str, int, int] | None) -> str:
    """Say what is in the database: its size, organizations and users."""
    if held is None:
        return "a database that does not answer now"
    size, organizations, users = held
    return f"a database of {size} with {organizations} organizations and {users} users"


def backups(info: Sequence[Mapping[str, Any]] | None) -> str:
    """Say what `pgbackrest info` tells of its backups; they are the stack's own and go with it."""
    if info is None:
        return "a repository that does not answer now"
    found = [backup for stanza in info for backup in stanza.get("backup") or [] if not backup.get("error")]
    if not found:
        return "no backup"
    last = max(found, key=lambda backup: int(backup["timestamp"]["stop"]))
    moment = datetime.fromtimestamp(int(last["timestamp"]["stop"]), UTC).strftime("%Y-%m-%d %H:%M:%S+00")
    count = "1 backup" if len(found) == 1 else f"{len(found)} backups"
    return f"{count}, the last ({last['type']}) of {moment}"


def _held(session: Session) -> tuple[str, int, int] | None:
    import psycopg

    try:
        outputs = session.outputs()
        authority = session.runtime / "ca.pem"
        connect.provide_authority(authority, outputs)
        connection = collect.connect(connect.choose(outputs, "readonly", "read_write"), authority)
        if isinstance(connection, str):
            return None
        with connection:
            size, organizations, users = connection.execute(_HELD).fetchone()
    except (UserError, psycopg.Error):
        return None
    return size, organizations, users


def _info(session: Session) -> Sequence[Mapping[str, Any]] | None:
    from infra.naming import Names

    return collect.backups(Names(session.stack).container("repository"))
