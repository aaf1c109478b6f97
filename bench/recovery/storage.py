"""Faults of a member's disk."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from bench.recovery import faults
from bench.recovery.shapes import LIMITED, Subject
from tests import timeouts
from tests.asserts.eventually import eventually

# What `make status` says of a member that has stopped.
ROOM = "On a full disk it needs room"


@contextlib.contextmanager
def full(subject: Subject, leader: str) -> Iterator[None]:
    """Fill the primary's volume, and keep it full until another member leads.

    The fault is felt when PostgreSQL asks for a new WAL segment and finds no room. A checkpoint, or the recovery after
    the first crash, may give it back the room of a few old segments, and it goes on in those: they are used up too.
    """
    assert leader == LIMITED, f"{leader} leads, whose volume has no limit"
    with faults.volume_filled(subject.stack, leader) as fill:
        eventually(lambda: _used_up(subject, leader, fill), bool, timeouts.FAILOVER, "another member leads")
        eventually(lambda: _hint(subject, leader), lambda hint: ROOM in hint, timeouts.COMMAND, "a hint of the status")
        yield


def _hint(subject: Subject, member: str) -> str:
    """Return what `make status` advises about a member that it finds wrong."""
    said = subject.stack.run("make", "status", f"STACK={subject.stack.name}").stdout
    return "".join(said.partition(f"BAD  {member} ")[2].splitlines()[1:2])


def _used_up(subject: Subject, member: str, fill: Callable[[], None]) -> bool:
    """Fill what became free, go on to the next WAL segment; True when another member leads."""
    fill()
    subject.stack.execute(member, "psql", "-XAtqc", "SELECT pg_switch_wal()")
    return any(other.leads and other.name != member for other in subject.members())
