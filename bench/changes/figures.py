"""Outcomes of many rounds as the table of docs/changes.md. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from bench.changes.catalog import Change
from bench.report import between, spread

AIM_SECONDS = 3.0
BEGIN, END = "<!-- changes: made by `make bench OF=changes` -->", "<!-- end of changes -->"
HEAD = "| change | writes are out | sessions lost | rows lost | `up` takes |\n|---|---|---|---|---|"

Outcomes = Sequence[Mapping[str, Any]]
"""The rounds, as bench/changes/run.py writes them down."""


def of(outcomes: Outcomes, key: str) -> Outcomes:
    """Return the rounds of one change."""
    return [outcome for outcome in outcomes if outcome["change"] == key]


def line(change: Change, outcomes: Outcomes) -> str:
    """Return a change's line of the table; without figures where it was not measured."""
    found = of(outcomes, change.key)
    if not found:
        return f"| {change.title} | not measured | | | |"
    drops = max(outcome["drops"] for outcome in found)
    rows = f"{sum(o['lost'] for o in found)} of {sum(o['acknowledged'] for o in found)}"
    outage, up = (f"{spread([outcome[name] for outcome in found])} s" for name in ("outage", "up"))
    return f"| {change.title} | {outage} | {drops or 'none'} | {rows} | {up} |"


def table(changes: Sequence[Change], outcomes: Outcomes) -> str:
    """Return the whole table, a line for each change."""
    return "\n".join([HEAD, *(line(change, outcomes) for change in changes)])


def missed(changes: Sequence[Change], outcomes: Outcomes) -> list[str]:
    """Return a sentence for each change whose median is above the aim."""
    sentences = []
    for change in changes:
        found = of(outcomes, change.key)
        middle = median(outcome["outage"] for outcome in found) if found else 0.0
        if middle > AIM_SECONDS:
            sentences.append(f"{change.key}: {middle:.1f} s at the median, the aim is {AIM_SECONDS:g} s")
    return sentences


def written(document: str, part: str) -> str:
    """Return the document with the part between its two marks."""
    return between(document, BEGIN, END, part)
