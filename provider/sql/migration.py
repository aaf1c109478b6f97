"""``pipe:sql:Migration``: what :mod:`provider.sql.migrations` replaced, one resource a file.

Kept so that the state of a stack that has such resources can let go of them: nothing in the database changes.
"""

from __future__ import annotations

from typing import ClassVar

from provider.errors import PipeError
from provider.resource import Context, Field, Resource
from provider.values import Properties


class Migration(Resource):
    """A migration of an earlier release. Its row in the history is adopted by the resource of all migrations."""

    token = "pipe:sql:Migration"
    description = "What pipe:sql:Migrations replaced; it can only leave the state."
    inputs: ClassVar[dict[str, Field]] = {
        "version": Field(str, "Its number as text."),
        "name": Field(str, "What it does."),
        "file": Field(str, "Path within the project."),
        "sql": Field(str, "The file's text."),
        "owner": Field(str, "The role as which it ran."),
    }

    def create(self, context: Context, new: Properties) -> tuple[str, Properties]:
        """Refuse: migrations are a list."""
        raise PipeError(f'"{new["file"]}" is a resource of an earlier release', "put it into pipe:sql:Migrations")

    def delete(self, context: Context, id_: str, state: Properties) -> None:
        """Leave the database as it is."""
        context.info(f'"{state.get("file")}" stays applied; its row in the history belongs to pipe:sql:Migrations now')
