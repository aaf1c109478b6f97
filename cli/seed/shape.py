"""How much there is of everything, and what the numbers are drawn from. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from uuid import UUID

SIZES = {"small": 10_000, "medium": 100_000, "1m": 1_000_000, "10m": 10_000_000}
MONTHS = 12
# The largest tenant has as much as the next two together: what is measured on web sites and cities alike.
ZIPF_EXPONENT = 1.1
DRAWN_AT_ONCE = 1000


@dataclass(frozen=True)
class Shape:
    """What is to be made. `until` is the end of the history: midnight UTC, so that a day's runs are whole."""

    runs: int
    number: int
    until: datetime

    @property
    def organizations(self) -> int:
        return max(10, self.runs // 2000)

    @property
    def users(self) -> int:
        return self.organizations * 8

    @property
    def pipelines(self) -> int:
        return self.organizations * 6

    @property
    def files(self) -> int:
        return self.runs // 10

    @property
    def keys(self) -> int:
        return self.organizations * 2

    @property
    def since(self) -> datetime:
        """Start of the history: the first of the month twelve months back, so that its months are whole too."""
        months = self.until.year * 12 + self.until.month - 1 - MONTHS
        return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)

    @property
    def months(self) -> list[datetime]:
        """First days of the months that the history touches."""
        last = self.until - timedelta(microseconds=1)
        first = self.since.year * 12 + self.since.month - 1
        count = last.year * 12 + last.month - first
        return [datetime((first + n) // 12, (first + n) % 12 + 1, 1, tzinfo=UTC) for n in range(count)]

    def random(self, table: str) -> random.Random:
        """The source of a table's numbers: a change to one table leaves the rows of the others as they were."""
        return random.Random(f"{self.number}:{table}")

    def ids(self, table: str, count: int) -> list[str]:
        """The keys of a table's rows."""
        source = self.random(f"{table}.id")
        return [uuid(source) for _ in range(count)]


def uuid(source: random.Random) -> str:
    """A key like gen_random_uuid()'s."""
    return str(UUID(int=source.getrandbits(128), version=4))


def skewed(source: random.Random, items: Sequence[int]) -> Iterator[int]:
    """Draw items without end, the first most often (Zipf)."""
    weights = list(accumulate(1 / rank**ZIPF_EXPONENT for rank in range(1, len(items) + 1)))
    while True:
        yield from source.choices(items, cum_weights=weights, k=DRAWN_AT_ONCE)
