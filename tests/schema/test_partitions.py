"""Months of pipeline_runs and audit_logs: made ahead by the database, bounded in UTC, closed to everyone."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.access import matrix
from tests.fixtures.schema_database import Connection, SchemaDatabase
from tests.schema.archiving import WAIT_SECONDS, wait_until
from tests.schema.rows import Tenant, make_tenant, one

PARENTS = ("pipeline_runs", "audit_logs")
MONTHS_AHEAD = 6
# Half hours, 14 hours ahead, 11 behind, and one that changes its clocks.
ZONES = ("UTC", "Asia/Kolkata", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Berlin")


def month_after(month: date, count: int = 1) -> date:
    """Return the first day of the month `count` months later."""
    years, index = divmod(month.month - 1 + count, 12)
    return date(month.year + years, index + 1, 1)


@pytest.mark.parametrize("parent", PARENTS)
def test_the_present_month_and_six_ahead_are_there_at_once(owner: Connection, parent: str) -> None:
    rows = owner.execute(
        "SELECT partition FROM pipe.partition_status() WHERE parent = %s AND month >= pipe.current_month()", (parent,)
    ).fetchall()
    present = datetime.now(UTC).date().replace(day=1)
    months = [month_after(present, count) for count in range(MONTHS_AHEAD + 1)]
    assert [name for (name,) in rows] == [f"{parent}_y{month:%Y}m{month:%m}" for month in months]


@pytest.mark.parametrize("time_zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles"])
def test_a_month_begins_and_ends_in_utc_whatever_the_session_thinks(owner: Connection, time_zone: str) -> None:
    tenant = make_tenant(owner)
    owner.execute("SELECT set_config('TimeZone', %s, true)", (time_zone,))
    owner.execute("SELECT pipe.ensure_partition('pipeline_runs', '2024-02-01')")
    owner.execute("SELECT pipe.ensure_partition('pipeline_runs', '2024-03-31')")
    owner.execute("SELECT pipe.ensure_partition('pipeline_runs', '2024-04-01')")
    for moment, expected in [
        ("2024-02-29 23:59:59.999999+00", "pipeline_runs_y2024m02"),
        ("2024-03-01 00:00:00+00", "pipeline_runs_y2024m03"),
        ("2024-03-31 23:59:59.999999+00", "pipeline_runs_y2024m03"),
        ("2024-04-01 00:00:00+00", "pipeline_runs_y2024m04"),
    ]:
        where = one(
            owner,
            "INSERT INTO pipe.pipeline_runs (pipeline_id, status, started_at) VALUES (%s, 'queued', %s)"
            " RETURNING tableoid::regclass::text",
            tenant.pipeline,
            moment,
        )
        assert where == f"pipe.{expected}"


def test_making_a_month_twice_changes_nothing(owner: Connection) -> None:
    assert one(owner, "SELECT pipe.ensure_partition('pipeline_runs', '2024-03-15')") is True
    assert one(owner, "SELECT pipe.ensure_partition('pipeline_runs', '2024-03-01')") is False
    assert one(owner, "SELECT pipe.ensure_partitions()") == 0


def test_a_month_that_was_lost_is_made_again_and_a_gap_counts(owner: Connection) -> None:
    third = one(owner, "SELECT pipe.partition_name('audit_logs', (pipe.current_month() + interval '3 months')::date)")
    owner.execute(f"DROP TABLE pipe.{third}".encode())
    assert one(owner, "SELECT months_ahead FROM pipe.partitions_ahead() WHERE parent = 'audit_logs'") == 2
    assert one(owner, "SELECT pipe.ensure_partitions()") == 1
    assert one(owner, "SELECT months_ahead FROM pipe.partitions_ahead() WHERE parent = 'audit_logs'") == MONTHS_AHEAD


def test_only_tables_of_the_policy_have_months(owner: Connection) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=r"table pipe.users is not partitioned by month"):
        owner.execute("SELECT pipe.ensure_partition('users', '2024-03-01')")


@pytest.mark.parametrize("moment", ["1999-12-31 23:59:59+00", "2199-01-01 00:00:00+00"])
def test_a_row_for_a_month_that_is_not_there_is_refused(app: Connection, tenant: Tenant, moment: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        app.execute(
            "INSERT INTO pipe.pipeline_runs (pipeline_id, status, started_at) VALUES (%s, 'queued', %s)",
            (tenant.pipeline, moment),
        )
    assert caught.value.diag.message_primary == 'no partition of relation "pipeline_runs" found for row'
    assert f"({moment})" in str(caught.value.diag.message_detail)
    assert (caught.value.diag.table_name, caught.value.diag.constraint_name) == ("pipeline_runs", None)


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        ("1999-12-31 23:59:59+00", ("1999-12", "not there", "It was never made, or was exported: make attach-month")),
        (
            "2199-01-01 00:00:00+00",
            (
                "2199-01",
                "not made yet",
                "The job pipe_partitions makes it in 2198-07, 6 months ahead (data.months_ahead).",
            ),
        ),
        ("99999-01-01 00:00:00+00", ("99999-01", "not made yet", "The job pipe_partitions makes it in 99998-07, ")),
        ("infinity", (None, "no month has it", "Send a moment.")),
        ("now", (f"{datetime.now(UTC):%Y-%m}", "live", None)),
    ],
)
def test_the_application_can_ask_why_a_row_has_no_month(
    app: Connection, moment: str, told: tuple[str | None, str, str | None]
) -> None:
    app.execute("SET LOCAL TimeZone = 'Asia/Tokyo'")
    row = app.execute("SELECT * FROM pipe.month_of('pipeline_runs', %s)", (moment,)).fetchone()
    assert row is not None
    assert row[:2] == told[:2]
    assert (row[2] or "").startswith(told[2] or "")


def test_an_archived_month_says_so_when_it_is_asked(owner: Connection) -> None:
    owner.execute("SELECT pipe.ensure_partition('pipeline_runs', '2005-05-01')")
    state = "SELECT state FROM pipe.month_of('pipeline_runs', '2005-05-31 23:59:59.999999+00')"
    assert one(owner, state) == "live"
    owner.execute("ALTER TABLE pipe.pipeline_runs DETACH PARTITION pipe.pipeline_runs_y2005m05")
    assert one(owner, state) == "being archived"
    owner.execute("SELECT pipe.archive_finish('pipeline_runs', 'pipeline_runs_y2005m05')")
    row = owner.execute("SELECT state, hint FROM pipe.month_of('pipeline_runs', '2005-05-01+00')").fetchone()
    assert row == ("archived", "Its rows are read-only, and in the view pipe.pipeline_runs_all.")


@given(st.datetimes(min_value=datetime(2040, 1, 1), max_value=datetime(2059, 12, 31)), st.sampled_from(ZONES))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
def test_whatever_the_moment_and_the_zone_its_month_takes_it(owner: Connection, moment: datetime, zone: str) -> None:
    """What is made for a moment's month holds it; the bounds of a month are its first moment and the next one's."""
    at = moment.replace(tzinfo=ZoneInfo(zone))
    utc = at.astimezone(UTC)
    with owner.transaction(force_rollback=True):
        tenant = make_tenant(owner)
        owner.execute("SELECT set_config('TimeZone', %s, true)", (zone,))
        owner.execute("SELECT pipe.ensure_partition('pipeline_runs', %s)", (utc.date(),))
        where = one(
            owner,
            "INSERT INTO pipe.pipeline_runs (pipeline_id, status, started_at) VALUES (%s, 'queued', %s)"
            " RETURNING tableoid::regclass::text",
            tenant.pipeline,
            at,
        )
        assert where == f"pipe.pipeline_runs_y{utc:%Y}m{utc:%m}"
        first = utc.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        following = datetime.combine(month_after(first.date()), datetime.min.time(), UTC)
        for refused in (first - timedelta(microseconds=1), following):
            with pytest.raises(psycopg.errors.CheckViolation), owner.transaction():
                owner.execute(
                    "INSERT INTO pipe.pipeline_runs (pipeline_id, status, started_at) VALUES (%s, 'queued', %s)",
                    (tenant.pipeline, refused),
                )


@pytest.mark.parametrize("parent", PARENTS)
def test_a_new_month_has_what_its_table_has_and_lets_nobody_in(owner: Connection, parent: str) -> None:
    owner.execute("SELECT pipe.ensure_partition(%s, '2024-03-01')", (parent,))
    month = f"pipe.{parent}_y2024m03"
    assert one(owner, "SELECT relacl::text FROM pg_class WHERE oid = %s::regclass", month) == (
        "{pipe_owner=arwdDxtm/pipe_owner}"
    )
    assert one(owner, "SELECT relowner::regrole::text FROM pg_class WHERE oid = %s::regclass", month) == matrix.OWNER
    for catalog, column in (("pg_index", "indrelid"), ("pg_constraint", "conrelid")):
        count = f"SELECT count(*) FROM {catalog} WHERE {column} = %s::regclass"
        assert one(owner, count, month) == one(owner, count, f"pipe.{parent}"), catalog
    triggers = owner.execute(
        "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal ORDER BY 1", (month,)
    ).fetchall()
    expected = {
        "pipeline_runs": ["audit_delete", "audit_insert", "audit_truncate", "audit_update"],
        "audit_logs": ["append_only", "append_only_truncate"],
    }
    assert [name for (name,) in triggers] == expected[parent]


def test_a_question_about_one_month_looks_at_one_month(owner: Connection) -> None:
    for month in ("2024-02-01", "2024-03-01"):
        owner.execute("SELECT pipe.ensure_partition('pipeline_runs', %s)", (month,))
    rows = owner.execute(
        "EXPLAIN SELECT count(*) FROM pipe.pipeline_runs_all"
        " WHERE started_at >= '2024-03-01 00:00:00+00' AND started_at < '2024-04-01 00:00:00+00'"
    ).fetchall()
    plan = "\n".join(line for (line,) in rows)
    assert set(re.findall(r"pipeline_runs_y\d{4}m\d\d(?= )", plan)) == {"pipeline_runs_y2024m03"}, plan


def test_making_a_month_does_not_stop_writers(database: SchemaDatabase) -> None:
    """Attaching waits for nobody who writes into the table, and nobody who writes waits for it."""
    with database.session(matrix.APP) as writer, database.session(matrix.MIGRATOR) as maker:
        tenant = make_tenant(writer)
        writer.commit()
        maker.execute("SELECT pipe.ensure_partition('audit_logs', '2030-01-01')")
        writer.execute("SET LOCAL lock_timeout = '1s'")
        writer.execute("INSERT INTO pipe.organizations (name) VALUES ('while a month of the log is being made')")
        writer.rollback()
        maker.rollback()
        writer.execute("DELETE FROM pipe.pipelines WHERE id = %s", (tenant.pipeline,))
        writer.execute("DELETE FROM pipe.organizations WHERE id = %s", (tenant.organization,))
        writer.execute("DELETE FROM pipe.users WHERE id = %s", (tenant.user,))
        writer.commit()


def test_a_month_of_runs_gives_way_to_writers_until_it_is_made(database: SchemaDatabase) -> None:
    """Its foreign keys lock pipelines and users: while somebody changes one, it tries again and lets others through."""
    waits = (
        "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %s AND NOT granted AND mode = 'ShareRowExclusiveLock'"
        " AND relation IN ('pipe.pipelines'::regclass, 'pipe.users'::regclass))"
    )
    with (
        ThreadPoolExecutor() as beside,
        database.session(matrix.APP) as busy,
        database.session(matrix.APP) as other,
        database.session(matrix.MIGRATOR) as maker,
        database.session(matrix.PROVISIONER, autocommit=True) as onlooker,
    ):
        tenant = make_tenant(busy)
        busy.execute("UPDATE pipe.pipelines SET description = 'busy' WHERE id = %s", (tenant.pipeline,))
        making = beside.submit(one, maker, "SELECT pipe.ensure_partition('pipeline_runs', '2030-01-01')")
        for _ in range(3):
            wait_until(lambda: bool(one(onlooker, waits, maker.info.backend_pid)), "a month that waits for its keys")
            make_tenant(other)
            assert not making.done(), "others came through while it was still to be made"
            other.rollback()
        busy.rollback()
        assert making.result(WAIT_SECONDS) is True
        attached = "SELECT attached FROM pipe.partition_status() WHERE partition = 'pipeline_runs_y2030m01'"
        assert one(maker, attached) is True


def test_an_impatient_maker_gives_up_and_says_so(database: SchemaDatabase) -> None:
    with database.session(matrix.MIGRATOR) as blocker, database.session(matrix.MIGRATOR) as maker:
        blocker.execute("LOCK TABLE pipe.pipeline_runs IN ACCESS EXCLUSIVE MODE")
        started = datetime.now(UTC)
        with pytest.raises(psycopg.errors.LockNotAvailable):
            maker.execute("SELECT pipe.ensure_partition('pipeline_runs', '2030-01-01')")
        assert datetime.now(UTC) - started < timedelta(seconds=10)
