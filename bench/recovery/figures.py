"""Outcomes of many rounds as the table of docs/failover.md. Pure."""

from __future__ import annotations

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
    """Return the whole table, a line for each scenario; what was not measured now keeps the document's line."""
    shown = {text.split(" | ")[0]: text for text in document.split(BEGIN)[1].split(END)[0].splitlines()}
    lines = [
        line(row, outcomes) if of(outcomes, row.key) else shown.get(f"| {row.title}", line(row, ())) for row in rows
    ]
    return "\n".join([HEAD, *lines])


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


def _most(outcomes: Outcomes, key: str) -> float:
    return max(float(outcome[key]) for outcome in outcomes)
