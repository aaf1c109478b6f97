"""Months that are due leave: export, read back, compare, and only then drop. Every step can be the last one of a run.

What is there decides what is left to do. A month with a manifest is exported; it is read back in any case, in the very
transaction that drops it. Without a manifest it is exported anew, whatever lies there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

from psycopg import sql

from cli.database import Connection
from cli.errors import UserError
from cli.export import files, manifest
from cli.export.manifest import Manifest, Month

Say = Callable[[str], None]
AUDIT = "audit_logs"


def due(connection: Connection) -> list[Month]:
    """The months that may leave by the stack's settings, the oldest first."""
    rows = connection.execute("SELECT parent::text, month FROM upkeep.months_to_export()").fetchall()
    connection.rollback()
    return [Month(str(parent), first_day) for parent, first_day in rows if isinstance(first_day, date)]


def leave(connection: Connection, month: Month, directory: Path, say: Say) -> None:
    """Export a month and drop it. Raises UserError, with the month in its place, where anything differs."""
    file = manifest.path_of(directory, month)
    if not file.exists():
        found = export(connection, month, directory)
        say(f"{month.name}: exported {found.rows:,} rows to {directory / found.data}")
    found = manifest.read(file)
    if found.of != month:
        raise UserError(f'"{file}" is an export of {found.of.name}', "move it away.")
    read_back(connection, found, directory)
    say(f"{month.name}: read back {found.rows:,} rows, count and checksum are the same")
    connection.execute(
        "SELECT pipe.drop_month(%s, %s, %s, %s, %s)",
        (month.table, month.first_day, found.rows, found.checksum, found.sha256),
    )
    connection.commit()
    say(f"{month.name}: dropped")


def export(connection: Connection, month: Month, directory: Path) -> Manifest:
    """Write data and manifest, out of one snapshot."""
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    if month.table == AUDIT:
        connection.execute("SELECT pipe.refuse_unsealed_month(%s::regclass)", (f"archive.{month.name}",))
    columns = columns_of(connection, month)
    rows, checksum = checksum_of(connection, month, f"archive.{month.name}")
    data = f"{month.name}{manifest.DATA_SUFFIX}"
    exported = Manifest(
        month.table,
        month.first_day.isoformat(),
        rows,
        checksum,
        columns,
        data,
        files.write(directory / data, files.compressed(_rows(connection, month, columns))),
        _one(connection, "SELECT version || '_' || name FROM upkeep.last_migration()"),
        _seals(connection, month),
    )
    connection.rollback()
    files.write(manifest.path_of(directory, month), [exported.text().encode()])
    return exported


def read_back(connection: Connection, exported: Manifest, directory: Path) -> None:
    """Load the file into a temporary table of the open transaction, and have the database compare."""
    month = exported.of
    connection.execute(
        sql.SQL("CREATE TEMPORARY TABLE read_back (LIKE archive.{}) ON COMMIT DROP").format(sql.Identifier(month.table))
    )
    load(connection, exported, directory, sql.Identifier("pg_temp", "read_back"))
    found = checksum_of(connection, month, "pg_temp.read_back")
    if found != (exported.rows, exported.checksum):
        raise UserError(
            f'"{exported.data}" holds {found[0]:,} rows with checksum {found[1]},'
            f" exported were {exported.rows:,} with {exported.checksum}",
            f"move it away together with {month.name}{manifest.SUFFIX}, and run it again; nothing was dropped.",
        )
    connection.execute("DROP TABLE pg_temp.read_back")


def load(connection: Connection, exported: Manifest, directory: Path, table: sql.Composable) -> None:
    """Copy the file's rows into a table."""
    names = sql.SQL(", ").join(sql.Identifier(name) for name, _, _ in exported.columns)
    with (
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(table, names)) as copy,
    ):
        files.decompressed(directory / exported.data, copy.write, exported.sha256)


def columns_of(connection: Connection, month: Month) -> tuple[tuple[str, str, bool], ...]:
    """Columns of a table's archived months: name, type, never null."""
    rows = connection.execute(
        "SELECT column_name::text, type, required FROM pipe.month_columns(%s)", (month.table,)
    ).fetchall()
    return tuple((str(name), str(type_), bool(required)) for name, type_, required in rows)


def checksum_of(connection: Connection, month: Month, table: str) -> tuple[int, str]:
    """Number of rows and checksum of a table with the month's columns, as the database computes them."""
    row = connection.execute(
        "SELECT row_count, checksum FROM pipe.month_checksum(%s, %s::regclass)", (month.table, table)
    ).fetchone()
    assert row is not None
    return int(str(row[0])), str(row[1])


def _rows(connection: Connection, month: Month, columns: tuple[tuple[str, str, bool], ...]) -> Iterator[memoryview]:
    names = sql.SQL(", ").join(sql.Identifier(name) for name, _, _ in columns)
    statement = sql.SQL("COPY archive.{} ({}) TO STDOUT").format(sql.Identifier(month.name), names)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for block in copy:
            yield memoryview(block)


def _seals(connection: Connection, month: Month) -> tuple[int, int] | None:
    if month.table != AUDIT:
        return None
    row = connection.execute(
        "SELECT min(number), max(number) FROM pipe.audit_seals"
        " WHERE last_row_at >= %(first)s::timestamp AT TIME ZONE 'UTC'"
        " AND first_row_at < (%(first)s::timestamp + interval '1 month') AT TIME ZONE 'UTC'",
        {"first": month.first_day},
    ).fetchone()
    return (int(str(row[0])), int(str(row[1]))) if row and row[0] is not None else None


def _one(connection: Connection, query: str) -> str:
    row = connection.execute(query.encode()).fetchone()
    return str(row[0]) if row else ""
