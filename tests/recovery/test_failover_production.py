"""Faults of prod's shape: three members, three of etcd, two proxies, synchronous. One stack, one round of each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.recovery import consensus, faults
from bench.recovery.scenarios import Scenario
from bench.recovery.shapes import PRODUCTION, Subject
from tests import timeouts
from tests.asserts.eventually import eventually
from tests.fixtures import runbook
from tests.recovery import rounds

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("recovery")]

CUT_OFF = ("unplugged", "mute", "deaf")


@pytest.fixture(scope="module")
def subject() -> Iterator[Subject]:
    with PRODUCTION.running() as made:
        yield made


@pytest.mark.parametrize("scenario", rounds.of(PRODUCTION), ids=lambda scenario: scenario.key)
def test_nothing_is_lost_and_one_member_leads(subject: Subject, scenario: Scenario) -> None:
    outcome = rounds.assert_survived(subject, scenario)
    if scenario.key in CUT_OFF:
        rounds.assert_stepped_down_first(subject, outcome)


def test_libpq_itself_goes_to_the_other_proxy(subject: Subject) -> None:
    with faults.killed(subject.stack, "proxy-0"):
        words = ("-XAtc", "SELECT pg_is_in_recovery()")
        done = subject.stack.run("bin/psql", *words)
        runbook.run("start a proxy", subject.stack)
    assert (done.returncode, done.stdout.strip()) == (0, "f"), done.stderr


@pytest.mark.long
def test_who_lacks_commits_leads_when_that_is_said(subject: Subject) -> None:
    """The leader and the replica that commits wait for are lost together: nobody takes over by itself."""
    led, waited_for = subject.leader(), subject.synchronous()
    (other,) = subject.addresses.keys() - {led, waited_for}
    with faults.killed(subject.stack, led, waited_for):
        eventually(
            lambda: [member.name for member in subject.members()],
            lambda names: names == [other],
            timeouts.FORGOTTEN,
            f"{led} and {waited_for} forgotten",
        )
        assert not any(member.leads for member in subject.members())
        # It asks whether to go on, and once more as the member lacks commits.
        runbook.run("fail over", subject.stack, member=other, stdin="y\ny\n")
        assert subject.leader() == other
    subject.wait_for_health()
    assert subject.leader() == other


def test_a_store_that_works_is_not_rebuilt(subject: Subject) -> None:
    done = subject.stack.run("make", "rebuild-consensus", f"STACK={subject.stack.name}")
    assert done.returncode != 0
    assert f'error: etcd of stack "{subject.stack.name}" works: there is nothing to rebuild' in done.stderr


def test_the_last_primary_leads_again_when_nobody_runs_and_etcd_is_lost(subject: Subject) -> None:
    last = subject.leader()
    kept = subject.stack.sql("SELECT system_identifier FROM pg_control_system()", last)
    hosts = consensus.hosts(subject)
    # The leader first: without etcd it would step down as soon as another member is missing.
    for component in (last, *(subject.addresses.keys() - {last}), *hosts):
        subject.stack.container(component).kill()
    for host in hosts:
        faults.emptied(subject.stack, host)

    text = runbook.run("rebuild consensus", subject.stack)

    assert f"pipe-{subject.stack.name}-{last} was primary last: it starts first, and alone" in text
    subject.wait_for_health()
    assert subject.leader() == last
    assert subject.stack.sql("SELECT system_identifier FROM pg_control_system()", last) == kept
