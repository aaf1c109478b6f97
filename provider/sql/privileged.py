"""``pipe:sql:Privileged``: a text that only a superuser may run, such as one with event triggers."""

from __future__ import annotations

from typing import ClassVar

from provider.resource import Context, Field, Resource
from provider.values import Properties


class Privileged(Resource):
    """A repeatable text of a superuser's. Its id is its name; removing it leaves the database as it is."""

    token = "pipe:sql:Privileged"
    description = "SQL that needs a superuser, applied in one transaction whenever it changes."
    inputs: ClassVar[dict[str, Field]] = {
        "name": Field(str, "Unique name.", replaces=True),
        "file": Field(str, "Path within the project, for messages."),
        "sql": Field(str, "The text; safe to run again."),
        "username": Field(str, "A superuser who may log in."),
        "password": Field(str, "Its password.", secret=True),
        "triggers": Field(list, "Values whose change applies the text again.", required=False),
    }

    def diff(self, old: Properties, new: Properties) -> dict[str, bool]:
        """Compare inputs; another password is no reason to run the text again."""
        return {name: replaces for name, replaces in super().diff(old, new).items() if name != "password"}

    def create(self, context: Context, new: Properties) -> tuple[str, Properties]:
        """Apply it, statement by statement."""
        import psycopg

        from provider.sql.connection import connect, connection_error
        from provider.sql.scanner import split

        name = str(new["name"])
        server = context.config.server(username=new["username"], password=new["password"])
        try:
            with connect(server) as connection, connection.transaction():
                for statement in split(str(new["sql"])):
                    connection.execute(statement.text.encode())
        except psycopg.Error as error:
            raise connection_error(error, server, f'applying "{new["file"]}"') from error
        return name, new
