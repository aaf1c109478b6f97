"""Schema: a namespace in a database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from psycopg import sql

from airgap.base import Context, Created, Failure, Found, Properties, ProviderError, Resource
from airgap.postgresql.connection import Server, Session
from airgap.postgresql.plan import Statement
from airgap.postgresql.values import name_failures

_QUERY = """
    SELECT n.nspname AS name, pg_catalog.pg_get_userbyid(n.nspowner)::text AS owner
      FROM pg_catalog.pg_namespace n WHERE n.nspname = %(name)s"""


class Schema(Resource):
    """`postgresql.Schema`."""

    defaults: ClassVar[Mapping[str, Any]] = {"ifNotExists": True}
    computed = frozenset({"database", "owner", "policies"})
    unsupported: ClassVar[Mapping[str, str]] = {"policies": 'use Grant with objectType "schema"'}
    autoname = "name"

    def check(self, context: Context, inputs: Properties, old_inputs: Properties) -> list[Failure]:
        return name_failures(inputs, "name", "database", "owner")

    def create(self, context: Context, inputs: Properties) -> Created:
        server: Server = context.client
        name, database = str(inputs["name"]), str(inputs.get("database") or server.settings.database)

        def work(session: Session) -> Properties:
            actual = session.one(_QUERY, {"name": name})
            if actual is not None and not inputs.get("ifNotExists", True):
                raise ProviderError(
                    f'could not create schema "{name}" in database "{database}": it exists already',
                    "set ifNotExists, take it over with `pulumi import`, or choose another name",
                )
            if actual is None:
                query = sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name))
                if inputs.get("owner"):
                    query += sql.SQL(" AUTHORIZATION {}").format(sql.Identifier(inputs["owner"]))
                session.execute([Statement(f'create schema "{name}" in database "{database}"', query)])
            else:
                session.execute(_owner(name, actual["owner"], inputs.get("owner")))
            return _state(session, database, name, inputs) or {}

        state = server.change(database, f'create schema "{name}" in database "{database}"', work)
        return Created(f"{database}.{name}", state)

    def read(self, context: Context, id: str, state: Properties, inputs: Properties) -> Found | None:
        server: Server = context.client
        database, name = _place(id, state)
        doing = f'read schema "{name}" in database "{database}"'
        found = server.read_if_there(database, doing, lambda session: _state(session, database, name, state))
        return Found(found, id=f"{database}.{name}") if found is not None else None

    def update(
        self, context: Context, id: str, state: Properties, old_inputs: Properties, inputs: Properties
    ) -> Properties:
        server: Server = context.client
        database, old = _place(id, state)
        name = str(inputs["name"])

        def work(session: Session) -> Properties:
            if old != name:
                query = sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(name))
                session.execute([Statement(f'rename schema "{old}" to "{name}"', query)])
            actual = session.one(_QUERY, {"name": name})
            if actual is None:
                raise ProviderError(
                    f'could not alter schema "{name}" in database "{database}": it does not exist',
                    "run `pulumi refresh`, then `pulumi up`",
                )
            session.execute(_owner(name, actual["owner"], inputs.get("owner")))
            return _state(session, database, name, inputs) or {}

        return server.change(database, f'alter schema "{name}" in database "{database}"', work)

    def delete(self, context: Context, id: str, state: Properties) -> None:
        server: Server = context.client
        database, name = _place(id, state)
        doing = f'drop schema "{name}" in database "{database}"'
        query = sql.SQL("DROP SCHEMA IF EXISTS {} {}").format(
            sql.Identifier(name), sql.SQL("CASCADE" if state.get("dropCascade") else "RESTRICT")
        )
        server.change_if_there(database, doing, lambda session: session.execute([Statement(doing, query)]))


def _owner(name: str, actual: str, wanted: str | None) -> list[Statement]:
    if not wanted or wanted == actual:
        return []
    query = sql.SQL("ALTER SCHEMA {} OWNER TO {}").format(sql.Identifier(name), sql.Identifier(wanted))
    return [Statement(f'give schema "{name}" to role "{wanted}"', query)]


def _place(id: str, state: Properties) -> tuple[str, str]:
    """Database and name: from the state, or on an import from the id."""
    if state.get("name"):
        return str(state["database"]), str(state["name"])
    database, dot, name = id.partition(".")
    if not dot or not database or not name:
        raise ProviderError(f'schema id "{id}" is not of the form "database.schema"')
    return database, name


def _state(session: Session, database: str, name: str, known: Properties) -> Properties | None:
    actual = session.one(_QUERY, {"name": name})
    if actual is None:
        return None
    return {
        "name": name,
        "database": database,
        "owner": actual["owner"],
        "policies": [],
        "ifNotExists": known.get("ifNotExists", True),
        "dropCascade": bool(known.get("dropCascade")),
    }
