"""A session of the migrator in a stack's database, for what fills its tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from cli import connect
from cli.errors import UserError
from cli.session import Session

Connection = psycopg.Connection[tuple[object, ...]]

# Everything that holds tenants' data, archived runs as well.
TABLES = (
    "pipe.users",
    "pipe.organizations",
    "pipe.organization_members",
    "pipe.pipelines",
    "pipe.storage_files",
    "pipe.api_keys",
    "pipe.pipeline_runs",
    "archive.pipeline_runs",
)


@contextmanager
def as_migrator(session: Session) -> Iterator[Connection]:
    """A transaction on the stack's primary, rolled back unless it is committed. The password stays in this process."""
    outputs = session.outputs()
    authority = session.runtime / "ca.pem"
    connect.provide_authority(authority, outputs)
    uri = connect.choose(outputs, "migrator", "read_write")
    try:
        connection = psycopg.connect(uri, sslrootcert=str(authority), application_name="pipe-cli")
    except psycopg.OperationalError as error:
        raise UserError(
            f'stack "{session.stack}" cannot be reached: {error}'.strip(), f"see `make status STACK={session.stack}`."
        ) from None
    with connection:
        try:
            yield connection
        except psycopg.Error as error:
            raise UserError(f"the database refused: {error}".strip(), "nothing was changed.") from error
        finally:
            connection.rollback()


def refuse_rows(connection: Connection) -> None:
    """Raise UserError that names the tables in which there is a row already."""
    full = [
        table
        for table in TABLES
        if connection.execute(f"SELECT EXISTS (SELECT FROM {table})".encode()).fetchone() == (True,)
    ]
    if full:
        raise UserError(
            f"there are rows already in {', '.join(full)}",
            "take a stack without data: make up STACK=<new> LIKE=test.",
        )
