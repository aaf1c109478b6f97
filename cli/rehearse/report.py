"""A rehearsal in words: a table for the terminal, and the same as markdown for the comment of a pull request. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from cli.rehearse.measured import Lock, Rehearsal, Rehearsed, remarks

HEAD = ("migration", "took", "strongest lock", "held", "rows rewritten", "rows changed", "clients waited")
# Finer than this nothing is sampled.
SAMPLE_MS = 10


def rows(rehearsal: Rehearsal) -> list[tuple[str, ...]]:
    """Return a line of cells for each migration."""
    return [_cells(one) for one in rehearsal.migrations]


def terminal(rehearsal: Rehearsal) -> str:
    """Return the table as text, with what is to be thought about below it."""
    lines = [HEAD, *rows(rehearsal)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(HEAD))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([f"rehearsed on {_data(rehearsal)}", "", *table, *_notes(rehearsal.migrations, "see  ")])


def markdown(rehearsal: Rehearsal) -> str:
    """Return the part of the pull request's comment."""
    lines = ["| " + " | ".join(HEAD) + " |", "|---" * len(HEAD) + "|"]
    lines += ["| " + " | ".join([f"`{cells[0]}`", *cells[1:]]) + " |" for cells in rows(rehearsal)]
    notes = _notes(rehearsal.migrations, "- ")
    return "\n".join([f"### Rehearsal on {_data(rehearsal)}", "", *lines, *(["", *notes] if notes else [])])


def _data(rehearsal: Rehearsal) -> str:
    if rehearsal.backup is None:
        return f"made-up data, {rehearsal.gigabytes:.2f} GB: {rehearsal.stack} has no backup"
    return f"backup {rehearsal.backup} of {rehearsal.stack}, {rehearsal.gigabytes:.2f} GB"


def _cells(one: Rehearsed) -> tuple[str, ...]:
    took = "failed" if one.failure else _time(one.seconds)
    strongest = one.locks[0] if one.locks else None
    rewritten = ", ".join(f"{count} of {table}" for table, count in one.rewritten) or "none"
    return (
        one.file,
        took,
        f"{strongest.name} on {strongest.table}" if strongest else "none",
        _held(strongest) if strongest else "",
        rewritten,
        str(one.changed_rows),
        _time(one.longest_wait),
    )


def _held(lock: Lock) -> str:
    return _time(lock.seconds) if lock.seconds * 1000 >= SAMPLE_MS else f"< {SAMPLE_MS} ms"


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _notes(migrations: Sequence[Rehearsed], mark: str) -> list[str]:
    found = [f"{mark}{one.file}: {remark}" for one in migrations for remark in remarks(one)]
    return found + [f"{mark}{one.file} failed: {one.failure}" for one in migrations if one.failure]
