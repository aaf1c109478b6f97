"""Faults of the smallest stack that fails over: one proxy, one member of etcd, a member with a small disk."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.recovery import faults
from bench.recovery.scenarios import Scenario
from bench.recovery.shapes import SMALL, Subject
from tests import timeouts
from tests.asserts.eventually import eventually
from tests.fixtures import runbook
from tests.recovery import rounds

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("recovery")]


@pytest.fixture(scope="module")
def subject() -> Iterator[Subject]:
    with SMALL.running() as made:
        yield made


@pytest.mark.parametrize("scenario", rounds.of(SMALL), ids=lambda scenario: scenario.key)
def test_nothing_is_lost_and_one_member_leads(subject: Subject, scenario: Scenario) -> None:
    rounds.assert_survived(subject, scenario)


def test_status_says_what_a_lost_replica_needs(subject: Subject) -> None:
    replica = subject.synchronous()
    with faults.killed(subject.stack, replica):
        eventually(
            lambda: [member.name for member in subject.members()],
            lambda names: replica not in names,
            timeouts.FORGOTTEN,
            f"{replica} forgotten",
        )
        done = subject.stack.run("make", "status", f"STACK={subject.stack.name}")
        there = runbook.run("what is there", subject.stack)
        runbook.run("start a member", subject.stack, member=replica)
    subject.wait_for_health()
    (down,) = (line for line in there.splitlines() if line.endswith(f"pipe-{subject.stack.name}-{replica}"))
    assert " Exited (" in down
    assert done.returncode != 0
    lines = done.stdout.splitlines()
    (number,) = (number for number, line in enumerate(lines) if line.startswith(f"BAD  {replica}"))
    assert "not in the cluster" in lines[number]
    assert "HINT: its container is down, frozen or cut off" in lines[number + 1]


def test_who_finds_failover_switched_off_switches_it_on(subject: Subject) -> None:
    assert subject.stack.run("bin/patronictl", "pause").returncode == 0
    paused = runbook.run("who leads", subject.stack)
    runbook.run("resume", subject.stack)
    assert "Maintenance mode: on" in paused
    assert "Maintenance mode" not in runbook.run("who leads", subject.stack)


def test_a_leader_that_is_asked_to_hands_over(subject: Subject) -> None:
    before = subject.leader()
    # It asks who leads, who takes over and when, each with an answer of its own, and whether to go on.
    runbook.run("hand over", subject.stack, stdin="\n\n\ny\n")
    subject.wait_for_health()
    assert subject.leader() != before


def test_damaged_data_is_thrown_away_and_copied_anew(subject: Subject) -> None:
    replica = subject.synchronous()
    damaged = "/var/lib/postgresql/data/damaged"
    assert subject.stack.execute(replica, "touch", damaged) == (0, "")
    runbook.run("copy it anew", subject.stack, member=replica, stdin="y\n")
    eventually(
        lambda: subject.stack.execute(replica, "test", "-e", damaged)[0],
        lambda status: status != 0,
        timeouts.HEALTH,
        f"the damaged data of {replica} gone",
    )
    subject.wait_for_health()
