"""Grants, default privileges and memberships: what is held and what is wanted, mapped to statements. Pure.

Only what differs is granted or revoked, so nobody loses access for a moment, and a second run says nothing at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from psycopg import sql

from airgap.postgresql.privileges import PUBLIC, spelled

Query: TypeAlias = sql.SQL | sql.Composed
Decision: TypeAlias = "Callable[[Held], frozenset[str]]"

_KEYWORDS = {
    "database": "DATABASE",
    "schema": "SCHEMA",
    "table": "TABLE",
    "column": "TABLE",
    "sequence": "SEQUENCE",
    "function": "FUNCTION",
    "procedure": "PROCEDURE",
    "routine": "ROUTINE",
}


@dataclass(frozen=True)
class Statement:
    """One statement, and in words what it does, for the sentence that reports its failure."""

    doing: str
    query: Query


@dataclass(frozen=True)
class Held:
    """What one role holds on one object: privileges, those it may pass on, and privileges on columns only."""

    name: str
    identity: sql.Composable
    privileges: frozenset[str] = frozenset()
    grantable: frozenset[str] = frozenset()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Wanted:
    """What one role shall hold on every object of the list."""

    object_type: str
    role: str
    privileges: frozenset[str]
    grant_option: bool = False


def keywords(privileges: Iterable[str]) -> sql.Composed:
    """Privileges as SQL; they come from `privileges.BY_TYPE` or from the catalog, never from a user's text."""
    return sql.SQL(", ").join(sql.SQL(name) for name in sorted(privileges))


def _to(role: str) -> str:
    return "PUBLIC" if role == PUBLIC else f'role "{role}"'


def _excess(held: Held, wanted: Wanted) -> frozenset[str]:
    extra = held.privileges - wanted.privileges
    if wanted.role == PUBLIC and not wanted.privileges:
        # PUBLIC shall hold nothing: a privilege on a single column counts as well.
        extra |= frozenset(held.columns)
    return extra


def _passed_on(held: Held, wanted: Wanted) -> frozenset[str]:
    return frozenset() if wanted.grant_option else held.grantable & wanted.privileges


def _missing(held: Held, wanted: Wanted) -> frozenset[str]:
    return wanted.privileges - (held.grantable if wanted.grant_option else held.privileges)


def grant(held: Sequence[Held], wanted: Wanted) -> list[Statement]:
    """Statements that leave the role with exactly the wanted privileges on every object in `held`.

    Revoking a privilege on a table takes it from the table's columns, too: those that the role held on columns in their
    own right are granted again in the same breath, because another resource looks after them.
    """
    kind = sql.SQL(_KEYWORDS[wanted.object_type])
    role = sql.Identifier(wanted.role)
    found: list[Statement] = []
    for privileges, objects in _alike(held, lambda one: _excess(one, wanted)):
        doing = f"revoke {spelled(privileges)} on {_shown(wanted.object_type, objects)} from {_to(wanted.role)}"
        query = sql.SQL("REVOKE {} ON {} {} FROM {}").format(keywords(privileges), kind, _listed(objects), role)
        found.append(Statement(doing, query))
        if wanted.privileges or wanted.role != PUBLIC:
            for one in objects:
                found += _columns_again(one, privileges, wanted.role)
    for privileges, objects in _alike(held, lambda one: _passed_on(one, wanted)):
        doing = f"revoke the grant option on {_shown(wanted.object_type, objects)} from {_to(wanted.role)}"
        query = sql.SQL("REVOKE GRANT OPTION FOR {} ON {} {} FROM {}").format(
            keywords(privileges), kind, _listed(objects), role
        )
        found.append(Statement(doing, query))
    for privileges, objects in _alike(held, lambda one: _missing(one, wanted)):
        doing = f"grant {spelled(privileges)} on {_shown(wanted.object_type, objects)} to {_to(wanted.role)}"
        query = sql.SQL("GRANT {} ON {} {} TO {}").format(keywords(privileges), kind, _listed(objects), role)
        found.append(Statement(doing, query + sql.SQL(" WITH GRANT OPTION") if wanted.grant_option else query))
    return found


def grant_columns(table: Held, wanted: Wanted, columns: frozenset[str]) -> list[Statement]:
    """Statements that leave the role with the one wanted privilege on exactly these columns of the table."""
    (privilege,) = wanted.privileges
    held = frozenset(table.columns.get(privilege, ()))
    found: list[Statement] = []
    if held - columns:
        found.append(_column_statement("revoke", privilege, held - columns, table, wanted))
    if columns - held or wanted.grant_option:
        missing = columns if wanted.grant_option else columns - held
        found.append(_column_statement("grant", privilege, missing, table, wanted))
    return found


def _column_statement(verb: str, privilege: str, columns: frozenset[str], table: Held, wanted: Wanted) -> Statement:
    preposition = "from" if verb == "revoke" else "to"
    names = ", ".join(f'"{name}"' for name in sorted(columns))
    query = sql.SQL("{} {} ({}) ON TABLE {} {} {}").format(
        sql.SQL(verb.upper()), sql.SQL(privilege), sql.SQL(", ").join(map(sql.Identifier, sorted(columns))),
        table.identity, sql.SQL(preposition.upper()), sql.Identifier(wanted.role),
    )  # fmt: skip
    if verb == "grant" and wanted.grant_option:
        query += sql.SQL(" WITH GRANT OPTION")
    doing = f'{verb} {privilege} on columns {names} of table "{table.name}" {preposition} {_to(wanted.role)}'
    return Statement(doing, query)


def _columns_again(one: Held, revoked: frozenset[str], role: str) -> Iterator[Statement]:
    for privilege in sorted(revoked & frozenset(one.columns)):
        wanted = Wanted("column", role, frozenset({privilege}))
        yield _column_statement("grant", privilege, frozenset(one.columns[privilege]), one, wanted)


def _alike(held: Sequence[Held], decide: Decision) -> Iterator[tuple[frozenset[str], list[Held]]]:
    """Groups the objects for which the same privileges are to change, so that one statement serves many objects."""
    groups: dict[frozenset[str], list[Held]] = {}
    for one in held:
        privileges = decide(one)
        if privileges:
            groups.setdefault(privileges, []).append(one)
    yield from groups.items()


def _listed(objects: Sequence[Held]) -> sql.Composed:
    return sql.SQL(", ").join(one.identity for one in objects)


def _shown(object_type: str, objects: Sequence[Held]) -> str:
    if len(objects) == 1:
        return f'{object_type} "{objects[0].name}"'
    shown = ", ".join(f'"{one.name}"' for one in objects[:3])
    return f"{object_type}s {shown}" + (f" and {len(objects) - 3} more" if len(objects) > 3 else "")


@dataclass(frozen=True)
class DefaultScope:
    """For whose new objects, and in which schema (None: in all), default privileges are meant."""

    owner: str
    schema: str | None


def default_privileges(scope: DefaultScope, held: Held, wanted: Wanted) -> list[Statement]:
    """Statements that leave exactly the wanted privileges as default ones for the role."""
    head = sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {}").format(sql.Identifier(scope.owner))
    if scope.schema:
        head += sql.SQL(" IN SCHEMA {}").format(sql.Identifier(scope.schema))
    kind, role = sql.SQL(f"{wanted.object_type.upper()}S"), sql.Identifier(wanted.role)
    place = f'future {wanted.object_type}s of role "{scope.owner}"'
    place += f' in schema "{scope.schema}"' if scope.schema else ""
    found: list[Statement] = []
    excess = held.privileges - wanted.privileges
    passed_on, missing = _passed_on(held, wanted), _missing(held, wanted)
    if excess:
        query = head + sql.SQL(" REVOKE {} ON {} FROM {}").format(keywords(excess), kind, role)
        found.append(Statement(f"revoke {spelled(excess)} on {place} from {_to(wanted.role)}", query))
    if passed_on:
        query = head + sql.SQL(" REVOKE GRANT OPTION FOR {} ON {} FROM {}").format(keywords(passed_on), kind, role)
        found.append(Statement(f"revoke the grant option on {place} from {_to(wanted.role)}", query))
    if missing:
        query = head + sql.SQL(" GRANT {} ON {} TO {}").format(keywords(missing), kind, role)
        if wanted.grant_option:
            query += sql.SQL(" WITH GRANT OPTION")
        found.append(Statement(f"grant {spelled(missing)} on {place} to {_to(wanted.role)}", query))
    return found


@dataclass(frozen=True)
class Membership:
    """One row of the memberships: since PostgreSQL 16 every grantor has a row of his own."""

    role: str
    grantor: str
    admin: bool


def join(member: str, role: str, admin: bool = False) -> Statement:
    """Makes `member` a member of `role`."""
    query = sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(member))
    if admin:
        query += sql.SQL(" WITH ADMIN OPTION")
    return Statement(f'grant role "{role}" to role "{member}"', query)


def leave(member: str, held: Membership, grantors: bool) -> Statement:
    """Ends one membership, whoever granted it; servers before 16 (`grantors` false) know one row per pair."""
    query = sql.SQL("REVOKE {} FROM {}").format(sql.Identifier(held.role), sql.Identifier(member))
    if grantors:
        query += sql.SQL(" GRANTED BY {}").format(sql.Identifier(held.grantor))
    return Statement(f'revoke role "{held.role}" from role "{member}"', query)


def memberships(member: str, held: Iterable[Membership], wanted: frozenset[str], grantors: bool) -> list[Statement]:
    """Statements that leave the role a member of exactly the wanted roles."""
    rows = list(held)
    ended = [leave(member, one, grantors) for one in rows if one.role not in wanted]
    return ended + [join(member, role) for role in sorted(wanted - {one.role for one in rows})]
