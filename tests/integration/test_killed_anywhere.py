"""`up` with everything it started, and its providers, are killed at random moments of a stack's whole life.

`make bench OF=kills` does the same for as many rounds as one likes. A failure is had again with the seed that it shows:
PIPE_SEED=<seed> make test TESTS=tests/integration/test_killed_anywhere.py
"""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Iterator

import pytest

from bench import kills
from bench.kills import VICTIMS, Life

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("killed_anywhere")]


@pytest.fixture(scope="module")
def seed() -> int:
    return int(os.environ.get("PIPE_SEED") or secrets.randbelow(2**31))


@pytest.fixture(autouse=True)
def shown(seed: int) -> None:
    """With every failure pytest shows what was printed."""
    print(f"PIPE_SEED={seed}")


@pytest.fixture(scope="module")
def life(seed: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    with kills.life("anywhere", tmp_path_factory.mktemp("kills"), random.Random(seed)) as life:
        yield life


def test_a_first_up_is_killed(life: Life) -> None:
    life.play("up", "everything")


@pytest.mark.parametrize("victim", ["docker", "postgresql", "pipe"])
def test_a_provider_is_killed_while_clients_write(life: Life, victim: str) -> None:
    life.play("update", victim)


def test_an_up_with_a_change_is_killed_while_clients_write(life: Life) -> None:
    life.play("update", "everything")


def test_a_destroy_is_killed(life: Life) -> None:
    life.play("destroy", life.chance.choice(list(VICTIMS)))
