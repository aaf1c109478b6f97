"""Asks PostgreSQL who may do what: each role that may log in by itself, all others through the provider's session."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from provider.catalog.look import prepare, query
from provider.catalog.rights import Expected, Right, Role, checked, predefined, violations
from provider.errors import first_line
from provider.resource import Context
from provider.sql.connection import connect

if TYPE_CHECKING:
    from provider.config import Server
    from provider.sql.connection import Connection

_DOING = "asking who may do what"
# As many sessions at once as a small server has to spare.
_SESSIONS = 4
# What keeps a login out for the moment says nothing about its rights.
_BUSY = ("too many connections", "connection slots are reserved", "starting up", "shutting down", "timeout")


@dataclass(frozen=True)
class _Answer:
    role: str
    rights: tuple[Right, ...] | None
    refusal: str = ""


def ask(context: Context, expected: Expected, passwords: Mapping[str, str]) -> list[str]:
    """Return what is not as expected, a sentence each; raises PipeError when the database does not answer."""
    with context.database.session(_DOING) as connection, connection.transaction():
        prepare(connection)
        roles = roles_of(connection)
        names = checked(roles)
        servers = {
            role: context.config.server(username=role, password=password)
            for role, password in passwords.items()
            if role in names
        }
        with ThreadPoolExecutor(_SESSIONS) as pool:
            answers = list(pool.map(lambda role: _by_itself(servers[role], predefined(expected, role)), servers))
        by_itself = {answer.role: answer.rights for answer in answers}
        held = {role: by_itself.get(role) or held_by(connection, role, predefined(expected, role)) for role in names}
    refused = [f"role {answer.role} cannot log in: {answer.refusal}" for answer in answers if answer.refusal]
    return refused + violations(expected, roles, held)


def _by_itself(server: Server, groups: list[str]) -> _Answer:
    role = server.username
    try:
        with connect(server) as connection, connection.transaction():
            prepare(connection)
            return _Answer(role, held_by(connection, role, groups))
    except psycopg.OperationalError as error:
        cause = first_line(str(error)).rpartition("FATAL:")[2].strip()
        return _Answer(role, None, "" if any(busy in cause for busy in _BUSY) else cause)


def roles_of(connection: Connection) -> list[Role]:
    """Return the roles of the cluster, without those that PostgreSQL brings along."""
    return [
        Role(name, frozenset(attributes), frozenset(member_of), is_bootstrap)
        for name, is_bootstrap, attributes, member_of in connection.execute(query("roles"))
    ]


def held_by(connection: Connection, role: str, groups: list[str]) -> tuple[Right, ...]:
    """Return what a role, or "public", may do, inside a prepared transaction.

    Of what PostgreSQL made, only what neither everybody may do from the beginning nor the predefined roles `groups`.
    """
    rows = connection.execute(query("privileges"), {"role": role, "groups": groups})
    return tuple(Right(kind, object_, owner, tuple(privileges)) for kind, object_, owner, privileges in rows)
