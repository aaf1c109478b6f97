"""Monthly partitions in the picture: all of a table are described once, only one that differs from them by itself.

The database makes and archives months on its own, so their names cannot be part of the picture. A month is described
by what differs from its table: what most of its siblings have in common is one set of lines for all of them, and what
a single one has otherwise is a line under its own name. Pure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from provider.catalog.acl import NOBODY
from provider.catalog.facts import Fact

GROUP = "months of "
# How relations.sql calls the body of a view that the database has written around a month that it archives just now.
IN_TRANSIT = "view, with a month on its way"
_MONTH = re.compile(r"(?P<table>.+)_y(?P<year>\d{4})m(?P<month>0[1-9]|1[0-2])")
_NAMED = re.compile(r"(constraint|index) \S+")
_ARCHIVE = "archive."
_MISSING = "missing"
_UNLIKE = "unlike its siblings: "

Shape = dict[str, str]


def table_of(relation: str) -> str | None:
    """Return the table that a relation is, by its name, a month of."""
    match = _MONTH.fullmatch(relation)
    return match["table"] if match else None


def lines_of(months: Mapping[str, Iterable[Fact]], tables: Mapping[str, Iterable[Fact]]) -> dict[str, str]:
    """Describe attached months, by name, beside the tables that they belong to."""
    lines: dict[str, str] = {}
    for table in sorted({table_of(month) or "" for month in months}):
        own = _shape(table, tables[table])
        differences = {
            month: _difference(_shape(month, facts), own) for month, facts in months.items() if table_of(month) == table
        }
        for facet in sorted({facet for difference in differences.values() for facet in difference}):
            counted = Counter(difference.get(facet) for difference in differences.values())
            # Where siblings are at odds, those are right that are as their table.
            usual = max(counted, key=lambda value: (counted[value], value is None, value or ""))
            if usual is not None:
                lines[f"{GROUP}{table} {facet}".rstrip()] = usual
            for month, difference in differences.items():
                if difference.get(facet) != usual:
                    lines[f"table {month} {facet}".rstrip()] = _UNLIKE + difference.get(facet, f"as of {table}")
    return lines


def lines_in_transit(month: str, facts: Iterable[Fact], table: Iterable[Fact]) -> dict[str, str]:
    """Describe a month on its way to the archive: the database has it half done, only who may reach it counts."""
    owner = next(fact.definition for fact in table if fact.facet == "owner")
    usual = {"owner": owner, "grants": NOBODY}
    return {
        f"table {month} {fact.facet}": fact.definition
        for fact in facts
        if fact.facet in usual and fact.definition != usual[fact.facet]
    }


def _shape(relation: str, facts: Iterable[Fact]) -> Shape:
    """Return a relation's facts without its name: constraints and indexes by what they say, how often.

    Storage parameters are left out: a job sets those of months, and takes back what somebody else set. So are foreign
    keys of archived months: one that was exported and came back has none, as its rows may tell of what is gone.
    """
    shape: Shape = {"grants": NOBODY}
    counted: Counter[str] = Counter()
    for fact in facts:
        if fact.facet == "bound":
            first, end = _bounds(relation)
            if fact.definition != f"FOR VALUES FROM ({first}) TO ({end})":
                shape["bound"] = fact.definition
        elif _NAMED.fullmatch(fact.facet):
            if relation.startswith(_ARCHIVE) and fact.definition.startswith("FOREIGN KEY"):
                continue
            if not _repeats_bounds(relation, fact.definition):
                counted[f"{fact.facet.partition(' ')[0]} {fact.definition}"] += 1
        elif fact.facet != "options":
            shape[fact.facet] = fact.definition
    return shape | {facet: "present" if count == 1 else f"{count} times" for facet, count in counted.items()}


def _bounds(relation: str) -> tuple[str, str]:
    """Return the first moment of a relation's month and of the next, as PostgreSQL prints them in UTC."""
    match = _MONTH.fullmatch(relation)
    if match is None:
        return "", ""
    year, month = int(match["year"]), int(match["month"])
    following = (year + month // 12, month % 12 + 1)
    first, end = (f"'{y:04}-{m:02}-01 00:00:00+00'" for y, m in ((year, month), following))
    return first, end


def _repeats_bounds(relation: str, definition: str) -> bool:
    """Say whether a constraint only says what the month is: PostgreSQL leaves it behind with DETACH CONCURRENTLY."""
    first, end = (rf"{re.escape(bound)}::timestamp with time zone" for bound in _bounds(relation))
    check = rf"CHECK \(\(\((\w+) IS NOT NULL\) AND \(\1 >= {first}\) AND \(\1 < {end}\)\)\)"
    return re.fullmatch(check, definition) is not None


def _difference(month: Shape, table: Shape) -> Shape:
    found = {facet: definition for facet, definition in month.items() if table.get(facet) != definition}
    return found | {facet: _MISSING for facet in table if facet not in month}
