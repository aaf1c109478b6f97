"""Migrations on a real stack: two `up`s at once, a killed one, a failing one, and what a preview refuses."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench import scratch
from provider.sql.plan import checksum
from tests import timeouts
from tests.asserts.eventually import eventually
from tests.fixtures.stacks import ROOT, Stack, succeeded, throw_away_stack

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("migrations")]
FOLDER = "sql/migrations"
LAST = max(path.name[:4] for path in (ROOT / FOLDER).glob("*.sql"))


def number(after: int) -> str:
    """The number of so many migrations after the last one of the checkout."""
    return f"{int(LAST) + after:04d}"


FIRST, SECOND, WHOLE, STEPS, FAILS = (
    f"{number(after)}_{name}" for after, name in enumerate(("first", "second", "whole", "steps", "fails"), 1)
)
CLI = (".venv/bin/python", "-m", "cli")
LOCK = 4711
# A migration that ends when the test lets it.
GATE = f"""\
DO $$ BEGIN
    WHILE NOT pg_try_advisory_xact_lock({LOCK}) LOOP PERFORM pg_sleep(0.1); END LOOP;
END $$;
"""
AT_GATE = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'DO%pg_try_advisory_xact_lock%' AND state = 'active'"


class Copy(Stack):
    """The stack in a copy of the checkout, whose environment and tools are those of the checkout: no set-up there."""

    def make(self, target: str, timeout: float = timeouts.COMMAND) -> str:
        return succeeded(self.cli(target, timeout))

    def up(self) -> str:
        return succeeded(self.cli("up", timeouts.UP))

    def cli(self, command: str, timeout: float = timeouts.COMMAND) -> subprocess.CompletedProcess[str]:
        """Run what `make` runs for a target; the caller looks at its status."""
        return self.run(*CLI, command, timeout=timeout)


@dataclass
class Team:
    """One stack, driven from two copies of the checkout, as from two machines."""

    one: Copy
    two: Copy
    backend: Path

    def write(self, name: str, text: str, header: str = "") -> None:
        """Give both copies a migration."""
        for stack in (self.one, self.two):
            (stack.root / FOLDER / f"{name}.sql").write_text(f"-- For a test.\n{header}{text}")

    def remove(self, name: str) -> None:
        for stack in (self.one, self.two):
            (stack.root / FOLDER / f"{name}.sql").unlink()

    @contextmanager
    def at_gate(self) -> Iterator[tuple[subprocess.Popen[str], Callable[[], object]]]:
        """Run `up` from the first copy until its migration is at the gate; lend it, and what opens the gate."""
        with self.one.connect() as holder, tempfile.TemporaryFile("w+") as output:
            holder.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
            running = self.one.start(*CLI, "up", output=output)
            try:
                eventually(lambda: self.one.sql(AT_GATE), bool, timeouts.UP, "the migration at its gate")
                yield running, lambda: holder.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
            finally:
                if running.poll() is None:
                    os.killpg(running.pid, signal.SIGKILL)
                running.wait()

    def second(self, stack: Copy, waits: str) -> str:
        """Run `up` there while the first one is at the gate, which opens once it says that it waits."""
        with self.at_gate() as (running, open_gate), tempfile.TemporaryFile("w+") as output:
            other = stack.start(*CLI, "up", output=output)

            def said() -> str:
                output.seek(0)
                return output.read()

            try:
                eventually(said, lambda text: waits in text or other.poll() is not None, timeouts.UP, f"{waits!r}")
                open_gate()
                assert (running.wait(timeouts.UP), other.wait(timeouts.UP)) == (0, 0), said()
            finally:
                if other.poll() is None:
                    os.killpg(other.pid, signal.SIGKILL)
                other.wait()
            return said()

    def kill(self) -> None:
        """Kill `up` and everything it started at the gate; wait until the server knows that nobody is there."""
        with self.at_gate() as (running, _):
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
            # The server notices that the client is gone only when the statement ends: not before the gate opens.
            self.one.sql(AT_GATE.replace("SELECT pid", "SELECT pg_terminate_backend(pid)"))
            eventually(
                lambda: self.one.sql(AT_GATE), lambda found: not found, timeouts.COMMAND, "no session at the gate"
            )

    def history(self) -> list[str]:
        return self.one.sql(f"SELECT version, state FROM migrations.history WHERE version > '{LAST}' ORDER BY version")


@pytest.fixture(scope="module")
def team() -> Iterator[Team]:
    """The stack's file is made in the checkout itself, where the ports of all stacks are known."""
    with tempfile.TemporaryDirectory(prefix="pipe-test-") as folder, throw_away_stack("migrations") as reserved:
        reserved.prepare()
        reserved.configure("database", replicas=0)
        backend = Path(folder) / "backend"
        backend.mkdir()
        one, two = (_copy(Path(folder) / name, reserved, backend) for name in ("one", "two"))
        made = Team(one, two, backend)
        try:
            made.one.up()
            yield made
        finally:
            made.one.destroy()
            made.two.engine.close()


def _copy(root: Path, reserved: Stack, backend: Path) -> Copy:
    scratch.copy(root)
    # The machine's own locks are not those of another machine.
    tools = root / ".tools"
    tools.unlink()
    tools.mkdir()
    for file in (ROOT / ".tools").iterdir():
        if not file.name.startswith("up-"):
            (tools / file.name).symlink_to(file)
    shutil.copy2(reserved.file, root / "stacks")
    settings = {"PULUMI_BACKEND_URL": f"file://{backend}", "PULUMI_CONFIG_PASSPHRASE": "of a test"}
    return Copy(reserved.name, root=root, settings=settings)


def up(stack: Copy) -> str:
    """Run `up`, which must succeed; return all that it said."""
    done = stack.cli("up", timeouts.UP)
    succeeded(done)
    return done.stdout + done.stderr


def test_the_verify_scripts_ran_with_their_migrations(team: Team) -> None:
    assert team.one.sql("SELECT DISTINCT state FROM migrations.history") == ["applied"]
    assert "last migration" in team.one.cli("status").stdout


def test_a_second_up_waits_for_the_first_by_the_lock_of_their_backend(team: Team) -> None:
    team.write(FIRST, GATE + "CREATE TABLE pipe.first (id bigint PRIMARY KEY);\n")
    said = team.second(team.two, "waiting for it to end")
    assert f'stack "{team.one.name}" is in use by process' in said
    assert f"applied sql/migrations/{FIRST[:4]}" not in said
    assert team.history() == [f"{FIRST[:4]}|applied"]
    team.two.pulumi("preview", "--expect-no-changes")


def test_with_a_backend_each_the_migrations_themselves_wait(team: Team, tmp_path: Path) -> None:
    shutil.copytree(team.backend, tmp_path / "backend")
    settings = {**team.two.settings, "PULUMI_BACKEND_URL": f"file://{tmp_path}/backend"}
    team.write(SECOND, GATE + "CREATE TABLE pipe.second (id bigint PRIMARY KEY);\n")
    elsewhere = Copy(team.two.name, team.two.engine, team.two.root, settings)
    said = team.second(elsewhere, "waits for another run of migrations to end")
    assert 'waits for another run of migrations to end: "pipe_migrator" from ' in said
    assert f"applied sql/migrations/{SECOND[:4]}" not in said
    assert team.history() == [f"{FIRST[:4]}|applied", f"{SECOND[:4]}|applied"]
    team.one.pulumi("preview", "--expect-no-changes")


def test_a_killed_up_leaves_nothing_of_a_transaction_and_the_next_one_does_all(team: Team) -> None:
    team.write(WHOLE, f"CREATE TABLE pipe.whole (id bigint PRIMARY KEY);\n{GATE}INSERT INTO pipe.whole VALUES (1);\n")
    team.kill()
    assert team.history() == [f"{FIRST[:4]}|applied", f"{SECOND[:4]}|applied"]
    assert team.one.sql("SELECT to_regclass('pipe.whole') IS NULL") == ["t"]
    assert f"applied sql/migrations/{WHOLE}.sql in " in up(team.one)
    assert team.one.sql("SELECT id FROM pipe.whole") == ["1"]


def test_a_killed_up_without_a_transaction_is_gone_on_with_from_another_machine(team: Team) -> None:
    text = f"INSERT INTO pipe.whole VALUES (2);\n{GATE}CREATE INDEX CONCURRENTLY whole_id ON pipe.whole (id);\n"
    team.write(STEPS, text, header="-- pipe: no-transaction\n")
    team.kill()
    assert team.history()[-1] == f"{STEPS[:4]}|partial"
    status = team.one.cli("status").stdout
    assert re.search(rf"BAD +last migration +{STEPS}, .*, stopped: 1 of its statements are done and stay", status)
    assert re.search(rf"BAD +migrations +\d+ applied, pending: {STEPS[:4]}\n", status)
    assert f"goes on with sql/migrations/{STEPS}.sql: 1 of 3 statements are done" in up(team.two)
    assert team.history()[-1] == f"{STEPS[:4]}|applied"
    # The first machine's own state knows nothing of it.
    assert re.search(r"ok +migrations +\d+ applied, none pending\n", team.one.cli("status").stdout)
    assert team.one.sql("SELECT id FROM pipe.whole ORDER BY id") == ["1", "2"]


def test_a_failing_one_shows_where_and_to_what_one_can_go_back(team: Team) -> None:
    team.write(FAILS, "CREATE TABLE pipe.fails (id bigint PRIMARY KEY);\nINSERT INTO pipe.nowhere\nVALUES (1);\n")
    done = team.one.cli("up", timeouts.UP)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    for part in (
        f'failed at "sql/migrations/{FAILS}.sql" line 3: relation "pipe.nowhere" does not exist (SQLSTATE 42P01)',
        "    3 | INSERT INTO pipe.nowhere\n",
        "HINT: everything of this file was rolled back; correct it and run up again, which goes on from here",
        f'HINT: the database as it was just before: restore point "pipe_migration_{FAILS[:4]}_',
    ):
        assert part in said, said
    assert "Traceback" not in said
    assert team.one.sql("SELECT to_regclass('pipe.fails') IS NULL") == ["t"]
    team.remove(FAILS)
    ((point, lsn),) = (row.split("|") for row in team.one.sql("SELECT restore_point, lsn FROM upkeep.last_migration()"))
    status = team.one.cli("status").stdout
    assert f"; just before it: restore point {point}, LSN {lsn}" in status
    assert STEPS in status


def refused(stack: Copy) -> str:
    """What `preview` says, which must refuse."""
    done = stack.cli("preview")
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert "Traceback" not in said
    return said


@pytest.fixture
def folder(team: Team, tmp_path: Path) -> Iterator[Path]:
    """The first copy's migrations, put back afterwards."""
    folder = team.one.root / FOLDER
    shutil.copytree(folder, tmp_path / "kept")
    yield folder
    shutil.rmtree(folder)
    shutil.move(tmp_path / "kept", folder)


def test_a_preview_refuses_everything_that_is_wrong_with_the_files_at_once(team: Team, folder: Path) -> None:
    (folder / "0001_again.sql").write_text("-- Again.\nSELECT 1;\n")
    (folder / f"{number(5)}_empty.sql").write_text("-- Nothing.\n")
    (folder / f"{number(6)}_psql.sql").write_text("-- Meta.\n\\i other.sql\n")
    (folder / f"{number(7)}_commits.sql").write_text("-- Commits.\nSELECT 1;\nCOMMIT;\n")
    (folder / f"{number(9)}_late.sql").write_text("-- Late.\nSELECT 1;\n")
    said = refused(team.one)
    for reason in (
        '"sql/migrations/0001_again.sql" and "sql/migrations/0001_users.sql" have the same number',
        f'"sql/migrations/{number(5)}_empty.sql" cannot be applied: has no statement',
        'line 2: "\\i" is a command of psql, which does not run here',
        'line 3: "COMMIT" controls a transaction: remove it',
        f'there is no migration {number(8)} before "sql/migrations/{number(9)}_late.sql": number the files without',
    ):
        assert reason in said, said


def test_a_preview_refuses_what_is_not_as_it_was_applied(team: Team, folder: Path) -> None:
    file = folder / f"{FIRST}.sql"
    before, after = file.read_text(), file.read_text() + "-- More.\n"
    file.write_text(after)
    (folder / f"{STEPS}.sql").unlink()
    said = refused(team.one)
    assert (
        f'migration "{FIRST[:4]}" was changed after it was applied: "sql/migrations/{FIRST}.sql" has the checksum'
        f" {checksum(after)}, but {checksum(before)} was applied; restore the file as it was"
        f" (git log -- sql/migrations/{FIRST}.sql) and write what is new into a new migration"
    ) in said, said
    assert re.search(
        rf'migration "{STEPS[:4]}" was applied at \S+ from "sql/migrations/{STEPS}.sql", and its file is missing', said
    )
