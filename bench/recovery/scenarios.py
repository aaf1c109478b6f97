"""Every fault that is measured, in one list: what it is, what happens, what to do, and how it is brought about.

The tests do one round of each, `make bench-recovery` many.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from bench.recovery import consensus, faults, nodes, storage
from bench.recovery.shapes import LIMITED, PRODUCTION, SMALL, Shape, Subject
from tests.fixtures.freezing import frozen

Fault = Callable[[Subject, str], AbstractContextManager[None]]
"""Given a stack in full health and its leader: does it on entry, takes it back on exit."""

NOTHING = "Nothing."


@dataclass(frozen=True)
class Scenario:
    """One fault. `moves`: how often the lead goes to another member. `aim`: median outage of writes, in seconds."""

    key: str
    title: str
    shape: Shape
    fault: Fault
    then: str
    to_do: str = NOTHING
    moves: int = 0
    aim: float | None = None
    refused: frozenset[str] = frozenset()
    """SQLSTATEs that clients see beside dropped connections."""
    may_lose: bool = False
    lease: bool = False
    """Whether writes are out until somebody's lease has run out (`ttl`)."""
    returns: bool = False
    """Whether the lead stays because its holder is back before its lease runs out. On a slow machine it may be late."""
    anew: bool = False
    """Whether all of etcd begins anew, and with it the lease."""
    reads: bool = True
    """Whether the read-only endpoint answers while writes are out."""
    leader: str | None = None
    """Who has to lead before."""


SCENARIOS = (
    Scenario(
        "switchover",
        "`bin/patronictl switchover`",
        PRODUCTION,
        nodes.switchover,
        "The leader writes a checkpoint, closes its sessions and hands over; it follows the new one.",
        moves=1,
        aim=2.0,
    ),
    Scenario(
        "replaced",
        "`make up` that replaces every node",
        PRODUCTION,
        nodes.replaced,
        "One node at a time, the leader hands over before its own container goes.",
        moves=3,
        aim=2.0,
    ),
    Scenario(
        "postgres-killed",
        "PostgreSQL killed on the primary",
        PRODUCTION,
        nodes.postgres_killed,
        "Patroni finds out at its next look (`loop_wait`) and starts it again; recovery replays WAL since the last"
        " checkpoint. After `primary_start_timeout` a replica takes over.",
        aim=5.0,
    ),
    Scenario(
        "patroni-killed",
        "Patroni killed on the primary, or the container out of memory",
        PRODUCTION,
        nodes.patroni_killed,
        "PostgreSQL dies with it: Patroni is the container's main program. The engine starts the container again"
        " before the lease runs out, so the node goes on leading.",
        returns=True,
    ),
    Scenario(
        "patroni-frozen",
        "Patroni stands still, its PostgreSQL goes on",
        PRODUCTION,
        lambda subject, leader: faults.program_frozen(subject.stack, leader),
        "The proxies close the node's sessions when its REST interface stops answering, before the lease runs out;"
        " a commit that comes past them waits for a replica that no longer follows.",
        moves=1,
        aim=20.0,
        lease=True,
    ),
    Scenario(
        "container-killed",
        "the primary's container killed, and it stays down",
        PRODUCTION,
        lambda subject, leader: faults.killed(subject.stack, leader),
        "The lease runs out (`ttl`), the synchronous replica takes over.",
        "`docker start` of the container, or `make up`; it rewinds and follows by itself.",
        moves=1,
        aim=20.0,
        lease=True,
    ),
    Scenario(
        "node-frozen",
        "the primary's container frozen (`docker pause`)",
        PRODUCTION,
        lambda subject, leader: frozen(subject.stack.container(leader)),
        "The same. When it wakes up its lease is over by its own clock, and it steps down before it serves anybody.",
        "`docker unpause`; it rewinds and follows by itself.",
        moves=1,
        aim=20.0,
        lease=True,
    ),
    Scenario(
        "unplugged",
        "the primary cut off from the network",
        PRODUCTION,
        lambda subject, leader: faults.unplugged(subject.stack, leader),
        "It reaches neither etcd nor the other members and steps down before its lease runs out; then a replica leads.",
        "Mend the network; it rewinds and follows by itself.",
        moves=1,
        aim=20.0,
        lease=True,
    ),
    Scenario(
        "mute",
        "nothing that the primary sends arrives",
        PRODUCTION,
        lambda subject, leader: faults.deaf_or_mute(subject.stack, leader, "OUTPUT"),
        "As cut off.",
        "Mend the network; it rewinds and follows by itself.",
        moves=1,
        aim=20.0,
        lease=True,
    ),
    Scenario(
        "deaf",
        "nothing arrives at the primary",
        PRODUCTION,
        lambda subject, leader: faults.deaf_or_mute(subject.stack, leader, "INPUT"),
        "As cut off; but etcd still hears the next renewal of the lease, of which the primary never learns, so it is"
        " replaced that much later.",
        "Mend the network; it rewinds and follows by itself.",
        moves=1,
        aim=20.0,
        lease=True,
    ),
    Scenario(
        "volume-deleted",
        "the primary's containers and volume deleted",
        PRODUCTION,
        nodes.volume_deleted,
        "The lease runs out (`ttl`), the synchronous replica takes over.",
        "`make up` makes the node anew; it copies its data from the repository.",
        moves=1,
        aim=20.0,
        lease=True,
    ),
    Scenario(
        "replica-frozen",
        "the synchronous replica frozen",
        PRODUCTION,
        nodes.replica_frozen,
        "Commits wait until its own lease runs out (`ttl`); then another replica is the synchronous one.",
        "`docker unpause`; it catches up by itself.",
        aim=20.0,
        lease=True,
    ),
    Scenario(
        "etcd-one",
        "the leader of etcd killed, one of three",
        PRODUCTION,
        consensus.leader_killed,
        "Nothing is felt.",
        "`docker start` of the container, or `make up`.",
        reads=False,
    ),
    Scenario(
        "etcd-all",
        "all of etcd down for longer than the lease",
        PRODUCTION,
        consensus.all_down,
        "The primary asks every member whether it may go on (`failsafe_mode`), and goes on. No failover meanwhile.",
        "`docker start` of the containers.",
        reads=False,
    ),
    Scenario(
        "etcd-lost",
        "the data of all of etcd lost",
        PRODUCTION,
        consensus.lost,
        "The primary goes on, as above; the figure is that of the command.",
        "`make rebuild-consensus` makes an empty store, which the primary fills; commits wait for some seconds.",
        anew=True,
        reads=False,
    ),
    Scenario(
        "power-cut",
        "everything killed at once and started in the wrong order",
        PRODUCTION,
        nodes.everything_restarted,
        "etcd elects, a member that has all commits leads, the others follow. The engine does it by itself when it"
        " starts after a power cut.",
        returns=True,
        anew=True,
        reads=False,
    ),
    Scenario(
        "proxy-killed",
        "the only proxy killed",
        SMALL,
        nodes.proxy_killed,
        "The engine starts it again; clients connect anew. Two proxies leave no gap.",
        aim=2.0,
        reads=False,
    ),
    Scenario(
        "proxy-restarted",
        "the only proxy restarted",
        SMALL,
        nodes.proxy_restarted,
        "Clients connect anew.",
        aim=2.0,
        reads=False,
    ),
    Scenario(
        "etcd-restarted",
        "the only etcd member restarted",
        SMALL,
        consensus.restarted,
        "The primary goes on (`failsafe_mode`); the store is on a volume.",
        reads=False,
    ),
    Scenario(
        "disk-full",
        "no room left on the primary's volume",
        SMALL,
        storage.full,
        "Writes are refused with SQLSTATE 53100 until the next WAL segment finds no room either: each"
        " `archive_timeout` takes one, also of the old ones that a checkpoint gave back. Then PostgreSQL stops, cannot"
        " start again, and Patroni gives the lease back.",
        "Make room; it rewinds and follows by itself. Until then `make status` says that it does not run.",
        moves=1,
        refused=frozenset({"53100"}),
        leader=LIMITED,
    ),
    Scenario(
        "asynchronous",
        "the primary's container killed, with `failover.synchronous: off`",
        SMALL,
        nodes.asynchronous,
        "The lease runs out (`ttl`), the replica takes over. What it had not received is lost: usually milliseconds"
        " of commits.",
        "`docker start` of the container; it rewinds, and what only it had is gone.",
        moves=1,
        aim=20.0,
        lease=True,
        may_lose=True,
    ),
)
