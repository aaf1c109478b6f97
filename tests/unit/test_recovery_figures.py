"""What the table of faults is made of: who led, the longest gap, the figures of many rounds, and the page itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.recovery import figures
from bench.recovery.__main__ import spread_moments
from bench.recovery.scenarios import SCENARIOS, Scenario
from bench.recovery.shapes import PRODUCTION, Member
from bench.recovery.watch import at_once, longest_gap, turns

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "failover.md"


def scenario(key: str, aim: float | None = None) -> Scenario:
    return Scenario(key, "It breaks", PRODUCTION, lambda _subject, _leader: pytest.fail("not done"), "Then.", aim=aim)


def outcome(key: str, outage: float, **others: Any) -> dict[str, Any]:
    return {"scenario": key, "outage": outage, "reads": 0.1, "lost": 0, "acknowledged": 100, **others}


def test_who_led_is_told_in_turns() -> None:
    assert turns(["a", "a", "b", "b"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("taken", "moves", "both"),
    [
        (["a"], 0, False),
        (["a", "b"], 1, False),
        (["a", "b", "a"], 1, True),
        (["a", "b", "a"], 2, False),
        # The same member with another address after its container was started again.
        (["a", "c"], 0, False),
    ],
)
def test_two_that_take_turns_again_and_again_do_it_at_once(taken: list[str], moves: int, both: bool) -> None:
    assert at_once(taken, moves) is both


def test_the_longest_gap_is_between_neighbours() -> None:
    assert longest_gap([5.0, 1.0, 1.5, 9.0]) == (5.0, 9.0)
    assert longest_gap([3.0]) == (3.0, 3.0)
    assert longest_gap([]) == (0.0, 0.0)


def test_a_line_has_minimum_median_and_maximum_and_what_was_lost() -> None:
    rounds = [outcome("x", 3.0), outcome("x", 1.0, lost=2, reads=0.5), outcome("x", 9.0), outcome("y", 99.0)]
    assert figures.line(scenario("x", aim=5.0), rounds) == (
        "| It breaks | Then. | 1.0 / 3.0 / 9.0 s, 3 rounds (aim 5 s) | 0.1 s, at most 0.5 s | 2 of 300 | Nothing. |"
    )


def test_what_was_not_measured_says_so() -> None:
    assert "| not measured | not measured | not measured |" in figures.line(scenario("x"), [])


def test_a_median_above_the_aim_is_said() -> None:
    rounds = [outcome("x", 4.0), outcome("x", 6.0), outcome("x", 7.0)]
    assert figures.missed([scenario("x", aim=5.0), scenario("y", aim=1.0)], rounds) == [
        "x: 6.0 s at the median, the aim is 5 s"
    ]
    assert figures.missed([scenario("x", aim=6.0)], rounds) == []


def test_the_table_takes_the_place_between_its_marks() -> None:
    document = f"before\n{figures.BEGIN}\nold\n{figures.END}\nafter\n"
    assert figures.written(document, "new") == f"before\n{figures.BEGIN}\nnew\n{figures.END}\nafter\n"


def test_what_was_not_measured_now_keeps_its_line() -> None:
    old = figures.line(scenario("x"), [outcome("x", 7.0)])
    page = f"before\n{figures.BEGIN}\n{figures.HEAD}\n{old}\n\nmade\n{figures.END}\nafter\n"
    assert figures.table([scenario("x")], [outcome("y", 1.0)], page).splitlines()[-1] == old
    assert "7.0" not in figures.table([scenario("x")], [outcome("x", 2.0)], page)


def test_the_rounds_share_out_the_moments_of_the_loop() -> None:
    moments = spread_moments(10, 7.0)
    assert [int(moment / 0.7) for moment in sorted(moments)] == list(range(10))


def test_the_page_has_every_scenario_in_its_own_words() -> None:
    shown = DOCUMENT.read_text().split(figures.BEGIN)[1].split(figures.END)[0].splitlines()
    lines = [line for line in shown if line.startswith("| ") and line not in figures.HEAD]
    assert [(line.split(" | ")[0], line.split(" | ")[1], line.split(" | ")[-1]) for line in lines] == [
        (f"| {row.title}", row.then, f"{row.to_do} |") for row in SCENARIOS
    ], "run `make bench-recovery`, or change the words in the table as well"


def test_a_member_leads_by_its_role() -> None:
    assert Member("member-0", "leader", "running").leads
    assert not Member("member-1", "sync_standby", "streaming").leads


def test_a_line_of_more_rounds_stays_and_that_is_said() -> None:
    ten = figures.line(scenario("x"), [outcome("x", 3.0)] * 10)
    page = f"{figures.BEGIN}\n{ten}\n{figures.END}\n"
    once, often = [outcome("x", 9.0)], [outcome("x", 9.0)] * 10
    assert ten in figures.table([scenario("x")], once, page)
    assert figures.kept([scenario("x")], once, page) == ["x: the document's line stays, for it has more rounds"]
    assert figures.line(scenario("x"), often) in figures.table([scenario("x")], often, page)
    assert figures.kept([scenario("x")], often, page) == []
