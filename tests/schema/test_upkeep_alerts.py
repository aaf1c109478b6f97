"""What is wrong with months, transactions and storage is told; slow statements are logged without their values."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from infra.access import matrix
from infra.cluster.parameters import certificate_parameters
from infra.policies import partition_policy
from infra.settings import load
from provider.sql.scanner import split
from tests.fixtures.schema_database import Connection, SchemaDatabase
from tests.schema.cron import POLL_SECONDS, RUN_WAIT_SECONDS
from tests.schema.rows import SHA256, Tenant, one


def alerts(connection: Connection, name: str) -> list[tuple[str, str]]:
    query = "SELECT severity, message FROM upkeep.alerts() WHERE name = %s ORDER BY message"
    return [(severity, message) for severity, message in connection.execute(query.encode(), (name,)).fetchall()]


def test_fewer_than_two_months_ahead_is_an_alert(owner: Connection) -> None:
    assert alerts(owner, "months ahead") == []
    for ahead in range(2, 7):
        name = one(
            owner,
            "SELECT pipe.partition_name('audit_logs', (pipe.current_month() + make_interval(months => %s))::date)",
            ahead,
        )
        owner.execute(f"ALTER TABLE pipe.audit_logs DETACH PARTITION pipe.{name}".encode())
        owner.execute(f"DROP TABLE pipe.{name}".encode())
        told = alerts(owner, "months ahead")
        if ahead == 2:
            assert told == [("error", "table pipe.audit_logs has partitions for 1 months ahead")]


@pytest.mark.parametrize(("days", "told"), [(100, None), (60, "warning"), (5, "error"), (-1, "error")])
def test_certificates_that_end_soon_are_an_alert_and_a_figure(owner: Connection, days: int, told: str | None) -> None:
    assert alerts(owner, "certificates due") == [], "a database that nobody has told says nothing"
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
    moments = certificate_parameters(end, end - timedelta(days=90), end + timedelta(days=3650))
    for name, moment in moments.items():
        owner.execute("SELECT set_config(%s, %s, TRUE)", (name, moment))
    message = f"the first of the stack's certificates ends on {end:%Y-%m-%d %H:%M} UTC"
    assert alerts(owner, "certificates due") == ([(told, message)] if told else [])
    figure = (
        "SELECT value FROM upkeep.metrics() WHERE name = 'pipe_certificate_expiry_timestamp_seconds' AND labels = %s"
    )
    assert one(owner, figure, '{"certificate": "first"}') == end.timestamp()
    assert one(owner, figure, '{"certificate": "authority"}') == end.timestamp() + 3650 * 86400


def test_a_month_that_should_be_archived_is_an_alert(owner: Connection) -> None:
    assert alerts(owner, "archive lagging") == []
    owner.execute("SELECT pipe.ensure_partition('pipeline_runs', '2019-06-01')")
    assert alerts(owner, "archive lagging") == [("warning", "month 2019-06 of pipe.pipeline_runs is not archived yet")]


def test_an_archived_month_that_may_leave_is_an_alert_once_the_policy_says_so(owner: Connection) -> None:
    owner.execute(
        "CREATE TABLE archive.pipeline_runs_y2019m06 PARTITION OF archive.pipeline_runs"
        " FOR VALUES FROM ('2019-06-01 00:00:00+00') TO ('2019-07-01 00:00:00+00')"
    )
    assert alerts(owner, "export due") == []
    given = {"environment": "dev", "network": {"port_base": 15400}, "data": {"runs_export_after_months": 24}}
    owner.execute("SET LOCAL ROLE pipe_owner")
    for statement in split(partition_policy(load("dev", given)).text):
        owner.execute(statement.text.encode())
    owner.execute("RESET ROLE")
    due = ("warning", "month 2019-06 of archive.pipeline_runs may leave the database")
    assert due in alerts(owner, "export due"), "beside what other tests have archived"


def test_a_table_without_its_audit_trigger_is_an_alert(owner: Connection) -> None:
    owner.execute("ALTER TABLE pipe.users DISABLE TRIGGER audit_insert")
    told = "table pipe.users is not audited as it should be: trigger audit_insert is disabled"
    assert ("error", told) in alerts(owner, "not audited")


def test_a_seal_that_does_not_hold_is_an_alert(owner: Connection) -> None:
    assert alerts(owner, "audit seal broken") == []
    owner.execute(
        "INSERT INTO pipe.audit_verifications (verified_by, first_seal, last_seal, broken_seal, problem)"
        " VALUES ('test', 1, 9, 7, 'a row was changed')"
    )
    assert alerts(owner, "audit seal broken") == [("error", "seal 7 of the audit log does not hold")]


@pytest.fixture
def old_table(database: SchemaDatabase) -> Iterator[None]:
    """A table 130,000 transactions old whose limit is 100,000."""
    with database.session(matrix.PROVISIONER, autocommit=True) as owner:
        owner.execute("SET ROLE pipe_owner")
        owner.execute(
            "CREATE TABLE upkeep.old (id integer) WITH (autovacuum_enabled = false, autovacuum_freeze_max_age = 100000)"
        )
        owner.execute("DO $$ BEGIN FOR n IN 1..130000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$")
        yield
        owner.execute("DROP TABLE upkeep.old")


@pytest.mark.usefixtures("old_table")
def test_a_table_near_the_wraparound_is_told(migrator: Connection) -> None:
    # Autovacuum comes to such a table even where it is disabled, but not before its next round, in a minute.
    (severity, message), *others = alerts(migrator, "wraparound")
    assert (severity, others) == ("warning", [])
    assert message.startswith("upkeep.old is 13")
    assert message.endswith(" transactions old; autovacuum had to come at 100000")
    assert one(migrator, "SELECT count(*) FROM upkeep.report() WHERE kind = 'near wraparound'") == 1
    assert (
        float(str(one(migrator, "SELECT value FROM upkeep.metrics() WHERE name = 'pipe_transaction_age_ratio'"))) > 1.2
    )


def test_storage_parameters_follow_their_list(owner: Connection) -> None:
    options = "SELECT reloptions FROM pg_class WHERE oid = 'pipe.api_keys'::regclass"
    declared = one(owner, options)
    assert "fillfactor=80" in str(declared)
    # The months that other tests have made.
    owner.execute("SELECT upkeep.apply_storage()")
    assert one(owner, "SELECT upkeep.apply_storage()") == 0
    owner.execute("ALTER TABLE pipe.api_keys SET (fillfactor = 50, toast_tuple_target = 4000)")
    owner.execute("SELECT pipe.ensure_partition('audit_logs', '2019-06-01')")
    assert one(owner, "SELECT upkeep.apply_storage()") == 2
    assert one(owner, options) == declared
    month = (
        "SELECT 'autovacuum_freeze_min_age=0' = ANY (reloptions) FROM pg_class WHERE relname = 'audit_logs_y2019m06'"
    )
    assert one(owner, month) is True


def test_moving_last_used_at_touches_no_index(app: Connection, tenant: Tenant) -> None:
    key = "INSERT INTO pipe.api_keys (organization_id, name, key_hash) VALUES (%s, 'key', %s)"
    app.execute(key.encode(), (tenant.organization, SHA256))
    used = "UPDATE pipe.api_keys SET last_used_at = CURRENT_TIMESTAMP WHERE organization_id = %s"
    app.execute(used.encode(), (tenant.organization,))
    assert one(app, "SELECT pg_stat_get_xact_tuples_hot_updated('pipe.api_keys'::regclass)") == 1


def test_the_monitor_reads_figures_and_may_not_act(database: SchemaDatabase) -> None:
    with database.session(matrix.MONITOR) as monitor:
        names = {name for (name,) in monitor.execute("SELECT DISTINCT name FROM upkeep.metrics()").fetchall()}
        assert names >= {
            "pipe_job_ok",
            "pipe_months_ahead",
            "pipe_live_months",
            "pipe_transaction_age_ratio",
            "pipe_alerts",
        }
        assert one(monitor, "SELECT count(*) > 0 FROM upkeep.pg_stat_statements") is True
        for statement in ("TABLE upkeep.runs", "SELECT upkeep.record_runs()", "SELECT upkeep.plan_reindex()"):
            with pytest.raises(Exception, match="permission denied"), monitor.transaction():
                monitor.execute(statement.encode())


def test_a_slow_statement_is_logged_once_and_without_its_values(database: SchemaDatabase, migrator: Connection) -> None:
    canary, mark = secrets.token_hex(16), secrets.token_hex(4)
    with database.session(matrix.APP) as app:
        app.execute(f"SELECT pg_sleep(1.1) AS slept_{mark}, '{canary}'".encode())

    def logged() -> list[str]:
        lines = database.container.logs().decode().splitlines()
        return [line for line in lines if mark in line and "slow statement" in line]

    # The job may have been quicker.
    migrator.execute("SELECT upkeep.log_slow_statements()")
    deadline = time.monotonic() + RUN_WAIT_SECONDS
    while not logged():
        assert time.monotonic() < deadline, "the slow statement is not in the log"
        time.sleep(POLL_SECONDS)
    migrator.execute("SELECT upkeep.log_slow_statements()")
    (line,) = logged()
    assert f"SELECT pg_sleep($1) AS slept_{mark}, $2" in line
    assert "role pipe_app" in line
    assert canary not in "".join(logged())
