"""Docker's engine is killed, alone and with all that runs under it, while `up` changes a stack that clients write to.

On a second engine, so that nobody else's containers are touched. `make bench OF=engine_kills` does it at random moments
of a stack's whole life, for as many rounds as one likes.
"""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Iterator

import pytest

from bench import engine_kills
from bench.engine_kills import VICTIMS, EngineLife
from bench.kills import Moment, moment
from tests import timeouts

pytestmark = [
    pytest.mark.integration,
    pytest.mark.long,
    pytest.mark.xdist_group("engine_killed"),
    pytest.mark.timeout(3 * timeouts.UP),
]


@pytest.fixture(scope="module")
def chance() -> random.Random:
    seed = int(os.environ.get("PIPE_SEED") or secrets.randbelow(2**31))
    print(f"PIPE_SEED={seed}")
    return random.Random(seed)


@pytest.fixture(scope="module")
def life(chance: random.Random, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineLife]:
    with engine_kills.life(tmp_path_factory.mktemp("kills"), chance) as made:
        made.stack.prepare()
        made.stack.configure("failover", synchronous="on")
        made.converge()
        yield made


@pytest.mark.parametrize("victim", VICTIMS)
def test_the_next_up_converges_and_no_row_is_lost(life: EngineLife, chance: random.Random, victim: str) -> None:
    assert life.update(moment("update", chance, victim)), "it came too late"


def test_after_a_power_cut_the_stack_is_back_by_itself(life: EngineLife) -> None:
    with life.stack.ledger() as ledger:
        life.ledgers.append(ledger)
        ledger.wait_for_rows(1)
        life.engine.cut()
        life.engine.start()
        ledger.wait_for_rows(10, timeouts.HEALTH)
    life.check_rows()
    life.stack.pulumi("preview", "--expect-no-changes")


def test_a_destroy_that_lost_its_engine_is_ended_by_the_next_one(life: EngineLife, chance: random.Random) -> None:
    life.destroy(Moment("destroy", chance.choice(VICTIMS), chance.randrange(1, 100)))
