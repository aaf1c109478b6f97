"""Faults of a member's disk."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from bench.recovery import faults
from bench.recovery.shapes import LIMITED, Subject
from tests import timeouts
from tests.asserts.eventually import eventually


@contextlib.contextmanager
def full(subject: Subject, leader: str) -> Iterator[None]:
    """Fill the primary's volume. The fault is felt when PostgreSQL asks for a new WAL segment and finds no room."""
    assert leader == LIMITED, f"{leader} leads, whose volume has no limit"
    with faults.volume_filled(subject.stack, leader):
        eventually(lambda: _next_segment(subject, leader), lambda went: not went, timeouts.FAILOVER, "a full WAL")
        yield


def _next_segment(subject: Subject, member: str) -> bool:
    """Go on to the next WAL segment; False when PostgreSQL could not."""
    status, _ = subject.stack.execute(member, "psql", "-XAtqc", "SELECT pg_switch_wal()")
    return status == 0
