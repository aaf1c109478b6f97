"""etcd's container and volume are lost while clients write: the way of the disaster runbook, and nothing is lost."""

from __future__ import annotations

import pytest

from tests import timeouts
from tests.asserts.replication import assert_replicated, leader
from tests.fixtures.stacks import succeeded, throw_away_stack

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(4 * timeouts.UP)]


def test_an_empty_store_is_made_only_while_no_replica_could_lead() -> None:
    with throw_away_stack("store-lost") as stack:
        stack.prepare()
        stack.configure("failover", synchronous="on")
        stack.up()
        led = leader(stack)
        replica = next(member for member in assert_replicated(stack, replicas=1) if member != led)
        with stack.ledger() as ledger:
            ledger.wait_for_rows(10)
            stack.container("etcd-0").remove(force=True)
            stack.engine.volumes.get(f"pipe-{stack.name}-etcd-0-data").remove()
            refused = stack.run("make", "up", f"STACK={stack.name}", timeout=timeouts.UP)
            assert refused.returncode != 0
            assert f'error: etcd of stack "{stack.name}" has lost its data (etcd-0-data)\n' in refused.stderr

            stack.container(replica).stop()
            up = ("env", "PIPE_RECOVER=1", "make", "up", f"STACK={stack.name}", "ARGS=--skip-preview")
            succeeded(stack.run(*up, timeout=timeouts.UP))
            assert leader(stack) == led
            stack.container(replica).start()
            assert_replicated(stack, replicas=1)
            ledger.wait_for_rows(10)
        assert ledger.refusals() == []
        with stack.connect() as session:
            assert ledger.verdict(session).is_whole
        stack.pulumi("preview", "--expect-no-changes")
