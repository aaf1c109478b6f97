"""Rules that every table keeps, those of later migrations too; read from the catalog."""

from __future__ import annotations

import pytest

from provider.sql.header import LOCK_TIMEOUT_MS
from tests.fixtures.schema_database import ROOT, Connection, SchemaDatabase
from tests.schema.rows import make_tenant, one

SPEC_INDEXES = {
    "idx_users_email",
    "idx_pipelines_org",
    "idx_pipeline_runs_pipeline",
    "idx_pipeline_runs_status",
    "idx_storage_files_org",
    "idx_storage_files_path",
    "idx_api_keys_org",
}


def test_every_named_index_is_there(owner: Connection) -> None:
    rows = owner.execute("SELECT indexname FROM pg_indexes WHERE schemaname = 'pipe'").fetchall()
    assert {name for (name,) in rows} >= SPEC_INDEXES


def test_every_foreign_key_has_an_index(owner: Connection) -> None:
    missing = owner.execute(
        """
        SELECT k.conrelid::regclass::text, k.conname FROM pg_constraint k
        WHERE k.contype = 'f' AND k.connamespace IN ('pipe'::regnamespace, 'archive'::regnamespace)
        AND NOT EXISTS (
            SELECT FROM pg_index i WHERE i.indrelid = k.conrelid AND i.indisvalid AND i.indpred IS NULL
            AND (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey
        )
        """
    ).fetchall()
    assert missing == []


def test_every_foreign_key_says_what_becomes_of_it(owner: Connection) -> None:
    """Restrict everywhere; another choice is to be explained here."""
    rows = owner.execute("SELECT DISTINCT confdeltype::text FROM pg_constraint WHERE contype = 'f'").fetchall()
    assert rows == [("r",)]


def test_no_index_is_a_prefix_of_another(owner: Connection) -> None:
    redundant = owner.execute(
        """
        SELECT a.indexrelid::regclass::text, b.indexrelid::regclass::text FROM pg_index a
        JOIN pg_index b ON a.indrelid = b.indrelid AND a.indexrelid <> b.indexrelid
        JOIN pg_class c ON c.oid = a.indrelid AND c.relnamespace IN ('pipe'::regnamespace, 'archive'::regnamespace)
        WHERE (b.indkey::text || ' ') LIKE (a.indkey::text || ' %')
        """
    ).fetchall()
    assert redundant == []


def test_functions_that_run_as_somebody_else_have_a_fixed_search_path(owner: Connection) -> None:
    rows = owner.execute(
        "SELECT proname, prosecdef, proconfig FROM pg_proc"
        " WHERE pronamespace IN ('pipe'::regnamespace, 'archive'::regnamespace)"
    ).fetchall()
    assert {name for name, definer, _ in rows if definer} >= {"audit_of_users", "ensure_partitions", "archive_finish"}
    for name, _, config in rows:
        assert "search_path=pg_catalog, pg_temp" in (config or []), name


def test_every_table_and_function_says_what_it_is_for(owner: Connection) -> None:
    silent = owner.execute(
        """
        SELECT c.relname FROM pg_class c WHERE c.relnamespace IN ('pipe'::regnamespace, 'archive'::regnamespace)
        AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition AND obj_description(c.oid, 'pg_class') IS NULL
        UNION ALL
        SELECT p.proname FROM pg_proc p
        WHERE p.pronamespace = 'pipe'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL
        """
    ).fetchall()
    assert silent == []


def test_timestamps_have_a_time_zone_and_ids_a_default(owner: Connection) -> None:
    rows = owner.execute(
        """
        SELECT table_name, column_name, data_type, column_default FROM information_schema.columns
        JOIN information_schema.tables USING (table_schema, table_name)
        WHERE table_schema = 'pipe' AND table_type = 'BASE TABLE'
        AND (data_type LIKE 'timestamp%' OR column_name = 'id')
        """
    ).fetchall()
    for table, column, kind, default in rows:
        expected = ("uuid", "gen_random_uuid()") if column == "id" else ("timestamp with time zone", default)
        assert (kind, default) == expected, f"{table}.{column}"


@pytest.mark.parametrize("path", sorted((ROOT / "sql" / "repeatable").glob("*.sql")), ids=lambda path: path.stem)
def test_a_repeatable_file_can_be_applied_again(database: SchemaDatabase, owner: Connection, path: object) -> None:
    before = one(owner, "SELECT array_agg(tgname ORDER BY tgrelid, tgname) FROM pg_trigger WHERE NOT tgisinternal")
    database.apply(path)  # type: ignore[arg-type]
    after = one(owner, "SELECT array_agg(tgname ORDER BY tgrelid, tgname) FROM pg_trigger WHERE NOT tgisinternal")
    assert before == after


def test_applying_them_again_waits_for_nobody_who_writes(database: SchemaDatabase, app: Connection) -> None:
    """A transaction that wrote into tables with triggers, and by these into the audit log, stays open meanwhile."""
    tenant = make_tenant(app)
    app.execute("INSERT INTO pipe.pipeline_runs (pipeline_id, status) VALUES (%s, 'queued')", (tenant.pipeline,))
    database.apply_repeatables(f"{LOCK_TIMEOUT_MS}ms")


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("010_updated_at", "DROP TRIGGER set_updated_at ON pipe.users"),
        ("010_updated_at", "ALTER TABLE pipe.users DISABLE TRIGGER set_updated_at"),
        (
            "010_updated_at",
            "CREATE OR REPLACE TRIGGER set_updated_at BEFORE INSERT ON pipe.users"
            " FOR EACH ROW EXECUTE FUNCTION pipe.set_updated_at()",
        ),
        ("023_audit_append_only", "ALTER TABLE pipe.audit_logs DISABLE TRIGGER append_only"),
        ("023_audit_append_only", "ALTER TABLE {month} DISABLE TRIGGER append_only"),
    ],
)
def test_a_trigger_that_somebody_changed_is_put_right(owner: Connection, file: str, change: str) -> None:
    month = one(owner, "SELECT 'pipe.' || pipe.partition_name('audit_logs', pipe.current_month())")
    triggers = b"SELECT pg_get_triggerdef(oid), tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1"
    before = owner.execute(triggers).fetchall()
    owner.execute(change.format(month=month).encode())
    assert owner.execute(triggers).fetchall() != before
    owner.execute((ROOT / "sql" / "repeatable" / f"{file}.sql").read_text().encode())
    assert owner.execute(triggers).fetchall() == before
