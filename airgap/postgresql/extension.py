"""Extension: an installed extension of one database."""

from __future__ import annotations

from psycopg import sql

from airgap.base import Context, Created, Failure, Found, Properties, ProviderError, Resource
from airgap.postgresql.connection import Server, Session
from airgap.postgresql.plan import Statement
from airgap.postgresql.values import name_failures

_QUERY = """
    SELECT n.nspname AS schema, e.extversion AS version
      FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
     WHERE e.extname = %(name)s"""


class Extension(Resource):
    """`postgresql.Extension`."""

    computed = frozenset({"database", "schema", "version"})

    def check(self, context: Context, inputs: Properties, old_inputs: Properties) -> list[Failure]:
        missing = [] if "name" in inputs else [Failure("name", "is required, but no value was given")]
        return missing + name_failures(inputs, "name", "database", "schema")

    def create(self, context: Context, inputs: Properties) -> Created:
        server: Server = context.client
        name, database = str(inputs["name"]), str(inputs.get("database") or server.settings.database)
        doing = f'create extension "{name}" in database "{database}"'
        query = sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(name))
        if inputs.get("schema"):
            query += sql.SQL(" SCHEMA {}").format(sql.Identifier(inputs["schema"]))
        if inputs.get("version"):
            query += sql.SQL(" VERSION {}").format(sql.Literal(inputs["version"]))
        if inputs.get("createCascade"):
            query += sql.SQL(" CASCADE")

        def work(session: Session) -> Properties:
            session.execute([Statement(doing, query)])
            return _state(session, database, name, inputs) or {}

        return Created(f"{database}.{name}", server.change(database, doing, work))

    def read(self, context: Context, id: str, state: Properties, inputs: Properties) -> Found | None:
        server: Server = context.client
        database, name = _place(id, state)
        doing = f'read extension "{name}" in database "{database}"'
        found = server.read_if_there(database, doing, lambda session: _state(session, database, name, state))
        return Found(found) if found is not None else None

    def update(
        self, context: Context, id: str, state: Properties, old_inputs: Properties, inputs: Properties
    ) -> Properties:
        server: Server = context.client
        database, name = _place(id, state)

        def work(session: Session) -> Properties:
            actual = session.one(_QUERY, {"name": name})
            if actual is None:
                raise ProviderError(
                    f'could not alter extension "{name}" in database "{database}": it does not exist',
                    "run `pulumi refresh`, then `pulumi up`",
                )
            head = sql.SQL("ALTER EXTENSION {} ").format(sql.Identifier(name))
            schema, version = inputs.get("schema"), inputs.get("version")
            statements: list[Statement] = []
            if schema and schema != actual["schema"]:
                query = head + sql.SQL("SET SCHEMA {}").format(sql.Identifier(schema))
                statements.append(Statement(f'move extension "{name}" to schema "{schema}"', query))
            if version and version != actual["version"]:
                query = head + sql.SQL("UPDATE TO {}").format(sql.Literal(version))
                statements.append(Statement(f'update extension "{name}" to version {version}', query))
            session.execute(statements)
            return _state(session, database, name, inputs) or {}

        return server.change(database, f'alter extension "{name}" in database "{database}"', work)

    def delete(self, context: Context, id: str, state: Properties) -> None:
        server: Server = context.client
        database, name = _place(id, state)
        doing = f'drop extension "{name}" in database "{database}"'
        query = sql.SQL("DROP EXTENSION IF EXISTS {} {}").format(
            sql.Identifier(name), sql.SQL("CASCADE" if state.get("dropCascade") else "RESTRICT")
        )
        server.change_if_there(database, doing, lambda session: session.execute([Statement(doing, query)]))


def _place(id: str, state: Properties) -> tuple[str, str]:
    """Database and name: from the state, or on an import from the id."""
    if state.get("name"):
        return str(state["database"]), str(state["name"])
    database, dot, name = id.partition(".")
    if not dot or not database or not name:
        raise ProviderError(f'extension id "{id}" is not of the form "database.extension"')
    return database, name


def _state(session: Session, database: str, name: str, known: Properties) -> Properties | None:
    actual = session.one(_QUERY, {"name": name})
    if actual is None:
        return None
    cascades = {key: bool(known.get(key)) for key in ("createCascade", "dropCascade")}
    return {"name": name, "database": database, **actual, **cascades}
