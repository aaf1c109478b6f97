"""`make seed`: the checks before, the load, and what to do next."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from cli.database import TABLES, as_migrator
from cli.environment import SHARED
from cli.errors import UserError
from cli.seed.load import load
from cli.seed.shape import SIZES, Shape
from cli.session import Session

ANYWAY = "--anyway"


def run(session: Session, arguments: Sequence[str]) -> int:
    """Fill the stack's empty tables; returns the exit status."""
    options = parse(arguments)
    refuse_shared(session.stack, session.target.kind, anyway=options.anyway)
    shape = Shape(SIZES[options.size], options.number, options.until)
    began = time.monotonic()
    with as_migrator(session) as connection:
        load(connection, shape, lambda line: print(line, file=sys.stderr, flush=True))
        connection.execute(f"ANALYZE {', '.join(TABLES)}".encode())
        connection.commit()
    print(
        f"seeded stack {session.stack} in {time.monotonic() - began:.0f} s; the same rows again: "
        f'make seed SIZE={options.size} ARGS="--number {options.number} --until {options.until:%Y-%m-%d}"'
    )
    return 0


def refuse_shared(stack: str, kind: str, *, anyway: bool) -> None:
    """Invented data has no business among real data."""
    if kind in SHARED and not anyway:
        raise UserError(
            f'stack "{stack}" is {kind}: it gets no invented data', f'to do it all the same: ARGS="{ANYWAY}".'
        )


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make seed", description="Fill an empty stack with invented data.")
    parser.add_argument("--size", choices=SIZES, default="small", help="number of runs, and the rest in proportion")
    parser.add_argument("--number", type=int, default=1, help="another number gives other rows")
    parser.add_argument(
        "--until", type=_day, default=_day(f"{datetime.now(UTC):%Y-%m-%d}"), help="end of the history (YYYY-MM-DD)"
    )
    parser.add_argument(ANYWAY, action="store_true", help="also on staging and prod")
    return parser.parse_args(arguments)


def _day(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
