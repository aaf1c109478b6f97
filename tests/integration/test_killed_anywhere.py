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
from bench.kills import VICTIMS, Life, moment

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("killed_anywhere")]


@pytest.fixture(scope="module")
def seed() -> int:
    return int(os.environ.get("PIPE_SEED") or secrets.randbelow(2**31))


@pytest.fixture(scope="module")
def chance(seed: int) -> random.Random:
    return random.Random(seed)


@pytest.fixture(autouse=True)
def shown(seed: int) -> None:
    """With every failure pytest shows what was printed."""
    print(f"PIPE_SEED={seed}")


@pytest.fixture(scope="module")
def life(chance: random.Random, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    with kills.life("anywhere", tmp_path_factory.mktemp("kills"), chance) as life:
        yield life


def test_a_first_up_is_killed(life: Life, chance: random.Random) -> None:
    life.up(moment("up", chance, "everything"))


@pytest.mark.parametrize("victim", ["docker", "pipe"])
def test_a_provider_is_killed_while_clients_write(life: Life, chance: random.Random, victim: str) -> None:
    life.update(moment("update", chance, victim))


def test_an_up_with_a_change_is_killed_while_clients_write(life: Life, chance: random.Random) -> None:
    life.update(moment("update", chance, "everything"))


def test_a_destroy_is_killed(life: Life, chance: random.Random) -> None:
    life.destroy(moment("destroy", chance, chance.choice(list(VICTIMS))))
