"""A restored stack is an ordinary one: it needs its source no more, gives rows back, and goes back itself, in place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

import psycopg
import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from provider.restore.moments import shown
from tests import timeouts
from tests.asserts.replication import assert_replicated
from tests.fixtures.stacks import ROOT, Stack, throw_away_stack
from tests.recovery.restore import page
from tests.recovery.restore.instances import archive, passphrase
from tests.recovery.restore.written import Written, rows

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("restore")]

POINT = "before the mistake"


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


def old_data(stack: Stack) -> list[str]:
    """Return the folders of old data, of each member."""
    listed = [
        (member, stack.execute(member, "sh", "-c", "cd /var/lib/postgresql; echo data-before-*")[1])
        for member in ("member-0", "member-1")
    ]
    return [f"{member} {folder}" for member, text in listed for folder in text.split() if "*" not in folder]


@pytest.mark.timeout(2 * timeouts.RESTORE)
def test_it_goes_back_and_forward_again_and_keeps_what_it_had(stack: Stack) -> None:
    before = rows(stack)
    stack.sql(f"SELECT pg_create_restore_point('{POINT}')")
    stack.sql("SET ROLE pipe_owner; CREATE TABLE pipe.mistake (); RESET ROLE; DELETE FROM pipe.organizations")
    archive(stack)

    page.run("in place", stack, prod=stack.name, name=f"'{POINT}'")
    assert_replicated(stack, replicas=1)
    assert rows(stack) == before
    assert len(old_data(stack)) == 2
    assert stack.sql("SELECT timeline_id FROM pg_control_checkpoint()") == ["3"]
    # Archiving goes on in the same stanza.
    stack.pgbackrest("check")
    stack.pulumi("preview", "--expect-no-changes")
    assert "unchanged" in stack.make("drift")

    # Too far: forward again along the timeline that was left, to its end.
    page.run("forward again", stack, prod=stack.name, timeline="TIMELINE=2")
    assert_replicated(stack, replicas=1)
    assert rows(stack) == set()
    assert stack.sql("SELECT to_regclass('pipe.mistake') IS NOT NULL") == ["t"]
    assert len(old_data(stack)) == 4

    text = page.run("remove the old data", stack, prod=stack.name)
    assert f'the old data of stack "{stack.name}" is removed' in text
    assert old_data(stack) == []
    assert_replicated(stack, replicas=1)


@pytest.mark.long
def test_a_moment_that_is_not_kept_stops_nothing(stack: Stack) -> None:
    started = {container.name: container.attrs["State"]["StartedAt"] for container in stack.containers()}
    done = stack.run("make", "restore-in-place", f"STACK={stack.name}", "AT=2020-01-01 00:00:00+00")
    assert done.returncode != 0
    refusal = f'error: the repository of stack "{stack.name}" cannot restore 2020-01-01 00:00:00+00: it keeps '
    assert refusal in done.stderr
    assert "Traceback" not in done.stderr
    assert {container.name: container.attrs["State"]["StartedAt"] for container in stack.containers()} == started
