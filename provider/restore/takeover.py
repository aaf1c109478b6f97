"""``pipe:sql:Takeover``: in a restored cluster, what was restored takes the place of what the stack has just made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from provider.errors import PipeError
from provider.resource import Context, Field, Resource
from provider.values import Properties

if TYPE_CHECKING:
    from provider.config import Server
    from provider.sql.connection import Connection

SUFFIX = "_restored"
_ROLES = Path(__file__).with_name("takeover.sql")
_MAY_CONNECT = "SELECT datallowconn FROM pg_catalog.pg_database WHERE datname = %s"
_OWN = (
    "SELECT count(*) FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
    " WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
)


class Takeover(Resource):
    """A step of a cluster's first update; a cluster that was not restored has nothing aside. Its id is the database."""

    token = "pipe:sql:Takeover"
    description = "Puts a restored database and its roles in the place of the empty ones that were made first."
    inputs: ClassVar[dict[str, Field]] = {
        "database": Field(str, "The database."),
        "username": Field(str, "A superuser who may log in."),
        "password": Field(str, "Its password.", secret=True),
    }

    def diff(self, old: Properties, new: Properties) -> dict[str, bool]:
        """Find no difference: it happens once."""
        del old, new
        return {}

    def create(self, context: Context, new: Properties) -> tuple[str, Properties]:
        """Swap the database, then the roles; each step finds out whether an interrupted run did it already."""
        import psycopg
        from psycopg import sql

        from provider.sql.connection import connect, connection_error

        database = str(new["database"])
        names = {"database": sql.Identifier(database), "aside": sql.Identifier(database + SUFFIX)}
        server = context.config.server(database="postgres", username=new["username"], password=new["password"])
        try:
            with connect(server) as connection:
                if _is_there(connection, database + SUFFIX):
                    context.progress("puts the restored database and its roles in place")
                    if _is_there(connection, database):
                        _refuse_data(context, new)
                        connection.execute(sql.SQL("DROP DATABASE {database} WITH (FORCE)").format(**names))
                    connection.execute(sql.SQL("ALTER DATABASE {aside} RENAME TO {database}").format(**names))
                elif not _is_closed(connection, database):
                    return database, new
                with connection.transaction():
                    connection.execute("SET LOCAL search_path = pg_catalog")
                    connection.execute(_ROLES.read_bytes())
                # Last of all: until here a closed database says that this is not complete. Now pg_cron may in as well.
                connection.execute(sql.SQL("ALTER DATABASE {database} ALLOW_CONNECTIONS true").format(**names))
        except psycopg.Error as error:
            raise connection_error(error, server, "putting the restored database in place") from error
        return database, new


def _is_there(connection: Connection, database: str) -> bool:
    return connection.execute(_MAY_CONNECT, (database,)).fetchone() is not None


def _is_closed(connection: Connection, database: str) -> bool:
    return connection.execute(_MAY_CONNECT, (database,)).fetchone() == (False,)


def _refuse_data(context: Context, new: Properties) -> None:
    """Raise PipeError unless the database that is to make room is empty."""
    from provider.sql.connection import connect

    server: Server = context.config.server(database=new["database"], username=new["username"], password=new["password"])
    with connect(server) as connection:
        row = connection.execute(_OWN).fetchone()
    if row is None or row[0]:
        raise PipeError(
            f'the database "{new["database"]}" is not empty, so the restored one does not take its place',
            f'look at both: "{new["database"]}" and "{new["database"]}{SUFFIX}"; drop the one that is not wanted',
        )
