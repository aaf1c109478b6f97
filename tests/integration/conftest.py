"""Stacks of the integration tests. Tests that only look share one; those that change something make their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fixtures.stacks import Stack, throw_away_stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A running stack that no test may change for the others. Mark such tests ``xdist_group("shared")``."""
    with throw_away_stack("shared") as made:
        made.up()
        yield made


@pytest.fixture(scope="module")
def own_stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A running stack of the test module's own."""
    purpose = request.module.__name__.rpartition(".test_")[2].replace("_", "-")[:16].strip("-")
    with throw_away_stack(purpose) as made:
        made.up()
        yield made
