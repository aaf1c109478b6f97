"""The restore drill on a real stack: what it proves, what it leaves, and what a damaged backup looks like."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from cli.drill import last_drilled
from tests import timeouts
from tests.asserts.replication import leader
from tests.fixtures.stacks import Stack

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("drilled")]

LARGEST = (
    "find /var/lib/pgbackrest/backup -path '*/bundle/*' -type f -printf '%s %p\\n' | sort -n | tail -1 | cut -d' ' -f2"
)
TIME = "/var/lib/pgbackrest/schedule/drilled-1"
FLIP = """
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(5000)
    turned = bytes(255 - byte for byte in file.read(64))
    file.seek(5000)
    file.write(turned)
"""


def note(stack: Stack) -> str:
    """Return the drill's note on the newest backup."""
    newest = json.loads(stack.pgbackrest("info", "--output=json"))[0]["backup"][-1]
    return str(newest.get("annotation", {}).get("drill", ""))


def state(stack: Stack) -> dict[str, str | None]:
    """Return the ids of the resources that Pulumi knows, by their names."""
    resources = json.loads(stack.pulumi("stack", "export"))["deployment"]["resources"]
    return {resource["urn"]: resource.get("id") for resource in resources}


def left_over(stack: Stack) -> str:
    status, text = stack.execute(
        "scheduler", "find", "/var/lib/postgresql", "/tmp", "-mindepth", "1", "-not", "-path", "/tmp/pgbackrest*"
    )
    assert status == 0, text
    return text


@contextmanager
def damaged(stack: Stack) -> Iterator[None]:
    """Turn some bits of the newest backup, and turn them back at the end."""
    _, file = stack.execute("scheduler", "sh", "-c", LARGEST)

    def flip() -> None:
        status, text = stack.execute("scheduler", "python3", "-c", FLIP, file.strip())
        assert status == 0, text

    flip()
    try:
        yield
    finally:
        flip()


@pytest.mark.long
def test_a_preview_warns_that_a_drill_is_overdue(drilled: Stack) -> None:
    """Here by the file alone: no backup is as old, and none has a note of a drill yet, for this comes first."""
    assert drilled.execute("scheduler", "touch", "-d", "11 days ago", TIME) == (0, "")
    text = f'no restore drill of "{drilled.name}" has passed in repository 1 for 11 days; one is due every 10 days'
    assert text in drilled.make("preview")
    drilled.make("restore-drill", timeout=timeouts.DRILL)
    assert drilled.execute("scheduler", "find", TIME, "-mmin", "-60") == (0, f"{TIME}\n")
    assert "no restore drill of" not in drilled.make("preview")


def test_a_drill_passes_while_clients_write_and_is_recorded(drilled: Stack) -> None:
    with drilled.ledger() as ledger:
        ledger.wait_for_rows(20)
        said = drilled.make("restore-drill", timeout=timeouts.DRILL)
    assert said.splitlines()[-1] == "the drill passed"
    with drilled.connect("monitor") as monitor:
        last = monitor.execute(
            "SELECT passed, stale, bytes > 0, recovery_seconds > 0, recovery_point > now() - interval '1 hour',"
            " problems FROM upkeep.last_drill()"
        ).fetchone()
        metrics = dict(
            monitor.execute("SELECT name, value FROM upkeep.metrics() WHERE name LIKE 'pipe_drill_%'").fetchall()
        )
    assert last == (True, False, True, True, True, [])
    assert (metrics["pipe_drill_ok"], metrics["pipe_drill_stale"]) == (1, 0)
    assert metrics["pipe_drill_recovery_point_timestamp_seconds"] >= ledger.entries[0].acknowledged
    assert note(drilled).startswith("passed ")
    assert "last drill" in drilled.make("status")
    assert last_drilled(drilled.name).startswith("the last backup that passed a restore drill is "), "for make destroy"


@pytest.mark.long
def test_rows_are_compared_at_the_same_place_of_the_wal(drilled: Stack) -> None:
    with drilled.ledger() as ledger:
        drilled.make("restore-drill", timeout=timeouts.DRILL)
    compared = drilled.sql("SELECT compared_rows FROM upkeep.drills ORDER BY number DESC LIMIT 1", leader(drilled))
    assert int(compared[0]) > 0
    assert len(ledger.entries) > 0


def test_nothing_of_the_instance_is_left(drilled: Stack) -> None:
    assert left_over(drilled) == ""


def test_a_protected_stack_stays_and_says_which_backup_was_drilled_last(drilled: Stack) -> None:
    """Protected as by `protect: true`, in the state alone."""
    resources = state(drilled)
    data = next(urn for urn in resources if urn.endswith("::member-0-data"))
    drilled.pulumi("state", "protect", data, "--yes")
    try:
        before = {container.id: container.status for container in drilled.containers(running=False)}
        refused = drilled.run("make", "destroy", timeout=timeouts.DESTROY)
        itself = drilled.run("bin/pulumi", "destroy", "--yes", timeout=timeouts.DESTROY)
        for done in (refused, itself):
            assert done.returncode != 0
            text = done.stdout + done.stderr
            assert re.search(r"lost would be a database of \d+ .B with \d+ organizations and \d+ users, and ", text)
            assert re.search(r"; the last backup that passed a restore drill is \d{8}-\d{6}F, on 20\d\d-", text), text
            assert "Traceback" not in text
        assert f'stack "{drilled.name}" is protected and stays: it holds data (member-0-data)' in refused.stderr
        assert {container.id: container.status for container in drilled.containers(running=False)} == before
        assert state(drilled) == resources
    finally:
        drilled.pulumi("state", "unprotect", "--all", "--yes")


def test_a_drill_that_the_primary_does_not_let_in_is_told_all_the_same(drilled: Stack) -> None:
    drilled.sql("ALTER ROLE pipe_drill NOLOGIN", leader(drilled))
    try:
        done = drilled.run("make", "restore-drill", timeout=timeouts.DRILL)
    finally:
        drilled.sql("ALTER ROLE pipe_drill LOGIN", leader(drilled))
    assert done.returncode != 0
    refusal = 'FATAL: role "pipe_drill" is not permitted to log in'
    for problem in ("there was nothing to compare with, the primary did not answer", "the result is not in the"):
        assert re.search(f"PROBLEM +{problem}.*: .*{refusal}", done.stdout)
    assert "Traceback" not in done.stdout + done.stderr
    assert note(drilled).startswith("failed "), "what else was found right was compared with nothing"
    status = drilled.run("make", "status")
    assert status.returncode != 0
    told = r"BAD  restore drill failed +the drill of backup \d{8}-\d{6}F in repository 1 failed on "
    assert re.search(told, status.stdout)


def test_a_damaged_backup_fails_the_drill_with_the_reason_and_an_alert(drilled: Stack) -> None:
    with damaged(drilled):
        done = drilled.run("make", "restore-drill", timeout=timeouts.DRILL)
        assert done.returncode != 0
        assert "PROBLEM         pgbackrest verify: backup: " in done.stdout
        assert ", status: invalid, " in done.stdout
        # Which of its errors depends on the bits: a wrong checksum, or what cannot be decrypted.
        assert "PROBLEM         pgbackrest restore failed: [" in done.stdout
        assert "the drill failed" in done.stdout
        assert left_over(drilled) == ""

        with drilled.connect("monitor") as monitor:
            alerts = monitor.execute(
                "SELECT severity, message FROM upkeep.alerts() WHERE name = 'restore drill failed'"
            ).fetchall()
        assert [severity for severity, _ in alerts] == ["error"]
        assert "failed: pgbackrest verify: backup: " in alerts[0][1]
        assert note(drilled).startswith("failed ")
        status = drilled.run("make", "status")
        assert status.returncode != 0
        assert "BAD  restore drill failed" in status.stdout
        preview = drilled.make("preview")
        assert "the restore drill of backup" in preview, "a preview warns"
        assert "unchanged" in preview
        comment = drilled.make("preview-comment")
        assert "no changes, 1 warning\n\n### Warnings (1)\n\n```text\nthe restore drill of backup" in comment
    drilled.make("restore-drill", timeout=timeouts.DRILL)
    assert "restore drill failed" not in drilled.make("status")
    assert "the restore drill of backup" not in drilled.make("preview")


def superuser(stack: Stack, database: str, *statements: str) -> None:
    """Run statements on the primary, each in a transaction of its own."""
    words = [word for statement in statements for word in ("-c", statement)]
    status, text = stack.execute(leader(stack), "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database, *words)
    assert status == 0, text


@contextmanager
def audit_row_changed(stack: Stack) -> Iterator[None]:
    """Change a sealed row of the audit log as only a superuser can, and change it back at the end."""
    with stack.connect() as app:
        app.execute("INSERT INTO pipe.organizations (name) VALUES ('in the audit log')")
    superuser(stack, "pipe", "SET ROLE pipe_migrator", "SELECT pipe.audit_seal()")
    turn = (
        "UPDATE pipe.audit_logs SET operation = translate(operation, 'IJ', 'JI') WHERE (id, occurred_at) IN ("
        "SELECT id, occurred_at FROM pipe.audit_logs WHERE table_name = 'organizations' AND operation ~ '^[IJ]NSERT$'"
        " AND transaction_id < (SELECT max(end_transaction) FROM pipe.audit_seals) ORDER BY occurred_at, id LIMIT 1)"
    )
    # Without triggers, of which one refuses this.
    superuser(stack, "pipe", "SET session_replication_role = replica", turn)
    try:
        yield
    finally:
        superuser(stack, "pipe", "SET session_replication_role = replica", turn)


@contextmanager
def table_without_wal(stack: Stack) -> Iterator[None]:
    """A table whose rows no backup has: a restore finds it empty."""
    make, fill = "CREATE UNLOGGED TABLE pipe.fleeting (id bigint)", "INSERT INTO pipe.fleeting VALUES (1), (2)"
    superuser(stack, "pipe", "SET ROLE pipe_owner", make, fill)
    try:
        yield
    finally:
        superuser(stack, "pipe", "DROP TABLE pipe.fleeting")


@contextmanager
def index_of_another_order(stack: Stack) -> Iterator[None]:
    """An index that lacks its rows, as after another collation: what it is made of has changed behind its back."""
    function = "CREATE OR REPLACE FUNCTION key_of(n int) RETURNS int LANGUAGE sql IMMUTABLE RETURN n + {}"
    superuser(
        stack,
        "postgres",
        function.format(0),
        "CREATE TABLE sorted AS SELECT n FROM generate_series(1, 10) AS n",
        "CREATE INDEX sorted_by_key ON sorted (key_of(n))",
        function.format(100),
    )
    try:
        yield
    finally:
        superuser(stack, "postgres", "DROP TABLE sorted", "DROP FUNCTION key_of")


@pytest.mark.long
@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (audit_row_changed, r"seal \d+ of the audit log does not hold: \d+ rows, of which some were changed"),
        (table_without_wal, r"table pipe\.fleeting has 0 rows; there the source had 2 rows"),
        (index_of_another_order, r"pg_amcheck failed: .*postgres\.public\.sorted_by_key\": ERROR: .*"),
    ],
    ids=["audit log", "rows", "index"],
)
def test_what_a_restored_database_should_not_have_fails_the_drill_and_is_named(
    drilled: Stack, wrong: Callable[[Stack], AbstractContextManager[None]], problem: str
) -> None:
    with wrong(drilled):
        done = drilled.run("make", "restore-drill", timeout=timeouts.DRILL)
    assert done.returncode != 0
    (told,) = (line for line in done.stdout.splitlines() if line.startswith("PROBLEM"))
    assert re.fullmatch(rf"PROBLEM +{problem}", told)
    assert "the drill failed" in done.stdout
    assert note(drilled).startswith("failed ")


@pytest.mark.long
def test_once_it_is_mended_the_drill_passes(drilled: Stack) -> None:
    drilled.make("restore-drill", timeout=timeouts.DRILL)
    assert note(drilled).startswith("passed ")
    assert "restore drill failed" not in drilled.make("status")


@pytest.mark.long
def test_who_drills_may_do_nothing_else(drilled: Stack) -> None:
    status, text = drilled.execute(
        "scheduler",
        "python3",
        "-c",
        "from drill.source import Source; c = Source.load()._connect(); c.execute('SELECT FROM pipe.users')",
    )
    assert status != 0
    assert "permission denied for schema pipe" in text
