"""Restores that are cut off: a killed one is begun anew, an interrupted one in place leaves the stack as it was."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from cli.inplace.reached import NOTE
from provider.restore.look import RESTORING
from provider.restore.moments import shown
from tests import timeouts
from tests.asserts.eventually import eventually
from tests.asserts.replication import assert_replicated, roles
from tests.fixtures.stacks import Stack, succeeded, throw_away_stack
from tests.recovery.restore.going_back import old_data
from tests.recovery.restore.written import Written, rows

pytestmark = [
    pytest.mark.integration,
    pytest.mark.long,
    pytest.mark.xdist_group("restore"),
    pytest.mark.timeout(4 * timeouts.RESTORE),
]


def there(stack: Stack, component: str, file: str) -> bool:
    """Say whether a container runs and has a file."""
    done = subprocess.run(
        ["docker", "exec", f"pipe-{stack.name}-{component}", "test", "-e", file],
        capture_output=True,
        timeout=timeouts.COMMAND,
        check=False,
    )
    return done.returncode == 0


def copies(stack: Stack) -> bool:
    """Say whether a restore has begun to copy files."""
    return there(stack, "restore", f"{RESTORING}/PG_VERSION")


def serves_again(stack: Stack) -> bool:
    """Say whether a restore in place has taken effect, and the first member leads."""
    return there(stack, "member-0", NOTE) and any(role == "Leader" for role, _ in roles(stack).values())


def cut_off(
    stack: Stack, said: Path, number: signal.Signals, *command: str, when: Callable[[Stack], bool] = copies
) -> tuple[int, str]:
    """Run a restore and send it a signal when it has come so far; return its status and what it said."""
    with said.open("w+") as output:
        running = stack.start(*command, output=output)
        try:
            eventually(lambda: when(stack) or running.poll() is not None, bool, timeouts.RESTORE, "a restore at work")
            assert running.poll() is None, said.read_text()
            os.killpg(running.pid, number)
            running.wait(timeouts.RESTORE)
        finally:
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGKILL)
                running.wait()
    return running.returncode, said.read_text()


def test_cut_off_restores_lose_nothing(written: Written, moments: list[datetime], tmp_path: Path) -> None:
    moment = moments[0]
    with throw_away_stack("cut-off") as stack:
        words = (f"STACK={stack.name}", f"FROM={written.stack.name}", f"AT={shown(moment)}")
        command = ("make", "restore", *words)
        cut_off(stack, tmp_path / "killed", signal.SIGKILL, *command)
        succeeded(stack.run(*command, timeout=timeouts.RESTORE))
        assert rows(stack) == written.by(moment)
        stack.pulumi("preview", "--expect-no-changes")

        stack.sql("UPDATE pipe.organizations SET plan_type = 'of today'")
        back = ("make", "restore-in-place", f"STACK={stack.name}", f"LSN={stack.sql('SELECT pg_current_wal_lsn()')[0]}")
        stack.sql("SELECT pg_logical_emit_message(true, 'test', 'behind it'); SELECT pg_switch_wal()")
        stack.pgbackrest("check")
        status, said = cut_off(stack, tmp_path / "interrupted", signal.SIGINT, *back)
        assert status != 0
        assert "Traceback" not in said
        assert_replicated(stack, replicas=1)
        assert rows(stack) == written.by(moment)
        assert stack.sql("SELECT DISTINCT plan_type FROM pipe.organizations") == ["of today"]
        assert old_data(stack) == []
        stack.pulumi("preview", "--expect-no-changes")

        status, said = cut_off(stack, tmp_path / "later", signal.SIGINT, *back, when=serves_again)
        assert status != 0
        assert "Traceback" not in said
        since = "INSERT INTO pipe.organizations (name, plan_type) VALUES ('ledger since', 'of today') RETURNING id"
        (new,) = stack.sql(since)
        said = succeeded(stack.run(*back, timeout=timeouts.RESTORE))
        assert f'stack "{stack.name}" went back to LSN ' in said
        assert rows(stack) == written.by(moment) | {new}, "what was written since is not gone"
        assert_replicated(stack, replicas=1)
        assert stack.sql("SELECT DISTINCT plan_type FROM pipe.organizations") == ["of today"]
        assert len(old_data(stack)) == 2
