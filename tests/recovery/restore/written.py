"""What ledgers wrote, and when the database itself says that it committed each row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from provider.restore.look import Source
from tests.fixtures.stacks import Stack

SECONDS = 5
"""How many moments are restored to."""
SECOND = timedelta(seconds=1)
_IDS = "SELECT id FROM pipe.organizations WHERE name LIKE 'ledger %'"
_COMMITS = "SELECT id, pg_xact_commit_timestamp(xmin) FROM pipe.organizations WHERE name LIKE 'ledger %'"


@dataclass(frozen=True)
class Written:
    """A stack that ledgers wrote to."""

    stack: Stack
    source: Source
    commits: dict[str, datetime]
    point: str
    """A restore point between two ledgers."""
    before_the_point: frozenset[str]

    def by(self, moment: datetime) -> set[str]:
        """Return the rows committed by then."""
        return {id_ for id_, at in self.commits.items() if at <= moment}

    def seconds(self, since: datetime) -> list[datetime]:
        """Return the whole seconds since then at which rows were being written."""
        first, last = since.replace(microsecond=0) + SECOND, max(self.commits.values())
        every = (first + n * SECOND for n in range(int((last - first).total_seconds()) + 1))
        return [moment for moment in every if any(moment - SECOND < at <= moment for at in self.commits.values())]


def commit_times(stack: Stack) -> dict[str, datetime]:
    """Return when the stack's database committed each row of a ledger."""
    lines = (line.split("|") for line in stack.sql(_COMMITS))
    return {id_: datetime.fromisoformat(at) for id_, at in lines}


def rows(stack: Stack, component: str = "member-0") -> set[str]:
    """Return the rows of ledgers that a stack has."""
    return set(stack.sql(_IDS, component))
