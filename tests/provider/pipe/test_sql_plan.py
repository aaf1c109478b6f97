"""Which text may run at all, in a transaction and without one."""

from __future__ import annotations

import pytest

from provider.sql.plan import checksum, faults, migration_faults, repeatable_faults
from provider.sql.scanner import split
from provider.sql.shapes import is_concurrent, runs_by_itself


def test_line_ends_do_not_count() -> None:
    assert checksum("a\r\nb\r\n") == checksum("a\nb\n")


@pytest.mark.parametrize(
    "sql",
    [
        "BEGIN", "begin work", "COMMIT", "END", "ROLLBACK", "ABORT", "START TRANSACTION", "PREPARE TRANSACTION 'x'",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "VACUUM users", "CREATE DATABASE x", "DROP DATABASE x",
        "CREATE TABLESPACE x LOCATION '/x'", "ALTER SYSTEM SET a = 1", "CREATE INDEX CONCURRENTLY i ON t (a)",
        "create unique index concurrently i on t (a)", "DROP INDEX CONCURRENTLY i", "REINDEX TABLE CONCURRENTLY t",
        "COPY t FROM STDIN", "\\set x 1", "", "-- x", "SELECT '", "ALTER TABLE a DETACH PARTITION b CONCURRENTLY",
        "ALTER TABLE a DETACH PARTITION b FINALIZE", "ALTER TABLE a DETACH PARTITION b /* x */ CONCURRENTLY -- now",
        "SAVEPOINT a", "RELEASE a", "ROLLBACK TO a", "ROLLBACK TRANSACTION TO SAVEPOINT a", "REINDEX SCHEMA pipe",
    ],
)  # fmt: skip
def test_refused(sql: str) -> None:
    assert len(list(faults(sql))) == 1


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE INDEX i ON t (a)", "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$",
        "SET LOCAL lock_timeout = '1s'", "CREATE TABLE vacuum_log ()", "COPY t TO '/tmp/x'", "PREPARE p AS SELECT 1",
    ],
)  # fmt: skip
def test_allowed(sql: str) -> None:
    assert list(faults(sql)) == []


def test_every_fault_is_listed_with_its_line() -> None:
    reason = "controls a transaction: remove it; the provider runs the whole file in one transaction of its own"
    assert list(faults("BEGIN;\nSELECT 1;\nCOMMIT;\n")) == [f'line 1: "BEGIN" {reason}', f'line 3: "COMMIT" {reason}']


OUTSIDE = [
    "CREATE INDEX CONCURRENTLY i ON t (a)",
    "DROP INDEX CONCURRENTLY i",
    "REINDEX (VERBOSE) INDEX CONCURRENTLY i",
]


@pytest.mark.parametrize("sql", [*OUTSIDE, "VACUUM t", "ALTER TABLE a DETACH PARTITION b CONCURRENTLY", "CALL p()"])
def test_without_a_transaction_these_may_run_by_themselves(sql: str) -> None:
    (statement,) = split(sql)
    assert list(faults(sql, transactional=False)) == []
    assert runs_by_itself(statement)
    assert is_concurrent(statement) is (sql in OUTSIDE)


@pytest.mark.parametrize(
    "sql", ["CREATE INDEX i ON t (a)", "ALTER TABLE a DETACH PARTITION b", "INSERT INTO t SELECT 1"]
)
def test_everything_else_shares_a_transaction_with_its_record(sql: str) -> None:
    assert not runs_by_itself(split(sql)[0])


@pytest.mark.parametrize(
    "sql",
    [
        "COMMIT", "BEGIN", "ROLLBACK TO a", "\\d", "", "CREATE INDEX CONCURRENTLY ON t (a)",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS on t (a)", "DROP INDEX CONCURRENTLY a, b",
        "REINDEX SCHEMA CONCURRENTLY pipe",
    ],
)  # fmt: skip
def test_refused_without_a_transaction(sql: str) -> None:
    assert len(list(faults(sql, transactional=False))) == 1


def test_what_cannot_run_inside_a_transaction_says_how_it_can() -> None:
    assert list(faults("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)")) == [
        'line 1: "CREATE ... CONCURRENTLY" is refused: it cannot run inside a transaction; write'
        ' "-- pipe: no-transaction" into the header'
    ]


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("SET lock_timeout = '1h'", "SET lock_timeout"),
        ("SET LOCAL lock_timeout TO DEFAULT", "SET lock_timeout"),
        ("set session lock_timeout = 0", "SET lock_timeout"),
        ("reset lock_timeout", "RESET lock_timeout"),
        ("SELECT set_config('lock_timeout', '0', true)", "set_config('lock_timeout')"),
        ("SELECT pg_catalog.SET_CONFIG ( 'Lock_Timeout' , '0', true)", "set_config('lock_timeout')"),
        ("DO $$BEGIN PERFORM set_config('lock_timeout', '0', true); END$$", "set_config('lock_timeout')"),
    ],
)
def test_a_migration_has_its_limits_in_its_header(sql: str, what: str) -> None:
    assert list(migration_faults(f"-- Why.\n{sql}")) == [
        f'line 2: "{what}" is refused: write "-- pipe: lock_timeout = 3s" into the header'
    ]


@pytest.mark.parametrize("what", ["RESET ALL", "DISCARD ALL"])
def test_a_migration_does_not_end_the_limits_of_its_header(what: str) -> None:
    assert list(migration_faults(f"-- Why.\n-- pipe: no-transaction\n{what.lower()}")) == [
        f'line 3: "{what}" is refused: it ends the limits of the header; RESET what is meant by its name'
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "RESET ROLE", "RESET search_path", "DISCARD PLANS", "SELECT set_config('search_path', '', true)",
        "CREATE OR REPLACE FUNCTION f() RETURNS text LANGUAGE sql RETURN set_config('lock_timeout', '1s', true)",
        "CREATE PROCEDURE p() LANGUAGE sql SET lock_timeout = '1s' AS $$SELECT set_config('lock_timeout', '0', true)$$",
    ],
)  # fmt: skip
def test_what_sets_no_limit_of_the_migration_is_none_of_the_header_s(sql: str) -> None:
    assert list(migration_faults(f"-- Why.\n{sql}")) == []


def test_a_repeatable_text_takes_no_directives() -> None:
    assert list(repeatable_faults("-- pipe: no-transaction\nSELECT 1")) == [
        "line 1: directives are for migrations; a repeatable text always runs in one transaction"
    ]
