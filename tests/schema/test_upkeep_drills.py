"""Drills as the database sees them: a place in the WAL with its rows, the record, and what monitoring is told."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from infra.access import matrix
from infra.policies import drill_policy
from infra.settings import load
from provider.sql.scanner import split
from tests.fixtures.schema_database import ROOT, Connection, SchemaDatabase
from tests.schema.rows import one
from tests.schema.test_upkeep_alerts import alerts

GOOD: dict[str, Any] = {
    "backup": "20260501-000000F",
    "bytes": 1024,
    "recovery_seconds": 2.5,
    "recovery_point": "2026-05-01T03:00:00+00:00",
    "compared_rows": 7,
    "problems": [],
}
BEGIN = "SELECT number, restore_point, last_segment, row_counts FROM upkeep.begin_drill()"


def begin(database: SchemaDatabase) -> tuple[Any, ...]:
    with database.session(matrix.DRILL, autocommit=True) as drill:
        row = drill.execute(BEGIN).fetchone()
    assert row is not None
    return row


def end(database: SchemaDatabase, number: int | None, **more: Any) -> None:
    with database.session(matrix.DRILL, autocommit=True) as drill:
        drill.execute("SELECT upkeep.end_drill(%s, %s)", (number, Jsonb(GOOD | more)))


def test_the_rows_are_those_of_every_table(database: SchemaDatabase, owner: Connection) -> None:
    _, point, segment, rows = begin(database)
    assert point.startswith("pipe_drill_")
    assert len(segment) == 24
    assert rows.keys() > {"pipe.users", "pipe.pipeline_runs", "archive.audit_logs", "upkeep.drills"}
    assert not [name for name in rows if name.startswith("pipe.pipeline_runs_y")], "a month counts with its table"
    assert rows["pipe.users"] == one(owner, "SELECT count(*) FROM pipe.users")
    assert rows["pipe.pipeline_runs"] == one(owner, "SELECT count(*) FROM pipe.pipeline_runs")


def test_a_place_is_marked_only_while_nobody_writes(database: SchemaDatabase, owner: Connection) -> None:
    """Somebody who has written and not ended yet may have a commit record that no snapshot shows."""
    with database.session(matrix.APP) as writer:
        writer.execute("INSERT INTO pipe.organizations (name) VALUES ('between commit record and end')")
        found: list[tuple[Any, ...]] = []
        drill = threading.Thread(target=lambda: found.append(begin(database)))
        drill.start()
        drill.join(timeout=1)
        assert drill.is_alive(), "it waits"
        writer.commit()
        drill.join(timeout=30)
    (number, _, _, rows) = found[0]
    assert rows["pipe.organizations"] == one(owner, "SELECT count(*) FROM pipe.organizations")
    assert one(owner, "SELECT ended_at FROM upkeep.drills WHERE number = %s", number) is None


def test_a_drill_is_recorded_once(database: SchemaDatabase, owner: Connection) -> None:
    number = begin(database)[0]
    end(database, number)
    end(database, number, problems=["too late"])
    assert one(owner, "SELECT problems FROM upkeep.drills WHERE number = %s", number) == []
    assert one(owner, "SELECT recovery_seconds FROM upkeep.drills WHERE number = %s", number) == 2.5


def test_a_failed_drill_is_an_alert_until_one_passes(database: SchemaDatabase, owner: Connection) -> None:
    end(database, begin(database)[0], problems=["pg_checksums failed: x", "y"])
    assert alerts(owner, "restore drill failed") == [
        ("error", "the drill of backup 20260501-000000F failed: pg_checksums failed: x (and 1 more)")
    ]
    owner.rollback()
    end(database, begin(database)[0], backup=None, problems=["z"])
    assert alerts(owner, "restore drill failed") == [("error", "the drill of backup (there is none) failed: z")]
    owner.rollback()
    end(database, begin(database)[0])
    assert alerts(owner, "restore drill failed") == []


def test_a_drill_that_could_not_begin_here_is_an_alert_as_well(database: SchemaDatabase, owner: Connection) -> None:
    problem = "there was nothing to compare with, the primary did not answer: x"
    end(database, None, problems=[problem])
    assert alerts(owner, "restore drill failed") == [
        ("error", f"the drill of backup 20260501-000000F failed: {problem}")
    ]
    assert one(owner, "SELECT restore_point FROM upkeep.drills ORDER BY number DESC LIMIT 1") is None
    owner.rollback()
    end(database, begin(database)[0])
    assert alerts(owner, "restore drill failed") == []


def named(owner: Connection, name: str, since: str) -> None:
    """Have the watch's last look find a cluster of that name, since then."""
    owner.execute("DELETE FROM pipe.audit_seen WHERE subject = 'CLUSTER server'")
    owner.execute(
        "INSERT INTO pipe.audit_seen (subject, seen, seen_at)"
        " VALUES ('CLUSTER server', to_jsonb(%s::text), now() - %s::interval)",
        (name, since),
    )


def test_drills_of_the_stack_that_it_was_restored_from_say_nothing_of_its_own(
    database: SchemaDatabase, owner: Connection
) -> None:
    for problems in ([], ["pg_checksums failed: x"]):
        end(database, begin(database)[0], problems=problems)
        owner.rollback()
        assert one(owner, "SELECT passed FROM upkeep.last_drill()") is not bool(problems)
        # As the restored database has it: by another name, with jobs that are as old as the source's.
        owner.execute("UPDATE upkeep.drills SET stack = 'source'")
        owner.execute("UPDATE upkeep.jobs SET since = now() - interval '400 days'")
        named(owner, "source", "400 days")
        assert one(owner, "SELECT count(*) FROM upkeep.metrics() WHERE name = 'pipe_drill_ok'") == 0
        assert one(owner, "SELECT ended_at FROM upkeep.last_drill()") is None
        assert alerts(owner, "restore drill failed") == []
        assert alerts(owner, "restore drill stale") == [], "the watch has not seen the new name yet"
        named(owner, "", "9 days")
        assert alerts(owner, "restore drill stale") == []
        named(owner, "", "11 days")
        assert alerts(owner, "restore drill stale") == [("error", "no restore of a backup has passed a drill yet")]
        owner.rollback()


@pytest.mark.parametrize("seen", ["source", None], ids=["restored", "never looked"])
def test_drills_of_before_get_the_name_that_the_watch_saw_last(
    database: SchemaDatabase, owner: Connection, seen: str | None
) -> None:
    """As where migration 0014 comes to a database that was restored from a backup of before it."""
    begin(database)
    owner.execute("DELETE FROM pipe.audit_seen WHERE subject = 'CLUSTER server'")
    if seen:
        owner.execute(
            "INSERT INTO pipe.audit_seen (subject, seen) VALUES ('CLUSTER server', to_jsonb(%s::text))", (seen,)
        )
    owner.execute("ALTER TABLE upkeep.drills DROP COLUMN stack")
    for statement in split((ROOT / "sql/migrations/0014_drills_of_a_stack.sql").read_text()):
        owner.execute(statement.text.encode())
    expected = seen or one(owner, "SHOW cluster_name")
    assert owner.execute("SELECT DISTINCT stack FROM upkeep.drills").fetchall() == [(expected,)]
    owner.rollback()


def test_a_stack_without_a_drill_that_passed_gets_its_days_and_then_an_alert(owner: Connection) -> None:
    owner.execute("DELETE FROM upkeep.drills")
    assert alerts(owner, "restore drill stale") == []
    owner.execute("UPDATE upkeep.jobs SET since = now() - interval '11 days'")
    named(owner, "", "11 days")
    assert alerts(owner, "restore drill stale") == [("error", "no restore of a backup has passed a drill yet")]


def test_a_stale_drill_is_an_alert_once_the_policy_says_so(database: SchemaDatabase, owner: Connection) -> None:
    end(database, begin(database)[0])
    owner.execute("UPDATE upkeep.drills SET ended_at = '2026-01-02 03:04:05+00' WHERE ended_at IS NOT NULL")
    stale = [("error", "no restore of a backup has passed its drill since 2026-01-02 03:04 UTC")]
    assert alerts(owner, "restore drill stale") == stale
    assert one(owner, "SELECT value FROM upkeep.metrics() WHERE name = 'pipe_drill_stale'") == 1
    given = {"environment": "dev", "network": {"port_base": 15400}, "backup": {"drill_max_age_days": None}}
    owner.execute("SET LOCAL ROLE pipe_owner")
    for statement in split(drill_policy(load("dev", given)).text):
        owner.execute(statement.text.encode())
    owner.execute("RESET ROLE")
    assert alerts(owner, "restore drill stale") == []


@pytest.mark.parametrize(
    "statement", ["SELECT * FROM upkeep.drills", "SELECT upkeep.row_counts()", "SELECT pg_switch_wal()"]
)
def test_who_drills_may_do_nothing_else(database: SchemaDatabase, statement: str) -> None:
    with (
        database.session(matrix.DRILL, autocommit=True) as drill,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        drill.execute(statement.encode())
