"""Faults of the smallest stack that fails over: one proxy, one member of etcd, a member with a small disk."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.recovery import faults
from bench.recovery.scenarios import Scenario
from bench.recovery.shapes import SMALL, Subject
from tests import timeouts
from tests.asserts.eventually import eventually
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
    subject.wait_for_health()
    assert done.returncode != 0
    lines = done.stdout.splitlines()
    (number,) = (number for number, line in enumerate(lines) if line.startswith(f"BAD  {replica}"))
    assert "not in the cluster" in lines[number]
    assert "HINT: its container is down, frozen or cut off" in lines[number + 1]
