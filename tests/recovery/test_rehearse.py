"""`make rehearse` on a real stack: a migration that rewrites a table is reported before it runs there."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.rehearse import copy
from tests import timeouts
from tests.asserts.eventually import eventually
from tests.asserts.replication import leader
from tests.fixtures import runbook
from tests.fixtures.stacks import Stack
from tests.integration.test_backups import info

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("drilled")]

ROWS = 20_000
# 1, 10 to 19, and so on, up to 10000 to 19999.
CHANGED = 1 + 10 + 100 + 1_000 + 10_000
REWRITES = """\
-- Only for a rehearsal: it writes every row of a table anew, and changes some.
ALTER TABLE pipe.organizations ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid();
UPDATE pipe.organizations SET plan_type = 'pro' WHERE name LIKE 'rehearsal 1%';
"""


def archived(stack: Stack) -> None:
    """Wait until everything that was committed is in the repository."""
    segment = stack.sql("SELECT pg_walfile_name(pg_switch_wal())", leader(stack))[0]
    eventually(
        lambda: info(stack)["archive"][-1]["max"],
        lambda newest: newest >= segment,
        timeouts.ARCHIVED,
        f"{segment} in the repository",
    )


def left_over(stack: Stack) -> list[str]:
    """Return what a rehearsal has on the engine."""
    mine: dict[str, str | list[str] | bool] = {"label": [f"pipe.stack={stack.name}", "pipe.component=rehearsal"]}
    found = stack.engine.containers.list(all=True, filters=mine, ignore_removed=True) + stack.engine.volumes.list(
        filters=mine
    )
    return [str(thing.name) for thing in found]


@pytest.mark.long
def test_nothing_pending_is_said(drilled: Stack) -> None:
    assert f"nothing is pending for {drilled.name}" in drilled.make("rehearse", timeout=timeouts.DRILL)
    assert left_over(drilled) == []


def test_a_rewrite_is_reported_with_its_lock_and_its_rows(drilled: Stack, tmp_path: Path) -> None:
    with drilled.connect() as app:
        app.execute(
            "INSERT INTO pipe.organizations (name) SELECT 'rehearsal ' || n FROM generate_series(1, %s) AS n", (ROWS,)
        )
        (rows,) = app.execute("SELECT count(*) FROM pipe.organizations").fetchone() or (0,)
    archived(drilled)
    draft, out = tmp_path / "widen_names.sql", tmp_path / "rehearsal.md"
    draft.write_text(REWRITES)
    done = drilled.run("make", "rehearse", f"FILE={draft}", f"OUT={out}", timeout=timeouts.DRILL)
    assert done.returncode == 0, done.stdout + done.stderr
    cells = [cell.strip() for cell in out.read_text().splitlines()[4].split("|")]
    assert cells[1] == f"`{draft}`"
    assert cells[3] == "ACCESS EXCLUSIVE on pipe.organizations"
    assert cells[5] == f"{rows} of pipe.organizations"
    assert cells[6] == str(CHANGED)
    assert "ACCESS EXCLUSIVE on pipe.organizations" in done.stdout
    assert left_over(drilled) == []
    with drilled.connect() as app:
        assert app.execute("SELECT DISTINCT plan_type FROM pipe.organizations").fetchall() == [("free",)], "untouched"


@pytest.mark.long
def test_one_that_fails_is_reported_and_is_the_exit_status(drilled: Stack, tmp_path: Path) -> None:
    draft = tmp_path / "wrong.sql"
    draft.write_text("ALTER TABLE pipe.organizations DROP COLUMN no_such_column;\n")
    done = drilled.run("make", "rehearse", f"FILE={draft}", timeout=timeouts.DRILL)
    assert done.returncode != 0
    assert f'see  {draft} failed: migration "' in done.stdout
    assert 'column "no_such_column" of relation "organizations" does not exist' in done.stdout
    assert left_over(drilled) == []


@pytest.mark.long
@pytest.mark.timeout(2 * timeouts.DRILL + 3 * timeouts.UP + timeouts.COMMAND)
def test_an_up_leaves_a_rehearsal_alone_and_clears_away_one_that_was_killed(drilled: Stack, tmp_path: Path) -> None:
    draft = tmp_path / "slow.sql"
    draft.write_text("SELECT pg_catalog.pg_sleep(600);\n")
    with (tmp_path / "said").open("w") as output:
        rehearsal = drilled.start("make", "rehearse", f"FILE={draft}", output=output)
    try:
        eventually(
            lambda: (tmp_path / "said").read_text(),
            lambda said: f"{draft} …" in said,
            timeouts.DRILL,
            "the rehearsal is under way",
        )
        name = next(name for name in left_over(drilled))
        drilled.up()
        assert drilled.engine.containers.get(name).status == "running"
        assert rehearsal.poll() is None
    finally:
        os.killpg(rehearsal.pid, signal.SIGKILL)
        rehearsal.wait()
    eventually(
        lambda: drilled.engine.containers.get(name).status,
        lambda status: status == "exited",
        timeouts.DRILL,
        "nobody asks for the copy any more",
    )
    time.sleep(copy.GRACE.total_seconds())
    assert f"recovering: removed {name}, which an interrupted rehearsal left" in drilled.up()
    assert left_over(drilled) == []


@contextmanager
def no_backup(stack: Stack) -> Iterator[None]:
    """Lose what the repository holds, and have it begin anew at the end."""
    folder = "/var/lib/pgbackrest"
    script = f"rm -rf {folder}/archive/{stack.name} {folder}/backup/{stack.name}"
    assert stack.execute("scheduler", "sh", "-c", script) == (0, "")
    try:
        yield
    finally:
        runbook.run("begin anew", stack)


@pytest.mark.long
def test_without_a_backup_it_runs_on_the_stacks_schema_with_made_up_data(drilled: Stack, tmp_path: Path) -> None:
    draft, out = tmp_path / "widen_names.sql", tmp_path / "rehearsal.md"
    draft.write_text(REWRITES)
    with no_backup(drilled):
        done = drilled.run("make", "rehearse", f"FILE={draft}", f"OUT={out}", timeout=timeouts.DRILL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{drilled.name} has no backup: making a copy of its schema with made-up data" in done.stdout
    title, _, _, _, row = out.read_text().splitlines()[:5]
    assert re.fullmatch(rf"### Rehearsal on made-up data, \d\.\d\d GB: {drilled.name} has no backup", title)
    cells = [cell.strip() for cell in row.split("|")]
    # Only the draft is pending: the copy has what the stack has.
    assert cells[1] == f"`{draft}`"
    assert cells[3] == "ACCESS EXCLUSIVE on pipe.organizations"
    assert re.fullmatch(r"[1-9]\d+ of pipe.organizations", cells[5])
    assert left_over(drilled) == []
