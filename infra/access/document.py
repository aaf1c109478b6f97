"""The table of privileges in docs/security.md, made from the matrix: python -m infra.access.document [--check]."""

from __future__ import annotations

import sys
from pathlib import Path

from infra.access import matrix

TARGET = Path(__file__).resolve().parents[2] / "docs" / "security.md"
BEGIN, END = "<!-- privileges: made by `python -m infra.access.document` -->", "<!-- end of privileges -->"

ROLES = (matrix.APP, matrix.READONLY, matrix.AUDITOR, matrix.MONITOR, matrix.MIGRATOR, matrix.DRILL)
_SHORT = {matrix.READ: "read", matrix.WRITE: "read, write", matrix.TIDY: "read, delete", matrix.EXECUTE: "call"}


def table() -> str:
    """Every object of the matrix that some role may use, one a line."""
    lines = [f"| object | {' | '.join(f'`{role}`' for role in ROLES)} |", "|---|" + "---|" * len(ROLES)]
    for row in matrix.MATRIX:
        cells = [_cell(row.access.get(role, matrix.NOTHING)) for role in ROLES]
        if any(cells):
            lines.append(f"| {_object(row)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def current(document: str) -> str:
    """The document with the table between its two marks."""
    before, rest = document.split(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}"


def _object(row: matrix.Row) -> str:
    if row.kind is matrix.Kind.DATABASE:
        return f"database `{matrix.DATABASE}`"
    name = f"{row.schema}.{row.name}" if row.name else row.schema
    return f"`{name}`" if row.kind is matrix.Kind.TABLE else f"{row.kind.value} `{name}`"


def _cell(access: matrix.Access) -> str:
    if access.columns:
        return f"read {', '.join(access.columns)}"
    return _SHORT.get(access, ", ".join(access.privileges).lower())


def main(arguments: list[str]) -> int:
    """Write the table, or with --check compare it; the exit code."""
    document = TARGET.read_text(encoding="utf-8")
    wanted = current(document)
    if "--check" in arguments:
        if wanted != document:
            print(f"{TARGET.name} is stale: run `python -m infra.access.document`", file=sys.stderr)
        return int(wanted != document)
    TARGET.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
