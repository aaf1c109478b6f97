"""The picture of the catalog on the whole schema: every change by hand has a name, what the database does has none."""

from __future__ import annotations

import json

import pytest

from infra.access import matrix
from provider.catalog.lines import Picture, drift, merge
from provider.catalog.look import look
from tests.fixtures.schema_database import Connection, SchemaDatabase
from tests.schema.rows import one

MONTH = "pipe.pipeline_runs_y2031m02"

CHANGES = [
    ("ALTER TABLE pipe.users ADD COLUMN note text", {"table pipe.users column note": "added: text"}),
    (
        "ALTER TABLE pipe.users ALTER COLUMN name TYPE text",
        {"table pipe.users column name": "changed: character varying(100), not null -> text, not null"},
    ),
    (
        "ALTER TABLE pipe.users DROP COLUMN name CASCADE",
        {
            "table pipe.users column name": "removed: character varying(100), not null",
            "table pipe.users column name grants": "removed: pipe_readonly SELECT",
        },
    ),
    (
        "ALTER TABLE pipe.organizations ALTER COLUMN plan_type SET DEFAULT 'paid'",
        {
            "table pipe.organizations column plan_type": "changed: character varying(50), not null,"
            " default 'free'::character varying -> character varying(50), not null, default 'paid'::character varying"
        },
    ),
    (
        "ALTER TABLE pipe.storage_files DROP CONSTRAINT storage_files_size_is_not_negative",
        {"table pipe.storage_files constraint storage_files_size_is_not_negative": "removed: CHECK ((size >= 0))"},
    ),
    (
        "CREATE UNIQUE INDEX by_hand ON pipe.organizations (id, name) WHERE status = 'active'",
        {
            "table pipe.organizations index by_hand": "added: UNIQUE USING btree (id, name)"
            " WHERE ((status)::text = 'active'::text)"
        },
    ),
    (
        "DROP INDEX pipe.idx_pipelines_org",
        {"table pipe.pipelines index idx_pipelines_org": "removed: USING btree (organization_id)"},
    ),
    (
        "ALTER TABLE pipe.organizations DISABLE TRIGGER set_updated_at",
        {
            "table pipe.organizations trigger set_updated_at": "changed: BEFORE UPDATE FOR EACH ROW EXECUTE FUNCTION"
            " pipe.set_updated_at() -> BEFORE UPDATE FOR EACH ROW EXECUTE FUNCTION pipe.set_updated_at(), disabled"
        },
    ),
    (
        "CREATE POLICY by_hand ON pipe.pipelines FOR SELECT TO pipe_readonly USING (status = 'active')",
        {
            "table pipe.pipelines policy by_hand": "added: permissive select to pipe_readonly"
            " using ((status)::text = 'active'::text)"
        },
    ),
    (
        "ALTER TABLE pipe.api_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        {"table pipe.api_keys row security": "added: enabled, forced"},
    ),
    (
        "ALTER TABLE pipe.organizations SET (fillfactor = 70)",
        {"table pipe.organizations options": "added: fillfactor=70"},
    ),
    (
        "ALTER TABLE pipe.organization_members SET UNLOGGED",
        {"table pipe.organization_members": "changed: table -> table, unlogged"},
    ),
    ("CREATE TABLE public.by_hand ()", {
        "table public.by_hand": "added: table", "table public.by_hand owner": "added: pipe_provisioner",
    }),
    ("CREATE SEQUENCE archive.by_hand", {
        "sequence archive.by_hand": "added: sequence",
        "sequence archive.by_hand counts": "added: bigint from 1 by 1 within 1 and 9223372036854775807 cache 1",
        "sequence archive.by_hand owner": "added: pipe_provisioner",
    }),
    ("CREATE TYPE pipe.mood AS ENUM ('good', 'bad')", {
        "type pipe.mood": "added: enum, 'good', 'bad', owner pipe_provisioner",
    }),
    ("CREATE EXTENSION pg_trgm SCHEMA public", {"extension pg_trgm": "added: 1.6, owner pipe_provisioner"}),
    ("CREATE ROLE by_hand LOGIN IN ROLE pipe_owner", {
        "role by_hand": "added: login", "role by_hand in pipe_owner": "added: inherits, may set role",
    }),
    ("ALTER ROLE pipe_app CREATEDB", {"role pipe_app": "changed: login -> login, createdb"}),
    ("ALTER ROLE pipe_app SET work_mem = '1GB'", {"role pipe_app setting work_mem": "added: 1GB"}),
    ("GRANT pipe_app TO pipe_readonly WITH ADMIN OPTION", {
        "role pipe_readonly in pipe_app": "added: inherits, may set role, may grant it",
    }),
    (
        "ALTER TABLE pipe.organizations OWNER TO pipe_app",
        {
            "table pipe.organizations owner": "changed: pipe_owner -> pipe_app",
            "table pipe.organizations grants": "changed: pipe_app INSERT, SELECT, UPDATE, DELETE; pipe_readonly SELECT"
            " -> pipe_readonly SELECT",
        },
    ),
    (
        "GRANT SELECT ON pipe.users TO pipe_auditor WITH GRANT OPTION",
        {
            "table pipe.users grants": "changed: pipe_app INSERT, SELECT, UPDATE, DELETE -> pipe_app INSERT, SELECT,"
            " UPDATE, DELETE; pipe_auditor SELECT with grant option"
        },
    ),
    ("GRANT SELECT (password_hash) ON pipe.users TO pipe_readonly", {
        "table pipe.users column password_hash grants": "added: pipe_readonly SELECT",
    }),
    ("REVOKE SELECT ON pipe.audit_logs FROM pipe_auditor", {
        "table pipe.audit_logs grants": "removed: pipe_auditor SELECT",
    }),
    (
        "GRANT EXECUTE ON FUNCTION pipe.archive_step() TO PUBLIC",
        {"function pipe.archive_step() grants": "changed: nobody but the owner -> PUBLIC EXECUTE"},
    ),
    (
        "GRANT EXECUTE ON FUNCTION cron.schedule(text, text) TO PUBLIC",
        {"function cron.schedule(text,text) grants": "removed: nobody but the owner"},
    ),
    (
        "GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO pipe_app",
        {"function pg_read_file(text) grants": "added: pipe_app EXECUTE"},
    ),
    ("GRANT CREATE ON SCHEMA public TO PUBLIC", {
        "schema public grants": "changed: nobody but the owner -> PUBLIC CREATE",
    }),
    (
        "ALTER DEFAULT PRIVILEGES FOR ROLE pipe_owner IN SCHEMA pipe GRANT SELECT ON TABLES TO pipe_auditor",
        {
            "default privileges of pipe_owner on tables in schema pipe": "changed: pipe_app INSERT, SELECT, UPDATE,"
            " DELETE; pipe_readonly SELECT -> pipe_app INSERT, SELECT, UPDATE, DELETE; pipe_auditor SELECT;"
            " pipe_readonly SELECT"
        },
    ),
    ("GRANT SET ON PARAMETER log_statement TO pipe_app", {"parameter log_statement grants": "added: pipe_app SET"}),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "named"), CHANGES, ids=[statement for statement, _ in CHANGES])
def test_a_change_by_hand_is_named(owner: Connection, statement: str, named: dict[str, str]) -> None:
    expected = look(owner).lines
    owner.execute("RESET search_path")
    owner.execute(statement.encode())
    assert drift(expected, look(owner)) == named


def test_an_edited_function_and_view_are_named_without_their_text(owner: Connection) -> None:
    expected = look(owner).lines
    owner.execute(
        "CREATE OR REPLACE FUNCTION pipe.set_updated_at() RETURNS trigger LANGUAGE plpgsql"
        " SET search_path = pg_catalog, pg_temp AS 'BEGIN /* hunter2 */ RETURN NEW; END'"
    )
    owner.execute(
        "CREATE OR REPLACE VIEW pipe.audit_logs_all AS SELECT * FROM pipe.audit_logs WHERE app_user = 'hunter2'"
    )
    found = drift(expected, look(owner))
    assert set(found) == {
        "function pipe.set_updated_at()",
        "view pipe.audit_logs_all",
        "view pipe.audit_logs_all options",
    }
    assert "hunter2" not in str(found)


def test_foreign_keys_that_a_superuser_switched_off_are_named(owner: Connection) -> None:
    expected = look(owner).lines
    owner.execute("ALTER TABLE pipe.api_keys DISABLE TRIGGER ALL")
    found = drift(expected, look(owner))
    assert found["table pipe.api_keys constraint api_keys_created_by_fkey enforcement"] == "added: not as made: D"


def test_settings_under_names_of_ones_own_are_digests(owner: Connection) -> None:
    owner.execute("ALTER ROLE pipe_app SET pipe.token = 'hunter2'")
    lines = look(owner).lines
    assert "role pipe_app setting pipe.token" in lines
    assert "hunter2" not in json.dumps(dict(lines))


def test_months_that_the_database_makes_and_archives_are_no_drift(owner: Connection) -> None:
    expected = look(owner).lines
    for month in ("2031-01-01", "2031-02-01", "2031-03-01"):
        for parent in ("pipeline_runs", "audit_logs"):
            one(owner, "SELECT pipe.ensure_partition(%s, %s::date)", parent, month)
    assert drift(expected, look(owner)) == {}

    for parent, key in (("pipeline_runs", "started_at"), ("audit_logs", "occurred_at")):
        for month, following in (("2031-01", "2031-02"), ("2031-02", "2031-03")):
            name = f"{parent}_y{month.replace('-', 'm')}"
            owner.execute(f"ALTER TABLE pipe.{parent} DETACH PARTITION pipe.{name}".encode())
            # As DETACH CONCURRENTLY leaves it behind, which no transaction may hold.
            own_bounds = f"{key} IS NOT NULL AND {key} >= '{month}-01Z' AND {key} < '{following}-01Z'"
            owner.execute(f"ALTER TABLE pipe.{name} ADD CHECK ({own_bounds})".encode())
            assert drift(expected, look(owner)) == {}, "on its way"
            one(owner, "SELECT pipe.archive_finish(%s, %s)", parent, name)
    assert drift(expected, look(owner)) == {}

    # Once it has been seen, what archived months look like is part of the picture.
    seen = merge(expected, expected, look(owner))
    assert drift(seen, look(owner)) == {}
    owner.execute("DROP TRIGGER read_only_truncate ON archive.pipeline_runs_y2031m01")
    assert list(drift(seen, look(owner))) == ["table archive.pipeline_runs_y2031m01 trigger read_only_truncate"]
    owner.execute("DROP TABLE archive.pipeline_runs_y2031m01")
    assert drift(seen, look(owner)) == {}
    owner.execute("DROP TABLE archive.pipeline_runs_y2031m02")
    assert drift(seen, look(owner)) == {}


def test_a_view_that_the_database_writes_around_a_month_on_its_way_is_no_drift(owner: Connection) -> None:
    one(owner, "SELECT pipe.ensure_partition('pipeline_runs', '2031-02-01')")
    expected = look(owner).lines
    owner.execute(
        f"CREATE VIEW pipe.pipeline_runs_on_its_way AS SELECT * FROM {MONTH};"
        "CREATE OR REPLACE VIEW pipe.pipeline_runs_all WITH (security_invoker = true) AS"
        " SELECT * FROM pipe.pipeline_runs UNION ALL SELECT * FROM pipe.pipeline_runs_on_its_way".encode()
    )
    meanwhile = look(owner)
    added = {"view pipe.pipeline_runs_on_its_way": "added: view, with a month on its way"}
    owned = {"view pipe.pipeline_runs_on_its_way owner": "added: pipe_provisioner"}
    assert {key: text for key, text in drift(expected, meanwhile).items() if "grants" not in key} == added | owned
    assert "view pipe.pipeline_runs_all" not in drift(dict(meanwhile.lines), Picture(expected)), "and back again"


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        (f"ALTER TABLE {MONTH} OWNER TO pipe_app", {f"table {MONTH} owner": "added: unlike its siblings: pipe_app"}),
        (
            f"GRANT SELECT ON {MONTH} TO pipe_app",
            {f"table {MONTH} grants": "added: unlike its siblings: pipe_app SELECT"},
        ),
        (
            f"CREATE INDEX by_hand ON {MONTH} (error_message)",
            {f"table {MONTH} index USING btree (error_message)": "added: unlike its siblings: present"},
        ),
        (
            f"CREATE INDEX by_hand ON {MONTH} (status)",
            {f"table {MONTH} index USING btree (status)": "added: unlike its siblings: 2 times"},
        ),
        (
            f"DROP TRIGGER audit_truncate ON {MONTH}",
            {f"table {MONTH} trigger audit_truncate": "added: unlike its siblings: missing"},
        ),
        (
            f"ALTER TABLE {MONTH} ALTER COLUMN started_at DROP DEFAULT",
            {f"table {MONTH} column started_at": "added: unlike its siblings: timestamp with time zone, not null"},
        ),
    ],
)
def test_a_month_that_differs_from_its_siblings_is_drift(
    owner: Connection, statement: str, named: dict[str, str]
) -> None:
    one(owner, "SELECT pipe.ensure_partition('pipeline_runs', '2031-02-01')")
    expected = look(owner).lines
    owner.execute(statement.encode())
    assert drift(expected, look(owner)) == named


def test_a_month_whose_bounds_are_not_its_name_s_is_drift(owner: Connection) -> None:
    expected = look(owner).lines
    bounds = "FOR VALUES FROM ('2031-02-01Z') TO ('2031-04-01Z')"
    owner.execute(f"CREATE TABLE {MONTH} PARTITION OF pipe.pipeline_runs {bounds}".encode())
    found = drift(expected, look(owner))
    assert "2031-04-01" in found[f"table {MONTH} bound"]


def test_a_job_changed_by_hand_is_drift_and_one_of_archiving_is_not(database: SchemaDatabase) -> None:
    with database.session(matrix.MIGRATOR) as migrator:
        expected = look(migrator).lines
        migrator.execute("SELECT cron.schedule('pipe_partitions', '0 0 1 1 *', 'SELECT pipe.ensure_partitions()')")
        migrator.execute("SELECT cron.schedule('pipe_detach_pipeline_runs_y2026m01', '1 * * * *', 'SELECT 1')")
        migrator.execute("SELECT cron.schedule('pipe_once_reindex', '1 1 1 1 *', 'SELECT 1')")
        migrator.execute("SELECT cron.schedule('pipe_archive_follow_up', '30 seconds', 'SELECT 1')")
        assert list(drift(expected, look(migrator))) == ["job pipe_partitions"]


def test_the_picture_is_small(owner: Connection) -> None:
    assert len(json.dumps(dict(look(owner).lines))) < 100_000
