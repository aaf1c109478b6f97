"""What a rehearsed migration did to its tables and to others: samples in, figures out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

# Weak to strong (https://www.postgresql.org/docs/17/explicit-locking.html).
MODES = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
# From here on a lock keeps out those who write, and at the end those who read.
HOLDS_UP_WRITES = MODES.index("ShareLock")
HOLDS_UP_READS = MODES.index("AccessExclusiveLock")


@dataclass(frozen=True)
class Lock:
    """A lock on a table, and for how long it was held."""

    table: str
    mode: str
    seconds: float

    @property
    def strength(self) -> int:
        """Its place among the modes."""
        return MODES.index(self.mode)

    @property
    def name(self) -> str:
        """The mode as SQL writes it: ACCESS EXCLUSIVE."""
        words = self.mode.removesuffix("Lock")
        return "".join(
            f" {letter}" if letter.isupper() and place else letter for place, letter in enumerate(words)
        ).upper()


@dataclass
class Holds:
    """Collects samples of the locks that one session holds."""

    _began: dict[tuple[str, str], float] = field(default_factory=dict)
    _longest: dict[tuple[str, str], float] = field(default_factory=dict)

    def add(self, at: float, held: Iterable[tuple[str, str]]) -> None:
        """Take a sample: the tables and modes held at a moment."""
        now = set(held)
        for key in now:
            began = self._began.setdefault(key, at)
            self._longest[key] = max(self._longest.get(key, 0.0), at - began)
        for key in self._began.keys() - now:
            del self._began[key]

    def locks(self, also: Iterable[tuple[str, str]] = ()) -> list[Lock]:
        """Return what was held, the strongest and longest first; `also`: what was seen, too short for a sample."""
        longest = dict.fromkeys(also, 0.0) | self._longest
        found = [Lock(table, mode, seconds) for (table, mode), seconds in longest.items()]
        return sorted(found, key=lambda lock: (-lock.strength, -lock.seconds, lock.table))


@dataclass(frozen=True)
class Table:
    """A table and the number of its file."""

    name: str
    file: int


def rewritten(before: Mapping[int, Table], after: Mapping[int, Table]) -> list[str]:
    """Return the tables whose files were written anew; both by the table's number."""
    return sorted(after[oid].name for oid in before.keys() & after.keys() if before[oid].file != after[oid].file)


@dataclass(frozen=True)
class Rehearsed:
    """One migration as it went."""

    file: str
    seconds: float
    locks: tuple[Lock, ...] = ()
    rewritten: tuple[tuple[str, int], ...] = ()
    changed_rows: int = 0
    """Rows that its own statements inserted, updated or deleted."""
    longest_wait: float = 0.0
    """The longest time that a client's statement took meanwhile."""
    refused: tuple[str, ...] = ()
    """What clients were refused with meanwhile."""
    failure: str | None = None


@dataclass(frozen=True)
class Rehearsal:
    """All of them, and on what."""

    stack: str
    backup: str | None
    """None: the stack has none, and the rows are made up."""
    gigabytes: float
    migrations: tuple[Rehearsed, ...]

    @property
    def failed(self) -> bool:
        """Whether one did not come to its end; those after it were not tried."""
        return any(one.failure for one in self.migrations)


def remarks(one: Rehearsed) -> Iterator[str]:
    """Yield what a reader should think about before the migration runs on the stack."""
    told = set[str]()
    for lock in one.locks:
        if lock.strength >= HOLDS_UP_WRITES and lock.seconds >= 1 and lock.table not in told:
            told.add(lock.table)
            who = "nobody reads or writes" if lock.strength >= HOLDS_UP_READS else "nobody writes"
            yield f"{lock.name} on {lock.table} for {lock.seconds:.1f} s: {who} it meanwhile"
    for text in one.refused:
        yield f"clients were refused: {text}"
