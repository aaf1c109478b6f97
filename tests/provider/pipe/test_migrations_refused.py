"""What ``pipe:sql:Migrations`` refuses at preview, each in one sentence, all at once, before anything is changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from provider.sql.migrations import Migrations
from provider.sql.plan import checksum
from tests.provider.airgap.harness import Failed, Live, Refused
from tests.provider.pipe.conftest import Database
from tests.provider.pipe.driver import PipePlugin
from tests.provider.pipe.migrations import USERS, file, inputs, script

pytestmark = pytest.mark.integration
FIRST, SECOND, THIRD = (file(f"SELECT {number}", f"000{number}", "a") for number in (1, 2, 3))
LIST = "the migrations do not fit to what was applied:\n"


def refusal(call: Callable[[], Any]) -> str:
    """The text of what a preview refuses."""
    try:
        call()
    except Refused as refused:
        return str(refused.failures["files"])
    except Failed as failed:
        return str(failed)
    raise AssertionError("it was not refused")


def seen(live: Live, wanted: dict[str, Any]) -> str:
    """The text of what a preview of an existing resource refuses: check, then diff."""
    return refusal(lambda: live.diff(wanted))


def test_every_fault_of_the_files_is_listed_at_once(plugin: PipePlugin, database: Database) -> None:
    wanted = inputs(
        file("", "0001", "empty"),
        file("-- Why.\nSELECT 1;\n\\d users\n", "0002", "psql"),
        file("-- Why.\nBEGIN;\nSELECT 1;\nCOMMIT", "0002", "transaction"),
        file("-- Why.\n-- pipe: lock_timeout = soon\n-- pipe: fast\nSELECT 1", "0005", "directives"),
        {"version": "late", "name": "", "file": "sql/migrations/late.sql", "sql": "SELECT 'open"},
        verify=(script("SELECT true", "0009"), script("SELECT true") | {"file": "sql/verify/0001.sql.orig"}),
    )
    transaction = "controls a transaction: remove it; the provider runs the whole file in one transaction of its own"
    assert refusal(lambda: plugin.live("sql:Migrations").preview(wanted)).splitlines() == [
        "cannot be applied:",
        '"sql/migrations/0001_empty.sql" cannot be applied: has no statement: a migration that does nothing cannot be'
        " told from a mistake",
        '"sql/migrations/0002_psql.sql" cannot be applied: line 3: "\\d" is a command of psql, which does not run'
        " here; write SQL only",
        '"sql/migrations/0002_psql.sql" and "sql/migrations/0002_transaction.sql" have the same number: give the'
        " newer one the next free number",
        f'"sql/migrations/0002_transaction.sql" cannot be applied: line 2: "BEGIN" {transaction}',
        f'"sql/migrations/0002_transaction.sql" cannot be applied: line 4: "COMMIT" {transaction}',
        '"sql/migrations/0005_directives.sql" cannot be applied: line 2: directive "lock_timeout" is a time from 10ms'
        ' to 1min such as 500ms, 3s or 30min, not "soon"',
        '"sql/migrations/0005_directives.sql" cannot be applied: line 3: "fast" is no directive; there are:'
        " no-transaction, lock_timeout = 3s, statement_timeout = 30min, retries = 5",
        '"sql/migrations/late.sql" is not named like a migration: name it "NNNN_what_it_does.sql", from 0001 on',
        '"sql/migrations/late.sql" cannot be applied: the text in quotes that begins at line 1 is not closed',
        '"sql/migrations/late.sql" cannot be applied: line 1: has no header; begin the file with a comment that says'
        " why this change is made",
        'there is no migration 0003 to 0004 before "sql/migrations/0005_directives.sql": number the files without a'
        " gap",
        '"sql/verify/0001.sql.orig" verifies no migration: name it after the number of one, "NNNN.sql"',
        '"sql/verify/0009.sql" verifies no migration: name it after the number of one, "NNNN.sql"',
    ]
    assert database.rows("SELECT 1 FROM pg_tables WHERE schemaname = 'migrations'") == []


def changed(before: str, after: str) -> str:
    return (
        f'migration "0001" was changed after it was applied: "sql/migrations/0001_a.sql" has the checksum'
        f" {checksum(after)}, but {checksum(before)} was applied; restore the file as it was"
        " (git log -- sql/migrations/0001_a.sql) and write what is new into a new migration"
    )


def test_a_changed_and_a_missing_file_are_refused_together(plugin: PipePlugin, database: Database) -> None:
    live = plugin.live("sql:Migrations")
    live.up(inputs(FIRST, SECOND))
    other = FIRST | {"sql": "-- Why.\nSELECT 'other'"}
    ((at,),) = database.rows(
        """SELECT to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') FROM migrations.history"""
        " WHERE version = '0002'"
    )
    missing = (
        f'migration "0002" was applied at {at} from "sql/migrations/0002_a.sql", and its file is missing: restore it'
        " (git log --all --stat -- sql/migrations/0002_a.sql)"
    )
    expected = LIST + missing + "\n" + changed(FIRST["sql"], other["sql"])
    assert seen(live, inputs(other)) == expected
    # Without the state, from the database's own history: as on another machine.
    assert refusal(lambda: plugin.live("sql:Migrations", "lost").preview(inputs(other))) == expected
    # Without the database, from the state.
    plugin.configure(database.config | {"port": "1"})
    assert seen(live, inputs(other)) == expected


def test_a_rule_that_came_later_does_not_judge_what_has_run() -> None:
    before, after = (file(f"RESET lock_timeout;\nSELECT {number}", f"000{number}", "a") for number in (1, 2))
    (fault,) = Migrations().check(inputs(before), inputs(before, after))
    assert after["file"] in fault.reason
    assert before["file"] not in fault.reason


def test_a_file_older_than_the_newest_applied_one_is_refused(plugin: PipePlugin, database: Database) -> None:
    live = plugin.live("sql:Migrations")
    live.up(inputs(FIRST, SECOND, THIRD))
    database.rows("DELETE FROM migrations.history WHERE version = '0002'")
    assert seen(live, inputs(FIRST, SECOND, THIRD)) == (
        LIST + '"sql/migrations/0002_a.sql" is older than "0003", which is the newest one applied: on a new stack it'
        " would run before; give it the next free number"
    )


def test_what_somebody_else_applied_meanwhile_is_seen(plugin: PipePlugin) -> None:
    mine, theirs = plugin.live("sql:Migrations"), plugin.live("sql:Migrations", "theirs")
    mine.up(inputs(FIRST))
    theirs.up(inputs(FIRST, SECOND))
    assert 'migration "0002" was applied at' in seen(mine, inputs(FIRST))
    assert mine.up(inputs(FIRST, SECOND)) == "update"


def test_nothing_runs_when_one_file_is_refused(plugin: PipePlugin, database: Database) -> None:
    plugin.live("sql:Migrations").up(inputs(FIRST))
    with pytest.raises(Failed, match="was changed after it was applied"):
        plugin.live("sql:Migrations", "lost").up(inputs(FIRST | {"sql": USERS}, file(version="0002")))
    assert database.rows("SELECT 1 FROM pg_tables WHERE schemaname = 'pipe'") == []


def test_numbers_begin_at_0001(plugin: PipePlugin) -> None:
    with pytest.raises(Refused) as refused:
        plugin.live("sql:Migrations").preview(inputs(file(version="0000")))
    assert refused.value.failures["files"].splitlines()[1:] == [
        '"sql/migrations/0000_users.sql" is not named like a migration: name it "NNNN_what_it_does.sql", from 0001 on'
    ]


def test_a_file_without_its_text_is_refused(plugin: PipePlugin) -> None:
    with pytest.raises(Refused) as refused:
        plugin.live("sql:Migrations").preview(inputs({"version": "0001", "file": "a.sql"}))
    assert refused.value.failures == {"files": "each file needs name, sql as text"}
