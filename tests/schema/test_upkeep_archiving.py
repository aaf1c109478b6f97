"""How much WAL waits to be archived is told whatever the archiver's statistics say, which a failover leaves behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.access import matrix
from tests import timeouts
from tests.asserts.eventually import eventually
from tests.fixtures.schema_database import Connection, SchemaDatabase, schema_database
from tests.schema.rows import one
from tests.schema.test_upkeep_alerts import alerts

SEGMENT = 16 * 1024 * 1024
SEGMENTS = 5
BOUND_MB = 96
WAL = "/tmp/data/pg_wal"
# While this file is there, nothing is archived: whoever is to be told by a reload may look once more before.
AWAY = "/tmp/repository-is-away"
ARCHIVED = "SELECT last_archived_wal FROM pg_stat_archiver"
FAILED = "SELECT last_failed_wal FROM pg_stat_archiver"


@pytest.fixture(scope="module")
def database() -> Iterator[SchemaDatabase]:
    """A server that archives, with a bound that a few segments come near."""
    with schema_database(archive_mode="on", archive_command=f"test ! -e {AWAY}") as started:
        policy = (
            "CREATE OR REPLACE FUNCTION upkeep.policy() RETURNS TABLE (reindex_bloat_percent integer,"
            " slow_statement_ms integer, audit_seal_minutes integer, wal_bound_mb integer)"
            f" LANGUAGE sql IMMUTABLE AS 'VALUES (30, 1000, 10, {BOUND_MB})'"
        )
        started.apply_text(policy)
        yield started


@pytest.fixture
def provisioner(database: SchemaDatabase) -> Iterator[Connection]:
    """A superuser of a server that just became primary: nothing waits, and its statistics are empty."""
    with database.session(matrix.PROVISIONER, autocommit=True) as connection:
        in_container(database, f"rm -f {AWAY}")
        newest = switch(connection)
        eventually(lambda: one(connection, ARCHIVED), lambda name: name == newest, timeouts.ARCHIVED, "nothing waits")
        connection.execute("SELECT pg_stat_reset_shared('archiver')")
        yield connection


def switch(connection: Connection) -> str:
    """Fill a segment and return its name."""
    connection.execute("SELECT pg_logical_emit_message(true, 'test', 'x')")
    return str(one(connection, "SELECT pg_walfile_name(pg_switch_wal())"))


def waiting(connection: Connection) -> object:
    return one(connection, "SELECT value FROM upkeep.metrics() WHERE name = 'pipe_wal_waiting_bytes'")


def in_container(database: SchemaDatabase, script: str) -> None:
    status, said = database.container.exec_run(["bash", "-euc", f"cd {WAL}; {script}"])
    assert status == 0, said.decode()


def test_what_waits_on_a_member_that_was_promoted_meanwhile_is_told(
    database: SchemaDatabase, provisioner: Connection, migrator: Connection
) -> None:
    """It is stuck at its history file, which goes first, and has archived no segment yet."""
    in_container(database, f"touch {AWAY}; echo 1 > 00000002.history; touch archive_status/00000002.history.ready")
    for _ in range(SEGMENTS):
        switch(provisioner)
    eventually(
        lambda: one(provisioner, FAILED), lambda name: name == "00000002.history", timeouts.ARCHIVED, "it is stuck"
    )
    assert one(provisioner, ARCHIVED) is None
    assert waiting(provisioner) == SEGMENTS * SEGMENT
    bound = f"backup.wal_bound_mb allows {BOUND_MB} MB"
    assert alerts(migrator, "WAL waiting") == [("error", f"80 MB of WAL wait to be archived; {bound}")]
    assert alerts(migrator, "archiving fails") == [
        ("error", "WAL is not archived since this member became primary: stuck at 00000002.history, 80 MB wait")
    ]
    in_container(database, "rm 00000002.history archive_status/00000002.history.ready")


def test_what_other_members_archived_since_it_led_before_does_not_wait(
    database: SchemaDatabase, provisioner: Connection, migrator: Connection
) -> None:
    """Its statistics end where archiving failed; the segments after that came to it as a replica."""
    in_container(database, f"touch {AWAY}")
    stuck = switch(provisioner)
    eventually(lambda: one(provisioner, FAILED), lambda name: name == stuck, timeouts.ARCHIVED, "it is stuck")
    assert alerts(migrator, "archiving fails")
    for _ in range(SEGMENTS):
        switch(provisioner)
    # The newest first: the archiver tries the oldest, which is stuck as long as it is there.
    in_container(database, "cd archive_status; for file in $(ls -r *.ready); do mv $file ${file%ready}done; done")
    assert one(provisioner, FAILED) == stuck
    assert waiting(provisioner) == 0
    assert alerts(migrator, "WAL waiting") == []
    assert alerts(migrator, "archiving fails") == []
