"""Database, Schema and Extension: their whole lives."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fixtures.postgres import Postgres
from tests.provider.airgap.fix_postgresql import Make, Unique, settled, token
from tests.provider.airgap.harness import Failed, Live, Plugin, Refused

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("postgresql")]


def test_a_database_is_made_and_dropped_with_its_sessions(postgres: Postgres, make: Make, unique: Unique) -> None:
    name, owner = unique("d"), unique("owner")
    make("Role", name=owner)
    live = make("Database", name=name, owner=owner, encoding="utf-8", lcCollate="C", lcCtype="C")
    assert live.id == name
    assert live.state["encoding"] == "UTF8"
    assert live.state["template"] == "template0"
    session = postgres.connect(name)
    live.destroy()
    assert postgres.run(f"SELECT 1 FROM pg_database WHERE datname = '{name}'") == []
    session.close()


@pytest.mark.parametrize(
    ("change", "by_hand"),
    [
        ({"connectionLimit": 9}, "CONNECTION LIMIT 8"),
        ({"allowConnections": False}, "ALLOW_CONNECTIONS true"),
        ({"isTemplate": True}, "IS_TEMPLATE false"),
        ({"owner": "OWNER"}, "OWNER TO CURRENT_USER"),
    ],
)
def test_a_database_changes_in_place_and_its_drift_is_mended(
    postgres: Postgres, make: Make, unique: Unique, change: dict[str, Any], by_hand: str
) -> None:
    name, owner = unique("d"), unique("owner")
    make("Role", name=owner)
    live = make("Database", name=name)
    wanted = {"name": name, **{key: owner if value == "OWNER" else value for key, value in change.items()}}
    assert live.up(wanted) == "update"
    settled(live, wanted)
    postgres.run(f"ALTER DATABASE {{}} {by_hand}", name)
    assert live.refresh() == "changed"
    assert set(live.diff(wanted).changes) == set(change)
    assert live.up(wanted) == "update"
    settled(live, wanted)
    live.destroy()


@pytest.mark.parametrize(
    "change", [{"encoding": "LATIN1"}, {"lcCollate": "C"}, {"lcCtype": "C"}, {"template": "template1"}]
)
def test_what_is_fixed_at_birth_replaces(make: Make, unique: Unique, change: dict[str, Any]) -> None:
    name = unique("d")
    live = make("Database", name=name)
    diff = live.diff({"name": name, **change})
    assert diff.replaces == list(change)


def test_a_database_is_renamed_although_we_were_connected_to_it(make: Make, unique: Unique) -> None:
    old, new = unique("old"), unique("new")
    live = make("Database", name=old)
    make("Schema", name="s", database=old)
    assert live.up({"name": new}) == "update"
    settled(live, {"name": new})


def test_a_new_owner_gets_the_objects_where_asked_for(postgres: Postgres, make: Make, unique: Unique) -> None:
    name, first, second = unique("d"), unique("a"), unique("b")
    for role in (first, second):
        make("Role", name=role)
    live = make("Database", name=name, owner=first, alterObjectOwnership=True)
    make("Schema", name="s", database=name, owner=first)
    wanted = {"name": name, "owner": second, "alterObjectOwnership": True}
    assert live.up(wanted) == "update"
    settled(live, wanted)
    assert postgres.run("SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 's'", database=name) == [
        (second,)
    ]


def test_a_template_is_copied_although_we_were_connected_to_it(make: Make, unique: Unique) -> None:
    first, second = unique("first"), unique("second")
    make("Database", name=first)
    make("Schema", name="copied", database=first)
    make("Database", name=second, template=first)
    make("Schema", name="copied", database=second)


def test_a_database_that_was_dropped_is_gone_and_comes_back(postgres: Postgres, make: Make, unique: Unique) -> None:
    name = unique("d")
    live = make("Database", name=name)
    schema = make("Schema", name="s", database=name)
    kept = Live(schema.plugin, schema.token, schema.name, schema.id, schema.inputs, schema.state)
    postgres.run("DROP DATABASE {} WITH (FORCE)", name)
    assert live.refresh() == "gone"
    assert schema.refresh() == "gone"
    kept.destroy()
    assert live.up({"name": name}) == "create"
    assert schema.up({"name": "s", "database": name}) == "create"


def test_a_database_is_imported(postgres: Postgres, sql_plugin: Plugin, unique: Unique) -> None:
    name = unique("d")
    postgres.run("CREATE DATABASE {} CONNECTION LIMIT 3", name)
    live = Live(sql_plugin, token("Database"), "imported")
    assert live.adopt(name)
    settled(live, {"name": name, "connectionLimit": 3})
    assert not Live(sql_plugin, token("Database"), "none").adopt("no_such_database")


def test_an_existing_database_is_not_taken_over_but_an_own_one_is_found_again(
    postgres: Postgres, sql_plugin: Plugin, make: Make, unique: Unique
) -> None:
    name, lost = unique("foreign"), unique("lost")
    postgres.run("CREATE DATABASE {}", name)
    with pytest.raises(Failed) as failed:
        make("Database", name=name)
    assert str(failed.value) == (
        f'could not create database "{name}": it exists already\n'
        "HINT: take it over with `pulumi import`, or choose another name"
    )
    first = make("Database", name=lost)
    again = Live(sql_plugin, token("Database"), first.name)
    assert again.up({"name": lost, "connectionLimit": 4}) == "create"
    settled(again, {"name": lost, "connectionLimit": 4})


def test_the_sentence_of_a_failed_create_names_the_cause(make: Make, unique: Unique) -> None:
    name = unique("d")
    with pytest.raises(Failed) as failed:
        make("Database", name=name, owner="nobody")
    assert str(failed.value) == (
        f'could not create database "{name}": role "nobody" does not exist [SQLSTATE 42704]\n'
        "HINT: create it first, or let this resource depend on the one that does; names are case-sensitive"
    )
    with pytest.raises(Refused) as refused:
        make("Database", name=name, lcCollate="DEFAULT")
    assert refused.value.failures == {"lcCollate": "must be a name; leave it out for the default"}


def test_a_schema_lives(postgres: Postgres, make: Make, database: str, role: str) -> None:
    live = make("Schema", name="pipe", database=database, owner=role)
    assert live.id == f"{database}.pipe"
    postgres.run("ALTER SCHEMA pipe OWNER TO CURRENT_USER", database=database)
    assert live.refresh() == "changed"
    wanted = {"name": "pipe", "database": database, "owner": role}
    assert live.diff(wanted).changes == {"owner": "UPDATE"}
    assert live.up(wanted) == "update"
    settled(live, wanted)
    renamed = {**wanted, "name": "pipe2"}
    assert live.up(renamed) == "update"
    settled(live, renamed)
    assert live.diff({**renamed, "database": "postgres"}).replaces == ["database"]
    postgres.run("DROP SCHEMA pipe2", database=database)
    assert live.refresh() == "gone"
    assert live.up(renamed) == "create"
    postgres.run("CREATE TABLE pipe2.t ()", database=database)
    with pytest.raises(Failed) as failed:
        live.destroy()
    assert str(failed.value) == (
        f'could not drop schema "pipe2" in database "{database}": cannot drop schema pipe2 because other objects '
        "depend on it (table pipe2.t depends on schema pipe2) [SQLSTATE 2BP01]\n"
        "HINT: remove what depends on it first, or let those resources be deleted before this one (depends_on)"
    )
    assert live.up({**renamed, "dropCascade": True}) == "update"
    live.destroy()


def test_a_schema_that_exists_is_used_unless_forbidden(make: Make, database: str, role: str) -> None:
    make("Schema", name="s", database=database, owner=role)
    with pytest.raises(Failed) as failed:
        make("Schema", name="s", database=database, ifNotExists=False)
    assert str(failed.value) == (
        f'could not create schema "s" in database "{database}": it exists already\n'
        "HINT: set ifNotExists, take it over with `pulumi import`, or choose another name"
    )


def test_a_schema_is_imported(sql_plugin: Plugin, database: str) -> None:
    live = Live(sql_plugin, token("Schema"), "imported")
    assert live.adopt(f"{database}.s")
    settled(live, {"name": "s", "database": database})
    assert not Live(sql_plugin, token("Schema"), "none").adopt(f"{database}.nope")
    assert not Live(sql_plugin, token("Schema"), "none").adopt("nope.s")
    with pytest.raises(Failed) as failed:
        Live(sql_plugin, token("Schema"), "bad").adopt("justaname")
    assert str(failed.value) == 'schema id "justaname" is not of the form "database.schema"'


def test_an_extension_lives(postgres: Postgres, make: Make, database: str) -> None:
    live = make("Extension", name="pg_stat_statements", database=database, version="1.9")
    assert live.id == f"{database}.pg_stat_statements"
    assert live.state["schema"] == "public"
    wanted = {"name": "pg_stat_statements", "database": database, "version": "1.10", "schema": "s"}
    assert live.diff(wanted).replaces == []
    assert live.up(wanted) == "update"
    settled(live, wanted)
    postgres.run("ALTER EXTENSION pg_stat_statements SET SCHEMA public", database=database)
    assert live.refresh() == "changed"
    assert live.up(wanted) == "update"
    settled(live, wanted)
    assert live.diff({**wanted, "name": "pg_trgm"}).replaces == ["name"]
    postgres.run("DROP EXTENSION pg_stat_statements", database=database)
    assert live.refresh() == "gone"
    assert live.up(wanted) == "create"
    live.destroy()
    live = Live(live.plugin, live.token, "imported")
    postgres.run("CREATE EXTENSION pg_trgm", database=database)
    assert live.adopt(f"{database}.pg_trgm")
    settled(live, {"name": "pg_trgm", "database": database})


def test_an_extension_that_is_not_installed_is_named(make: Make, database: str) -> None:
    with pytest.raises(Failed) as failed:
        make("Extension", name="nope", database=database)
    assert str(failed.value) == (
        f'could not create extension "nope" in database "{database}": extension "nope" is not available '
        '(Could not open extension control file "/usr/share/postgresql/17/extension/nope.control": '
        "No such file or directory) [SQLSTATE 0A000]\n"
        "HINT: install the package that brings this extension on every server of the cluster"
    )
