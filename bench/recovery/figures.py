"""Outcomes of many rounds as the table of docs/failover.md. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, Protocol

from bench.report import between, spread

BEGIN, END = "<!-- recovery: made by `make bench-recovery` -->", "<!-- end of recovery -->"
HEAD = (
    "| what befalls the stack | what happens | writes are out | reads | rows lost | what to do |\n"
    "|---|---|---|---|---|---|"
)


class Row(Protocol):
    """What the table says of a scenario beside its figures."""

    @property
    def key(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def then(self) -> str: ...
    @property
    def to_do(self) -> str: ...
    @property
    def aim(self) -> float | None: ...


Outcomes = Sequence[Mapping[str, Any]]
"""The rounds, as bench/recovery/run.py writes them down."""


def of(outcomes: Outcomes, key: str) -> Outcomes:
    """Return the rounds of one scenario."""
    return [outcome for outcome in outcomes if outcome["scenario"] == key]


def line(row: Row, outcomes: Outcomes) -> str:
    """Return a scenario's line of the table; without figures where it was not measured."""
    found = of(outcomes, row.key)
    outage = reads = lost = "not measured"
    if found:
        count = "1 round" if len(found) == 1 else f"{len(found)} rounds"
        outage = f"{spread([outcome['outage'] for outcome in found])} s, {count}"
        reads = f"{median(outcome['reads'] for outcome in found):.1f} s, at most {_most(found, 'reads'):.1f} s"
        rows = sum(outcome["lost"] for outcome in found)
        lost = f"{rows} of {sum(outcome['acknowledged'] for outcome in found)}"
    aim = f" (aim {row.aim:g} s)" if row.aim is not None else ""
    return f"| {row.title} | {row.then} | {outage}{aim} | {reads} | {lost} | {row.to_do} |"


def table(rows: Sequence[Row], outcomes: Outcomes, document: str) -> str:
    """Return the whole table, a line for each scenario.

    What was not measured now keeps the document's line, and so does what has more rounds there: a look at one round
    must not put ten away.
    """
    shown = {text.split(" | ")[0]: text for text in document.split(BEGIN)[1].split(END)[0].splitlines()}
    lines = []
    for row in rows:
        there, now = shown.get(f"| {row.title}", line(row, ())), of(outcomes, row.key)
        lines.append(line(row, outcomes) if len(now) >= max(1, _rounds(there)) else there)
    return "\n".join([HEAD, *lines])


def kept(rows: Sequence[Row], outcomes: Outcomes, document: str) -> list[str]:
    """Return a sentence for each scenario that was measured, and whose line in the document stays."""
    lines = table(rows, outcomes, document).splitlines()
    return [
        f"{row.key}: the document's line stays, for it has more rounds"
        for row in rows
        if of(outcomes, row.key) and line(row, outcomes) not in lines
    ]


def missed(rows: Sequence[Row], outcomes: Outcomes) -> list[str]:
    """Return a sentence for each scenario whose median is above its aim."""
    sentences = []
    for row in rows:
        found = of(outcomes, row.key)
        if row.aim is None or not found:
            continue
        middle = median(outcome["outage"] for outcome in found)
        if middle > row.aim:
            sentences.append(f"{row.key}: {middle:.1f} s at the median, the aim is {row.aim:g} s")
    return sentences


def written(document: str, part: str) -> str:
    """Return the document with the part between its two marks."""
    return between(document, BEGIN, END, part)


def _rounds(text: str) -> int:
    """Return how many rounds a line of the table is made of."""
    found = re.search(r" s, (\d+) rounds?", text)
    return int(found[1]) if found else 0


def _most(outcomes: Outcomes, key: str) -> float:
    return max(float(outcome[key]) for outcome in outcomes)
