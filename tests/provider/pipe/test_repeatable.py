"""``pipe:sql:Repeatables`` and ``pipe:sql:Endpoint`` against a real PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest

from tests.provider.airgap.harness import Failed, Refused, bare
from tests.provider.pipe.conftest import PASSWORD, Database
from tests.provider.pipe.driver import PipePlugin

pytestmark = pytest.mark.integration


def text(name: str, value: int = 1) -> dict[str, str]:
    sql = f"CREATE OR REPLACE VIEW pipe.{name} AS SELECT {value} AS value;"
    return {"name": name, "file": f"sql/repeatable/{name}.sql", "sql": sql}


def views(*files: dict[str, str], **other: Any) -> dict[str, Any]:
    return {"files": list(files or (text("one"),)), "owner": "pipe_owner"} | other


def applied_at(database: Database) -> dict[str, object]:
    return dict(database.rows("SELECT name, applied_at FROM migrations.repeatable_history"))


def test_only_what_changed_is_applied_again(plugin: PipePlugin, database: Database) -> None:
    live = plugin.live("sql:Repeatables")
    assert live.up(views(text("one"), text("two"))) == "create"
    assert live.up(views(text("one"), text("two"))) == "same"
    assert live.refresh() == "same"
    first = applied_at(database)
    assert live.up(views(text("one"), text("two", 2))) == "update"
    assert database.rows("SELECT one.value, two.value FROM pipe.one, pipe.two") == [(1, 2)]
    second = applied_at(database)
    assert second["one"] == first["one"]
    assert second["two"] != first["two"]


def test_other_line_ends_are_no_change(plugin: PipePlugin) -> None:
    live = plugin.live("sql:Repeatables")
    unix = text("one") | {"sql": "CREATE OR REPLACE VIEW pipe.one AS\nSELECT 1 AS value;\n"}
    live.up(views(unix))
    assert live.up(views(unix | {"sql": unix["sql"].replace("\n", "\r\n")})) == "same"
    assert live.refresh() == "same"


def test_all_are_applied_again_when_a_trigger_changes(plugin: PipePlugin, database: Database) -> None:
    live = plugin.live("sql:Repeatables")
    live.up(views(text("one"), text("two"), triggers=["a"]))
    database.rows("DROP VIEW pipe.one, pipe.two")
    assert live.up(views(text("one"), text("two"), triggers=["b"])) == "update"
    assert database.rows("SELECT one.value, two.value FROM pipe.one, pipe.two") == [(1, 1)]


def test_they_are_applied_in_their_order(plugin: PipePlugin, database: Database) -> None:
    live = plugin.live("sql:Repeatables")
    after = text("after") | {"sql": "CREATE OR REPLACE VIEW pipe.after AS SELECT value FROM pipe.one;"}
    assert live.up(views(text("one"), after)) == "create"
    assert database.rows("SELECT value FROM pipe.after") == [(1,)]


def test_a_preview_names_what_changed(plugin: PipePlugin) -> None:
    live = plugin.live("sql:Repeatables")
    live.up(views(text("one"), text("two")))
    live.preview(views(text("one"), text("two", 2)))
    assert plugin.messages[-1] == "pending: sql/repeatable/two.sql"
    live.preview(views(text("one"), text("two"), triggers=["a"]))
    assert plugin.messages[-1] == "pending: every repeatable file, 2 in all"


def test_another_text_in_the_history_is_drift_and_up_mends_it(plugin: PipePlugin) -> None:
    live = plugin.live("sql:Repeatables")
    live.up(views(text("one")))
    plugin.live("sql:Repeatables", "other").up(views(text("one", 2)))
    assert live.refresh() == "changed"
    assert "AS SELECT 2" in bare(live.inputs)["files"][0]["sql"]
    assert live.up(views(text("one"))) == "update"


def test_a_row_that_is_gone_makes_up_apply_it_again(plugin: PipePlugin, database: Database) -> None:
    live = plugin.live("sql:Repeatables")
    live.up(views(text("one"), text("two")))
    database.rows("DELETE FROM migrations.repeatable_history WHERE name = 'two'")
    assert live.refresh() == "changed"
    assert live.up(views(text("one"), text("two"))) == "update"
    assert set(applied_at(database)) == {"one", "two"}


def test_a_database_that_went_back_gets_what_it_lacks(plugin: PipePlugin, database: Database) -> None:
    live = plugin.live("sql:Repeatables")
    live.up(views(text("one"), text("two")))
    database.rows("DELETE FROM migrations.repeatable_history WHERE name = 'two'")
    assert live.up(views(text("one", 2), text("two"))) == "update"
    assert live.up(views(text("one", 2), text("two"))) == "update"
    assert set(applied_at(database)) == {"one", "two"}
    assert live.up(views(text("one", 2), text("two"))) == "same"


def test_a_history_that_is_gone_makes_up_apply_all_again(plugin: PipePlugin, database: Database) -> None:
    live = plugin.live("sql:Repeatables")
    live.up(views())
    database.rows("DELETE FROM migrations.repeatable_history")
    assert live.refresh() == "gone"
    assert live.up(views()) == "create"


def test_a_failing_text_leaves_the_one_before_and_those_ahead_of_it_stay(
    plugin: PipePlugin, database: Database
) -> None:
    live = plugin.live("sql:Repeatables")
    live.up(views(text("one"), text("two")))
    failing = text("two") | {"sql": "CREATE OR REPLACE VIEW pipe.two AS SELECT 1 AS other"}
    with pytest.raises(Failed, match=r'repeatable "two" of .* failed at .* line 1: .* \(SQLSTATE 42P16\)'):
        live.up(views(text("one", 3), failing))
    assert database.rows("SELECT one.value, two.value FROM pipe.one, pipe.two") == [(3, 1)]
    assert live.up(views(text("one", 3), text("two", 4))) == "update"
    assert database.rows("SELECT one.value, two.value FROM pipe.one, pipe.two") == [(3, 4)]


def test_one_that_leaves_the_program_is_told_and_stays(plugin: PipePlugin, database: Database) -> None:
    live = plugin.live("sql:Repeatables")
    live.up(views(text("one"), text("two")))
    assert live.up(views(text("one"))) == "update"
    assert '"sql/repeatable/two.sql" left the program; what it made stays in the database' in plugin.messages
    assert database.rows("SELECT value FROM pipe.two") == [(1,)]
    assert live.refresh() == "same"


def test_what_cannot_run_is_refused_all_at_once(plugin: PipePlugin) -> None:
    meta, empty = text("one") | {"sql": "\\i x"}, text("two") | {"sql": "-- nothing"}
    with pytest.raises(Refused) as failed:
        plugin.live("sql:Repeatables").up(views(meta, empty, text("two")))
    for part in ("sql/repeatable/one.sql: line 1: ", "sql/repeatable/two.sql: has no", 'its name "two" is that of'):
        assert part in str(failed.value)


def test_import(plugin: PipePlugin) -> None:
    plugin.live("sql:Repeatables").up(views(text("one"), text("two")))
    adopted = plugin.live("sql:Repeatables", "adopted")
    assert adopted.adopt("repeatables")
    assert adopted.up(views(text("one"), text("two"))) == "same"


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
