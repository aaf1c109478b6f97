"""The ten questions of docs/questions.md on a million runs: the SQL is that page's, and the plans are held to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from cli.database import TABLES
from cli.seed.load import load
from cli.seed.shape import SIZES, Shape
from infra.access import matrix
from tests.fixtures.schema_database import ROOT, Connection, schema_database

PAGE = (ROOT / "docs" / "questions.md").read_text(encoding="utf-8")
QUESTIONS = dict(re.findall(r"^## (\d+)\. .*?```sql\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE))
# A table, or a month of one, with more rows than this is never read as a whole.
BIG_ROWS = 1000
NOW = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
SHAPE = Shape(SIZES["1m"], number=1, until=NOW)


@dataclass(frozen=True)
class Expected:
    """What the page says of a plan: the indexes, and at most how many months are read and opened."""

    indexes: frozenset[str]
    months_opened: int = 0
    sorts: bool = True


def plan(*indexes: str, months: int = 0, sorts: bool = True) -> Expected:
    return Expected(frozenset(indexes), months, sorts)


EXPECTED = {
    "1": plan("idx_users_email"),
    "2": plan("idx_organization_members_user"),
    "3": plan("idx_api_keys_hash"),
    "4": plan("idx_pipelines_org"),
    # Its months are read one after the other until there are 20 rows; see also the test of its own.
    "5": plan("idx_pipeline_runs_pipeline", months=20, sorts=False),
    "6": plan("pipeline_runs_pkey", months=1),
    "7": plan("idx_pipeline_runs_status", months=8),
    "8": plan("idx_pipelines_org", "idx_pipeline_runs_pipeline", months=8),
    "9": plan("idx_pipeline_runs_pipeline", months=1),
    "10": plan("idx_storage_files_path"),
}


@pytest.fixture(scope="module")
def million() -> Iterator[Connection]:
    """A server of its own with a million runs, the oldest month archived; a session of the application.

    Loaded as a replica applies changes, without foreign keys' triggers and audit: test_seed.py has shown the rows to be
    sound, and here only plans are looked at. The application asks, since its rights are part of a plan.
    """
    with schema_database() as database:
        with database.session(matrix.PROVISIONER) as connection:
            connection.execute("SET session_replication_role = replica")
            load(connection, SHAPE, lambda _: None)
            oldest = f"pipeline_runs_y{SHAPE.months[0]:%Y}m{SHAPE.months[0]:%m}"
            connection.execute(f"ALTER TABLE pipe.pipeline_runs DETACH PARTITION pipe.{oldest}".encode())
            connection.execute("SELECT pipe.archive_finish('pipeline_runs', %s)", (oldest,))
            connection.commit()
        with database.session(matrix.PROVISIONER, autocommit=True) as connection:
            connection.execute(f"VACUUM (ANALYZE) {', '.join(TABLES)}".encode())
        with database.session(matrix.APP) as connection:
            yield connection


@pytest.fixture(scope="module")
def big(million: Connection) -> set[str]:
    """Tables and months that are never read as a whole."""
    rows = million.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples > %s", (BIG_ROWS,)
    ).fetchall()
    return {str(name) for (name,) in rows}


@pytest.fixture(scope="module")
def values(million: Connection) -> dict[str, object]:
    """Parameters: a tenant of some size, the busiest pipeline, and rows in the middle of everything."""
    with million.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        row = cursor.execute(
            """
            SELECT
                (SELECT organization_id FROM pipe.pipelines
                 GROUP BY 1 ORDER BY count(*) DESC, 1 OFFSET 20 LIMIT 1) AS organization,
                (SELECT pipeline_id FROM pipe.pipeline_runs WHERE started_at > %(recent)s
                 GROUP BY 1 ORDER BY count(*) DESC LIMIT 1) AS pipeline,
                run.id AS run, run.started_at, person.id AS "user", person.email, key.key_hash, file.path
            FROM (SELECT * FROM pipe.pipeline_runs OFFSET 400000 LIMIT 1) AS run,
                (SELECT * FROM pipe.users OFFSET 2000 LIMIT 1) AS person,
                (SELECT * FROM pipe.api_keys OFFSET 500 LIMIT 1) AS key,
                (SELECT * FROM pipe.storage_files OFFSET 50000 LIMIT 1) AS file
            """,
            {"recent": NOW - timedelta(days=10)},
        ).fetchone()
    assert row is not None
    return {**row, "now": NOW, "month": SHAPE.months[0], "next_month": SHAPE.months[1]}


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from nodes(child)


def explained(connection: Connection, query: str, values: dict[str, object]) -> list[dict[str, Any]]:
    """The nodes of the plan that is made for these very values, after it has run."""
    with psycopg.ClientCursor(connection) as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {query}".encode(), values)
        row = cursor.fetchone()
    assert row is not None
    connection.rollback()
    return list(nodes(row[0][0]["Plan"]))


def index_family(connection: Connection, index: str) -> str:
    """The index of the partitioned table that an index of a month belongs to; another index is itself."""
    row = connection.execute(
        "SELECT coalesce((SELECT (parts.relid::regclass)::text FROM pg_partition_ancestors(index.oid) AS parts"
        " WHERE parts.relid <> index.oid LIMIT 1), index.relname) FROM pg_class AS index WHERE index.relname = %s",
        (index,),
    ).fetchone()
    assert row is not None
    return str(row[0]).removeprefix("pipe.").removeprefix("archive.")


def test_the_page_has_ten_questions() -> None:
    assert list(QUESTIONS) == list(EXPECTED) == [str(n) for n in range(1, 11)]


@pytest.mark.parametrize("number", EXPECTED)
def test_a_question_is_answered_as_the_page_says(
    million: Connection, big: set[str], values: dict[str, object], number: str
) -> None:
    expected, found = EXPECTED[number], explained(million, QUESTIONS[number], values)
    scanned = {node["Relation Name"] for node in found if node["Node Type"] == "Seq Scan"}
    assert scanned & big == set()
    used = {index_family(million, node["Index Name"]) for node in found if "Index Name" in node}
    archived = {"pipeline_runs_pipeline_id_started_at_idx": "idx_pipeline_runs_pipeline"}
    assert {archived.get(name, name) for name in used} >= expected.indexes
    months = {node["Relation Name"] for node in found if node.get("Relation Name", "").startswith("pipeline_runs_y")}
    assert len(months) <= expected.months_opened, months
    if not expected.sorts:
        assert not [node for node in found if "Sort" in node["Node Type"]]


def test_the_latest_runs_of_a_busy_pipeline_are_found_in_the_newest_months(
    million: Connection, values: dict[str, object]
) -> None:
    """Reading stops at the twentieth: what lies in older months is never looked at."""
    found = explained(million, QUESTIONS["5"], values)
    read = [node for node in found if node.get("Index Name") and node["Actual Loops"] and node["Actual Rows"]]
    assert len(read) <= 2
    assert sum(node["Actual Rows"] for node in read) <= 21


def test_a_month_in_the_archive_answers_alone(million: Connection, values: dict[str, object]) -> None:
    (scan,) = [node for node in explained(million, QUESTIONS["9"], values) if "Relation Name" in node]
    assert scan["Relation Name"] == f"pipeline_runs_y{SHAPE.months[0]:%Y}m{SHAPE.months[0]:%m}"
    assert scan["Actual Rows"] > 0
