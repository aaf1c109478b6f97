"""Logins that fail are recorded, however many there are, and so is it when nothing is known of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from infra.access import matrix
from infra.paths import LOG_DIR
from tests.fixtures.schema_database import Connection, SchemaDatabase
from tests.schema.rows import one

LOGGED_WITHIN_SECONDS = 10
POLL_SECONDS = 0.1
CANARY = "correct-horse-battery-staple"


def try_to_log_in(database: SchemaDatabase, role: str, name: str = matrix.DATABASE) -> None:
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(host="127.0.0.1", port=database.port, user=role, dbname=name, password=CANARY)


def member(database: SchemaDatabase) -> str:
    return str(database.container.id)[:12]


@pytest.fixture
def watcher(database: SchemaDatabase) -> Iterator[Connection]:
    """A session of the role that runs the job, rolled back. The job itself does nothing meanwhile."""
    with database.session(matrix.MIGRATOR) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('pipe.audit_watch_logins'))")
        connection.execute("DELETE FROM pipe.audit_seen WHERE subject LIKE 'LOGINS %'")
        read_until(connection, database, minute(2))
        assert shell(database, "for file in *.json; do : > $file; done") == 0
        yield connection


def minute(ago: int) -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=ago)


def read_until(watcher: Connection, database: SchemaDatabase, until: datetime) -> None:
    watcher.execute(
        "INSERT INTO pipe.audit_seen (subject, seen) VALUES (%s, to_jsonb(%s::timestamptz))"
        " ON CONFLICT (subject) DO UPDATE SET seen = excluded.seen",
        (f"LOGINS {member(database)}", until),
    )


def shell(database: SchemaDatabase, script: str) -> int:
    """Run a script as the user that the server runs as; return its status."""
    return int(database.container.exec_run(["bash", "-euc", f"cd {LOG_DIR}; {script}"]).exit_code)


def file_of(moment: datetime) -> str:
    return f"minute-{moment:%M}.json"


def end_the_minute(database: SchemaDatabase, logged: str) -> None:
    """Once a text is in the journal, move all of it to a minute that is over: nobody waits for the clock."""
    deadline = time.monotonic() + LOGGED_WITHIN_SECONDS
    while shell(database, f"cat *.json > /tmp/journal; grep -qF '{logged}' /tmp/journal"):
        assert time.monotonic() < deadline, f"not in the journal: {logged}"
        time.sleep(POLL_SECONDS)
    move = f": > {file_of(minute(1))}; cat /tmp/journal > {file_of(minute(2))}"
    assert shell(database, f"for file in *.json; do : > $file; done; {move}") == 0


def watch(watcher: Connection) -> str:
    return str(one(watcher, "SELECT pipe.audit_watch_logins()"))


def recorded(watcher: Connection, operation: str = "LOGIN_FAILED") -> list[tuple[str, Any]]:
    """Return object and particulars of this transaction's records."""
    return watcher.execute(
        "SELECT table_name, new_values FROM pipe.audit_logs WHERE operation = %s"
        " AND transaction_id = pg_current_xact_id() ORDER BY occurred_at",
        (operation,),
    ).fetchall()


def test_each_failure_says_who_from_where_to_what_and_why(database: SchemaDatabase, watcher: Connection) -> None:
    for role, name in (
        ("stranger", matrix.DATABASE),
        ("nobody_at_all", matrix.DATABASE),
        (matrix.APP, "no_such_database"),
        (matrix.REPLICATOR, matrix.DATABASE),
        (matrix.OWNER, matrix.DATABASE),
        ("the_last_one", matrix.DATABASE),
    ):
        try_to_log_in(database, role, name)
    end_the_minute(database, "the_last_one")
    watch(watcher)
    found = {(role, said["database"]): said for role, said in recorded(watcher)}
    assert {key: said["reason"] for key, said in found.items()} == {
        ("stranger", matrix.DATABASE): "wrong password or unknown role",
        ("nobody_at_all", matrix.DATABASE): "refused by pg_hba.conf or may not log in",
        (matrix.APP, "no_such_database"): "unknown database",
        (matrix.REPLICATOR, matrix.DATABASE): "may not connect to the database",
        (matrix.OWNER, matrix.DATABASE): "refused by pg_hba.conf or may not log in",
        ("the_last_one", matrix.DATABASE): "refused by pg_hba.conf or may not log in",
    }
    stranger = found["stranger", matrix.DATABASE]
    assert (stranger["attempts"], stranger["member"]) == (1, member(database))
    assert datetime.now(UTC) - timedelta(minutes=1) < datetime.fromisoformat(stranger["first_at"]) < datetime.now(UTC)
    address = one(watcher, "SELECT host(client_address) FROM pipe.audit_logs WHERE table_name = 'stranger'")
    assert address == stranger["address"]
    assert CANARY not in str(recorded(watcher))


def test_none_is_recorded_twice(database: SchemaDatabase, watcher: Connection) -> None:
    try_to_log_in(database, "stranger")
    end_the_minute(database, "stranger")
    assert watch(watcher) == "1 recorded"
    assert watch(watcher) == "0 recorded"


def test_a_flood_becomes_few_rows(database: SchemaDatabase, watcher: Connection) -> None:
    for _ in range(20):
        try_to_log_in(database, "stranger")
    for number in range(60):
        try_to_log_in(database, f"guess_{number}")
    end_the_minute(database, "guess_59")
    watch(watcher)
    rows = recorded(watcher)
    # A minute may have ended in between.
    assert len(rows) <= 2 * 51
    assert sum(said["attempts"] for _, said in rows) == 80
    assert sum(said["attempts"] for role, said in rows if role == "stranger") == 20


def test_beyond_fifty_a_minute_names_are_left_out(database: SchemaDatabase, watcher: Connection) -> None:
    line = (
        '{"timestamp":"2026-01-01 10:00:00.123 UTC","user":"guess_%d","dbname":"pipe","remote_host":"192.0.2.1",'
        '"error_severity":"FATAL","state_code":"28P01","message":"x","backend_type":"client backend"}'
    )
    journal = "\n".join(line % number for number in range(60)).encode()
    with database.session(matrix.PROVISIONER) as owner:
        rows = owner.execute("SELECT role, reason, attempts FROM pipe_audit.failures(ARRAY[%s])", (journal,)).fetchall()
    assert len(rows) == 51
    assert (None, "10 more of role, database and address", 10) in rows


def test_names_in_no_encoding_and_holes_stop_nothing(database: SchemaDatabase, watcher: Connection) -> None:
    line = (
        b'{"timestamp":"2026-01-01 10:00:00 UTC","user":"%s","dbname":"pipe","remote_host":"[local]",'
        b'"error_severity":"FATAL","state_code":"28P01","message":"x","backend_type":"client backend"}'
    )
    lines = (line % b"r\xff\xfe", b"\0" * 3 + line % "é".encode(), b'{"error_severity":"FATAL",', b"")
    journal = b"\n".join(lines)
    with database.session(matrix.PROVISIONER) as owner:
        rows = owner.execute("SELECT role FROM pipe_audit.failures(ARRAY[%s]) ORDER BY role", (journal,)).fetchall()
    assert {role for (role,) in rows} == {"rÿþ", "é"}


def test_a_time_without_a_journal_is_recorded(database: SchemaDatabase, watcher: Connection) -> None:
    first, second, third = minute(4), minute(3), minute(2)
    read_until(watcher, database, first)
    assert shell(database, f"rm -f {file_of(first)} {file_of(second)}; : > {file_of(third)}") == 0
    watch(watcher)
    ((who, said),) = recorded(watcher, "LOGINS_UNKNOWN")
    assert who == member(database)
    assert datetime.fromisoformat(said["from"]) == first
    assert datetime.fromisoformat(said["until"]) in (third, third + timedelta(minutes=1), third + timedelta(minutes=2))


def test_what_is_older_than_the_journal_is_unknown(database: SchemaDatabase, watcher: Connection) -> None:
    long_ago = minute(24 * 60)
    read_until(watcher, database, long_ago)
    watch(watcher)
    ((_, said),) = recorded(watcher, "LOGINS_UNKNOWN")
    assert datetime.fromisoformat(said["from"]) == long_ago


def test_a_full_journal_is_told_of(database: SchemaDatabase, watcher: Connection) -> None:
    assert shell(database, f"head -c 16000000 /dev/zero | tr '\\0' x > {file_of(minute(2))}") == 0
    try:
        watch(watcher)
        assert [said["reason"] for _, said in recorded(watcher, "LOGINS_UNKNOWN") if "reason" in said] == [
            "its journal is full"
        ]
    finally:
        shell(database, f": > {file_of(minute(2))}")


def test_what_was_read_is_emptied_at_the_next_look(database: SchemaDatabase, watcher: Connection) -> None:
    """The journal has the rows that a CHECK refused, which the readable log leaves out."""
    old = f"minute-{minute(30):%M}.json"
    assert shell(database, f"echo 'Failing row contains ({CANARY}).' > {old}; touch -d '30 minutes ago' {old}") == 0
    watch(watcher)
    assert shell(database, f"grep -rqF {CANARY} .") != 0


def test_the_function_that_reads_is_nobody_s_but_the_job_s(database: SchemaDatabase) -> None:
    for role in (matrix.APP, matrix.READONLY, matrix.AUDITOR, matrix.MONITOR):
        with database.session(role) as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("SELECT * FROM pipe_audit.failed_logins('{}')")
    with database.session(matrix.MIGRATOR) as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("SELECT * FROM pipe_audit.dblink('host=127.0.0.1', 'SELECT 1') AS x (one integer)")
