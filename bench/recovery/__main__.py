"""Measures what faults cost, many rounds of each: python -m bench.recovery [--rounds N] [--only KEY …].

A round has every scenario, so what else the machine does then disturbs all alike. Prints a line for each, writes
bench/results/<time>-recovery.json and the lines of the table in docs/failover.md. All of it takes hours: a part at a
time is possible with `--only`, and leaves the other lines as they are; so do too few rounds what more of them made.
Needs what `make setup` makes. Everything it makes, it removes.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bench import results
from bench.recovery import figures
from bench.recovery.run import once
from bench.recovery.scenarios import SCENARIOS, Scenario
from bench.recovery.shapes import PRODUCTION, SMALL, Shape
from bench.scratch import ROOT

DOCUMENT = ROOT / "docs" / "failover.md"
ROUNDS = 10


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the rounds; returns 1 when an acknowledged row was lost that must not be, never for a missed aim."""
    parser = argparse.ArgumentParser(prog="bench.recovery", description="Measures what faults cost.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", nargs="+", choices=[scenario.key for scenario in SCENARIOS], default=[])
    args = parser.parse_args(argv)
    os.chdir(ROOT)
    wanted = [scenario for scenario in SCENARIOS if not args.only or scenario.key in args.only]
    outcomes: list[dict[str, Any]] = []
    try:
        for shape in (PRODUCTION, SMALL):
            if mine := [scenario for scenario in wanted if scenario.shape is shape]:
                _rounds(shape, mine, args.rounds, outcomes)
    finally:
        # What was measured before something went wrong is worth keeping.
        print(f"written to {results.keep('recovery', outcomes=outcomes).relative_to(ROOT)}")
    document = DOCUMENT.read_text()
    print("\n".join(["", *figures.missed(wanted, outcomes), *figures.kept(wanted, outcomes, document)]))
    table = figures.table(SCENARIOS, outcomes, document)
    DOCUMENT.write_text(figures.written(document, f"{table}\n\n{_made()}"))
    return 1 if any(_lost(scenario, outcomes) for scenario in wanted) else 0


def _rounds(shape: Shape, scenarios: Sequence[Scenario], rounds: int, outcomes: list[dict[str, Any]]) -> None:
    """Do all rounds on one stack of the shape, and add what became of each."""
    with shape.running() as subject:
        moments = {scenario.key: spread_moments(rounds, subject.settings.failover.loop_wait) for scenario in scenarios}
        for number in range(1, rounds + 1):
            print(f"round {number} of {rounds}: {shape.title}", flush=True)
            for scenario in scenarios:
                outcome = once(subject, scenario, moments[scenario.key][number - 1])
                outcomes.append(outcome.document())
                print(
                    f"  {scenario.key:<18} writes out {outcome.outage:6.2f} s, reads {outcome.reads:6.2f} s,"
                    f" healthy {outcome.healthy:6.2f} s later, {outcome.lost} of {outcome.acknowledged} lost",
                    flush=True,
                )


def spread_moments(rounds: int, loop_wait: float) -> list[float]:
    """Return how many seconds after a look of Patroni's each round's fault comes, which nobody chooses in life.

    Each round has its own part of the loop, in a random order: so few rounds tell as much as many, and the median does
    not hang on how the dice fall.
    """
    parts = random.sample(range(rounds), rounds)
    return [loop_wait * (part + random.random()) / rounds for part in parts]


def _lost(scenario: Scenario, outcomes: figures.Outcomes) -> bool:
    return not scenario.may_lose and any(outcome["lost"] for outcome in figures.of(outcomes, scenario.key))


def _made() -> str:
    """Say under the table what its figures are."""
    return (
        f"Minimum / median / maximum on {os.cpu_count()} processors, the newest of {datetime.now(UTC):%Y-%m-%d};"
        " reads: the longest time without an answer at the read-only endpoint."
    )


if __name__ == "__main__":
    sys.exit(main())
