"""One round of one change, under clients that write."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from bench.changes.catalog import Change
from bench.ledger import Ledger
from tests.asserts.replication import assert_replicated, leader, roles
from tests.fixtures.stacks import Stack, throw_away_stack

# Rows of each client before the change, and after it.
ROWS = 10
# What was written in the second before the change is where an outage begins.
BEFORE_SECONDS = 1.0


@dataclass(frozen=True)
class Outcome:
    """What became of one round. Times in seconds."""

    change: str
    up: float
    """How long `up` took."""
    outage: float
    """The longest time in which no client got a row acknowledged."""
    drops: int
    """The most sessions that one client lost."""
    acknowledged: int
    lost: int
    doubled: int
    refusals: list[str]
    """What clients were told beside dropped connections."""
    replaced: list[str]
    """The components whose containers are others now; not those that came or went."""
    moved: bool
    """Whether another member leads."""
    printed: str
    """What `up` said."""

    def document(self) -> dict[str, Any]:
        """Return it for a JSON file."""
        return {key: value for key, value in asdict(self).items() if key != "printed"}


@contextlib.contextmanager
def running() -> Iterator[Stack]:
    """Give a running stack of production's shape in small: three of etcd, two members, two proxies, synchronous."""
    with throw_away_stack("changes") as stack:
        stack.prepare()
        stack.configure("consensus", members=3)
        stack.configure("database", restart="rolling")
        stack.configure("failover", synchronous="on")
        stack.configure("proxy", instances=2)
        stack.up()
        yield stack


def once(stack: Stack, change: Change, number: int) -> Outcome:
    """Make the change; it begins and ends with every member in its place."""
    assert_replicated(stack, replicas=len(roles(stack)) - 1)
    led, before = leader(stack), _containers(stack)
    with stack.ledger() as ledger:
        ledger.wait_for_rows(ROWS)
        change.make(stack, number)
        since = time.time()
        printed = str(change.up(stack))
        took = time.time() - since
        ledger.wait_for_rows(ROWS)
    assert_replicated(stack, replicas=len(roles(stack)) - 1)
    after = _containers(stack)
    with stack.connect() as session:
        verdict = ledger.verdict(session)
    return Outcome(
        change=change.key,
        up=took,
        outage=ledger.outage(since - BEFORE_SECONDS),
        drops=_drops(ledger),
        acknowledged=verdict.acknowledged,
        lost=len(verdict.lost),
        doubled=len(verdict.doubled),
        refusals=sorted({f"{failure.sqlstate}: {failure.message}" for failure in ledger.refusals()}),
        replaced=sorted({kind for name, (kind, id_) in before.items() if after.get(name, (kind, id_)) != (kind, id_)}),
        moved=leader(stack) != led,
        printed=printed,
    )


def _drops(ledger: Ledger) -> int:
    """Return the most sessions that one client lost. Failures without a row are attempts to connect again."""
    return max(Counter(failure.client for failure in ledger.failures if failure.id is not None).values(), default=0)


def _containers(stack: Stack) -> dict[str, tuple[str, str]]:
    """Return component and id of each running container, by name."""
    return {str(c.name): (c.labels["pipe.component"], str(c.id)) for c in stack.containers()}
