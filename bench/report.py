"""Medians over the rounds, ratios to the floor, and the table. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

FLOOR = "floor"


@dataclass(frozen=True)
class Figure:
    """One thing that is measured. `aim` is in the figure's unit, or a multiple of the floor where `of_floor`."""

    key: str
    title: str
    unit: str = "s"
    aim: float | None = None
    of_floor: bool = False


FIGURES = (
    Figure(FLOOR, "(a) floor: shell script, until the replica streams"),
    Figure("replica", "(b) up from nothing, until the replica streams", aim=2.0, of_floor=True),
    # 18 s where the floor takes 7.
    Figure("up", "(b) up from nothing, to the end", aim=18 / 7, of_floor=True),
    Figure("preview", "(c) preview with nothing to do", aim=2.0),
    Figure("up_again", "(c) up with nothing to do", aim=2.0),
    Figure("migration", "(e) up with one added migration", aim=2.5),
    Figure("destroy", "(d) destroy", aim=4.0),
    Figure("memory", "(f) peak memory of the engine and its providers", unit="MiB"),
)


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Figure -> median over the rounds that have it."""
    keys = dict.fromkeys(key for one in rounds for key in one)
    return {key: round(median(one[key] for one in rounds if key in one), 3) for key in keys}


def table(rounds: Sequence[Mapping[str, float]]) -> str:
    """The figures, one a line: median, spread, ratio to the floor, the aim, and whether it is met."""
    middle = medians(rounds)
    floor = middle.get(FLOOR)
    lines = [f"{'':<52} {'median':>10} {'range':>15} {'× floor':>8}  aim"]
    for figure in FIGURES:
        if figure.key not in middle:
            continue
        value = middle[figure.key]
        seen = [one[figure.key] for one in rounds if figure.key in one]
        spread = f"{min(seen):.1f}–{max(seen):.1f}"
        ratio = f"{value / floor:.2f}" if floor and figure.unit == "s" else ""
        lines.append(
            f"{figure.title:<52} {value:>6.1f} {figure.unit:<3} {spread:>15} {ratio:>8}  {_aim(figure, value, floor)}"
        )
    return "\n".join(lines)


def _aim(figure: Figure, value: float, floor: float | None) -> str:
    if figure.aim is None or (figure.of_floor and not floor):
        return ""
    limit = figure.aim * (floor or 0) if figure.of_floor else figure.aim
    said = f"< {limit:.1f} {figure.unit}" + (f" ({figure.aim:.2g} × floor)" if figure.of_floor else "")
    return f"{said}  {'met' if value < limit else 'NOT MET'}"


def spread(values: Sequence[float], *, digits: int = 1) -> str:
    """Return minimum, median and maximum, as "1.2 / 1.4 / 2.0"."""
    return " / ".join(f"{value:.{digits}f}" for value in (min(values), median(values), max(values)))


def between(document: str, begin: str, end: str, part: str) -> str:
    """Return the document with the part between its two marks."""
    before, rest = document.split(begin)
    return f"{before}{begin}\n{part}\n{end}{rest.split(end)[1]}"
