"""Old months that are due to leave, and what is known of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from cli.export.manifest import Month
from infra.access import matrix
from infra.policies import partition_policy
from tests.fixtures.schema_database import DEFAULT_SETTINGS, Connection, SchemaDatabase
from tests.schema.rows import make_tenant

ROWS = 500
EXPORTING = replace(
    DEFAULT_SETTINGS, data=replace(DEFAULT_SETTINGS.data, runs_export_after_months=4, audit_export_after_months=4)
)


def quiet(_: str) -> None:
    """Say nothing."""


@contextmanager
def months_due(database: SchemaDatabase) -> Iterator[Connection]:
    """A session as the command has it, while old months are due."""
    database.apply_text(partition_policy(EXPORTING).text)
    # The provider's record of what it has applied; this server's schema was made without it.
    database.apply_text(
        "CREATE TABLE migrations.history AS"
        " SELECT '0012' AS version, 'last' AS name, now() AS applied_at, NULL AS restore_point, NULL AS lsn"
    )
    try:
        with database.session(matrix.MIGRATOR) as connection:
            yield connection
    finally:
        database.apply_text("DROP TABLE migrations.history")
        database.apply_text(partition_policy(DEFAULT_SETTINGS).text)


def archived(database: SchemaDatabase, month: Month) -> Month:
    """Make a month with rows of every kind of value, and archive it."""
    with database.session(matrix.PROVISIONER) as owner:
        owner.execute("SELECT pipe.ensure_partition(%s, %s)", (month.table, month.first_day))
        if month.table == "pipeline_runs":
            owner.execute(
                "INSERT INTO pipe.pipeline_runs (pipeline_id, status, started_at, error_message, metrics)"
                " SELECT %s, 'failed', %s::timestamp AT TIME ZONE 'UTC' + n * interval '1 hour 1 microsecond',"
                r" CASE WHEN n %% 3 > 0 THEN E'tab\t \\ 日本 ' || n END, jsonb_build_object('ü', n / 3.0)"
                " FROM generate_series(1, %s) AS n",
                (make_tenant(owner).pipeline, month.first_day, ROWS),
            )
        else:
            owner.execute(
                "INSERT INTO pipe.audit_logs (occurred_at, session_role, acting_role, operation, table_name)"
                " SELECT %s::timestamp AT TIME ZONE 'UTC' + n * interval '1 hour', 'x', 'x', 'INSERT', 'old'"
                " FROM generate_series(1, %s) AS n",
                (month.first_day, ROWS),
            )
        owner.execute(f"ALTER TABLE pipe.{month.table} DETACH PARTITION pipe.{month.name}".encode())
        owner.execute("SELECT pipe.archive_finish(%s, %s)", (month.table, month.name))
        owner.commit()
    return month


def rows_of(connection: Connection, month: Month) -> list[tuple[object, ...]]:
    """The month's rows through the view, as text."""
    key = "started_at" if month.table == "pipeline_runs" else "occurred_at"
    rows = connection.execute(
        f"SELECT r::text FROM pipe.{month.table}_all AS r WHERE {key} >= %(first)s::timestamp AT TIME ZONE 'UTC'"
        f" AND {key} < (%(first)s::timestamp + interval '1 month') AT TIME ZONE 'UTC' ORDER BY 1".encode(),
        {"first": month.first_day},
    ).fetchall()
    connection.rollback()
    return rows


def told(connection: Connection, operation: str, month: Month) -> list[object]:
    rows = connection.execute(
        "SELECT new_values FROM pipe.audit_logs WHERE operation = %s AND table_name = %s", (operation, month.name)
    ).fetchall()
    connection.rollback()
    return [values for (values,) in rows]
