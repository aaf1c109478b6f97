"""What a drill makes of what it found."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from drill.failed import Failed, reason, run
from drill.verdict import SHOWN, Drill, Result, picture, rows

WHEN = datetime(2026, 5, 1, 3, 0, 9, tzinfo=UTC)
LATER = datetime(2026, 5, 1, 3, 0, 10, tzinfo=UTC)


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
    result = Result(1, "20260501-000000F", 3 * 2**20, 12.34, WHEN, 42)
    drill = Drill([result])
    assert list(drill.lines()) == [
        "repository      1",
        "backup          20260501-000000F, 3.0 MiB",
        "recovery time   12.3 s",
        "recovery point  2026-05-01 03:00:09 UTC",
        "rows compared   42",
        "the drill passed",
    ]
    assert drill.note(result, WHEN) == "passed 2026-05-01T03:00:09Z"
    result.problems.append("pg_checksums failed: x")
    assert list(drill.lines())[-2:] == ["PROBLEM         pg_checksums failed: x", "the drill failed"]
    assert drill.note(result, WHEN) == "failed 2026-05-01T03:00:09Z"
    assert drill.record() == {
        "backup": "20260501-000000F",
        "bytes": 3 * 2**20,
        "recovery_seconds": 12.34,
        "recovery_point": "2026-05-01T03:00:09+00:00",
        "compared_rows": 42,
        "problems": ["pg_checksums failed: x"],
    }


def test_a_drill_of_several_repositories_is_as_good_as_the_worst() -> None:
    quick, slow = Result(1, "20260501-000000F", 5, 1.5, WHEN, 42), Result(2, "20260502-000000F", 6, 2.5, LATER, 42)
    drill = Drill([quick, slow])
    assert drill.passed
    assert drill.record() == {
        "backup": "20260501-000000F in repository 1, 20260502-000000F in repository 2",
        "bytes": 6,
        "recovery_seconds": 2.5,
        "recovery_point": "2026-05-01T03:00:09+00:00",
        "compared_rows": 42,
        "problems": [],
    }
    away = Result(3, problems=["the repository does not answer: x"])
    drill = Drill([quick, slow, away])
    assert not drill.passed
    assert drill.record()["problems"] == ["repository 3: the repository does not answer: x"]
    assert drill.record()["backup"] == "20260501-000000F in repository 1, 20260502-000000F in repository 2"
    assert drill.record()["compared_rows"] is None
    assert list(drill.lines())[-3:] == [
        "repository      3",
        "PROBLEM         the repository does not answer: x",
        "the drill failed",
    ]
    assert [drill.note(result, WHEN).split()[0] for result in drill.results] == ["passed", "passed", "failed"]


def test_what_is_no_repositorys_problem_fails_the_drill_of_each() -> None:
    result = Result(1, "20260501-000000F")
    drill = Drill([result], ["there was nothing to compare with, the primary did not answer: x"])
    assert not drill.passed
    assert drill.note(result, WHEN).startswith("failed ")
    assert list(drill.lines())[-2:] == [f"PROBLEM         {drill.problems[0]}", "the drill failed"]


def test_a_program_that_fails_is_quoted() -> None:
    assert reason("P00  ERROR: [026]: raised from local-2\n") == "[026]: raised from local-2"
    amcheck = 'btree index "pipe.by_key":\n    ERROR:  heap tuple (0,1) lacks matching index tuple\n    HINT: x\n'
    assert reason(amcheck) == 'btree index "pipe.by_key": ERROR: heap tuple (0,1) lacks matching index tuple'
    assert reason("\n  pg_checksums: error: wrong\nmore\n") == "pg_checksums: error: wrong"
    assert reason("") == ""
    with pytest.raises(Failed, match=r"^looking failed: no such thing$"):
        run("looking", ["sh", "-c", "echo no such thing >&2; exit 3"])
    with pytest.raises(Failed, match=r"^looking failed: it ended with 3$"):
        run("looking", ["sh", "-c", "exit 3"])
