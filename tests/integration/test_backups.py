"""Backups and the archive, through pgBackRest's own commands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests import timeouts
from tests.asserts.eventually import eventually
from tests.asserts.replication import leader
from tests.fixtures.stacks import Stack

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("shared")]


def info(stack: Stack) -> dict[str, Any]:
    """Return what pgBackRest knows of the stanza."""
    return dict(json.loads(stack.pgbackrest("info", "--output=json"))[0])


def test_up_ends_with_a_full_backup_that_is_encrypted(stack: Stack) -> None:
    stanza = info(stack)
    assert stanza["status"]["code"] == 0
    assert stanza["cipher"] == "aes-256-cbc"
    assert [backup["type"] for backup in stanza["backup"]][:1] == ["full"]


def test_check_passes(stack: Stack) -> None:
    stack.pgbackrest("check", timeout=timeouts.ARCHIVED)


def test_wal_reaches_the_repository(stack: Stack) -> None:
    stack.sql("SELECT pg_logical_emit_message(true, 'test', 'something to archive')", leader(stack))
    segment = stack.sql("SELECT pg_walfile_name(pg_switch_wal())", leader(stack))[0]
    eventually(
        lambda: info(stack)["archive"][-1]["max"],
        lambda newest: newest >= segment,
        timeouts.ARCHIVED,
        f"{segment} in the repository",
    )


def test_backups_are_read_from_the_replica(stack: Stack) -> None:
    done = stack.run("bin/pgbackrest", "--type=incr", "backup", timeout=timeouts.UP)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "wait for replay on the standby" in done.stdout + done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["expire", "--repo1-retention-full=1", "--set=NEWEST"],
        ["stanza-delete", "--force"],
        ["repo-rm", "--recurse", "backup"],
    ],
    ids=lambda c: c[0],
)
def test_a_database_node_cannot_delete_backups(stack: Stack, command: list[str]) -> None:
    before = info(stack)["backup"]
    words = [word.replace("NEWEST", before[-1]["label"]) for word in command]
    status, text = stack.execute("member-0", "pgbackrest", f"--stanza={stack.name}", *words)
    assert status != 0, text
    assert info(stack)["backup"] == before


def test_not_even_the_server_that_members_talk_to_can_change_a_backup(stack: Stack) -> None:
    _, text = stack.execute("repository", "touch", "/var/lib/pgbackrest/backup/x")
    assert "Read-only file system" in text


def test_a_database_node_does_not_know_the_passphrase(stack: Stack) -> None:
    status, config = stack.execute("member-0", "cat", "/etc/pgbackrest.conf")
    assert status == 0
    assert "cipher" not in config


def test_schedule_and_retention_are_the_configured_ones(stack: Stack) -> None:
    backup = stack.outputs["backup"]
    assert backup["retention_days"] == 30
    assert backup["schedule"] == {
        "full": "0 0 * * *",
        "differential": None,
        "incremental": None,
        "time_zone": "UTC",
    }
    waiting = json.dumps(stack.container("scheduler").top(ps_args="-eo pid,args"))
    assert "-M 0 -H 0 -d * -m * -w *" in waiting
