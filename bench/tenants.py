"""What tenant isolation costs: the same statements of the application with row security off and on.

    make bench OF=tenants [ARGS='--rounds 5 --runs 300000']

On a server of its own from the member image, with all triggers. Both halves name the organization in every transaction,
as an application does that is ready for it, and both ask with the same conditions; rounds alternate, medians are
compared.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import LiteralString
from uuid import UUID

from infra.access import matrix
from tests.fixtures.schema_database import Connection, SchemaDatabase, schema_database

ORGANIZATIONS = 200
# One tenant in the size of the largest: a policy must not cost by how much a tenant has.
PIPELINES, PIPELINES_OF_LARGEST = 20, 1000
SAMPLES = 300
FEW_SAMPLES = 15

_DATA: tuple[LiteralString, ...] = (
    "INSERT INTO pipe.organizations (name) SELECT 'o' || n FROM generate_series(1, %(organizations)s) AS n",
    "INSERT INTO pipe.pipelines (organization_id, name, config) SELECT o.id, 'p' || n, '{}' FROM"
    " (SELECT id, row_number() OVER (ORDER BY id) AS rank FROM pipe.organizations) AS o,"
    " generate_series(1, CASE o.rank WHEN 1 THEN %(largest)s ELSE %(pipelines)s END) AS n",
    "INSERT INTO pipe.pipeline_runs (pipeline_id, status, started_at) SELECT p.id,"
    " (ARRAY['completed', 'completed', 'completed', 'failed'])[1 + n %% 4],"
    " date_trunc('month', now()) + (n %% 28) * interval '1 day' + n * interval '1 millisecond'"
    " FROM (SELECT id, row_number() OVER () - 1 AS rank FROM pipe.pipelines) AS p"
    " INNER JOIN generate_series(1, %(runs)s) AS n ON p.rank = n %% (SELECT count(*) FROM pipe.pipelines)",
)


@dataclass(frozen=True)
class Question:
    """A statement of the application; it may use %(organization)s, %(pipeline)s, %(run)s and %(started)s."""

    title: str
    statement: LiteralString
    samples: int = SAMPLES


QUESTIONS = (
    Question("pipeline by its id", "SELECT * FROM pipe.pipelines WHERE id = %(pipeline)s"),
    Question(
        "50 pipelines of the organization",
        "SELECT * FROM pipe.pipelines WHERE organization_id = %(organization)s ORDER BY name LIMIT 50",
    ),
    Question("run by its key", "SELECT * FROM pipe.pipeline_runs WHERE id = %(run)s AND started_at = %(started)s"),
    Question(
        "50 newest runs of a pipeline",
        "SELECT * FROM pipe.pipeline_runs WHERE pipeline_id = %(pipeline)s"
        " AND started_at >= date_trunc('month', now()) ORDER BY started_at DESC LIMIT 50",
    ),
    Question(
        "runs of the organization by status",
        "SELECT r.status, count(*) FROM pipe.pipelines AS p INNER JOIN pipe.pipeline_runs AS r ON r.pipeline_id = p.id"
        " WHERE p.organization_id = %(organization)s AND r.started_at >= date_trunc('month', now()) GROUP BY r.status",
        FEW_SAMPLES,
    ),
    Question(
        "failed runs of the organization",
        "SELECT r.* FROM pipe.pipelines AS p INNER JOIN pipe.pipeline_runs AS r ON r.pipeline_id = p.id"
        " WHERE p.organization_id = %(organization)s AND r.status = 'failed'"
        " AND r.started_at >= date_trunc('month', now()) ORDER BY r.started_at DESC LIMIT 50",
        FEW_SAMPLES,
    ),
    Question("insert a run", "INSERT INTO pipe.pipeline_runs (pipeline_id, status) VALUES (%(pipeline)s, 'queued')"),
    Question(
        "insert a file",
        "INSERT INTO pipe.storage_files (organization_id, path, size) VALUES (%(organization)s, 'x', 1)",
    ),
    Question(
        "update a run",
        "UPDATE pipe.pipeline_runs SET completed_at = clock_timestamp()"
        " WHERE id = %(run)s AND started_at = %(started)s",
    ),
)


@dataclass(frozen=True)
class Tenant:
    """Whose questions they are."""

    title: str
    organization: UUID
    values: dict[str, object]


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(prog="bench.tenants", description="Measures what tenant isolation costs.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=300_000)
    args = parser.parse_args(argv)
    with schema_database() as database:
        _fill(database, args.runs)
        with database.session(matrix.PROVISIONER, autocommit=True) as owner:
            tenants = [_tenant(owner, title, order) for title, order in (("largest", "DESC"), ("usual", "ASC"))]
        for tenant in tenants:
            print(f"\n{tenant.title} tenant{'':<34} off         on     on / off")
            for question in QUESTIONS:
                seconds: dict[bool, list[float]] = {False: [], True: []}
                for _ in range(args.rounds):
                    for on in (False, True):
                        _isolate(database, on)
                        seconds[on].append(_measure(database, tenant, question))
                off, on_ = median(seconds[False]) * 1000, median(seconds[True]) * 1000
                print(f"  {question.title:<40} {off:>7.3f} ms {on_:>7.3f} ms   {on_ / off:>5.2f}", flush=True)
    return 0


def _fill(database: SchemaDatabase, runs: int) -> None:
    sizes = {
        "organizations": ORGANIZATIONS,
        "pipelines": PIPELINES,
        "largest": PIPELINES_OF_LARGEST,
        "runs": runs,
    }
    with database.session(matrix.PROVISIONER) as owner:
        owner.execute("SET LOCAL session_replication_role = replica")
        for statement in _DATA:
            owner.execute(statement, sizes)
        owner.commit()
    with database.session(matrix.PROVISIONER, autocommit=True) as owner:
        owner.execute("VACUUM (ANALYZE)")


def _tenant(owner: Connection, title: str, order: LiteralString) -> Tenant:
    row = owner.execute(
        "SELECT organization_id, min(id::text)::uuid FROM pipe.pipelines GROUP BY 1 ORDER BY count(*) " + order
    ).fetchone()
    assert row is not None
    organization, pipeline = row
    run = owner.execute("SELECT id, started_at FROM pipe.pipeline_runs WHERE pipeline_id = %s", (pipeline,)).fetchone()
    assert run is not None
    values = {"organization": organization, "pipeline": pipeline, "run": run[0], "started": run[1]}
    return Tenant(title, organization, values)


def _isolate(database: SchemaDatabase, on: bool) -> None:
    with database.session(matrix.MIGRATOR, autocommit=True) as session:
        session.execute("SET ROLE pipe_owner")
        session.execute("SELECT pipe.apply_tenant_isolation(%s)", (on,))


def _measure(database: SchemaDatabase, tenant: Tenant, question: Question) -> float:
    """Median seconds of a transaction: begin, name the organization, ask, roll back."""
    seconds = []
    with database.session(matrix.APP) as session:
        for _ in range(question.samples):
            started = time.perf_counter()
            session.execute("SELECT set_config('pipe.organization_id', %s, true)", (str(tenant.organization),))
            session.execute(question.statement, tenant.values)
            session.rollback()
            seconds.append(time.perf_counter() - started)
    return median(seconds)


if __name__ == "__main__":
    sys.exit(main())
