"""The database that rows come from: how it is named, and how it is read: one snapshot, and nothing but reading."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from cli.adopt.tables import TABLES, Table
from cli.database import Connection
from cli.errors import UserError

# Text forms of values have to be the same on both sides: they are compared.
SAME_TEXT = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; SET extra_float_digits = 1; SET bytea_output = 'hex'"


@contextmanager
def opened(conninfo: str) -> Iterator[Connection]:
    """A read-only transaction on one snapshot of the source; rows that come later are not seen."""
    refuse_password(conninfo)
    try:
        connection = psycopg.connect(conninfo, application_name="pipe-adopt", autocommit=True)
    except psycopg.OperationalError as error:
        raise UserError(
            f"the source cannot be reached: {error}".strip(),
            "try the same SOURCE with psql: psql SOURCE -c 'SELECT 1'.",
        ) from None
    with connection:
        for statement in SAME_TEXT.split("; "):
            connection.execute(statement.encode())
        connection.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield connection
        connection.execute("ROLLBACK")


def refuse_password(conninfo: str) -> None:
    """A password in SOURCE would stand in the list of processes and in the shell's history."""
    try:
        given = conninfo_to_dict(conninfo).get("password")
    except psycopg.ProgrammingError:
        raise UserError("SOURCE is neither a URI nor a connection string of libpq", "e.g. service=old.") from None
    if given:
        raise UserError(
            "SOURCE has a password in it",
            "write it to ~/.pgpass or, with everything else, to ~/.pg_service.conf and say SOURCE=service=<name>.",
        )


def check_tables(source: Connection, schema: str) -> list[str]:
    """Raise UserError where a table of the document is missing or has other columns; return the other tables there."""
    found: dict[str, set[str]] = {}
    rows = source.execute(
        "SELECT relname, attname FROM pg_class INNER JOIN pg_attribute ON attrelid = pg_class.oid"
        " WHERE relnamespace = to_regnamespace(quote_ident(%s)) AND relkind IN ('r', 'p') AND NOT relispartition"
        " AND attnum > 0 AND NOT attisdropped",
        (schema,),
    )
    for table, column in rows:
        found.setdefault(str(table), set()).add(str(column))
    for wanted in TABLES:
        if wanted.name not in found:
            raise UserError(f'the source has no table "{schema}.{wanted.name}"', "name its schema: ARGS=--schema=….")
        missing, more = set(wanted.columns) - found[wanted.name], found[wanted.name] - set(wanted.columns)
        if missing:
            raise UserError(f'table "{wanted.name}" of the source has no column {", ".join(sorted(missing))}')
        if more:
            raise UserError(
                f'table "{wanted.name}" of the source has columns that would be lost: {", ".join(sorted(more))}',
                "add them to the stack by a migration and to cli/adopt/tables.py, or drop them in the source.",
            )
    return sorted(set(found) - {table.name for table in TABLES})


def checksum(connection: Connection, rows: sql.Composable, table: Table) -> tuple[int, str]:
    """Number of rows and a checksum over them, whatever their order: the sum of each row's digest."""
    query = sql.SQL(
        "SELECT count(*), coalesce(sum(('x' || left(md5(ROW({columns})::text), 15))::bit(60)::bigint), 0)::text"
        " FROM ({rows}) AS n"
    ).format(columns=sql.SQL(", ").join(sql.Identifier("n", column) for column in table.columns), rows=rows)
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(str(row[0])), str(row[1])
