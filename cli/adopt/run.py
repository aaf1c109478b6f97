"""`make adopt`: what would be refused, then the move, all or nothing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from cli.adopt import source as from_database
from cli.adopt.move import move
from cli.adopt.rules import Finding, findings, rules
from cli.database import Connection, as_migrator
from cli.errors import UserError
from cli.session import Session


def run(session: Session, arguments: Sequence[str]) -> int:
    """Adopt the source into the stack, or with --check only say what would be refused; returns the exit status."""
    options = parse(arguments)
    with from_database.opened(options.source) as source, as_migrator(session) as target:
        left_out = from_database.check_tables(source, options.schema)
        found = check(source, target, options.schema)
        for finding in found:
            print(finding.text())
        if left_out:
            print(f"left where they are: {', '.join(left_out)}")
        if found:
            raise UserError(
                f"{sum(finding.count for finding in found):,} rows of the source would be refused",
                "correct them in the source as said above, and run it again; nothing was changed.",
            )
        if options.check:
            print("every row of the source would be taken")
            return 0
        moved = move(source, target, options.schema, lambda line: print(line, file=sys.stderr, flush=True))
        target.commit()
    print(f"adopted {sum(table.rows for table in moved):,} rows; counts and checksums are the same on both sides")
    return 0


def check(source: Connection, target: Connection, schema: str) -> list[Finding]:
    """What the target would refuse, the source's rows grouped by rule."""
    found = (findings(source, schema, rule) for rule in rules(target))
    return [finding for finding in found if finding is not None]


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make adopt", description="Move an existing database's rows into a stack.")
    parser.add_argument("source", metavar="SOURCE", help="libpq connection string or URI, without a password")
    parser.add_argument("--schema", default="public", help="schema of the source's tables")
    parser.add_argument("--check", action="store_true", help="only say which rows would be refused")
    return parser.parse_args(arguments)
