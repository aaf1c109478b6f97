"""Roles and databases that a killed run made and did not write down.

PostgreSQL has no "create role if it is not there", so a second attempt would fail on a name that the first one took.
What is removed here is only what a pending operation of the state names, and only while it is empty: a role that owns
something and a database that holds a table stay, and `up` then says that they exist.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cli.containers import name_of, running
from cli.errors import UserError
from cli.session import Session
from cli.state import State

ROLE = "postgresql:index/role:Role"
DATABASE = "postgresql:index/database:Database"
TIMEOUT = 20

IS_PRIMARY = "SELECT NOT pg_is_in_recovery()"
HOLDS_TABLES = "SELECT EXISTS (SELECT FROM pg_class WHERE relkind IN ('r', 'p') AND oid >= 16384)"


@dataclass(frozen=True)
class HalfMade:
    """A role or a database whose creation was under way."""

    kind: str
    name: str


def find(known: State) -> list[HalfMade]:
    """What the pending operations of a state may have made in the database. Databases first: roles own them."""
    found = []
    for operation in known.pending:
        resource: Mapping[str, Any] = operation.get("resource") or {}
        kind = {ROLE: "role", DATABASE: "database"}.get(str(resource.get("type")))
        name = (resource.get("inputs") or {}).get("name")
        if operation.get("type") == "creating" and kind and isinstance(name, str):
            found.append(HalfMade(kind, name))
    return sorted(found, key=lambda thing: thing.kind)


def remove(session: Session, api: Any, things: Sequence[HalfMade]) -> None:
    """Remove half-made things through the primary's own socket; without a primary there is nothing to be done."""
    primary = _primary(session, api)
    if primary is None:
        return
    for thing in things:
        if thing.kind == "database" and _ask(primary, HOLDS_TABLES, thing.name) != "f":
            continue
        done = _psql(primary, f"DROP {thing.kind} IF EXISTS {quoted(thing.name)}")
        if done.returncode == 0 and "does not exist" not in done.stderr:
            print(f'recovering: dropped {thing.kind} "{thing.name}", which an interrupted run made')


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _primary(session: Session, api: Any) -> str | None:
    try:
        members = [name_of(container) for container in running(api, session.stack, "member")]
    except UserError:
        return None
    return next((member for member in members if _ask(member, IS_PRIMARY) == "t"), None)


def _ask(container: str, query: str, database: str = "postgres") -> str | None:
    """The single value of a query; None when it cannot be had."""
    done = _psql(container, query, database)
    return done.stdout.strip() if done.returncode == 0 else None


def _psql(container: str, statement: str, database: str = "postgres") -> subprocess.CompletedProcess[str]:
    command = ["psql", "--no-psqlrc", "--tuples-only", "--no-align", "--dbname", database, "--command", statement]
    argv = ["docker", "exec", container, *command]
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(argv, 1, "", "no answer")
