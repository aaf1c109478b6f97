"""What there is in a server, as plain values: the twin of `plan`, which says what to change.

Where the catalog holds no privileges at all, PostgreSQL's built-in ones count: a new database lets PUBLIC connect, a
new function lets PUBLIC execute it. That is how a revoke from PUBLIC that was undone shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from psycopg import sql

from airgap.postgresql.connection import Session
from airgap.postgresql.plan import Held, Membership
from airgap.postgresql.privileges import PUBLIC

# pg_class.relkind: tables, partitioned tables, views, materialized views, foreign tables.
_TABLES: Final = ["r", "p", "v", "m", "f"]
_ROUTINES: Final = {"function": ["f", "a", "w"], "procedure": ["p"], "routine": ["f", "a", "w", "p"]}
_RELATION_LETTER: Final = """(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char" """
_DEFAULT_LETTER: Final = '%(letter)s::"char"'
# pg_default_acl.defaclobjtype, and the letter that acldefault() has for the same type.
_DEFAULTS: Final = {
    "table": ("r", "r"),
    "sequence": ("S", "s"),
    "function": ("f", "f"),
    "routine": ("f", "f"),
    "type": ("T", "T"),
    "schema": ("n", "n"),
}


def role_id(session: Session, role: str) -> int | None:
    """The role's oid, 0 for PUBLIC, None when there is no such role."""
    if role == PUBLIC:
        return 0
    row = session.one("SELECT oid FROM pg_catalog.pg_roles WHERE rolname = %(role)s", {"role": role})
    return int(row["oid"]) if row else None


def schema_id(session: Session, schema: str) -> int | None:
    """The schema's oid, None when there is no such schema."""
    row = session.one("SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = %(name)s", {"name": schema})
    return int(row["oid"]) if row else None


def on_database(session: Session, database: str, grantee: int) -> list[Held]:
    """What the role holds on a database; empty when there is no such database."""
    query = f"""
        SELECT d.datname AS name, {_acl("d.datacl", "'d'", "d.datdba")}
          FROM pg_catalog.pg_database d WHERE d.datname = %(name)s"""
    rows = session.rows(query, {"name": database, "grantee": grantee})
    return [_held(row, sql.Identifier(row["name"])) for row in rows]


def on_schema(session: Session, schema: str, grantee: int) -> list[Held]:
    """What the role holds on a schema; empty when there is no such schema."""
    query = f"""
        SELECT n.nspname AS name, {_acl("n.nspacl", "'n'", "n.nspowner")}
          FROM pg_catalog.pg_namespace n WHERE n.nspname = %(name)s"""
    rows = session.rows(query, {"name": schema, "grantee": grantee})
    return [_held(row, sql.Identifier(row["name"])) for row in rows]


def on_relations(session: Session, object_type: str, schema: str, names: Sequence[str], grantee: int) -> list[Held]:
    """What the role holds on tables (views and partitioned tables count) or sequences; on all when no name is given."""
    query = f"""
        SELECT c.relname AS name, {_acl("c.relacl", _RELATION_LETTER, "c.relowner")},
               (SELECT jsonb_object_agg(p.privilege_type, p.columns)
                  FROM (SELECT x.privilege_type, jsonb_agg(DISTINCT t.attname) AS columns
                          FROM pg_catalog.pg_attribute t, pg_catalog.aclexplode(t.attacl) x
                         WHERE t.attrelid = c.oid AND NOT t.attisdropped AND x.grantee = %(grantee)s
                         GROUP BY x.privilege_type) p) AS columns
          FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = %(schema)s AND c.relkind = ANY(%(kinds)s)
           AND (%(every)s OR c.relname = ANY(%(names)s))
         ORDER BY c.relname"""
    parameters = {
        "grantee": grantee,
        "schema": schema,
        "kinds": ["S"] if object_type == "sequence" else _TABLES,
        "every": not names,
        "names": list(names),
    }
    return [_held(row, sql.Identifier(schema, row["name"])) for row in session.rows(query, parameters)]


def on_routines(session: Session, object_type: str, schema: str, names: Sequence[str], grantee: int) -> list[Held]:
    """What the role holds on functions or procedures, named `f` or, one of several, `f(text, integer)`."""
    query = f"""
        WITH wished (name, oid) AS (
            SELECT s.name, pg_catalog.to_regprocedure(
                     pg_catalog.format('%%I.%%I', %(schema)s::text, pg_catalog.split_part(s.name, '(', 1))
                     || pg_catalog.substr(s.name, pg_catalog.strpos(s.name, '(')))::oid
              FROM unnest(%(names)s::text[]) AS s (name) WHERE s.name LIKE '%%(%%)')
        SELECT f.proname AS name, {_acl("f.proacl", "'f'", "f.proowner")},
               ARRAY(SELECT ARRAY[tn.nspname::text, t.typname::text]
                       FROM unnest(f.proargtypes) WITH ORDINALITY AS a (type, place)
                       JOIN pg_catalog.pg_type t ON t.oid = a.type
                       JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
                      ORDER BY a.place) AS types,
               COALESCE((SELECT w.name FROM wished w WHERE w.oid = f.oid LIMIT 1),
                        f.proname || '(' || pg_catalog.oidvectortypes(f.proargtypes) || ')') AS signature
          FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
         WHERE n.nspname = %(schema)s AND f.prokind = ANY(%(kinds)s)
           AND (%(every)s OR f.proname = ANY(%(names)s) OR f.oid IN (SELECT w.oid FROM wished w))
         ORDER BY f.proname, f.oid"""
    parameters = {
        "grantee": grantee,
        "schema": schema,
        "kinds": _ROUTINES[object_type],
        "every": not names,
        "names": list(names),
    }
    found: list[Held] = []
    for row in session.rows(query, parameters):
        types = sql.SQL(", ").join(sql.Identifier(*pair) for pair in row["types"])
        identity = sql.SQL("{}({})").format(sql.Identifier(schema, row["name"]), types)
        found.append(_held({**row, "name": row["signature"]}, identity))
    return found


def missing_objects(names: Iterable[str], held: Iterable[Held]) -> list[str]:
    """Which of the named objects are not among those found; `f` stands for every routine `f(...)`."""
    found = list(held)
    there = {one.name for one in found} | {one.name.partition("(")[0] for one in found}
    return sorted(name for name in names if name not in there)


def default_privileges(session: Session, object_type: str, owner: int, schema: int | None, grantee: int) -> Held:
    """The default privileges of a role for what `owner` makes in a schema, or anywhere (`schema` None)."""
    stored, letter = _DEFAULTS[object_type]
    query = f"""
        SELECT %(type)s AS name, {_acl("d.acl", '%(letter)s::"char"', "%(owner)s::oid", built_in=schema is None)}
          FROM (SELECT (SELECT a.defaclacl FROM pg_catalog.pg_default_acl a
                         WHERE a.defaclrole = %(owner)s AND a.defaclnamespace = %(schema)s
                           AND a.defaclobjtype = %(stored)s::"char") AS acl) d"""
    parameters = {
        "type": object_type,
        "letter": letter,
        "owner": owner,
        "schema": schema or 0,
        "stored": stored,
        "grantee": grantee,
    }
    row = session.one(query, parameters)
    return _held(row or {}, sql.SQL(""))


def memberships(session: Session, member: str) -> list[Membership]:
    """Every membership of a role, each with its grantor."""
    query = """
        SELECT pg_catalog.pg_get_userbyid(m.roleid)::text AS role,
               pg_catalog.pg_get_userbyid(m.grantor)::text AS grantor, m.admin_option AS admin
          FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles r ON r.oid = m.member
         WHERE r.rolname = %(member)s ORDER BY 1, 2"""
    return [Membership(**row) for row in session.rows(query, {"member": member})]


def _acl(column: str, letter: str, owner: str, built_in: bool = True) -> str:
    """Two columns: the privileges that `grantee` has by an access list, and those that it may pass on."""
    entries = f"COALESCE({column}, pg_catalog.acldefault({letter}, {owner}))" if built_in else column
    entry = f"SELECT DISTINCT x.privilege_type FROM pg_catalog.aclexplode({entries}) x WHERE x.grantee = %(grantee)s"
    return f"ARRAY({entry}) AS privileges, ARRAY({entry} AND x.is_grantable) AS grantable"


def _held(row: dict[str, Any], identity: sql.Composable) -> Held:
    return Held(
        name=str(row.get("name", "")),
        identity=identity,
        privileges=frozenset(row.get("privileges", ())),
        grantable=frozenset(row.get("grantable", ())),
        columns={privilege: tuple(names) for privilege, names in (row.get("columns") or {}).items()},
    )
