"""What is looked at before an `up`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cli.engine import Kind


@dataclass(frozen=True)
class Named:
    """Something on the engine whose name begins like the stack's; `stack`: its label, None without one."""

    kind: Kind
    name: str
    stack: str | None


@dataclass(frozen=True)
class Database:
    """A PostgreSQL data directory in a volume; `known`: the state has the volume."""

    identifier: int
    known: bool


@dataclass(frozen=True)
class Sight:
    """All of it."""

    stack: str
    members: int
    named: Sequence[Named] = ()
    ports: Mapping[int, str | None] = field(default_factory=dict[int, "str | None"])
    """Each port that the stack needs -> who listens there; None: nobody."""
    own_ports: frozenset[int] = frozenset()
    """Those that the stack's own containers publish now."""
    data_root: str = ""
    free_mb: int | None = None
    """None where it cannot be seen from here: the engine is on another machine."""
    databases: Mapping[str, Database] = field(default_factory=dict[str, Database])
    identifier: int | None = None
    """Which database the stack's own consensus store belongs to; None where it does not say."""
