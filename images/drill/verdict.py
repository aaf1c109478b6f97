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
    """What the drill of one repository has come to."""

    repository: int
    """pgBackRest's number."""
    backup: str | None = None
    bytes: int | None = None
    recovery_seconds: float | None = None
    recovery_point: datetime | None = None
    rows: int | None = None
    """How many were counted and found right; None: not compared."""
    problems: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Yield it for people."""
        yield f"repository      {self.repository}"
        if self.backup is not None and self.bytes is not None:
            yield f"backup          {self.backup}, {self.bytes / 2**20:.1f} MiB"
        if self.recovery_seconds is not None:
            yield f"recovery time   {self.recovery_seconds:.1f} s"
        if self.recovery_point is not None:
            yield f"recovery point  {self.recovery_point.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        if self.rows is not None:
            yield f"rows compared   {self.rows}"
        yield from map(_problem, self.problems)


@dataclass
class Drill:
    """A drill of every repository; it is as good as the worst of them."""

    results: list[Result] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Those that are no repository's."""

    @property
    def passed(self) -> bool:
        """Whether everything was as it should be."""
        return bool(self.results) and not self.problems and not any(result.problems for result in self.results)

    def note(self, result: Result, now: datetime) -> str:
        """Return the annotation of the backup."""
        word = "failed" if self.problems or result.problems else "passed"
        return f"{word} {now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"

    def record(self) -> dict[str, Any]:
        """Return it as upkeep.end_drill() takes it: of several repositories what took longest and brought least."""
        slowest = max(self.results, key=lambda result: result.recovery_seconds or 0, default=Result(0))
        points = [result.recovery_point for result in self.results if result.recovery_point]
        rows = [result.rows for result in self.results if result.rows is not None]
        several = len(self.results) > 1
        backups = [
            f"{result.backup} in repository {result.repository}" if several else result.backup
            for result in self.results
            if result.backup is not None
        ]
        found = [
            f"repository {result.repository}: {problem}" if several else problem
            for result in self.results
            for problem in result.problems
        ]
        return {
            "backup": ", ".join(backups) or None,
            "bytes": slowest.bytes,
            "recovery_seconds": slowest.recovery_seconds,
            "recovery_point": min(points).isoformat() if points else None,
            "compared_rows": min(rows) if rows and len(rows) == len(self.results) else None,
            "problems": [*self.problems, *found],
        }

    def lines(self) -> Iterator[str]:
        """Yield it for people."""
        for result in self.results:
            yield from result.lines()
        yield from map(_problem, self.problems)
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


def _problem(problem: str) -> str:
    return f"PROBLEM         {problem}"


def _rows(count: int | None) -> str:
    return "no rows and is not there" if count is None else f"{count} rows"


def _bounded(found: list[str]) -> list[str]:
    more = len(found) - SHOWN
    return [*found[:SHOWN], f"and {more} more like this"] if more > 0 else found
