"""Bringing the rows into a database: months first, then COPY table by table, all in one transaction or nothing.

Runs go into live months of their own time, those older than what stays live as well: the job pipe_archive then moves
them, as it would have when time had passed. Triggers are on: foreign keys are checked, and the audit log has the rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from psycopg import sql

from cli.database import Connection, refuse_rows
from cli.seed import activity, tenants
from cli.seed.shape import Shape

LINES_AT_ONCE = 5000
REPORT_EVERY = 100_000


@dataclass(frozen=True)
class Table:
    """A table, its columns in the order of the lines, and what makes these."""

    name: str
    columns: str
    lines: Callable[[Shape], Iterator[str]]


# In the order of their references.
TABLES = (
    Table("users", "id email name password_hash status created_at updated_at", tenants.users),
    Table("organizations", "id name plan_type status created_at updated_at", tenants.organizations),
    Table("organization_members", "organization_id user_id role joined_at", tenants.organization_members),
    Table(
        "pipelines",
        "id organization_id name description config status created_by created_at updated_at",
        tenants.pipelines,
    ),
    Table(
        "api_keys", "id organization_id name key_hash last_used_at created_by created_at expires_at", tenants.api_keys
    ),
    Table(
        "storage_files",
        "id organization_id path size mime_type metadata created_by created_at",
        activity.storage_files,
    ),
    Table(
        "pipeline_runs",
        "id pipeline_id status started_at completed_at error_message metrics created_by",
        activity.pipeline_runs,
    ),
)


def load(connection: Connection, shape: Shape, say: Callable[[str], None]) -> dict[str, str]:
    """Fill the empty tables in the connection's open transaction; the caller commits.

    Returns the SHA-256 of each table's lines. Raises UserError where rows are there already.
    """
    refuse_rows(connection)
    for month in shape.months:
        connection.execute("SELECT pipe.ensure_partition('pipeline_runs', %s)", (month.date(),))
    return {table.name: _copy(connection, table, shape, say) for table in TABLES}


def _copy(connection: Connection, table: Table, shape: Shape, say: Callable[[str], None]) -> str:
    digest = hashlib.sha256()
    statement = sql.SQL("COPY pipe.{} ({}) FROM STDIN").format(
        sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, table.columns.split()))
    )
    count = 0
    lines = table.lines(shape)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        while block := list(islice(lines, LINES_AT_ONCE)):
            text = "".join(block).encode()
            digest.update(text)
            copy.write(text)
            count += len(block)
            if count % REPORT_EVERY == 0:
                say(f"{table.name:<21} {count:>10,} …")
    say(f"{table.name:<21} {count:>10,}  sha256 {digest.hexdigest()[:16]}")
    return digest.hexdigest()
