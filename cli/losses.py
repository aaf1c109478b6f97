"""What would be lost with a stack: said where somebody is about to remove one that holds data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cli import connect, drill
from cli.errors import UserError
from cli.session import Session
from cli.source import VOLUME
from cli.status import collect

NO_ANSWER = "a repository that does not answer now"

_HELD = """
    SELECT pg_catalog.pg_size_pretty(pg_catalog.pg_database_size(pg_catalog.current_database())),
           (SELECT count(*) FROM pipe.organizations), (SELECT count(*) FROM pipe.users)
"""


def of(session: Session) -> str:
    """Return what the stack's database and repositories hold, as far as they answer."""
    outputs = _outputs(session)
    held, kept = database(_held(session, outputs)), backups(_info(session), _kinds(outputs))
    return f"{held}, and {kept}; {drill.last_drilled(session.stack)}"


def database(held: tuple[str, int, int] | None) -> str:
    """Say what is in the database: its size, organizations and users."""
    if held is None:
        return "a database that does not answer now"
    size, organizations, users = held
    return f"a database of {size} with {organizations} organizations and {users} users"


def backups(info: Sequence[Mapping[str, Any]] | None, kinds: Sequence[str]) -> str:
    """Say which backups go with the stack, by what `pgbackrest info` tells: those in its own volumes.

    What is on a server of another kind stays there, and cannot be read without the passphrase, which goes.

    :param kinds: the kind of each repository, in the order of pgBackRest's numbers.
    """
    elsewhere = [kind for kind in kinds if kind != VOLUME]
    lost = [_in_volume(info, kinds)] if VOLUME in kinds else []
    if elsewhere:
        lost.append(f"the passphrase of the backups that stay ({', '.join(elsewhere)})")
    return ", and ".join(lost)


def _in_volume(info: Sequence[Mapping[str, Any]] | None, kinds: Sequence[str]) -> str:
    if info is None:
        return NO_ANSWER
    number = kinds.index(VOLUME) + 1
    every = [backup for stanza in info for backup in stanza.get("backup") or [] if not backup.get("error")]
    found = [backup for backup in every if backup.get("database", {}).get("repo-key", 1) == number]
    if not found:
        return NO_ANSWER if number in collect.silent(info) else "no backup"
    last = max(found, key=lambda backup: int(backup["timestamp"]["stop"]))
    moment = datetime.fromtimestamp(int(last["timestamp"]["stop"]), UTC).strftime("%Y-%m-%d %H:%M:%S+00")
    count = "1 backup" if len(found) == 1 else f"{len(found)} backups"
    return f"{count}, the last ({last['type']}) of {moment}"


def _outputs(session: Session) -> dict[str, Any] | None:
    try:
        return session.outputs()
    except UserError:
        return None


def _kinds(outputs: Mapping[str, Any] | None) -> Sequence[str]:
    """Return the kind of each repository; of a stack that does not tell, the only one that may be lost."""
    known = (outputs or {}).get("backup") or {}
    return known.get("repositories") or [VOLUME]


def _held(session: Session, outputs: Mapping[str, Any] | None) -> tuple[str, int, int] | None:
    import psycopg

    if outputs is None:
        return None
    try:
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
