"""Verify scripts: read-only, in the migration's transaction, and what does not hold takes the migration back."""

from __future__ import annotations

import pytest

from tests.provider.airgap.harness import Failed, Refused
from tests.provider.pipe.conftest import Database
from tests.provider.pipe.driver import PipePlugin
from tests.provider.pipe.migrations import file, inputs, script

pytestmark = pytest.mark.integration
STEPS = "-- Why.\n-- pipe: no-transaction\nCREATE TABLE pipe.users (id bigint);\n"
TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'pipe'"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) = 0, 'free text', NULL::int FROM pipe.users",
        "SELECT 1 FROM pipe.users WHERE false",
        "DO $$ BEGIN ASSERT to_regclass('pipe.users') IS NOT NULL; END $$",
    ],
)
def test_what_holds_lets_the_migration_land(plugin: PipePlugin, database: Database, sql: str) -> None:
    plugin.live("sql:Migrations").up(inputs(file(), verify=(script(sql),)))
    assert database.rows("SELECT state FROM migrations.history") == [("applied",)]


@pytest.mark.parametrize(
    ("sql", "cause"),
    [
        ("SELECT count(*) > 0 FROM pipe.users", "the query returned what is not true"),
        ("SELECT bool_and(id > 0) FROM pipe.users", "the query returned what is not true"),
        ("SELECT 1 / count(*) FROM pipe.users", r"division by zero \(SQLSTATE 22012\)"),
        ("DO $$ BEGIN ASSERT false, 'no users'; END $$", r"no users \(SQLSTATE P0004\)"),
        ("INSERT INTO pipe.users VALUES (1)", r"cannot execute INSERT in a read-only transaction \(SQLSTATE 25006\)"),
        (
            "SET transaction_read_only = off; INSERT INTO pipe.users VALUES (1)",
            r"cannot set transaction read-write mode inside a read-only transaction \(SQLSTATE 25001\)",
        ),
    ],
)
def test_what_does_not_hold_or_writes_rolls_back(plugin: PipePlugin, database: Database, sql: str, cause: str) -> None:
    live = plugin.live("sql:Migrations")
    with pytest.raises(Failed, match=rf'the check of migration "0001" failed at "sql/verify/0001.sql" line 1: {cause}'):
        live.up(inputs(file(), verify=(script(sql),)))
    assert database.rows(TABLES) == [(0,)]
    assert live.up(inputs(file(), verify=(script("SELECT true"),))) == "create"


def test_the_text_of_a_refusal(plugin: PipePlugin) -> None:
    with pytest.raises(Failed) as failed:
        plugin.live("sql:Migrations").up(inputs(file(), verify=(script("-- All there?\nSELECT\n    false"),)))
    text, _, point = str(failed.value).partition("; the database as it was just before: restore point")
    assert text == (
        'the check of migration "0001" failed at "sql/verify/0001.sql" line 2: the query returned what is not true\n'
        "    2 | SELECT\n"
        "    3 |     false\n"
        "HINT: everything of this file was rolled back; correct it and run up again, which goes on from here"
    )
    assert "pipe_migration_0001_" in point


def test_without_a_transaction_it_stays_unverified_and_is_verified_again(
    plugin: PipePlugin, database: Database
) -> None:
    live = plugin.live("sql:Migrations")
    with pytest.raises(Failed, match="HINT: the migration stays, and is not verified; run up again"):
        live.up(inputs(file(STEPS), verify=(script("SELECT false"),)))
    assert database.rows("SELECT state FROM migrations.history") == [("unverified",)]
    assert database.rows(TABLES) == [(1,)]
    assert live.up(inputs(file(STEPS), verify=(script("SELECT count(*) = 0 FROM pipe.users"),))) == "create"
    assert database.rows("SELECT state FROM migrations.history") == [("applied",)]


def test_another_script_for_what_is_applied_is_no_change(plugin: PipePlugin) -> None:
    live = plugin.live("sql:Migrations")
    live.up(inputs(file(), verify=(script("SELECT true"),)))
    assert live.up(inputs(file(), verify=(script("SELECT false"),))) == "same"


def test_a_script_that_cannot_run_is_refused_at_preview(plugin: PipePlugin) -> None:
    with pytest.raises(Refused) as refused:
        plugin.live("sql:Migrations").preview(
            inputs(file(), verify=(script("COMMIT"), script("\\q") | {"file": "sql/verify/0001_b.sql"}))
        )
    assert refused.value.failures["files"].splitlines()[1:] == [
        '"sql/verify/0001.sql" cannot run: line 1: "COMMIT" controls a transaction: remove it; the provider runs the'
        " whole file in one transaction of its own",
        '"sql/verify/0001.sql" and "sql/verify/0001_b.sql" verify the same migration: join them',
        '"sql/verify/0001_b.sql" cannot run: line 1: "\\q" is a command of psql, which does not run here; write SQL'
        " only",
    ]
