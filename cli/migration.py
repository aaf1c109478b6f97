"""`make migration NAME=add_x`: the next file of sql/migrations, with a header that says what to write."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from cli.errors import UserError

FOLDER = Path("sql/migrations")
LAST_NUMBER = 9999
# A file system takes 255, a reader fewer.
LONGEST_NAME = 60
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_NUMBERED = re.compile(r"(\d{4})_.*\.sql")
_EXAMPLE = "`make migration NAME=add_notes_to_runs`"

# A preview refuses lines in angle brackets, and a file without a statement: nothing of this lands unread.
TEMPLATE = """\
-- <why this change is made: what is wrong or missing without it>
--
-- Why it is like this:
--   * <what a reader would ask: why this type, this index, this order of steps>
--
-- <how it runs, where the defaults do not do; a line each, without the quotes (docs/migrations.md):>
-- <"pipe: no-transaction" for CREATE INDEX CONCURRENTLY and its like>
-- <"pipe: lock_timeout = 2s" how long a statement waits for a lock; 5s without it>
-- <"pipe: statement_timeout = 1h" how long a statement runs; 15min without it>
-- <"pipe: retries = 10" how often it is tried again when a lock was not had; 5 without it>

"""


def run(root: Path, name: str) -> int:
    """Make the file and print its path; returns the exit status."""
    check_name(name)
    folder = root / FOLDER
    path = folder / f"{next_number({file.name for file in folder.iterdir()}):04d}_{name}.sql"
    # Never over a file that somebody made at the same moment.
    with path.open("x", encoding="utf-8") as file:
        file.write(TEMPLATE)
    print(path.relative_to(root))
    return 0


def check_name(name: str) -> None:
    """Raise UserError where it is missing or would not be taken for a migration's name."""
    if not name:
        raise UserError("the migration has no name", f"{_EXAMPLE} makes one.")
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise UserError(
            f'"{name}" is no name for a migration: lower-case words joined by "_", {LONGEST_NAME} characters at most',
            f"such as {_EXAMPLE}; the number comes by itself.",
        )


def next_number(names: Collection[str]) -> int:
    """The number after the highest one."""
    last = max((int(match[1]) for match in map(_NUMBERED.fullmatch, names) if match), default=0)
    if last >= LAST_NUMBER:
        raise UserError(f"{FOLDER} has the number {LAST_NUMBER}, after which there is none")
    return last + 1
