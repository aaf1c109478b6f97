"""``pipe:catalog:Baseline``: how the catalog was before the program's next changes to it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from provider.resource import Context, Field, Resource
from provider.values import Properties

if TYPE_CHECKING:
    from provider.sql.connection import Connection

ID = "baseline"


class Baseline(Resource):
    """A look before roles, migrations and grants; what comes after them is compared with it."""

    token = "pipe:catalog:Baseline"
    description = "Keeps a picture of the catalog before the changes that the triggers announce."
    inputs: ClassVar[dict[str, Field]] = {
        "owner": Field(str, "The role that owns schema migrations, where the picture is kept."),
        "triggers": Field(list, "Digests of everything that the program makes in the catalog."),
        "username": Field(str, "A superuser, who looks in place of the provider's own role.", required=False),
        "password": Field(str, "Its password.", required=False, secret=True),
    }

    def create(self, context: Context, new: Properties) -> tuple[str, Properties]:
        """Keep nothing: with the database comes its first picture, which expects whatever it finds."""
        return ID, new

    def update(self, context: Context, id_: str, old: Properties, new: Properties) -> Properties:
        """Keep the picture of now, unless the changes of an earlier `up` have not come to their end."""
        from provider.catalog import before
        from provider.catalog.look import look
        from provider.sql.history import act_as

        with _session(context, new) as connection, connection.transaction():
            act_as(connection, new["owner"])
            before.ensure(connection)
            live = look(connection)
            act_as(connection, new["owner"])
            before.keep(connection, live.lines)
        return new


@contextlib.contextmanager
def _session(context: Context, new: Properties) -> Iterator[Connection]:
    """Lend a session of the provider's own role.

    Where a superuser is given he begins it: the provider's own password may be the one that this `up` is to set.
    """
    import psycopg
    from psycopg import sql

    from provider.sql.connection import connect, connection_error

    doing = "looking at the catalog"
    if new.get("username") is None:
        with context.database.session(doing) as connection:
            yield connection
        return
    server = context.config.server(username=new["username"], password=new.get("password"))
    role = sql.Identifier(context.config.server().username)
    try:
        with connect(server) as connection:
            connection.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(role))
            yield connection
    except psycopg.Error as error:
        raise connection_error(error, server, doing) from error
