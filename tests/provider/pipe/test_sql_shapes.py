"""The names in statements that may leave something half done."""

from __future__ import annotations

import pytest

from provider.sql import shapes
from provider.sql.scanner import Statement, split


def one(sql: str) -> Statement:
    (statement,) = split(sql)
    return statement


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("CREATE INDEX CONCURRENTLY i ON pipe.t (a)", ("i", "pipe.t")),
        ("create unique index concurrently if not exists i on only t (a)", ("i", "t")),
        ("CREATE INDEX CONCURRENTLY -- why\n i /* and */ ON t (a)", ("i", "t")),
        ('CREATE INDEX CONCURRENTLY "the ""i""" ON "p"."t 1" (a)', ('"the ""i"""', '"p"."t 1"')),
        ("CREATE INDEX CONCURRENTLY once ON t (a)", ("once", "t")),
        ("CREATE INDEX CONCURRENTLY ON t (a)", None),
        ("CREATE INDEX i ON t (a)", None),
    ],
)
def test_created_index(sql: str, expected: tuple[str, str] | None) -> None:
    assert shapes.created_index(one(sql)) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("DROP INDEX CONCURRENTLY pipe.i", "pipe.i"),
        ("DROP INDEX CONCURRENTLY IF EXISTS i RESTRICT", "i"),
        ("DROP INDEX CONCURRENTLY i, j", None),
        ("DROP INDEX i", None),
    ],
)
def test_dropped_index(sql: str, expected: str | None) -> None:
    assert shapes.dropped_index(one(sql)) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("REINDEX INDEX CONCURRENTLY pipe.i", ("INDEX", "pipe.i")),
        ("REINDEX (VERBOSE) TABLE CONCURRENTLY t", ("TABLE", "t")),
        ("REINDEX (CONCURRENTLY) TABLE t", ("TABLE", "t")),
        ("REINDEX TABLE t", None),
        ("REINDEX SCHEMA CONCURRENTLY s", None),
    ],
)
def test_reindexed(sql: str, expected: tuple[str, str] | None) -> None:
    assert shapes.reindexed(one(sql)) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("ALTER TABLE pipe.p DETACH PARTITION pipe.p1 CONCURRENTLY", ("pipe.p", "pipe.p1")),
        ("ALTER TABLE IF EXISTS ONLY p DETACH PARTITION p1 FINALIZE -- at last", ("p", "p1")),
        ("ALTER TABLE p DETACH PARTITION p1", None),
    ],
)
def test_detached(sql: str, expected: tuple[str, str] | None) -> None:
    assert shapes.detached(one(sql)) == expected
