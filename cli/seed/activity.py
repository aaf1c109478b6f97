"""Rows of runs and files, in the order of time, as lines of COPY's text format. Pure.

There are many of them: what is drawn here is drawn as cheaply as it can be.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from cli.seed.shape import DRAWN_AT_ONCE, Shape, skewed, uuid
from cli.seed.tenants import NULL

ERRORS = (
    "step 2: connection refused by sftp.example.com",
    "step 1: file is empty",
    "step 4: time limit of 3600 s exceeded",
    "step 3: column amount is missing",
)
TYPES = ("text/csv", "application/json", "application/parquet", "image/png")
# A service that grows: the second half of the history has more than the first.
GROWTH = 0.75
# The newest ones have not ended.
RUNNING, QUEUED = 20, 10


def pipeline_runs(shape: Shape) -> Iterator[str]:
    source = shape.random("pipeline_runs")
    pipelines = shape.ids("pipelines", shape.pipelines)
    people = shape.ids("users", shape.users)
    drawn = skewed(source, range(shape.pipelines))
    begin, span = shape.since.timestamp(), (shape.until - shape.since).total_seconds()
    for n in range(shape.runs):
        started = begin + span * ((n + source.random()) / shape.runs) ** GROWTH
        # Most were started by a schedule, some by a person.
        author = people[int(source.random() * len(people))] if source.random() < 0.2 else NULL
        status, end, error, metrics = _outcome(shape.runs - n, source.random(), started)
        yield (
            f"{uuid(source)}\t{pipelines[next(drawn)]}\t{status}\t{_time(started)}\t{end}\t{error}\t{metrics}\t{author}\n"
        )


def _outcome(from_the_end: int, chance: float, started: float) -> tuple[str, str, str, str]:
    """Status, end, error and metrics of a run; the end lies a second to an hour behind the start, mostly early."""
    if from_the_end <= QUEUED:
        return "queued", NULL, NULL, NULL
    if from_the_end <= QUEUED + RUNNING:
        return "running", NULL, NULL, NULL
    seconds = 1 + 3600 * chance**6
    end = _time(started + seconds)
    if chance < 0.90:
        return "completed", end, NULL, f'{{"rows": {int(chance * 1e6)}, "seconds": {seconds:.1f}}}'
    if chance < 0.97:
        return "failed", end, ERRORS[int(chance * 1e4) % len(ERRORS)], NULL
    return "cancelled", end, NULL, NULL


def storage_files(shape: Shape) -> Iterator[str]:
    source = shape.random("storage_files")
    tenants = shape.ids("organizations", shape.organizations)
    people = shape.ids("users", shape.users)
    drawn = skewed(source, range(shape.organizations))
    begin, span = shape.since.timestamp(), (shape.until - shape.since).total_seconds()
    types: list[str] = []
    for n in range(shape.files):
        if not types:
            types = source.choices(TYPES, (50, 30, 15, 5), k=DRAWN_AT_ONCE)
        made = _time(begin + span * ((n + source.random()) / shape.files) ** GROWTH)
        size = int(100 * 10 ** (source.random() * 7))
        author = people[int(source.random() * len(people))]
        yield (
            f"{uuid(source)}\t{tenants[next(drawn)]}\tout/{made[:10]}/{n:08}\t{size}\t{types.pop()}"
            f'\t{{"run": {n}}}\t{author}\t{made}\n'
        )


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
