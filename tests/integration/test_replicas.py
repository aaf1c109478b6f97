"""Replicas come and go by `up`; a node that is replaced finds its data."""

from __future__ import annotations

import pytest

from tests import timeouts
from tests.asserts.eventually import eventually
from tests.asserts.replication import assert_replicated, leader, led_by, listed
from tests.fixtures.stacks import Stack

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("replicas")]


def test_a_second_replica_streams_and_leaves_nothing_behind(own_stack: Stack) -> None:
    own_stack.configure("database", replicas=2)
    own_stack.up()
    assert_replicated(own_stack, replicas=2)
    how = own_stack.logs("member-2")
    assert "replica has been created using pgbackrest" in how, "a backup exists, so the primary is spared"

    led_by(own_stack, "member-2", replicas=2)
    # It has the lease a moment before it is promoted.
    eventually(
        lambda: own_stack.sql("SELECT pg_is_in_recovery()", "member-2"),
        lambda seen: seen == ["f"],
        timeouts.FAILOVER,
        "member-2 writes",
    )
    own_stack.sql("CREATE TABLE public.kept AS SELECT 1 AS id", "member-2")

    own_stack.configure("database", replicas=1)
    text = own_stack.up()
    assert 'member "member-2" hands over' in text, "the node that goes is the one that leads"
    assert set(listed(own_stack)) == {"member-0", "member-1"}
    assert own_stack.sql("SELECT id FROM public.kept", leader(own_stack)) == ["1"]
    eventually(
        lambda: own_stack.sql("SELECT slot_name FROM pg_replication_slots", leader(own_stack)),
        lambda names: "member_2" not in names and len(names) == 1,
        timeouts.FORGOTTEN,
        "the slot of member-2 gone, the other one there",
    )
    assert not [c.name for c in own_stack.containers(running=False) if "-member-2" in str(c.name)]


def test_a_replaced_node_rejoins_without_a_full_copy(own_stack: Stack) -> None:
    members = assert_replicated(own_stack, replicas=1)
    replica = next(name for name, (role, _) in members.items() if role != "Leader")
    before = own_stack.sql("SELECT oid FROM pg_database WHERE datname = 'pipe'", replica)
    made = own_stack.execute(replica, "stat", "-c", "%i", "/var/lib/postgresql/data/PG_VERSION")
    own_stack.container(replica).remove(force=True)

    own_stack.pulumi("refresh", "--yes", timeout=timeouts.UP)
    own_stack.up()

    assert_replicated(own_stack, replicas=1)
    now = own_stack.execute(replica, "stat", "-c", "%i", "/var/lib/postgresql/data/PG_VERSION")
    assert now == made, "the same files: nothing was copied"
    assert own_stack.sql("SELECT oid FROM pg_database WHERE datname = 'pipe'", replica) == before
    assert "replica has been created" not in own_stack.logs(replica)
