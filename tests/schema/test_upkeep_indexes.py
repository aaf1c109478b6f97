"""Indexes: what is unused, duplicate or missing is reported."""

from __future__ import annotations

from tests.fixtures.schema_database import Connection
from tests.schema.rows import one


def findings(connection: Connection, kind: str) -> list[str]:
    query = "SELECT message FROM upkeep.report() WHERE kind = %s ORDER BY message"
    return [message for (message,) in connection.execute(query.encode(), (kind,)).fetchall()]


def test_the_schema_has_no_findings(owner: Connection) -> None:
    """A new table's duplicate index or foreign key without one fails here."""
    for kind in ("duplicate index", "foreign key without index"):
        assert findings(owner, kind) == [], kind


def test_an_index_that_nobody_used_for_a_month_is_reported(owner: Connection) -> None:
    owner.execute("SELECT upkeep.observe_indexes()")
    owner.execute(
        "UPDATE upkeep.index_usage SET observed_since = CURRENT_TIMESTAMP - interval '29 days', last_used_at = NULL"
    )
    assert findings(owner, "unused index") == []
    owner.execute("UPDATE upkeep.index_usage SET observed_since = CURRENT_TIMESTAMP - interval '31 days'")
    found = findings(owner, "unused index")
    assert any("index pipe.idx_storage_files_path was not used since" in message for message in found)
    assert not any("idx_users_email" in message for message in found), "a unique index guards, used or not"
    owner.execute("UPDATE upkeep.index_usage SET last_used_at = CURRENT_TIMESTAMP")
    assert findings(owner, "unused index") == []


def test_an_index_that_is_gone_is_forgotten_and_a_month_counts_for_its_table(owner: Connection) -> None:
    known = "SELECT count(*) FROM upkeep.index_usage WHERE index_name LIKE %s"
    owner.execute("SELECT upkeep.observe_indexes()")
    assert one(owner, known, "idx_pipeline_runs_status") == 1
    assert one(owner, known, "%\\_y20__m%") == 0
    owner.execute("DROP INDEX pipe.idx_storage_files_path")
    owner.execute("SELECT upkeep.observe_indexes()")
    assert one(owner, known, "idx_storage_files_path") == 0


def test_an_index_that_gives_nothing_is_reported(owner: Connection) -> None:
    owner.execute("CREATE INDEX twin ON pipe.api_keys (organization_id)")
    owner.execute("CREATE INDEX wider ON pipe.storage_files (path, size)")
    owner.execute("CREATE INDEX sorted_other_way ON pipe.pipelines (organization_id DESC)")
    owner.execute("CREATE INDEX partial ON pipe.pipelines (created_by) WHERE status = 'deleted'")
    assert findings(owner, "duplicate index") == [
        "index pipe.idx_storage_files_path gives nothing that pipe.wider does not",
        "index pipe.twin gives nothing that pipe.idx_api_keys_org does not",
    ]


def test_a_foreign_key_without_an_index_is_reported(owner: Connection) -> None:
    owner.execute("DROP INDEX pipe.idx_pipeline_runs_created_by")
    found = findings(owner, "foreign key without index")
    assert found == ["foreign key pipeline_runs_created_by_fkey of pipe.pipeline_runs has no index"]
