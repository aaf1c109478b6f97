"""A stack that went back in place while clients wrote: which rows are of which time, and what it kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from bench.ledger import Entry, Ledger
from tests.fixtures.stacks import Stack


def old_data(stack: Stack) -> list[str]:
    """Return the folders of old data, of each member."""
    listed = [
        (member, stack.execute(member, "sh", "-c", "cd /var/lib/postgresql; echo data-before-*")[1])
        for member in ("member-0", "member-1")
    ]
    return [f"{member} {folder}" for member, text in listed for folder in text.split() if "*" not in folder]


def started(stack: Stack) -> dict[str, datetime]:
    """Return when each container that runs was started."""
    found = stack.containers()
    return {str(one.name): datetime.fromisoformat(one.attrs["State"]["StartedAt"]) for one in found}


@dataclass(frozen=True)
class Back:
    """A stack that went back to just before a mistake, while clients wrote. Ids of rows, as texts."""

    ledger: Ledger
    others: set[str]
    """Rows of other ledgers."""
    point: float
    """When the restore point was asked for, by the wall clock."""
    mistake: float
    """When the mistake was made."""
    again: float
    """When the first member started again; all of them had been stopped."""

    @property
    def written(self) -> set[str]:
        """All rows of the clients, also those of which they were not told whether they are there."""
        return self._ids(lambda _: True) | {str(failure.id) for failure in self.ledger.failures}

    @property
    def by_the_point(self) -> set[str]:
        return self._ids(lambda entry: entry.acknowledged < self.point)

    @property
    def after_the_mistake(self) -> set[str]:
        """Rows that were written on the timeline that was left."""
        return self._ids(lambda entry: self.mistake <= entry.sent < self.again)

    @property
    def since(self) -> set[str]:
        return self._ids(lambda entry: entry.sent >= self.again)

    def _ids(self, wanted: Callable[[Entry], bool]) -> set[str]:
        return {str(entry.id) for entry in self.ledger.entries if wanted(entry)}


def middle(back: Back, wanted: Callable[[Entry], bool]) -> datetime:
    """Return a moment in the midst of rows that were written."""
    moments = sorted(entry.acknowledged for entry in back.ledger.entries if wanted(entry))
    return datetime.fromtimestamp(moments[len(moments) // 2], UTC)
