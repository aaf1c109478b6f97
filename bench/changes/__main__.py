"""Measures what changes cost, many rounds of each: python -m bench.changes [--rounds N] [--only KEY ...].

A round has every change, so what else the machine does then disturbs all alike. Prints a line for each, writes
bench/results/<time>-changes.json and, when nothing was left out, the table in docs/changes.md. Needs what `make setup`
makes. Everything it makes, it removes.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bench import results
from bench.changes import figures
from bench.changes.catalog import CHANGES
from bench.changes.run import once, running
from bench.scratch import ROOT

DOCUMENT = ROOT / "docs" / "changes.md"
ROUNDS = 10


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the rounds; returns 1 when an acknowledged row was lost, never for a missed aim."""
    parser = argparse.ArgumentParser(prog="bench.changes", description="Measures what changes cost.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", nargs="+", choices=[change.key for change in CHANGES], default=[])
    args = parser.parse_args(argv)
    os.chdir(ROOT)
    wanted = [change for change in CHANGES if not args.only or change.key in args.only]
    outcomes: list[dict[str, Any]] = []
    with running() as stack:
        for number in range(1, args.rounds + 1):
            print(f"round {number} of {args.rounds}", flush=True)
            for change in wanted:
                outcome = once(stack, change, number)
                outcomes.append(outcome.document())
                print(
                    f"  {change.key:<16} writes out {outcome.outage:6.2f} s, {outcome.drops} sessions lost by a client,"
                    f" up {outcome.up:6.1f} s, {outcome.lost} of {outcome.acknowledged} rows lost",
                    flush=True,
                )
    print("\n".join(["", *figures.missed(wanted, outcomes)]))
    print(f"written to {results.keep('changes', outcomes=outcomes).relative_to(ROOT)}")
    if not args.only:
        made = (
            f"Minimum / median / maximum of {args.rounds} round{'s' if args.rounds > 1 else ''} on"
            f" {os.cpu_count()} processors,"
            f" {datetime.now(UTC):%Y-%m-%d}; sessions lost: the most that one of four clients lost in a change."
        )
        table = figures.table(CHANGES, outcomes)
        DOCUMENT.write_text(figures.written(DOCUMENT.read_text(), f"{table}\n\n{made}"))
    return 1 if any(outcome["lost"] for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
