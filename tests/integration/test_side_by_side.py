"""Two stacks of one engine share nothing but images, and one goes without touching the other."""

from __future__ import annotations

import pytest

from tests.asserts.traces import traces
from tests.fixtures.stacks import Stack, throw_away_stack

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("shared")]


def test_one_stack_goes_and_the_other_does_not_notice(stack: Stack) -> None:
    before = {(c.name, c.id, c.attrs["State"]["StartedAt"]) for c in stack.containers()}
    with throw_away_stack("beside") as other:
        other.up()
        assert other.outputs["endpoints"] != stack.outputs["endpoints"]
        other.destroy()
        assert traces(other.name) == []
    assert {(c.name, c.id, c.attrs["State"]["StartedAt"]) for c in stack.containers()} == before
