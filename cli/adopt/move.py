"""Moving the rows: months, COPY from one database into the other, and the proof, in one transaction of the target.

The audit log gets every row as an INSERT, as of any other, and one ADOPT record a table with its count and checksum.
Triggers stay on: nothing but the foreign keys' own could prove the references, and what is adopted is a change too.
updated_at is kept, since it moves on UPDATE only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from psycopg import sql
from psycopg.types.json import Jsonb

from cli.adopt.rules import arriving
from cli.adopt.source import SAME_TEXT, checksum
from cli.adopt.tables import TABLES, Table
from cli.database import Connection, refuse_rows
from cli.errors import UserError


@dataclass(frozen=True)
class Moved:
    """A table that has arrived: its rows' number and checksum, the same on both sides."""

    table: str
    rows: int
    checksum: str


def move(source: Connection, target: Connection, schema: str, say: Callable[[str], None]) -> list[Moved]:
    """Move every table in the target's open transaction; the caller commits.

    Raises UserError where the target has rows, or where what arrived is not what left.
    """
    for statement in SAME_TEXT.split("; "):
        target.execute(statement.replace("SET ", "SET LOCAL ").encode())
    names = sql.SQL(", ").join(sql.Identifier("pipe", table.name) for table in TABLES)
    # Nobody else writes until the end: what is counted is what was moved.
    target.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(names))
    refuse_rows(target)
    _make_months(source, target, schema)
    moved = []
    for table in TABLES:
        _copy(source, target, schema, table)
        moved.append(_prove(source, target, schema, table))
        say(f"{table.name:<21} {moved[-1].rows:>12,} rows  checksum {moved[-1].checksum}")
    return moved


def _make_months(source: Connection, target: Connection, schema: str) -> None:
    """A month for every run, however old: the job pipe_archive takes the old ones from there, as always."""
    runs = next(table for table in TABLES if table.name == "pipeline_runs")
    months = source.execute(
        sql.SQL("SELECT DISTINCT date_trunc('month', n.started_at AT TIME ZONE 'UTC')::date FROM ({}) AS n").format(
            arriving(runs, schema)
        )
    ).fetchall()
    for (month,) in months:
        target.execute("SELECT pipe.ensure_partition('pipeline_runs', %s)", (month,))


def _copy(source: Connection, target: Connection, schema: str, table: Table) -> None:
    out = sql.SQL("COPY ({}) TO STDOUT").format(arriving(table, schema))
    into = sql.SQL("COPY pipe.{} ({}) FROM STDIN").format(sql.Identifier(table.name), table.names())
    with (
        source.cursor() as reading,
        target.cursor() as writing,
        reading.copy(out) as leaving,
        writing.copy(into) as entering,
    ):
        for block in leaving:
            entering.write(block)


def _prove(source: Connection, target: Connection, schema: str, table: Table) -> Moved:
    left = checksum(source, arriving(table, schema), table)
    arrived = checksum(target, sql.SQL("SELECT * FROM pipe.{}").format(sql.Identifier(table.name)), table)
    if left != arrived:
        raise UserError(
            f'table "{table.name}": {left[0]:,} rows with checksum {left[1]} left,'
            f" {arrived[0]:,} with {arrived[1]} arrived",
            "nothing was changed; look for a trigger or a rule that changes rows on their way.",
        )
    details = Jsonb({"rows": left[0], "checksum": left[1]})
    target.execute("SELECT pipe.audit_event('ADOPT', %s, %s)", (table.name, details))
    return Moved(table.name, *left)
