"""The text of sql/, read once."""

from __future__ import annotations

from functools import cache
from pathlib import Path

SQL = Path(__file__).resolve().parent.parent.parent / "sql"


@cache
def sql_text() -> str:
    """Return all files of sql/ one after the other."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(SQL.rglob("*.sql")))
