"""The member that leads: it hands over before `up` replaces it, and one that was ahead when it was lost rewinds."""

from __future__ import annotations

import pytest

from tests import timeouts
from tests.asserts.eventually import eventually
from tests.asserts.replication import assert_replicated, leader, roles
from tests.fixtures.stacks import Stack

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("replaced_leader")]


def test_the_leader_hands_over_before_its_container_is_replaced(own_stack: Stack) -> None:
    led = leader(own_stack)
    before = {member: own_stack.container(member).id for member in assert_replicated(own_stack, replicas=1)}
    own_stack.configure("database", cpus=0.9)

    text = own_stack.up()

    assert f'member "{led}" leads and hands over' in text
    after = {member: own_stack.container(member).id for member in assert_replicated(own_stack, replicas=1)}
    assert before.keys() == after.keys()
    assert all(before[member] != after[member] for member in before)


def test_a_leader_that_was_ahead_rewinds_and_follows(own_stack: Stack) -> None:
    members = assert_replicated(own_stack, replicas=1)
    lost = leader(own_stack)
    survivor = next(member for member in members if member != lost)
    own_stack.sql("CREATE TABLE public.timelines (name text)", lost)
    eventually(
        lambda: own_stack.sql("SELECT to_regclass('public.timelines')", survivor),
        lambda seen: seen == ["timelines"],
        timeouts.REPLAYED,
        "the table on the replica",
    )
    # A new segment: the next one is archived a minute later, where the survivor would find the row.
    switched = own_stack.sql("SELECT pg_switch_wal()", lost)[0]
    eventually(
        lambda: own_stack.sql(f"SELECT pg_last_wal_receive_lsn() >= '{switched}'", survivor),
        lambda seen: seen == ["t"],
        timeouts.REPLAYED,
        "the end of the segment on the replica",
    )
    own_stack.container(survivor).stop()
    own_stack.sql("INSERT INTO public.timelines VALUES ('nobody else has this row')", lost)
    own_stack.container(lost).kill()
    own_stack.container(survivor).start()
    eventually(
        lambda: roles(own_stack).get(survivor),
        lambda seen: seen == ("Leader", "running"),
        timeouts.FAILOVER,
        f"{survivor} leads",
    )
    # It has the lease a moment before it is promoted.
    eventually(
        lambda: own_stack.sql("SELECT pg_is_in_recovery()", survivor),
        lambda seen: seen == ["f"],
        timeouts.FAILOVER,
        f"{survivor} writes",
    )
    own_stack.sql("INSERT INTO public.timelines VALUES ('after')", survivor)

    own_stack.container(lost).start()

    assert_replicated(own_stack, replicas=1)
    eventually(
        lambda: own_stack.sql("SELECT name FROM public.timelines", lost),
        lambda seen: seen == ["after"],
        timeouts.REPLAYED,
        f"the survivor's row, and no other, on {lost}",
    )
    assert "pg_rewind exit code=0" in own_stack.logs(lost)
