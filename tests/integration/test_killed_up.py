"""`up` is killed at several moments; the next one converges and a test stack still goes without a trace."""

from __future__ import annotations

import os
import signal
import tempfile

import pytest

from tests import timeouts
from tests.asserts.eventually import eventually
from tests.asserts.replication import assert_replicated
from tests.asserts.traces import traces
from tests.fixtures.stacks import Stack, throw_away_stack

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("killed_up")]

# What is made by then: each kill finds what the one before left.
MOMENTS = ("network", "member-0", "proxy")


def kill_up_when(stack: Stack, component: str) -> None:
    """Start `make up`, and kill it with everything it started as soon as the component is there."""
    with tempfile.TemporaryFile("w+") as output:
        running = stack.start("make", "up", f"STACK={stack.name}", "LIKE=test", output=output)

        def made() -> bool:
            if running.poll() is not None:
                output.seek(0)
                pytest.fail(f"`make up` ended before {component} was made:\n{output.read()}")
            return any(component in trace for trace in traces(stack.name))

        try:
            eventually(made, bool, timeouts.UP, f"{component} made by `make up`")
        finally:
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGKILL)
            running.wait()


def test_an_up_that_is_killed_again_and_again_converges() -> None:
    with throw_away_stack("killed") as stack:
        for component in MOMENTS:
            kill_up_when(stack, component)
        stack.up()
        assert_replicated(stack, replicas=1)
        stack.pulumi("preview", "--expect-no-changes")


def test_a_killed_up_can_be_destroyed() -> None:
    with throw_away_stack("half") as stack:
        kill_up_when(stack, "member-0")
        stack.destroy()
        assert traces(stack.name) == []
        assert not stack.file.exists()
