"""What the queries return: one fact a row."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fact:
    """One fact about a relation: a column, an index, its owner; the facet ``""`` is what the relation is itself."""

    kind: str
    relation: str
    parent: str | None
    facet: str
    definition: str
