"""A replica that lies behind on purpose: it shows what was there, serves nobody else, and never leads."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator

import pytest

from tests import timeouts
from tests.asserts.eventually import eventually
from tests.asserts.replication import assert_replicated, leader, roles
from tests.fixtures.stacks import Stack, throw_away_stack

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("delayed")]

DELAY_S = 25
DELAYED = "member-2"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Two replicas, of which the last lies behind."""
    with throw_away_stack("delayed") as made:
        made.prepare()
        made.configure("database", replicas=2, delayed_replica_s=DELAY_S)
        made.configure("proxy", read_only_fallback=False)
        made.up()
        eventually(lambda: has_tables(made, DELAYED), bool, DELAY_S + timeouts.REPLAYED, f"the tables on {DELAYED}")
        yield made


def has_tables(stack: Stack, member: str) -> bool:
    """Say whether a member has replayed the first `up`; before that there is no database to ask."""
    status, text = stack.execute(member, "psql", "-XAtqd", "pipe", "-c", "SELECT to_regclass('pipe.organizations')")
    return (status, text.strip()) == (0, "pipe.organizations")


def seen(stack: Stack, member: str, name: str) -> bool:
    return stack.sql(f"SELECT count(*) FROM pipe.organizations WHERE name = '{name}'", member) == ["1"]


def test_a_row_appears_after_the_delay_and_not_before(stack: Stack) -> None:
    name = f"delayed-{secrets.token_hex(4)}"
    prompt = next(member for member in ("member-0", "member-1") if member != leader(stack))
    before = time.monotonic()
    with stack.connect() as app:
        app.execute("INSERT INTO pipe.organizations (name) VALUES (%s)", (name,))
    eventually(lambda: seen(stack, prompt, name), bool, timeouts.REPLAYED, f"the row on {prompt}")
    assert not seen(stack, DELAYED, name)
    eventually(lambda: seen(stack, DELAYED, name), bool, DELAY_S + timeouts.REPLAYED, f"the row on {DELAYED}")
    assert time.monotonic() - before >= DELAY_S


@pytest.mark.long
def test_it_has_received_what_it_does_not_show_yet(stack: Stack) -> None:
    """So nothing is lost with the primary: applying it is only a matter of time."""
    primary = leader(stack)
    position = stack.sql("SELECT pg_current_wal_flush_lsn()", primary)[0]
    received = f"SELECT pg_last_wal_receive_lsn() >= '{position}'"
    eventually(lambda: stack.sql(received, DELAYED), lambda found: found == ["t"], timeouts.REPLAYED, "WAL received")
    assert stack.run("make", "status").returncode == 0


def test_no_reader_is_sent_there(stack: Stack) -> None:
    for _ in range(6):
        with stack.connect(target="read_only") as reader:
            row = reader.execute("SELECT inet_server_addr()::text").fetchone()
            assert row is not None
            assert row[0].split("/")[0] != address(stack, DELAYED)


def address(stack: Stack, member: str) -> str:
    networks = stack.container(member).attrs["NetworkSettings"]["Networks"]
    return str(networks[f"pipe-{stack.name}"]["IPAddress"])


@pytest.mark.long
def test_it_holds_up_no_vacuum_on_the_primary(stack: Stack) -> None:
    assert stack.sql("SHOW hot_standby_feedback", DELAYED) == ["off"]
    assert stack.sql("SHOW hot_standby_feedback", leader(stack)) == ["on"]


@pytest.mark.long
def test_no_backup_waits_for_it(stack: Stack) -> None:
    """Also where it is the only replica that runs, and stands still: a backup of a replica waits for its replay."""
    other = next(member for member in ("member-0", "member-1") if member != leader(stack))
    stack.sql("SELECT pg_wal_replay_pause()", DELAYED)
    stack.container(other).stop()
    try:
        done = stack.run("bin/pgbackrest", "--type=incr", "backup", timeout=timeouts.UP)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "unable to find a standby to perform the backup, using primary instead" in done.stderr
    finally:
        stack.container(other).start()
        stack.sql("SELECT pg_wal_replay_resume()", DELAYED)
    assert_replicated(stack, replicas=2)
    kinds = [backup["type"] for backup in json.loads(stack.pgbackrest("info", "--output=json"))[0]["backup"]]
    assert kinds == ["full", "incr"], "the first one was taken by up"


def test_it_never_leads(stack: Stack) -> None:
    before = leader(stack)
    other = next(member for member in ("member-0", "member-1") if member != before)
    stack.container(other).stop()
    try:
        refused = stack.run("bin/patronictl", "failover", stack.name, "--candidate", DELAYED, "--force")
        told = f"Member {DELAYED} does not exist in cluster {stack.name} or is tagged as nofailover"
        assert told in refused.stderr, refused.stdout + refused.stderr
        assert leader(stack) == before
    finally:
        stack.container(other).start()
    assert_replicated(stack, replicas=2)
    # Two could take over, and only one may.
    stack.container(before).stop()
    try:
        eventually(
            lambda: {name for name, (role, _) in roles(stack).items() if role == "Leader"},
            lambda leaders: leaders == {other},
            timeouts.FAILOVER,
            f"{other} leads",
        )
    finally:
        stack.container(before).start()
    assert_replicated(stack, replicas=2, within=timeouts.REJOIN + DELAY_S)
