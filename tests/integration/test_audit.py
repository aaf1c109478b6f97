"""Failed logins of every member and backups reach the audit log, by the jobs that run on the primary."""

from __future__ import annotations

import json
import secrets
from typing import Any

import psycopg
import pytest

from infra.paths import LOG_DIR
from tests import timeouts
from tests.asserts.eventually import eventually
from tests.asserts.replication import assert_replicated, leader
from tests.fixtures.stacks import Stack

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("shared")]

JOURNALLED = "SELECT name FROM pg_ls_dir('{}', true, false) AS name WHERE name LIKE '%.json'"


def in_recovery(stack: Stack) -> bool:
    with stack.connect("app", "read_only") as session:
        return session.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)


def test_failed_logins_are_recorded_wherever_they_were_tried(stack: Stack) -> None:
    stranger, wrong = f"stranger_{secrets.token_hex(4)}", secrets.token_hex(20)
    eventually(lambda: in_recovery(stack), bool, timeouts.REJOIN, "the read-only endpoint leads to a replica")
    for target in ("read_write", "read_only"):
        conninfo = psycopg.conninfo.make_conninfo(stack.conninfo("app", target), user=stranger, password=wrong)
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(conninfo, connect_timeout=timeouts.CONNECT)

    with stack.connect("auditor") as auditor:
        found = eventually(
            lambda: auditor.execute(
                "SELECT new_values FROM pipe.audit_logs WHERE operation = 'LOGIN_FAILED' AND table_name = %s",
                (stranger,),
            ).fetchall(),
            lambda rows: len(rows) >= 2,
            timeouts.RECORDED,
            "a record of each failed login",
        )
        said = [row for (row,) in found]
        assert {row["member"] for row in said} == set(assert_replicated(stack, replicas=1))
        assert {(row["database"], row["reason"]) for row in said} == {("pipe", "wrong password or unknown role")}
        text = auditor.execute("SELECT string_agg(r::text, '') FROM pipe.audit_logs AS r").fetchone()
        assert text is not None
        assert wrong not in text[0]


def test_the_log_is_read_as_ever_and_its_journal_lies_in_memory(stack: Stack) -> None:
    primary = leader(stack)
    stranger = f"stranger_{secrets.token_hex(4)}"
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(psycopg.conninfo.make_conninfo(stack.conninfo(), user=stranger, password="x"))
    eventually(
        lambda: stack.logs(primary),
        lambda text: f'FATAL:  password authentication failed for user "{stranger}"' in text,
        timeouts.COMMAND,
        "the failed login in the container's output",
    )
    assert stack.sql(JOURNALLED.format(LOG_DIR), primary), "no journal"
    mounted = stack.container(primary).attrs["HostConfig"]["Tmpfs"]
    assert "size=16m" in mounted[LOG_DIR]
    assert "mode=0700" in mounted[LOG_DIR]


def test_backups_are_recorded(stack: Stack) -> None:
    label = json.loads(stack.pgbackrest("info", "--output=json"))[0]["backup"][0]["label"]
    with stack.connect("migrator") as migrator:
        eventually(
            lambda: recorded(migrator, label), lambda record: record == ("full",), timeouts.COMMAND, "a record of it"
        )


def recorded(migrator: psycopg.Connection[tuple[Any, ...]], label: str) -> tuple[Any, ...] | None:
    """Let the job that watches backups look; return what the log has of this one."""
    migrator.execute("SELECT pipe.audit_watch_backups()")
    return migrator.execute(
        "SELECT new_values ->> 'type' FROM pipe.audit_logs WHERE operation = 'BACKUP' AND table_name = %s", (label,)
    ).fetchone()
