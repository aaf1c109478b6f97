"""``pipe:sql:Takeover``: what was restored takes the place of what the stack made, and keeps all that is its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from provider.restore import takeover
from tests.provider.airgap.harness import Failed
from tests.provider.pipe.conftest import PASSWORD, Database
from tests.provider.pipe.driver import PipePlugin

pytestmark = pytest.mark.integration

# As the restore leaves it: the source's roles and database aside, no password, nobody let in.
ASIDE = """
CREATE ROLE pipe_keeper_restored NOLOGIN;
CREATE ROLE pipe_client_restored LOGIN CONNECTION LIMIT 3 IN ROLE pg_read_all_data;
CREATE ROLE pipe_by_hand_restored NOLOGIN;
ALTER ROLE pipe_client_restored SET search_path = elsewhere;
"""
TABLES = """
CREATE SCHEMA kept AUTHORIZATION pipe_keeper_restored;
CREATE TABLE kept.things AS SELECT 7 AS number;
ALTER TABLE kept.things OWNER TO pipe_keeper_restored;
GRANT SELECT ON kept.things TO pipe_client_restored;
GRANT USAGE ON SCHEMA kept TO pipe_client_restored;
ALTER TABLE kept.things ENABLE ROW LEVEL SECURITY;
CREATE POLICY for_the_client ON kept.things TO pipe_client_restored USING (number = 7);
"""
# As the program makes them in what it takes for an empty cluster.
MADE = f"""
CREATE ROLE pipe_keeper NOLOGIN;
CREATE ROLE pipe_client LOGIN PASSWORD '{PASSWORD}' IN ROLE pipe_keeper;
ALTER ROLE pipe_client SET search_path = pipe, "$user";
COMMENT ON ROLE pipe_client IS 'made now';
"""
ROLES = ("pipe_client", "pipe_keeper", "pipe_by_hand")


@pytest.fixture
def restored(database: Database) -> Iterator[Database]:
    """The test's database as the one that was restored, and an empty one of its name."""
    aside = f"{database.name}{takeover.SUFFIX}"
    with database.server.connect() as session:
        session.execute(ASIDE)
        with database.server.connect(database.name) as inside:
            inside.execute(TABLES)
        session.execute(f'ALTER DATABASE "{database.name}" RENAME TO "{aside}"'.encode())
        session.execute(f'ALTER DATABASE "{aside}" ALLOW_CONNECTIONS false'.encode())
        session.execute(MADE)
        session.execute(f'CREATE DATABASE "{database.name}" OWNER pipe_keeper TEMPLATE template0'.encode())
    yield database
    with database.server.connect() as session:
        for name in (database.name, aside):
            session.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
        for role in (*ROLES, *(f"{role}{takeover.SUFFIX}" for role in ROLES)):
            session.execute(f"DROP ROLE IF EXISTS {role}".encode())
        # The fixture below removes it once more.
        session.execute(f'CREATE DATABASE "{database.name}"'.encode())


def inputs(database: Database) -> dict[str, Any]:
    return {"database": database.name, "username": "postgres", "password": PASSWORD}


def test_it_keeps_what_is_its_own_and_gets_what_was_made(restored: Database, plugin: PipePlugin) -> None:
    plugin.live("sql:Takeover").up(inputs(restored))
    assert restored.rows(
        "SELECT pg_get_userbyid(relowner), (SELECT polroles::regrole[]::text FROM pg_policy) FROM pg_class"
        " WHERE relname = 'things'"
    ) == [("pipe_keeper", "{pipe_client}")]
    assert restored.rows(
        "SELECT rolcanlogin, rolconnlimit, rolconfig, shobj_description(oid, 'pg_authid'),"
        " ARRAY(SELECT roleid::regrole::text FROM pg_auth_members WHERE member = r.oid)"
        " FROM pg_roles AS r WHERE rolname = 'pipe_client'"
    ) == [(True, -1, ['search_path=pipe, "$user"'], "made now", ["pipe_keeper"])]
    with psycopg.connect(
        host="127.0.0.1", port=restored.server.port, dbname=restored.name, user="pipe_client", password=PASSWORD
    ) as session:
        assert session.execute("SELECT number FROM kept.things").fetchall() == [(7,)]


def test_what_the_stack_does_not_make_gets_its_name_back(restored: Database, plugin: PipePlugin) -> None:
    plugin.live("sql:Takeover").up(inputs(restored))
    assert restored.rows("SELECT rolname FROM pg_roles WHERE rolname LIKE '%restored'") == []
    assert restored.rows("SELECT rolpassword FROM pg_authid WHERE rolname = 'pipe_by_hand'") == [(None,)]


@pytest.mark.parametrize(
    "done",
    [
        'DROP DATABASE "{name}"',
        'DROP DATABASE "{name}"; ALTER DATABASE "{name}_restored" RENAME TO "{name}"',
    ],
    ids=["the-empty-one-is-gone", "the-database-is-back"],
)
def test_an_interrupted_one_is_gone_on_with(restored: Database, plugin: PipePlugin, done: str) -> None:
    with restored.server.connect() as session:
        for statement in done.format(name=restored.name).split("; "):
            session.execute(statement.encode())
    plugin.live("sql:Takeover").up(inputs(restored))
    assert restored.rows("SELECT number FROM kept.things") == [(7,)]
    assert restored.rows("SELECT rolname FROM pg_roles WHERE rolname LIKE '%restored'") == []


def test_a_database_with_data_makes_no_room(restored: Database, plugin: PipePlugin) -> None:
    restored.rows("CREATE TABLE of_somebody ()")
    with pytest.raises(Failed) as caught:
        plugin.live("sql:Takeover").up(inputs(restored))
    assert (
        f'the database "{restored.name}" is not empty, so the restored one does not take its place\n'
        f'HINT: look at both: "{restored.name}" and "{restored.name}_restored"; drop the one that is not wanted'
    ) in str(caught.value)


def test_a_cluster_that_was_not_restored_stays_as_it_is(database: Database, plugin: PipePlugin) -> None:
    database.rows("CREATE TABLE pipe.things ()")
    live = plugin.live("sql:Takeover")
    live.up(inputs(database))
    assert database.rows("SELECT count(*) FROM pipe.things") == [(0,)]
    assert not live.diff(inputs(database) | {"password": "another"}).changes
