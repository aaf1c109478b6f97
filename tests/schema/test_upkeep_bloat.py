"""Bloated indexes: estimated, rebuilt by one statement a night, and what a cut-off rebuild leaves behind is removed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.access import matrix
from tests.asserts.eventually import eventually
from tests.fixtures.schema_database import Connection, SchemaDatabase
from tests.schema.cron import RUN_WAIT_SECONDS, run_now
from tests.schema.rows import one

BLOAT = "SELECT bloat_percent FROM upkeep.index_bloat() WHERE index_name = %s::regclass"


@pytest.fixture(scope="module")
def sample(database: SchemaDatabase) -> Iterator[Connection]:
    """The owner's session, with a table of 200,000 rows: a key at random, and a column of few values."""
    with database.session(matrix.PROVISIONER, autocommit=True) as owner:
        owner.execute("SET ROLE pipe_owner")
        owner.execute("CREATE TABLE upkeep.sample (id uuid DEFAULT gen_random_uuid(), place uuid NOT NULL)")
        owner.execute("CREATE INDEX sample_id ON upkeep.sample (id)")
        owner.execute("CREATE INDEX sample_place ON upkeep.sample (place)")
        owner.execute(
            "INSERT INTO upkeep.sample (place) SELECT md5((n % 50)::text)::uuid FROM generate_series(1, 200000) n"
        )
        owner.execute("VACUUM (ANALYZE) upkeep.sample")
        yield owner
        owner.execute("DROP TABLE upkeep.sample")


def test_the_estimate_is_near_what_a_rebuild_would_free(sample: Connection) -> None:
    # A B-tree that grew by keys at random has its pages filled to about two thirds; entries of few keys are shared.
    for index in ("upkeep.sample_id", "upkeep.sample_place"):
        before = one(sample, "SELECT pg_relation_size(%s::regclass)", index)
        estimated = sample.execute(BLOAT.encode(), (index,)).fetchone()
        sample.execute(f"REINDEX INDEX {index}".encode())
        after = one(sample, "SELECT pg_relation_size(%s::regclass)", index)
        assert isinstance(before, int)
        assert isinstance(after, int)
        freed = 100 * (1 - after / before)
        # Below 4 MB it is not judged.
        assert (estimated[0] if estimated else 0) == pytest.approx(freed, abs=15), index


def test_a_bloated_index_is_rebuilt_by_the_job_and_then_left_alone(migrator: Connection, sample: Connection) -> None:
    sample.execute("DELETE FROM upkeep.sample WHERE random() < 0.8")

    def bloat() -> int:
        """Of what nobody sees any more: a job's snapshot may be older."""
        sample.execute("VACUUM (ANALYZE) upkeep.sample")
        return int(str(one(sample, BLOAT, "upkeep.sample_id")))

    eventually(bloat, lambda percent: percent > 70, RUN_WAIT_SECONDS, "a bloated index")
    found = "SELECT count(*) FROM upkeep.report() WHERE (kind, object) = ('bloated index', 'upkeep.sample_id')"
    assert one(migrator, found) == 1

    command = "REINDEX INDEX CONCURRENTLY upkeep.sample_id"
    before = int(str(one(sample, "SELECT pg_relation_size('upkeep.sample_id')")))
    assert one(migrator, "SELECT upkeep.plan_reindex()") == f"planned: {command}"
    assert run_now(migrator, "pipe_once_reindex") == ("succeeded", "REINDEX")
    assert int(str(one(sample, "SELECT pg_relation_size('upkeep.sample_id')"))) < before / 2

    # Whatever the estimate says now: not twice in a month.
    migrator.execute("SELECT upkeep.record_runs()")
    assert one(migrator, "SELECT count(*) > 0 FROM upkeep.runs WHERE command = %s", command)
    assert command not in str(one(migrator, "SELECT upkeep.plan_reindex()"))


def test_what_a_rebuild_left_behind_is_told_and_goes_first(migrator: Connection, sample: Connection) -> None:
    sample.execute("CREATE INDEX sample_id_ccnew ON upkeep.sample (id)")
    sample.execute("RESET ROLE")
    sample.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'upkeep.sample_id_ccnew'::regclass")
    sample.execute("SET ROLE pipe_owner")
    told = "SELECT message FROM upkeep.alerts() WHERE name = 'invalid index'"
    assert (
        one(migrator, told) == "index upkeep.sample_id_ccnew is not valid: it costs every write and serves no question"
    )
    planned = one(migrator, "SELECT upkeep.plan_reindex()")
    assert planned == "planned: DROP INDEX CONCURRENTLY upkeep.sample_id_ccnew"
    assert run_now(migrator, "pipe_once_reindex") == ("succeeded", "DROP INDEX")
    # Its own minute is still to come, and would find nothing to drop.
    assert one(migrator, "SELECT upkeep.run_once('reindex', NULL)") == "nothing to do"
    assert migrator.execute(told.encode()).fetchall() == []
