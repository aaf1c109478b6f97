"""What a drill makes of what it found."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from drill.failed import Failed, reason, run
from drill.verdict import SHOWN, Result, picture, rows

WHEN = datetime(2026, 5, 1, 3, 0, 9, tzinfo=UTC)


def test_equal_numbers_of_rows_are_right() -> None:
    assert rows({"pipe.users": 3, "pipe.pipelines": 0}, {"pipe.pipelines": 0, "pipe.users": 3}) == []


def test_each_table_with_another_number_of_rows_is_named() -> None:
    assert rows({"pipe.users": 3, "pipe.pipelines": 1}, {"pipe.users": 2, "upkeep.x": 0}) == [
        "table pipe.pipelines has no rows and is not there; there the source had 1 rows",
        "table pipe.users has 2 rows; there the source had 3 rows",
        "table upkeep.x has 0 rows; there the source had no rows and is not there",
    ]


def test_the_catalog_may_be_that_of_before_or_after_a_change() -> None:
    before, after = frozenset({"table a"}), frozenset({"table a", "table b"})
    assert picture([before, after], before) == []
    assert picture([before, after], after) == []
    assert picture([before, after], frozenset({"table c", "table b", "table a"})) == [
        "the catalog has what the source had not: table c"
    ]
    assert picture([before], frozenset({"table d"})) == [
        "the catalog lacks: table a",
        "the catalog has what the source had not: table d",
    ]


def test_a_long_list_is_cut_and_counted() -> None:
    found = picture([frozenset(f"{n:03}" for n in range(SHOWN + 5))], frozenset())
    assert len(found) == SHOWN + 1
    assert found[-1] == "and 5 more like this"


def test_the_result_in_words_and_as_a_record() -> None:
    result = Result("20260501-000000F", 3 * 2**20, 12.34, WHEN, 42)
    assert list(result.lines()) == [
        "backup          20260501-000000F, 3.0 MiB",
        "recovery time   12.3 s",
        "recovery point  2026-05-01 03:00:09 UTC",
        "rows compared   42",
        "the drill passed",
    ]
    assert result.note(WHEN) == "passed 2026-05-01T03:00:09Z"
    result.problems.append("pg_checksums failed: x")
    assert list(result.lines())[-2:] == ["PROBLEM         pg_checksums failed: x", "the drill failed"]
    assert result.note(WHEN) == "failed 2026-05-01T03:00:09Z"
    assert result.record()["problems"] == ["pg_checksums failed: x"]


def test_a_program_that_fails_is_quoted() -> None:
    assert reason("P00  ERROR: [026]: raised from local-2\n") == "[026]: raised from local-2"
    with pytest.raises(Failed, match=r"^looking failed: no such thing$"):
        run("looking", ["sh", "-c", "echo no such thing >&2; exit 3"])
    with pytest.raises(Failed, match=r"^looking failed: it ended with 3$"):
        run("looking", ["sh", "-c", "exit 3"])
