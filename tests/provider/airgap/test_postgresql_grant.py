"""Grant: every type of object, PUBLIC, columns; what is taken or given by hand shows and is mended."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fixtures.postgres import Postgres
from tests.provider.airgap.fix_postgresql import Make, settled
from tests.provider.airgap.harness import Live

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("postgresql")]

# The kind of grant, the SQL that undoes it, and the SQL that gives too much; {r} is the role, {d} the database.
KINDS: list[tuple[dict[str, Any], str, str]] = [
    (
        {"objectType": "database", "privileges": ["CONNECT", "TEMPORARY"]},
        "REVOKE CONNECT ON DATABASE {d} FROM {r}",
        "GRANT CREATE ON DATABASE {d} TO {r}",
    ),
    (
        {"objectType": "schema", "schema": "s", "privileges": ["USAGE"]},
        "REVOKE USAGE ON SCHEMA s FROM {r}",
        "GRANT CREATE ON SCHEMA s TO {r}",
    ),
    (
        {"objectType": "table", "schema": "s", "objects": ["users", "runs", "shown"], "privileges": ["SELECT"]},
        "REVOKE SELECT ON s.runs FROM {r}",
        "GRANT DELETE ON s.shown TO {r}",
    ),
    (
        {"objectType": "table", "schema": "s", "privileges": ["ALL"]},
        "REVOKE MAINTAIN ON s.users FROM {r}",
        "",
    ),
    (
        {"objectType": "table", "schema": "s", "privileges": ["INSERT", "SELECT"]},
        "REVOKE INSERT ON s.users FROM {r}",
        "GRANT TRUNCATE ON s.users TO {r}",
    ),
    (
        {
            "objectType": "column",
            "schema": "s",
            "objects": ["users"],
            "columns": ["id", "name"],
            "privileges": ["SELECT"],
        },
        "REVOKE SELECT (name) ON s.users FROM {r}",
        "GRANT SELECT (hash) ON s.users TO {r}",
    ),
    (
        {"objectType": "column", "schema": "s", "objects": ["runs"], "columns": ["at"], "privileges": ["UPDATE"]},
        "REVOKE UPDATE (at) ON s.runs FROM {r}",
        "GRANT UPDATE (id) ON s.runs TO {r}",
    ),
    (
        {"objectType": "sequence", "schema": "s", "objects": ["counter"], "privileges": ["USAGE"]},
        "REVOKE USAGE ON SEQUENCE s.counter FROM {r}",
        "GRANT UPDATE ON SEQUENCE s.counter TO {r}",
    ),
    (
        {"objectType": "function", "schema": "s", "objects": ["f(text, int[])"], "privileges": ["EXECUTE"]},
        "REVOKE EXECUTE ON FUNCTION s.f(text, int[]) FROM {r}",
        "",
    ),
    (
        {"objectType": "function", "schema": "s", "objects": ["f"], "privileges": ["EXECUTE"]},
        "REVOKE EXECUTE ON FUNCTION s.f(text, int[]) FROM {r}",
        "",
    ),
    (
        {"objectType": "procedure", "schema": "s", "privileges": ["EXECUTE"]},
        "REVOKE EXECUTE ON PROCEDURE s.p() FROM {r}",
        "",
    ),
    (
        {"objectType": "routine", "schema": "s", "privileges": ["EXECUTE"]},
        "REVOKE EXECUTE ON PROCEDURE s.p() FROM {r}",
        "",
    ),
]
# What `replace` or `update` mends: a list of columns replaces, as officially.
REPLACED = "column"


@pytest.mark.parametrize(("inputs", "undo", "excess"), KINDS, ids=lambda value: str(value)[:60])
def test_a_grant_holds_and_what_differs_is_drift(
    postgres: Postgres, make: Make, database: str, role: str, inputs: dict[str, Any], undo: str, excess: str
) -> None:
    wanted = {"role": role, "database": database, **inputs}
    live = make("Grant", **wanted)
    mend = "replace" if inputs["objectType"] == REPLACED else "update"
    for statement in filter(None, (undo, excess)):
        postgres.run(statement.format(r=role, d=database), database=database)
        assert live.refresh() == "changed", statement
        assert live.diff(wanted).changes
        assert live.up(wanted) == mend
        settled(live, wanted)
    live.destroy()
    assert privileges_of(postgres, database, role) == []


@pytest.mark.parametrize(("inputs", "undo", "excess"), KINDS, ids=lambda value: str(value)[:60])
def test_ids_are_those_of_the_official_provider(
    make: Make, database: str, role: str, inputs: dict[str, Any], undo: str, excess: str
) -> None:
    live = make("Grant", role=role, database=database, **inputs)
    schema = f"_{inputs['schema']}" if "schema" in inputs else ""
    assert live.id is not None
    assert live.id.startswith(f"{role}_{database}{schema}_{inputs['objectType']}")
    assert all(f"_{name}" in live.id for name in inputs.get("objects", []) + inputs.get("columns", []))


def test_privileges_change_in_place(postgres: Postgres, make: Make, database: str, role: str) -> None:
    wanted = {"role": role, "database": database, "schema": "s", "objectType": "table", "objects": ["users"]}
    live = make("Grant", **wanted, privileges=["SELECT", "INSERT"])
    assert live.diff({**wanted, "privileges": ["INSERT", "SELECT"]}).changes == {}, "the order means nothing"
    assert live.up({**wanted, "privileges": ["INSERT", "UPDATE"]}) == "update"
    settled(live, {**wanted, "privileges": ["INSERT", "UPDATE"]})
    assert privileges_of(postgres, database, role) == ["INSERT", "UPDATE"]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"objects": ["users", "runs"]}, "objects[1]"),
        ({"withGrantOption": True}, "withGrantOption"),
        ({"schema": "public", "objects": []}, "schema"),
    ],
)
def test_everything_else_replaces_and_revokes_first(
    make: Make, database: str, role: str, change: dict[str, Any], path: str
) -> None:
    wanted = {
        "role": role, "database": database, "schema": "s", "objectType": "table", "objects": ["users"],
        "privileges": ["SELECT"],
    }  # fmt: skip
    live = make("Grant", **wanted)
    changed = {**wanted, **change}
    diff = live.diff(changed)
    assert diff.changes[path].endswith("_REPLACE")
    assert diff.delete_before_replace
    assert live.up(changed) == "replace"
    settled(live, changed)


PUBLIC: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"objectType": "database"}, "GRANT CONNECT ON DATABASE {d} TO PUBLIC", ["CONNECT"]),
    ({"objectType": "schema", "schema": "public"}, "GRANT USAGE ON SCHEMA public TO PUBLIC", ["USAGE"]),
    ({"objectType": "table", "schema": "s"}, "GRANT SELECT ON s.users TO PUBLIC", ["SELECT"]),
    ({"objectType": "table", "schema": "s"}, "GRANT SELECT (hash) ON s.users TO PUBLIC", ["SELECT"]),
    ({"objectType": "function", "schema": "s"}, "GRANT EXECUTE ON FUNCTION s.f() TO PUBLIC", ["EXECUTE"]),
    (
        {"objectType": "function", "schema": "s"},
        "CREATE FUNCTION s.later() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        ["EXECUTE"],
    ),
]


@pytest.mark.parametrize(("inputs", "undo", "seen"), PUBLIC, ids=lambda value: str(value)[:60])
def test_a_revoke_from_public_that_somebody_undoes_is_drift(
    postgres: Postgres, make: Make, database: str, inputs: dict[str, Any], undo: str, seen: list[str]
) -> None:
    wanted = {"role": "public", "database": database, "privileges": [], **inputs}
    live = make("Grant", **wanted)
    postgres.run(undo.format(d=database), database=database)
    assert live.refresh() == "changed"
    assert live.state["privileges"] == seen
    assert live.up(wanted) == "update"
    settled(live, wanted)


def test_the_built_in_rights_of_public_on_a_new_database_are_seen(
    postgres: Postgres, make: Make, database: str
) -> None:
    wanted = {"role": "public", "database": database, "objectType": "database", "privileges": []}
    live = make("Grant", **wanted)
    postgres.run("DROP DATABASE {} WITH (FORCE)", database)
    assert live.refresh() == "gone"
    postgres.run("CREATE DATABASE {}", database)
    assert live.up(wanted) == "create"
    assert postgres.run(f"SELECT has_database_privilege('public', '{database}', 'CONNECT')") == [(False,)]


def test_table_rights_can_be_taken_without_touching_columns(
    postgres: Postgres, make: Make, database: str, role: str
) -> None:
    users: dict[str, Any] = {"role": role, "database": database, "schema": "s", "objects": ["users"]}
    on_table = {**users, "objectType": "table", "privileges": []}
    on_columns = {**users, "objectType": "column", "columns": ["id", "name"], "privileges": ["SELECT"]}
    table = make("Grant", **on_table)
    columns = make("Grant", **on_columns)
    settled(table, on_table)
    postgres.run("GRANT SELECT ON s.users TO {}", role, database=database)
    assert table.refresh() == "changed"
    assert columns.refresh() == "same"
    assert table.up(on_table) == "update"
    settled(table, on_table)
    settled(columns, on_columns)
    allowed = "SELECT has_column_privilege('{r}', 's.users', 'hash', 'SELECT')"
    assert postgres.run(allowed.format(r=role), database=database) == [(False,)]


def test_new_tables_of_the_schema_are_missing_privileges(
    postgres: Postgres, make: Make, database: str, role: str
) -> None:
    wanted = {"role": role, "database": database, "schema": "s", "objectType": "table", "privileges": ["SELECT"]}
    live = make("Grant", **wanted)
    postgres.run("CREATE TABLE s.later (id int)", database=database)
    assert live.refresh() == "changed"
    assert live.up(wanted) == "update"
    settled(live, wanted)


def test_a_grant_option_given_by_hand_is_drift(postgres: Postgres, make: Make, database: str, role: str) -> None:
    wanted = {"role": role, "database": database, "schema": "s", "objectType": "schema", "privileges": ["USAGE"]}
    live = make("Grant", **wanted)
    postgres.run("GRANT USAGE ON SCHEMA s TO {} WITH GRANT OPTION", role, database=database)
    assert live.refresh() == "changed"
    assert live.up(wanted) == "replace"
    settled(live, wanted)


@pytest.mark.parametrize(
    "statement",
    [
        "DROP DATABASE {d} WITH (FORCE)",
        "DROP OWNED BY {r}; DROP ROLE {r}",
        "DROP SCHEMA s CASCADE",
        "DROP TABLE s.runs",
    ],
)
def test_a_grant_without_its_role_or_object_is_gone(
    postgres: Postgres, make: Make, database: str, role: str, statement: str
) -> None:
    live = make(
        "Grant", role=role, database=database, schema="s", objectType="table", objects=["runs"], privileges=["SELECT"]
    )
    kept = Live(live.plugin, live.token, live.name, live.id, live.inputs, live.state)
    where = "postgres" if "DATABASE" in statement else database
    postgres.run(statement.format(d=database, r=role), database=where)
    assert live.refresh() == "gone"
    kept.destroy()


def privileges_of(postgres: Postgres, database: str, role: str) -> list[str]:
    """Every privilege that the role holds on anything in the database, on the database itself, and on columns."""
    query = f"""
        SELECT DISTINCT x.privilege_type FROM (
            SELECT relacl FROM pg_class UNION ALL SELECT nspacl FROM pg_namespace UNION ALL SELECT proacl FROM pg_proc
            UNION ALL SELECT attacl FROM pg_attribute UNION ALL SELECT datacl FROM pg_database
        ) a (acl), aclexplode(a.acl) x WHERE x.grantee = '{role}'::regrole ORDER BY 1"""
    return [privilege for (privilege,) in postgres.run(query, database=database)]
