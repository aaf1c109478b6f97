"""``pipe:sql:Repeatable`` and ``pipe:sql:Endpoint`` against a real PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest

from tests.provider.airgap.harness import Failed, bare
from tests.provider.pipe.conftest import PASSWORD, Database
from tests.provider.pipe.driver import PipePlugin

pytestmark = pytest.mark.integration


def view(value: int = 1, **other: Any) -> dict[str, Any]:
    sql = f"CREATE OR REPLACE VIEW pipe.one AS SELECT {value} AS value;"
    return {"name": "views", "file": "sql/repeatable/views.sql", "sql": sql, "owner": "pipe_owner"} | other


def test_it_is_applied_again_when_the_text_changes(plugin: PipePlugin, database: Database) -> None:
    live = plugin.live("sql:Repeatable")
    assert live.up(view(1)) == "create"
    assert live.up(view(1)) == "same"
    assert live.refresh() == "same"
    assert live.up(view(2)) == "update"
    assert database.rows("SELECT value FROM pipe.one") == [(2,)]
    assert database.rows("SELECT count(*) FROM migrations.repeatable_history") == [(1,)]


def test_it_is_applied_again_when_a_trigger_changes(plugin: PipePlugin, database: Database) -> None:
    live = plugin.live("sql:Repeatable")
    live.up(view(triggers=["a"]))
    database.rows("DROP VIEW pipe.one")
    assert live.up(view(triggers=["b"])) == "update"
    assert database.rows("SELECT value FROM pipe.one") == [(1,)]


def test_another_text_in_the_history_is_drift_and_up_mends_it(plugin: PipePlugin) -> None:
    live = plugin.live("sql:Repeatable")
    live.up(view(1))
    plugin.live("sql:Repeatable", "other").up(view(2))
    assert live.refresh() == "changed"
    assert "AS SELECT 2" in bare(live.inputs)["sql"]
    assert live.up(view(1)) == "update"


def test_a_row_that_is_gone_makes_up_apply_it_again(plugin: PipePlugin, database: Database) -> None:
    live = plugin.live("sql:Repeatable")
    live.up(view())
    database.rows("DELETE FROM migrations.repeatable_history")
    assert live.refresh() == "gone"
    assert live.up(view()) == "create"


def test_a_failing_text_leaves_the_one_before(plugin: PipePlugin, database: Database) -> None:
    live = plugin.live("sql:Repeatable")
    live.up(view())
    with pytest.raises(Failed, match=r'repeatable "views" of .* failed at .* line 1: .* \(SQLSTATE 42P16\)'):
        live.up(view(sql="CREATE OR REPLACE VIEW pipe.one AS SELECT 1 AS other"))
    assert database.rows("SELECT value FROM pipe.one") == [(1,)]


def test_import_by_name(plugin: PipePlugin) -> None:
    plugin.live("sql:Repeatable").up(view())
    adopted = plugin.live("sql:Repeatable", "adopted")
    assert adopted.adopt("views")
    assert adopted.up(view()) == "same"


def test_an_endpoint_that_answers_is_ready_at_once(plugin: PipePlugin, database: Database) -> None:
    live = plugin.live("sql:Endpoint")
    assert live.up({}) == "create"
    assert live.id == f"127.0.0.1:{database.server.port}"
    assert live.up({"triggers": ["a"]}) == "update"
    other = {"database": "postgres", "username": "postgres", "password": PASSWORD}
    assert plugin.live("sql:Endpoint", "other").up(other) == "create"


def test_an_endpoint_that_does_not_answer_is_named_with_the_cause(plugin: PipePlugin) -> None:
    with pytest.raises(Failed) as failed:
        plugin.live("sql:Endpoint").up({"port": 1, "timeoutSeconds": 1})
    assert str(failed.value).startswith(
        'no read-write session at 127.0.0.1:1 as "pipe_migrator" within 1 s: connection'
    )
    assert any(message.startswith("waits for 127.0.0.1:1: ") for message in plugin.messages)


def test_a_wrong_password_does_not_wait_for_the_end(plugin: PipePlugin) -> None:
    with pytest.raises(Failed, match="password authentication failed"):
        plugin.live("sql:Endpoint").up({"password": "wrong", "timeoutSeconds": 60})


def test_a_read_only_session_is_not_enough(plugin: PipePlugin, database: Database) -> None:
    database.rows(f'ALTER DATABASE "{database.name}" SET default_transaction_read_only = on')
    with pytest.raises(Failed, match="the session is read-only"):
        plugin.live("sql:Endpoint").up({"timeoutSeconds": 1})
