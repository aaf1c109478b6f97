"""From `pulumi preview --json` to a plan of changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from delivery import render
from delivery.digest import PropertyChange, Setting, plan, shown
from delivery.settings import flatten_digest, flatten_history

URN = "urn:pulumi:staging::pipe::"


def step(op: str, type_: str, name: str, old: Any = None, new: Any = None, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"op": op, "urn": f"{URN}pipe:cluster:Member${type_}::{name}", "detailedDiff": None, **more}
    if old is not None:
        found["oldState"] = {"type": type_, "inputs": old}
    if new is not None:
        found["newState"] = {"type": type_, "inputs": new}
    return found


def history(config: dict[str, Any], result: str = "succeeded") -> list[dict[str, Any]]:
    return [{"kind": "update", "result": result, "config": config}]


def test_a_replacement_is_one_change_whatever_its_steps() -> None:
    steps = [
        step("delete-replaced", "docker:index/container:Container", "member-0"),
        step("replace", "docker:index/container:Container", "member-0", {"image": "a"}, {"image": "b"}),
        step("create-replacement", "docker:index/container:Container", "member-0", replaceReasons=["image"]),
    ]
    for step_ in steps:
        step_["diffReasons"] = ["image"]
    (change,) = plan("staging", {"steps": steps}).changes
    assert (change.kind, change.name, change.type) == ("replace", "member-0", "docker:index/container:Container")
    assert change.properties == (PropertyChange("image", "a", "b"),)
    assert change.replaced_for == ("image",)


def test_the_gravest_come_first_and_what_holds_data_before_the_rest() -> None:
    steps = [
        step("create", "pipe:sql:Migrations", "migrations", new={"file": "f", "sql": "s"}),
        step("update", "docker:index/network:Network", "net", {}, {}),
        step("delete", "docker:index/container:Container", "agent-1"),
        step("delete", "docker:index/volume:Volume", "member-1"),
        step("same", "docker:index/volume:Volume", "member-0"),
    ]
    found = plan("staging", {"steps": steps, "changeSummary": {"same": 40, "delete": 2}})
    assert [(change.kind, change.name, change.holds_data) for change in found.changes] == [
        ("delete", "member-1", True),
        ("delete", "agent-1", False),
        ("update", "net", False),
        ("create", "migrations", False),
    ]
    assert found.unchanged == 40


def test_nested_paths_and_without_their_parents() -> None:
    old = {"ports": [{"external": 1}], "labels": {"a.b": "x"}}
    new = {"ports": [{"external": 2}], "labels": {"a.b": "y"}}
    paths: dict[str, Any] = {"ports": {}, "ports[0].external": {}, 'labels["a.b"]': {}}
    (change,) = plan("s", {"steps": [step("update", "t:t:T", "x", old, new, detailedDiff=paths)]}).changes
    assert change.properties == (
        PropertyChange("ports[0].external", "1", "2"),
        PropertyChange('labels["a.b"]', "x", "y"),
    )


@pytest.mark.parametrize(
    "name", ["password", "adminPassword", "privateKeyPem", "private_key", "token", "clientKey", "secret"]
)
def test_a_name_that_sounds_secret_is_shown_without_values(name: str) -> None:
    steps = [step("update", "t:t:T", "x", {name: "old"}, {name: "new"}, diffReasons=[name])]
    (change,) = plan("s", {"steps": steps}).changes
    assert change.properties == (PropertyChange(name, None, None),)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("[secret]", None),
        ("before [secret] after", None),
        ({"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": "x"}, None),
        ('{"4dabf18193072939515e22adb298388d":"x"}', None),
        ([1, 2], None),
        ("two\nlines", None),
        ("x" * 61, None),
        (True, "true"),
        (12, "12"),
        ("", ""),
        ("04da6b54-80e4-46f7-96ec-b56ff0331ba9", "(known after the update)"),
    ],
)
def test_what_is_shown_of_a_value(value: Any, expected: str | None) -> None:
    assert shown(value) == expected


def test_pending_sql_is_in_the_order_in_which_it_runs() -> None:
    old, new, later = (
        {"version": f"00{number}", "file": f"sql/migrations/00{number}_{name}.sql", "sql": name}
        for number, name in (("01", "old"), ("09", "a"), ("10", "b"))
    )
    same, view = ({"name": name, "file": f"sql/repeatable/020_{name}.sql", "sql": "1"} for name in ("w", "v"))
    steps = [
        step("update", "pipe:sql:Migrations", "m", {"files": [old]}, {"files": [old, later, new]}),
        step("update", "pipe:sql:Repeatables", "r", {"files": [same, view]}, {"files": [same, view | {"sql": "2"}]}),
    ]
    diagnostics = [
        {"severity": "info", "message": f"<{{%reset%}}>pending: sql/migrations/{text}<{{%reset%}}>\n"}
        for text in ("0009_a.sql, from statement 2 of 3 on", "0010_b.sql")
    ]
    found = plan("s", {"steps": steps, "diagnostics": diagnostics}).statements
    assert [(item.file, item.sql, item.repeatable) for item in found] == [
        ("sql/migrations/0009_a.sql", "a", False),
        ("sql/migrations/0010_b.sql", "b", False),
        ("sql/repeatable/020_v.sql", "2", True),
    ]


def test_what_the_database_has_already_is_not_pending_whatever_the_state_says() -> None:
    new = {"version": "0009", "file": "sql/migrations/0009_a.sql", "sql": "a"}
    steps = [step("update", "pipe:sql:Migrations", "m", {"files": []}, {"files": [new]})]
    assert plan("s", {"steps": steps}).statements == ()


def test_settings_are_compared_leaf_by_leaf_with_the_last_update_that_succeeded() -> None:
    before = {"pipe:database": {"value": '{"replicas":1,"memory_mb":512}', "secret": False}}
    failed = history({"pipe:database": {"value": '{"replicas":5}', "secret": False}}, "failed")
    digest = {"config": {"pipe:database": '{"replicas":2,"memory_mb":512,"cpus":2}'}}
    assert plan("s", digest, failed + history(before)).settings == (
        Setting("pipe:database.cpus", None, "2"),
        Setting("pipe:database.replicas", "1", "2"),
    )


def test_secret_settings_are_named_and_never_shown() -> None:
    before = {"pipe:x": {"value": "plain", "secret": False}, "pipe:opaque": {"secret": True}}
    digest = {"config": {"pipe:x": "[secret]", "pipe:opaque": '{"a":"[secret]","b":1}', "pipe:password": "p"}}
    assert plan("s", digest, history(before)).settings == (
        Setting("pipe:password", None, "[secret]"),
        Setting("pipe:x", "[secret]", "[secret]"),
    )


def test_a_stack_without_an_update_has_nothing_to_compare_with() -> None:
    digest = {"config": {"pipe:environment": "test"}}
    assert (plan("s", digest, []).settings, plan("s", digest, []).first_update) == ((), True)
    assert (plan("s", digest, None).settings, plan("s", digest, None).first_update) == ((), False)


def test_errors_lose_their_colours() -> None:
    diagnostics = [
        {"severity": "error", "message": "<{%reset%}>pipe:database.replicas = 9: at most 5<{%reset%}>\n"},
        {"severity": "info", "message": "hello"},
        {"severity": "error", "message": "<{%reset%}><{%reset%}>"},
    ]
    assert plan("s", {"diagnostics": diagnostics}).errors == ("pipe:database.replicas = 9: at most 5",)


def test_what_several_resources_warn_of_is_said_once_with_its_hint() -> None:
    text = 'no restore drill of "prod" has passed yet; one is due every 10 days\nHINT: make restore-drill STACK=prod'
    diagnostics = [{"severity": "warning", "message": f"<{{%reset%}}>warning: {text}<{{%reset%}}>\n"}] * 2
    found = plan("prod", {"diagnostics": diagnostics})
    assert (found.warnings, found.errors) == ((text,), ())


def test_only_objects_and_lists_are_taken_apart() -> None:
    assert flatten_digest({"a": "010", "b": '{"c":{"d":[1]},"e":{}}', "f": "{broken"}) == {
        "a": "010",
        "b.c.d": "[1]",
        "f": "{broken",
    }
    assert flatten_history({"a": {"value": "010", "secret": False}, "b": {"secret": True}}) == {
        "a": "010",
        "b": "[secret]",
    }


RECORDED = Path(__file__).parent / "recorded"


def recorded(name: str) -> Any:
    """What a real engine printed for a real stack, less stack traces, certificates and most of what was unchanged."""
    return json.loads((RECORDED / name).read_text())


def test_a_recorded_preview() -> None:
    """One more migration, a changed view, no replica any more, fewer connections, and a secret setting."""
    found = plan("t", recorded("preview.json"), recorded("history.json"))
    assert [(change.name, change.type) for change in found.of("delete")][:3] == [
        ("member-1-data", "docker:index/volume:Volume"),
        ("agent-1", "docker:index/container:Container"),
        ("member-1", "docker:index/container:Container"),
    ]
    assert {change.name for change in found.of("replace")} >= {"member-0", "member-0-config", "proxy", "repository"}
    assert next(change for change in found.changes if change.name == "archiving-config").properties[:2] == (
        PropertyChange("config.postgresql.parameters.max_connections", "60", "80"),
        PropertyChange("config.postgresql.parameters.work_mem", "8192kB", "6144kB"),
    )
    assert [item.file for item in found.statements if item.before != item.sql] == [
        "sql/migrations/0010_benchmark_notes.sql",
        "sql/repeatable/050_history_views.sql",
    ]
    assert found.settings == (
        Setting("other:token", None, "[secret]"),
        Setting("pipe:backup.retention_days", None, "14"),
        Setting("pipe:database.max_connections", "60", "80"),
        Setting("pipe:database.replicas", None, "0"),
    )
    assert found.unchanged == 131
    assert found.errors == ()


def test_a_recorded_preview_is_a_comment_without_a_secret() -> None:
    section = render.section(plan("t", recorded("preview.json"), recorded("history.json")))
    assert section.startswith(
        "## `t`: 8 replaced, 10 deleted, 6 changed, 1 pending migration, 4 settings changed\n\n"
        "> [!CAUTION]\n> Data is lost: `member-1-data` would be deleted.\n\n### Replaced (8)\n"
    )
    assert "| `member-0` | `docker:index/container:Container` | `labels[pipe.config]` (forces replacement) |" in section
    assert "```diff\n--- before\n+++ after\n" in section
    assert "| `other:token` | (not set) | (secret) |" in section
    assert "PRIVATE KEY" not in section
    assert "4dabf18193072939515e22adb298388d" not in section


def test_a_recorded_failure_is_the_programs_own_text() -> None:
    (error,) = plan("t", recorded("preview-failed.json"), recorded("history.json")).errors
    assert "pipe:database.replicas = 9: must be a whole number from 0 to 5" in error
    assert "<{%" not in error
