"""The picture of a catalog: one line an object, and what two pictures say about each other. Pure.

A line is a key that names the object ("table pipe.users column email") and its definition in words. What PostgreSQL
does by itself, month after month, does not change a picture: see :mod:`provider.catalog.months`.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from provider.catalog import months
from provider.catalog.acl import NOBODY
from provider.catalog.facts import Fact

# A definition longer than this is cut, and its end stands for by a digest.
_LONGEST = 200
_DIGEST = 12


@dataclass(frozen=True)
class Picture:
    """Lines by key, and the months that there are: a month that left cannot have changed."""

    lines: Mapping[str, str]
    months: frozenset[str] = field(default=frozenset())


def draw(relations: Iterable[Fact], others: Mapping[str, str]) -> Picture:
    """Make the picture of facts about relations, and of all other objects by their line."""
    facts: dict[str, list[Fact]] = defaultdict(list)
    for fact in relations:
        facts[fact.relation].append(fact)
    partitioned = {
        name
        for name, own in facts.items()
        if any(fact.facet == "" and fact.definition.startswith("table, partitioned") for fact in own)
    }
    by_month = {name: own for name, own in facts.items() if months.table_of(name) in partitioned}
    attached = {name: own for name, own in by_month.items() if own[0].parent == months.table_of(name)}
    lines: dict[str, str] = {}
    for name, own in facts.items():
        if name not in by_month:
            lines |= {f"{fact.kind} {name} {fact.facet}".rstrip(): fact.definition for fact in own}
        elif name not in attached:
            lines |= months.lines_in_transit(name, own, facts[months.table_of(name) or ""])
    lines |= months.lines_of(attached, facts)
    # That nobody but its owner may use a relation goes without saying.
    said = {key: text for key, text in lines.items() if text != NOBODY} | dict(others)
    shortened = {key: _shorten(text) for key, text in sorted(said.items())}
    return Picture(shortened, frozenset(by_month))


def drift(expected: Mapping[str, str], live: Picture) -> dict[str, str]:
    """Say of every object that is not as expected what became of it."""
    found = {}
    for key in sorted(expected.keys() | live.lines.keys()):
        old, new = expected.get(key), live.lines.get(key)
        if old == new or _moved_by_itself(key, expected, live):
            continue
        if old is None:
            found[key] = f"added: {new}"
        elif new is None:
            found[key] = f"removed: {old}"
        else:
            found[key] = f"changed: {old} -> {new}"
    return found


def merge(expected: Mapping[str, str], before: Mapping[str, str], after: Picture) -> dict[str, str]:
    """Return what is expected once the changes from `before` to `after` are meant; what they left alone stays so.

    Lines that the database's own doings added or took are brought up to date on the way.
    """
    result = dict(expected)
    for key in expected.keys() | before.keys() | after.lines.keys():
        now = after.lines.get(key)
        if before.get(key) != now or _moved_by_itself(key, expected, after):
            result.pop(key, None)
            if now is not None:
                result[key] = now
    return dict(sorted(result.items()))


def _moved_by_itself(key: str, expected: Mapping[str, str], live: Picture) -> bool:
    """Say whether the database changed a line: with the first or the last month of a table, or one on its way."""
    if key in expected and key in live.lines:
        return months.IN_TRANSIT in (expected[key], live.lines[key])
    if key.startswith(months.GROUP):
        group = " ".join(key.split(" ", 3)[:3])
        return (group in expected) != (group in live.lines)
    name = key.split(" ", 2)[1:2]
    return bool(name) and key in expected and months.table_of(name[0]) is not None and _has_left(name[0], live)


def _has_left(month: str, live: Picture) -> bool:
    return f"{months.GROUP}{months.table_of(month)}" in live.lines and month not in live.months


def _shorten(text: str) -> str:
    text = " ".join(text.split())
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}... {hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]}"
