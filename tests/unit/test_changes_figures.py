"""What the table of changes is made of, and the page itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.changes import figures
from bench.changes.catalog import CHANGES, EVERYTHING

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "changes.md"
PROXY = next(change for change in CHANGES if change.key == "proxy")


def outcome(outage: float, **others: Any) -> dict[str, Any]:
    return {"change": "proxy", "outage": outage, "up": 9.0, "drops": 1, "lost": 0, "acknowledged": 100, **others}


def test_a_line_has_the_spread_of_the_outage_and_the_worst_of_the_rest() -> None:
    line = figures.line(PROXY, [outcome(1.0), outcome(3.04, drops=2), outcome(0.3)])
    assert line == "| HAProxy's settings | 0.3 / 1.0 / 3.0 s | 2 | 0 of 300 | 9.0 / 9.0 / 9.0 s |"
    assert figures.line(PROXY, []) == "| HAProxy's settings | not measured | | | |"


def test_a_missed_aim_is_told() -> None:
    assert figures.missed([PROXY], [outcome(3.0)]) == []
    assert figures.missed([PROXY], [outcome(3.5)]) == ["proxy: 3.5 s at the median, the aim is 3 s"]


def test_the_part_between_the_marks_is_replaced() -> None:
    page = f"before\n{figures.BEGIN}\nold\n{figures.END}\nafter\n"
    assert figures.written(page, "new") == f"before\n{figures.BEGIN}\nnew\n{figures.END}\nafter\n"


def test_the_page_names_every_change() -> None:
    text = DOCUMENT.read_text()
    assert figures.BEGIN in text
    for change in CHANGES:
        assert f"| {change.title} |" in text
        assert change.then in text
        assert change.preview in text


def test_changes_are_told_apart() -> None:
    assert len({change.key for change in CHANGES}) == len(CHANGES)
    assert all(change.replaced <= EVERYTHING for change in CHANGES)
