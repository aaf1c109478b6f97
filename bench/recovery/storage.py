"""Faults of a member's disk."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from bench.recovery import faults
from bench.recovery.shapes import LIMITED, Subject
from tests import timeouts
from tests.asserts.eventually import eventually


@contextlib.contextmanager
def full(subject: Subject, leader: str) -> Iterator[None]:
    """Fill the primary's volume, and keep it full until another member leads.

    The fault is felt when PostgreSQL asks for a new WAL segment and finds no room. A checkpoint, or the recovery after
    the first crash, may give it back the room of a few old segments, and it goes on in those: they are used up too.
    """
    assert leader == LIMITED, f"{leader} leads, whose volume has no limit"
    with faults.volume_filled(subject.stack, leader) as fill:
        eventually(lambda: _used_up(subject, leader, fill), bool, timeouts.FAILOVER, "another member leads")
        yield


def _used_up(subject: Subject, member: str, fill: Callable[[], None]) -> bool:
    """Fill what became free, go on to the next WAL segment; True when another member leads."""
    fill()
    subject.stack.execute(member, "psql", "-XAtqc", "SELECT pg_switch_wal()")
    return any(other.leads and other.name != member for other in subject.members())
