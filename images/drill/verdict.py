"""What a drill found, compared and put into words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

# The rest is counted.
SHOWN = 10
_LONGEST = 160


@dataclass
class Result:
    """A drill as far as it has come."""

    backup: str | None = None
    bytes: int | None = None
    recovery_seconds: float | None = None
    recovery_point: datetime | None = None
    rows: int | None = None
    """How many were counted and found right; None: not compared."""
    problems: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether everything was as it should be."""
        return not self.problems

    def record(self) -> dict[str, Any]:
        """Return it as upkeep.end_drill() takes it."""
        return {
            "backup": self.backup,
            "bytes": self.bytes,
            "recovery_seconds": self.recovery_seconds,
            "recovery_point": self.recovery_point.isoformat() if self.recovery_point else None,
            "compared_rows": self.rows,
            "problems": self.problems,
        }

    def note(self, now: datetime) -> str:
        """Return the annotation of the backup."""
        return f"{'passed' if self.passed else 'failed'} {now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"

    def lines(self) -> Iterator[str]:
        """Yield it for people."""
        if self.backup is not None and self.bytes is not None:
            yield f"backup          {self.backup}, {self.bytes / 2**20:.1f} MiB"
        if self.recovery_seconds is not None:
            yield f"recovery time   {self.recovery_seconds:.1f} s"
        if self.recovery_point is not None:
            yield f"recovery point  {self.recovery_point.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        if self.rows is not None:
            yield f"rows compared   {self.rows}"
        for problem in self.problems:
            yield f"PROBLEM         {problem}"
        yield f"the drill {'passed' if self.passed else 'failed'}"


def rows(source: Mapping[str, int], restored: Mapping[str, int]) -> list[str]:
    """Return where the numbers of rows differ."""
    return _bounded(
        [
            f"table {table} has {_rows(restored.get(table))}; there the source had {_rows(source.get(table))}"
            for table in sorted({*source, *restored})
            if source.get(table) != restored.get(table)
        ]
    )


def picture(source: Sequence[frozenset[str]], restored: frozenset[str]) -> list[str]:
    """Return how the restored catalog differs from each of the pictures of the source, if it does."""
    if restored in source:
        return []
    nearest = min(source, key=lambda one: len(one ^ restored))
    return _bounded(
        [
            *(f"the catalog lacks: {line[:_LONGEST]}" for line in sorted(nearest - restored)),
            *(f"the catalog has what the source had not: {line[:_LONGEST]}" for line in sorted(restored - nearest)),
        ]
    )


def _rows(count: int | None) -> str:
    return "no rows and is not there" if count is None else f"{count} rows"


def _bounded(found: list[str]) -> list[str]:
    more = len(found) - SHOWN
    return [*found[:SHOWN], f"and {more} more like this"] if more > 0 else found
