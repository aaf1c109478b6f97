"""Runs a verify script: read-only, rolled back, and what it says about the migration that just ran.

A migration holds when no statement of its script raises an error and no query returns a boolean that is not true:
``SELECT count(*) = 4 FROM ...``, or a ``DO`` block with ``ASSERT`` in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provider.errors import PipeError
from provider.sql import apply
from provider.sql.header import Header
from provider.sql.plan import File
from provider.sql.scanner import Statement, split

if TYPE_CHECKING:
    from provider.resource import Context
    from provider.sql.connection import Connection

_BOOLEAN_OID = 16


def check(
    connection: Connection, context: Context, migration: File, script: File, owner: str, header: Header, hint: str
) -> None:
    """Raise PipeError when the script does not hold; ``hint`` says what that means for the migration."""
    what = f'the check of migration "{migration.version}"'
    # Inside the migration's transaction this is a savepoint, after one without a transaction of its own.
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL transaction_read_only = on")
        apply.become(connection, owner, header)
        with apply.running(connection, context, what, script.file, header, (hint,)) as run:
            for statement in split(script.sql):
                cursor = run.execute(statement)
                columns = [
                    index for index, column in enumerate(cursor.description or ()) if column.type_code == _BOOLEAN_OID
                ]
                if columns and any(row[index] is not True for row in cursor.fetchall() for index in columns):
                    raise _refuted(what, script, statement, hint)


def _refuted(what: str, script: File, statement: Statement, hint: str) -> PipeError:
    return PipeError(
        f'{what} failed at "{script.file}" line {statement.line}: the query returned what is not true\n'
        + apply.shown(statement, statement.line),
        hint,
    )
