"""A restored stack is an ordinary one: it needs its source no more, gives rows back, and goes back itself, in place."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bench.scratch import copy
from infra.schema import MIGRATIONS
from provider.restore.moments import shown
from tests import timeouts
from tests.asserts.replication import assert_replicated
from tests.fixtures.stacks import ROOT, Stack, succeeded, throw_away_stack
from tests.recovery.restore import page
from tests.recovery.restore.going_back import Back, middle, old_data, started
from tests.recovery.restore.instances import archive, passphrase
from tests.recovery.restore.written import Written, rows

# Whoever comes first waits for the stack, and for its way back.
pytestmark = [
    pytest.mark.integration,
    pytest.mark.xdist_group("restore"),
    pytest.mark.timeout(2 * timeouts.RESTORE),
]

POINT, LATER = "before the mistake", "after the mistake"
# Rows of each client between two steps.
ROWS = 5


@pytest.fixture(scope="module")
def stack(written: Written, moments: list[datetime]) -> Iterator[Stack]:
    with throw_away_stack("restored") as made:
        page.run("restore", made, prod=written.stack.name, new=made.name, at=shown(moments[0]))
        yield made


def test_it_has_exactly_the_rows_committed_by_then(stack: Stack, written: Written, moments: list[datetime]) -> None:
    assert rows(stack) == written.by(moments[0]), shown(moments[0])


def test_it_has_members_roles_passwords_and_a_repository_of_its_own(stack: Stack, written: Written) -> None:
    assert_replicated(stack, replicas=1)
    for login in stack.outputs["connections"]:
        with stack.connect(login) as session:
            assert session.execute("SELECT current_user").fetchone() == (f"pipe_{login}",)
    old = written.stack.outputs["connections"]["app"]["read_write"]
    here = conninfo_to_dict(stack.conninfo())
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(make_conninfo(old, **{key: here[key] for key in ("host", "port", "sslrootcert")}))
    assert stack.sql("SELECT timeline_id FROM pg_control_checkpoint()") == ["2"]
    stanza = json.loads(stack.pgbackrest("info", "--output=json"))[0]
    assert (stanza["name"], len(stanza["backup"])) == (stack.name, 1)


@pytest.mark.long
def test_its_jobs_and_its_owner_are_those_of_an_ordinary_stack(stack: Stack) -> None:
    jobs = stack.sql("SELECT DISTINCT database || ' ' || username || ' ' || active FROM cron.job")
    assert jobs == ["pipe pipe_migrator true"]
    with stack.connect("migrator") as session, session.transaction(force_rollback=True):
        session.execute("SET LOCAL ROLE pipe_owner")
        session.execute("CREATE TABLE pipe.of_the_next_migration (organization_id uuid REFERENCES pipe.organizations)")


def test_a_second_up_and_a_refresh_change_nothing(stack: Stack) -> None:
    stack.pulumi("preview", "--expect-no-changes")
    assert "unchanged" in stack.make("drift")


@pytest.mark.long
def test_the_passphrase_is_printed_and_backups_are_looked_at(stack: Stack) -> None:
    file = ROOT / ".pipe" / stack.name / "kept.key"
    page.run("print the passphrase", stack, key=str(file), prod=stack.name)
    assert json.loads(file.read_text()) == {"passphrase": passphrase(stack), "repositories": ["volume"]}
    assert file.stat().st_mode & 0o077 == 0
    assert "incr" in page.run("look at backups", stack, prod=stack.name)


@pytest.mark.long
def test_lost_rows_of_one_table_come_back(stack: Stack, written: Written) -> None:
    source = written.stack
    kept = rows(stack)
    source.sql("UPDATE pipe.organizations SET plan_type = 'of today'; DELETE FROM pipe.organizations WHERE name ~ '7$'")
    left = rows(source)
    assert kept - left
    page.run("one table", stack, prod=source.name, new=stack.name)
    assert rows(source) == kept | left
    # What was still there stayed as it is.
    assert source.sql("SELECT count(*) FROM pipe.organizations WHERE plan_type = 'of today'") == [str(len(left))]


@pytest.mark.long
def test_it_needs_its_source_no_more(stack: Stack, written: Written) -> None:
    written.stack.destroy()
    stack.pulumi("preview", "--expect-no-changes")
    document = yaml.safe_load(stack.file.read_text())
    del document["config"]["pipe:restore"]
    stack.file.write_text(yaml.safe_dump(document))
    stack.pulumi("preview", "--expect-no-changes")
    assert "unchanged" in stack.make("drift")


@pytest.fixture(scope="module")
def back(stack: Stack) -> Back:
    """The stack, taken back by the page; nobody tells the clients."""
    others = rows(stack)
    with stack.ledger() as ledger:
        ledger.wait_for_rows(ROWS)
        point = time.time()
        stack.sql(f"SELECT pg_create_restore_point('{POINT}')")
        ledger.wait_for_rows(ROWS)
        stack.sql("SET ROLE pipe_owner; CREATE TABLE pipe.mistake (id int PRIMARY KEY)")
        stack.sql("DELETE FROM pipe.organizations")
        mistake = time.time()
        ledger.wait_for_rows(ROWS)
        stack.sql(f"SELECT pg_create_restore_point('{LATER}')")
        archive(stack)
        page.run("in place", stack, prod=stack.name, name=f"'{POINT}'")
        again = started(stack)[f"pipe-{stack.name}-member-0"].timestamp()
        ledger.wait_for_rows(ROWS)
    return Back(ledger, others, point, mistake, again)


def test_clients_lose_connections_and_what_came_after_the_point_and_nothing_else(stack: Stack, back: Back) -> None:
    assert back.ledger.failures
    assert back.ledger.refusals() == []
    with stack.connect() as session:
        verdict = back.ledger.verdict(session)
    lost = {str(id_) for id_ in verdict.lost}
    assert verdict.doubled == frozenset()
    assert not lost & (back.by_the_point | back.since)
    assert back.after_the_mistake <= lost
    assert all((back.by_the_point, back.after_the_mistake, back.since))


def test_it_goes_back_and_keeps_what_it_had(stack: Stack, back: Back) -> None:
    assert_replicated(stack, replicas=1)
    assert rows(stack) - back.written == back.others
    assert stack.sql("SELECT to_regclass('pipe.mistake') IS NULL") == ["t"]
    assert len(old_data(stack)) == 2
    assert stack.sql("SELECT timeline_id FROM pg_control_checkpoint()") == ["3"]
    # Archiving goes on in the same stanza.
    stack.pgbackrest("check")
    stack.pulumi("preview", "--expect-no-changes")
    assert "unchanged" in stack.make("drift")


def test_what_the_timeline_that_was_left_has_is_refused_without_its_number(stack: Stack, back: Back) -> None:
    """By the newest timeline alone the same words would lead to another state."""
    between = middle(back, lambda entry: back.mistake <= entry.sent < back.again)
    before = started(stack)
    for word in (f"NAME={LATER}", f"AT={shown(between)}"):
        done = stack.run("make", "restore-in-place", f"STACK={stack.name}", word)
        assert done.returncode != 0
        assert "TIMELINE=" in done.stderr
        assert "Traceback" not in done.stderr
    assert started(stack) == before


@pytest.fixture(scope="module")
def forward(stack: Stack, back: Back) -> Back:
    """The stack that went too far back, and forward again."""
    page.run("forward again", stack, prod=stack.name, timeline="TIMELINE=2")
    return back


def test_it_goes_forward_again_to_the_end_of_the_timeline_that_was_left(stack: Stack, forward: Back) -> None:
    assert_replicated(stack, replicas=1)
    found = rows(stack)
    assert forward.after_the_mistake <= found, "up to the last row before it went back"
    assert not found & (forward.others | forward.by_the_point | forward.since)
    assert stack.sql("SELECT to_regclass('pipe.mistake') IS NOT NULL") == ["t"]
    assert len(old_data(stack)) == 4


def test_what_was_written_before_it_went_forward_again_has_a_timeline_of_its_own(stack: Stack, forward: Back) -> None:
    """One that does not lead to the newest."""
    between = middle(forward, lambda entry: entry.sent >= forward.again)
    done = stack.run("make", "restore-in-place", f"STACK={stack.name}", f"AT={shown(between)}")
    assert done.returncode != 0
    assert "TIMELINE=3" in done.stderr


def test_the_old_data_is_removed_when_that_is_said(stack: Stack, forward: Back) -> None:
    del forward
    text = page.run("remove the old data", stack, prod=stack.name)
    assert f'the old data of stack "{stack.name}" is removed' in text
    assert old_data(stack) == []
    assert_replicated(stack, replicas=1)


@pytest.mark.long
def test_a_moment_that_is_not_kept_stops_nothing(stack: Stack) -> None:
    before = started(stack)
    done = stack.run("make", "restore-in-place", f"STACK={stack.name}", "AT=2020-01-01 00:00:00+00")
    assert done.returncode != 0
    refusal = f'error: the repository of stack "{stack.name}" cannot restore 2020-01-01 00:00:00+00: it keeps '
    assert refusal in done.stderr
    assert "Traceback" not in done.stderr
    assert started(stack) == before


@pytest.mark.long
def test_what_it_will_need_is_missed_before_anything_stops(stack: Stack) -> None:
    """Here etcd, which alone can say that the restored member may lead, and a member that is gone."""
    go_back = ("make", "restore-in-place", f"STACK={stack.name}", "TIMELINE=2")
    before = started(stack)
    stack.container("etcd-0").stop()
    try:
        without_etcd = stack.run(*go_back)
    finally:
        stack.container("etcd-0").start()
    stack.container("member-1").remove(force=True)
    try:
        without_member = stack.run(*go_back)
    finally:
        succeeded(stack.run("make", "up", f"STACK={stack.name}", "ARGS=--refresh", timeout=timeouts.UP))
    assert without_etcd.returncode != 0
    assert f'error: etcd of stack "{stack.name}" does not answer' in without_etcd.stderr
    assert without_member.returncode != 0
    assert f'there is no container "pipe-{stack.name}-member-1"' in without_member.stderr
    assert "Traceback" not in without_etcd.stderr + without_member.stderr
    name = f"pipe-{stack.name}-member-0"
    assert started(stack)[name] == before[name]


def test_a_pending_migration_is_applied(stack: Stack, tmp_path: Path) -> None:
    """From another checkout that has one more. The last test: it would be missing in this one from here on."""
    ahead = replace(stack, root=tmp_path / "checkout")
    copy(ahead.root)
    ahead.file.write_bytes(stack.file.read_bytes())
    last = max(int(file.name[:4]) for file in (ahead.root / MIGRATIONS).glob("*.sql"))
    file = MIGRATIONS / f"{last + 1:04d}_of_tomorrow.sql"
    (ahead.root / file).write_text("-- For a test.\nCREATE TABLE pipe.of_tomorrow (id bigint PRIMARY KEY);\n")
    # What `make up` runs: the copy has the checkout's environment and tools, and is not set up by itself.
    said = succeeded(ahead.run(".venv/bin/python", "-m", "cli", "up", "--skip-preview", timeout=timeouts.UP))
    assert f"applied {file} in " in said
    newest = stack.sql("SELECT version || ' ' || state FROM migrations.history ORDER BY version DESC LIMIT 1")
    assert newest == [f"{last + 1:04d} applied"]
    assert stack.sql("SELECT tableowner FROM pg_tables WHERE tablename = 'of_tomorrow'") == ["pipe_owner"]
    ahead.pulumi("preview", "--expect-no-changes")
