"""New backups and backups that are gone are recorded, and a repository that does not answer expires nothing."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from infra.access import matrix
from tests.fixtures.schema_database import Connection, SchemaDatabase
from tests.schema.rows import one

# Where the server looks first; what it finds there otherwise knows of no stanza.
PROGRAM = "/tmp/bin/pgbackrest"


def backup(label: str) -> dict[str, Any]:
    """What pgBackRest tells of one, as far as it is looked at."""
    return {
        "label": label,
        "type": "full",
        "timestamp": {"start": 1764115200, "stop": 1764115230},
        "info": {"size": 1000},
        "archive": {"start": "000000010000000000000003", "stop": "000000010000000000000004"},
        "error": False,
    }


def stanza(*labels: str, code: int = 0, message: str = "ok") -> str:
    told = {"name": "", "status": {"code": code, "message": message}, "backup": [backup(label) for label in labels]}
    return json.dumps([told])


class Repository:
    """Stands where pgBackRest does, and answers what it is told to."""

    def __init__(self, database: SchemaDatabase) -> None:
        self._container = database.container

    def answers(self, text: str, status: int = 0) -> None:
        program = f"#!/bin/sh\nprintf '%s\\n' {shlex.quote(text)}\nexit {status}\n"
        done = self._container.exec_run(["bash", "-euc", f"printf '%s' {shlex.quote(program)} > {PROGRAM}"])
        assert done.exit_code == 0, done.output


@pytest.fixture
def repository(database: SchemaDatabase, watcher: Connection) -> Iterator[Repository]:
    """What the job asks, which it does not while ``watcher`` is there: so it goes before that does."""
    del watcher
    stand_in = Repository(database)
    yield stand_in
    stand_in.answers("[]")


@pytest.fixture
def watcher(database: SchemaDatabase) -> Iterator[Connection]:
    """A session of the role that runs the job, rolled back. The job itself does nothing meanwhile."""
    with database.session(matrix.MIGRATOR) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('pipe.audit_watch_backups'))")
        connection.execute("DELETE FROM pipe.audit_seen WHERE subject LIKE 'BACKUP %'")
        yield connection


def watch(watcher: Connection) -> str:
    return str(one(watcher, "SELECT pipe.audit_watch_backups()"))


def recorded(watcher: Connection) -> list[tuple[str, str]]:
    return watcher.execute(
        "SELECT operation, table_name FROM pipe.audit_logs WHERE operation IN ('BACKUP', 'EXPIRE')"
        " AND transaction_id = pg_current_xact_id() ORDER BY occurred_at"
    ).fetchall()


def test_a_backup_is_recorded_once_and_its_expiry_too(repository: Repository, watcher: Connection) -> None:
    repository.answers(stanza("20260101-000000F"))
    assert watch(watcher) == "1 made, 0 expired"
    repository.answers(stanza("20260101-000000F", "20260102-000000F"))
    assert watch(watcher) == "1 made, 0 expired"
    assert watch(watcher) == "0 made, 0 expired"
    repository.answers(stanza("20260102-000000F"))
    assert watch(watcher) == "0 made, 1 expired"
    assert recorded(watcher) == [
        ("BACKUP", "20260101-000000F"),
        ("BACKUP", "20260102-000000F"),
        ("EXPIRE", "20260101-000000F"),
    ]


def test_a_record_says_when_and_from_which_wal(repository: Repository, watcher: Connection) -> None:
    repository.answers(stanza("20260101-000000F"))
    watch(watcher)
    said = one(watcher, "SELECT new_values FROM pipe.audit_logs WHERE operation = 'BACKUP'")
    assert isinstance(said, dict)
    assert (said["type"], said["bytes"], said["failed_checksums"]) == ("full", 1000, False)
    assert (said["first_wal"], said["last_wal"]) == ("000000010000000000000003", "000000010000000000000004")
    assert said["ended_at"].startswith("2025-11-26T00:00:30")


def test_the_last_backup_of_all_can_expire(repository: Repository, watcher: Connection) -> None:
    repository.answers(stanza("20260101-000000F"))
    watch(watcher)
    repository.answers(stanza(code=2, message="no valid backups"))
    assert watch(watcher) == "0 made, 1 expired"


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        ("[]", 0, "the repository does not tell its backups: no such stanza"),
        (stanza(code=99, message="other"), 0, "the repository does not tell its backups: other"),
        ("", 42, 'program "timeout 60 pgbackrest --stanza= --output=json info" failed'),
    ],
)
def test_a_repository_that_does_not_tell_expires_nothing(
    repository: Repository, watcher: Connection, answer: str, status: int, said: str
) -> None:
    repository.answers(stanza("20260101-000000F"))
    watch(watcher)
    repository.answers(answer, status)
    with pytest.raises(psycopg.Error, match=said), watcher.transaction():
        watch(watcher)
    assert recorded(watcher) == [("BACKUP", "20260101-000000F")]


def test_before_there_is_a_stanza_there_is_nothing_to_tell(repository: Repository, watcher: Connection) -> None:
    repository.answers("[]")
    assert watch(watcher) == "nothing done: there is no backup yet"
