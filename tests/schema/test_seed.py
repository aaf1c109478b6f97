"""`make seed` on a real database: every check holds, months are there, nothing is loaded twice."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cli.errors import UserError
from cli.seed.load import TABLES, load
from cli.seed.shape import Shape
from infra.access import matrix
from tests.fixtures.schema_database import Connection, SchemaDatabase
from tests.schema.rows import one

# Seeding refuses a database with rows in it.
OWN_DATABASE = True
SHAPE = Shape(runs=2000, number=7, until=datetime(2031, 3, 15, tzinfo=UTC))


def contents(connection: Connection) -> dict[str, tuple[object, object]]:
    """Count and digest of each table's rows, whatever their order."""
    return {
        table.name: (
            one(connection, f"SELECT count(*) FROM pipe.{table.name}"),
            one(connection, f"SELECT md5(string_agg(r::text, '' ORDER BY r::text)) FROM pipe.{table.name} AS r"),
        )
        for table in TABLES
    }


def test_the_same_seed_fills_the_tables_with_the_same_rows(database: SchemaDatabase) -> None:
    seen = []
    for _ in range(2):
        said: list[str] = []
        with database.session(matrix.MIGRATOR) as connection:
            digests = load(connection, SHAPE, said.append)
            seen.append((contents(connection), digests))
            assert one(connection, "SELECT count(*) FROM pipe.pipeline_runs_y2030m03") != 0
            assert (
                one(connection, "SELECT count(DISTINCT date_trunc('month', started_at)) FROM pipe.pipeline_runs") == 13
            )
    assert seen[0] == seen[1]
    assert {name: count for name, (count, _) in seen[0][0].items()}["pipeline_runs"] == SHAPE.runs
    assert said[-1].startswith("pipeline_runs              2,000  sha256 ")


def test_every_row_is_in_the_audit_log(database: SchemaDatabase) -> None:
    with database.session(matrix.MIGRATOR) as connection:
        load(connection, SHAPE, lambda _: None)
        for table in TABLES:
            logged = one(
                connection,
                "SELECT count(*) FROM pipe.audit_logs WHERE table_name = %s AND operation = 'INSERT'"
                " AND transaction_id = pg_current_xact_id()",
                table.name,
            )
            assert logged == one(connection, f"SELECT count(*) FROM pipe.{table.name}"), table.name


def test_a_database_with_rows_is_left_alone(database: SchemaDatabase) -> None:
    with database.session(matrix.MIGRATOR) as connection:
        load(connection, SHAPE, lambda _: None)
        with pytest.raises(UserError, match=r"there are rows already in pipe\.users, .*pipe\.pipeline_runs"):
            load(connection, SHAPE, lambda _: None)
