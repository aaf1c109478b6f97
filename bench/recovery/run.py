"""One round of one scenario: the fault, seen by clients that write, one that reads, and one that asks who leads."""

from __future__ import annotations

import re
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from bench.ledger import Ledger
from bench.recovery.scenarios import Scenario
from bench.recovery.shapes import Subject
from bench.recovery.watch import Reader, Witness, longest_gap
from tests import timeouts
from tests.asserts.eventually import eventually

# What the leader's Patroni says at each look where all is well.
LOOK = re.compile(r"^(\S+ \S+) INFO: no action", re.MULTILINE)
# Rows of each client: before the fault, and after it before it counts as over.
ROWS = 10
# What was written in the second before the fault is where an outage begins.
BEFORE_SECONDS = 1.0


@dataclass(frozen=True)
class Outcome:
    """What became of one round. Times in seconds."""

    scenario: str
    before: str
    """Who led before."""
    after: str
    since: float
    """When the fault began, of the wall clock."""
    outage: float
    """The longest time in which no client got a row acknowledged."""
    reads: float
    """The longest time without an answer at the read-only endpoint."""
    reads_meanwhile: int
    """Answers at the read-only endpoint while no write was acknowledged."""
    healthy: float
    """From the moment when the fault was taken back until every member was in its place."""
    acknowledged: int
    lost: int
    doubled: int
    led: list[str]
    """The members that said that they were the primary, in turns."""
    wrote: list[str]
    """The servers that acknowledged rows, in turns."""
    refusals: list[str]
    """SQLSTATEs of what clients were told beside dropped connections."""

    def document(self) -> dict[str, Any]:
        """Return it for a JSON file."""
        return asdict(self)


def once(subject: Subject, scenario: Scenario, second: float | None = None) -> Outcome:
    """Do one round on a stack in full health, and leave it in full health.

    :param second: how long after a look of the leader's Patroni the fault comes. How old the lease is then, and how far
        the next look, decides most of an outage.
    """
    subject.wait_for_health()
    stack, before = subject.stack, subject.leader()
    if scenario.leader not in (None, before):
        subject.switch_over(before, scenario.leader)
        subject.wait_for_health()
        before = subject.leader()
    with (
        Ledger(stack.conninfo()) as ledger,
        Reader(stack.conninfo("readonly", "read_only")) as reader,
        subject.witness() as witness,
    ):
        eventually(witness.led, bool, timeouts.COMMAND, "a member that says that it is the primary")
        ledger.wait_for_rows(ROWS)
        if second is not None:
            _wait_for_moment(subject, before, second)
        since = time.time()
        with scenario.fault(subject, before):
            if scenario.moves:
                _wait_for_another(witness, before)
            ledger.wait_for_rows(ROWS, timeouts.FAILOVER)
        mended = time.time()
        subject.wait_for_health()
        healthy = time.time() - mended
        ledger.wait_for_rows(ROWS)
        until = time.time()
    stopped, began = longest_gap(e.acknowledged for e in ledger.entries if e.acknowledged > since - BEFORE_SECONDS)
    reads = longest_gap([since, *reader.between(since, until), until])
    with stack.connect("app") as session:
        verdict = ledger.verdict(session)
    return Outcome(
        scenario=scenario.key,
        before=before,
        after=subject.leader(),
        since=since,
        outage=began - stopped,
        reads=reads[1] - reads[0],
        reads_meanwhile=len(reader.between(stopped, began)),
        healthy=healthy,
        acknowledged=verdict.acknowledged,
        lost=len(verdict.lost),
        doubled=len(verdict.doubled),
        led=witness.led(),
        wrote=ledger.servers(),
        refusals=sorted({failure.sqlstate or "" for failure in ledger.refusals()}),
    )


def _wait_for_moment(subject: Subject, leader: str, second: float) -> None:
    """Wait until so many seconds after a look of the leader's Patroni at the cluster: it looks every `loop_wait`."""
    every = subject.settings.failover.loop_wait
    looks = eventually(
        lambda: LOOK.findall(subject.stack.logs(leader, time.time() - every)),
        bool,
        timeouts.COMMAND,
        f"a look of {leader}'s Patroni at the cluster",
    )
    look = datetime.fromisoformat(looks[-1]).replace(tzinfo=UTC).timestamp()
    time.sleep((look + second - time.time()) % every)


def _wait_for_another(witness: Witness, before: str) -> None:
    """Wait until another member than before says that it is the primary."""
    eventually(witness.led, lambda led: set(led) != {before}, timeouts.FAILOVER, f"another member than {before} leads")
