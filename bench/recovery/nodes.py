"""Faults of members and proxies, each on a stack in full health, given its leader."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from bench.recovery import consensus, faults
from bench.recovery.shapes import Subject
from tests.fixtures import runbook
from tests.fixtures.freezing import frozen


@contextlib.contextmanager
def switchover(subject: Subject, leader: str) -> Iterator[None]:
    """The leader hands over, as an operator asks it to."""
    subject.switch_over(leader)
    yield


@contextlib.contextmanager
def replaced(subject: Subject, leader: str) -> Iterator[None]:
    """`make up` replaces every node: their processor limit changes."""
    del leader
    limit = subject.stack.container("member-0").attrs["HostConfig"]["NanoCpus"] / 1e9
    subject.stack.configure("database", cpus=0.9 if limit == 1.0 else 1.0)
    subject.stack.up()
    yield


@contextlib.contextmanager
def postgres_killed(subject: Subject, leader: str) -> Iterator[None]:
    """PostgreSQL's first process is killed; Patroni lives."""
    faults.signal_postmaster(subject.stack, leader, "KILL")
    yield


@contextlib.contextmanager
def patroni_killed(subject: Subject, leader: str) -> Iterator[None]:
    """Patroni is killed, and with it all of its container."""
    faults.signal_program(subject.stack, leader, "KILL")
    yield


@contextlib.contextmanager
def volume_deleted(subject: Subject, leader: str) -> Iterator[None]:
    """The leader's containers and its volume are deleted; `up` makes them anew."""
    faults.lost_with_volume(subject.stack, leader)
    try:
        yield
    finally:
        runbook.run("make it anew", subject.stack)


@contextlib.contextmanager
def asynchronous(subject: Subject, leader: str) -> Iterator[None]:
    """Commits wait for no replica, and the leader is killed."""
    with consensus.asynchronous(subject), faults.killed(subject.stack, leader):
        yield


@contextlib.contextmanager
def replica_frozen(subject: Subject, leader: str) -> Iterator[None]:
    """The replica that commits wait for stands still."""
    del leader
    with frozen(subject.stack.container(subject.synchronous())):
        yield


@contextlib.contextmanager
def everything_restarted(subject: Subject, leader: str) -> Iterator[None]:
    """A power cut: all containers are killed at once, and start one by one."""
    del leader
    order = sorted(str(found.name).removeprefix(f"pipe-{subject.stack.name}-") for found in subject.stack.containers())
    # The proxies first and etcd last: nobody finds what it needs when it starts.
    faults.stopped_and_started(subject.stack, order[::-1])
    yield


@contextlib.contextmanager
def proxy_killed(subject: Subject, leader: str) -> Iterator[None]:
    """HAProxy is killed; the engine starts it again."""
    del leader
    faults.signal_program(subject.stack, "proxy-0", "KILL")
    yield


@contextlib.contextmanager
def proxy_restarted(subject: Subject, leader: str) -> Iterator[None]:
    """The proxy's container is restarted."""
    del leader
    subject.stack.container("proxy-0").restart()
    yield
