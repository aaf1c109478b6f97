"""What holds after one round of every scenario."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from bench.recovery.run import Outcome, once
from bench.recovery.scenarios import SCENARIOS, Scenario
from bench.recovery.shapes import Shape, Subject
from bench.recovery.watch import at_once
from tests import timeouts

STEPPED_DOWN = re.compile(r"^(\S+ \S+) INFO: Demoting self \(offline\)", re.MULTILINE)
AT_WORK = re.compile(r"^(\S+ \S+) INFO: Lock owner: ", re.MULTILINE)
TOOK_OVER = re.compile(r"^(\S+ \S+) INFO: promoted self to leader by acquiring session lock", re.MULTILINE)

LATE_SECONDS = 2


def of(shape: Shape) -> list[Scenario]:
    """Return the scenarios of a shape."""
    return [scenario for scenario in SCENARIOS if scenario.shape is shape]


def assert_survived(subject: Subject, scenario: Scenario) -> Outcome:
    """One round: nothing lost, never two primaries, nothing said but dropped connections, all healthy afterwards.

    What is to take less than a lease (ttl) waits for none to run out, and where the lead stays it was never free; only
    one whose holder was to return, and did so too late, another member may have taken over.
    """
    outcome = once(subject, scenario)
    took_over = _took_over(subject, outcome)
    moves = 1 if scenario.returns and _ran_out(subject, outcome, took_over) else scenario.moves
    assert outcome.doubled == 0
    assert scenario.may_lose or outcome.lost == 0
    assert not at_once(outcome.led, moves), f"two members led at once: {outcome.led}"
    assert not at_once(outcome.wrote, moves), f"two servers took rows at once: {outcome.wrote}"
    assert set(outcome.refusals) <= scenario.refused
    if scenario.moves == 1:
        assert outcome.after != outcome.before
    if not moves:
        assert outcome.after == outcome.before
    if scenario.reads:
        assert outcome.reads_meanwhile > 0, "the read-only endpoint answered nothing while writes were out"
    if scenario.reads and scenario.lease:
        assert outcome.reads < outcome.outage, "the read-only endpoint was away for as long as writes were"
    ttl = subject.settings.failover.ttl
    limit = ttl if scenario.aim and scenario.aim < ttl else timeouts.OUTAGE * (2 if scenario.anew else 1)
    assert outcome.outage < limit, f"writes were out for {outcome.outage:.0f} s"
    if moves <= 1 and (outcome.after != outcome.before or not scenario.anew):
        assert [member for _, member in took_over] == moves * [outcome.after]
    return outcome


def assert_stepped_down_first(subject: Subject, outcome: Outcome) -> None:
    """A leader that was cut off closed its sessions before the next one took over. All share one clock."""
    stepped_down = STEPPED_DOWN.findall(subject.stack.logs(outcome.before, outcome.since))
    took_over = TOOK_OVER.findall(subject.stack.logs(outcome.after, outcome.since))
    assert stepped_down, f"{outcome.before} never stepped down"
    assert stepped_down[0] < took_over[0]


def _took_over(subject: Subject, outcome: Outcome) -> list[tuple[float, str]]:
    """Return who was promoted since the fault because nobody held the lease any more, and when by the wall clock."""
    return [
        (_moment(text), member)
        for member in subject.addresses
        for text in TOOK_OVER.findall(subject.stack.logs(member, outcome.since))
    ]


def _ran_out(subject: Subject, outcome: Outcome, took_over: list[tuple[float, str]]) -> bool:
    """Say whether the lease ran out because its holder was late: neither it nor anybody else was there in time."""
    failover = subject.settings.failover
    # Each loop renews it, and on a busy machine is late by a second or two.
    ends = outcome.since + failover.ttl - failover.loop_wait - LATE_SECONDS
    at_work = AT_WORK.findall(subject.stack.logs(outcome.before, outcome.since))
    moments = [moment for moment, _ in took_over] + [_moment(text) for text in at_work]
    return bool(took_over) and min(moments) >= ends


def _moment(text: str) -> float:
    """Return the time of a line of Patroni's log by the wall clock."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
