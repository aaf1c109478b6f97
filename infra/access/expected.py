"""The access matrix as what each role is expected to be able to do, for the proof after every `up`. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from infra.access import matrix

# What serves the cluster and is made with it; to the database of the matrix it has no key.
REWIND = "pipe_rewind"
OTHERS = {
    matrix.REPLICATOR: ("LOGIN", "REPLICATION"),
    matrix.PROVISIONER: ("LOGIN", "SUPERUSER"),
    REWIND: ("LOGIN",),
}
# pg_rewind asks the leader there.
BOOTSTRAPPED = {"database postgres": {REWIND: ["CONNECT"]}}
# Whoever owns the database is in this role by that alone.
DATABASE_OWNER = "pg_database_owner"

Privileges = dict[str, list[str]]


def expected(open_logins: Collection[str]) -> dict[str, Any]:
    """Return the form that ``provider.catalog.rights`` describes; `open_logins` are the roles that may log in now."""
    roles = {
        role.name: {
            "attributes": ["LOGIN"] if role.login and role.name in open_logins else [],
            "memberOf": [*role.member_of, *([DATABASE_OWNER] if role.name == matrix.OWNER else [])],
        }
        for role in matrix.ROLES
    }
    return {
        # Who cannot log in is there to own something; jobs and what shows them are the migrator's.
        "owners": [role.name for role in matrix.ROLES if not role.login or role.name == matrix.MIGRATOR],
        "roles": roles,
        "others": {name: {"attributes": list(attributes), "memberOf": []} for name, attributes in OTHERS.items()},
        "objects": _objects() | BOOTSTRAPPED,
        "defaults": _by_key(
            (f"{default.kind.value} {default.schema}", default.role, default.access) for default in matrix.DEFAULTS
        ),
    }


def _objects() -> dict[str, Privileges]:
    return _by_key((_key(row), role, access) for row in matrix.MATRIX for role, access in row.access.items())


def _key(row: matrix.Row) -> str:
    match row.kind:
        case matrix.Kind.DATABASE:
            return f"database {matrix.DATABASE}"
        case matrix.Kind.SCHEMA:
            return f"schema {row.schema}"
        case _:
            # PostgreSQL prints arguments without a space between them.
            return f"{row.kind.value} {row.schema}.{row.name.replace(', ', ',') or '*'}"


def _by_key(granted: Iterable[tuple[str, str, matrix.Access]]) -> dict[str, Privileges]:
    found: dict[str, Privileges] = {}
    for key, role, access in granted:
        words = [
            f"{privilege} ({column})" if column else privilege
            for privilege in access.privileges
            for column in access.columns or ("",)
        ]
        found.setdefault(key, {}).setdefault(role, []).extend(words)
    return found
