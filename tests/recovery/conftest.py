"""What the tests of recovery share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fixtures.repositories import Repositories, stack_with_three_repositories
from tests.fixtures.stacks import Stack, half_a_day_away, throw_away_stack


@pytest.fixture(scope="session")
def repositories() -> Iterator[Repositories]:
    """A stack that keeps its backups thrice, in ``xdist_group("repositories")``. Whoever breaks something mends it."""
    with stack_with_three_repositories() as made:
        yield made


@pytest.fixture(scope="session")
def drilled() -> Iterator[Stack]:
    """A stack for drills and rehearsals, in ``xdist_group("drilled")``. Whoever damages a backup mends it."""
    with throw_away_stack("drilled") as made:
        made.prepare()
        made.configure("backup", **half_a_day_away())
        made.up()
        yield made
