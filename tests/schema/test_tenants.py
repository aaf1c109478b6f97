"""Tenant isolation, on and off: who sees and changes which tenant's rows, and what it must not get in the way of.

Everything happens in one transaction of the superuser, who acts as the role in question and is rolled back: row
security goes by the current role.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from infra.access import matrix
from tests import timeouts
from tests.asserts.eventually import eventually
from tests.fixtures.schema_database import Connection, SchemaDatabase
from tests.schema.rows import SHA256, Tenant, make_tenant, one

MONTH = "archive.pipeline_runs_y2001m01"
BAD = psycopg.errors.InvalidTextRepresentation


@dataclass(frozen=True)
class Table:
    """A tenant's table: which column finds the row in question, what inserts one like it, what an update touches."""

    name: str
    insert: LiteralString
    """With %(organization)s, %(pipeline)s, %(user)s and %(spare)s, a user who is in no organization."""
    update: LiteralString


TABLES = (
    Table("organizations", "INSERT INTO pipe.organizations (id, name) VALUES (%(organization)s, 'x')", "name = 'y'"),
    Table(
        "organization_members",
        "INSERT INTO pipe.organization_members (organization_id, user_id, role)"
        " VALUES (%(organization)s, %(spare)s, 'member')",
        "role = 'admin'",
    ),
    Table(
        "pipelines",
        "INSERT INTO pipe.pipelines (organization_id, name, config) VALUES (%(organization)s, 'x', '{}')",
        "name = 'y'",
    ),
    Table(
        "pipeline_runs",
        "INSERT INTO pipe.pipeline_runs (pipeline_id, status) VALUES (%(pipeline)s, 'queued')",
        "status = 'running'",
    ),
    Table(
        "storage_files",
        "INSERT INTO pipe.storage_files (organization_id, path, size) VALUES (%(organization)s, 'x', 0)",
        "size = 1",
    ),
    Table(
        "api_keys",
        f"INSERT INTO pipe.api_keys (organization_id, name, key_hash) VALUES (%(organization)s, 'x', '{SHA256}')",
        "name = 'y'",
    ),
)
each_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
# Whose organization the transaction names, seen from the row in question; and whether that gives access.
each_setting = pytest.mark.parametrize(("named", "allowed"), [("own", True), ("other", False), ("none", False)])
both_ways = pytest.mark.parametrize("isolated", [True, False], ids=["on", "off"])


@dataclass(frozen=True)
class World:
    """Two tenants with a row in every table, and a session that acts as any role."""

    session: Connection
    ours: Tenant
    theirs: Tenant
    spare: UUID

    def isolate(self, on: bool) -> object:
        """Turn isolation on or off, as the owner; return how many tables that changed."""
        self.act("pipe_owner", None)
        return one(self.session, "SELECT pipe.apply_tenant_isolation(%s)", on)

    def act(self, role: str, organization: object) -> None:
        """Be `role` from here on, in a transaction that names `organization`."""
        self.session.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
        self.session.execute(
            "SELECT set_config('pipe.organization_id', %s, true)", ("" if organization is None else str(organization),)
        )

    def name(self, whose: str, role: str = matrix.APP) -> None:
        """Be `role`, with our organization named, theirs, or none."""
        organizations = {"own": self.ours.organization, "other": self.theirs.organization, "none": None}
        self.act(role, organizations[whose])

    def values(self, **more: Any) -> dict[str, Any]:
        """What an insert of our rows needs."""
        ours = {"organization": self.ours.organization, "pipeline": self.ours.pipeline, "user": self.ours.user}
        return {**ours, "spare": self.spare, **more}

    def our_rows(self, table: str) -> sql.Composed:
        """Condition that finds our rows of `table`."""
        column, value = {
            "organizations": ("id", self.ours.organization),
            "pipeline_runs": ("pipeline_id", self.ours.pipeline),
        }.get(table, ("organization_id", self.ours.organization))
        return sql.SQL("{} = {}").format(sql.Identifier(column), sql.Literal(value))

    def count(self, schema: str, table: str) -> object:
        """How many of our rows the present role sees."""
        query = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(sql.Identifier(schema, table), self.our_rows(table))
        row = self.session.execute(query).fetchone()
        assert row is not None
        return row[0]


@pytest.fixture
def world(owner: Connection) -> World:
    ours, theirs = make_tenant(owner), make_tenant(owner)
    spare = make_tenant(owner).user
    for tenant in (ours, theirs):
        for table in TABLES[1:]:
            if table.name != "pipelines":
                user = tenant.user if table.name == "organization_members" else spare
                ids = {"organization": tenant.organization, "pipeline": tenant.pipeline, "spare": user}
                owner.execute(table.insert, ids)
    owner.execute(
        f"CREATE TABLE {MONTH} PARTITION OF archive.pipeline_runs"
        " FOR VALUES FROM ('2001-01-01 00:00+00') TO ('2001-02-01 00:00+00')"
    )
    owner.execute("SET LOCAL session_replication_role = replica")
    for tenant in (ours, theirs):
        owner.execute(
            "INSERT INTO archive.pipeline_runs (pipeline_id, status, started_at)"
            " VALUES (%s, 'completed', '2001-01-15 00:00+00')",
            (tenant.pipeline,),
        )
    owner.execute("RESET session_replication_role")
    assert isinstance(spare, UUID)
    return World(owner, ours, theirs, spare)


@both_ways
@each_setting
@each_table
def test_select(world: World, table: Table, named: str, allowed: bool, isolated: bool) -> None:
    world.isolate(isolated)
    for role in (matrix.APP, matrix.READONLY):
        world.name(named, role)
        assert world.count("pipe", table.name) == (1 if allowed or not isolated else 0), role


@both_ways
@each_setting
@pytest.mark.parametrize(("schema", "table"), [("archive", "pipeline_runs"), ("pipe", "pipeline_runs_all")])
def test_select_from_history(world: World, schema: str, table: str, named: str, allowed: bool, isolated: bool) -> None:
    world.isolate(isolated)
    for role in (matrix.APP, matrix.READONLY):
        world.name(named, role)
        condition = sql.SQL("pipeline_id = {}").format(sql.Literal(world.ours.pipeline))
        query = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(sql.Identifier(schema, table), condition)
        everything = 1 if schema == "archive" else 2
        assert world.session.execute(query).fetchone() == (everything if allowed or not isolated else 0,), role


@both_ways
@each_setting
@each_table
def test_insert(world: World, table: Table, named: str, allowed: bool, isolated: bool) -> None:
    world.isolate(isolated)
    world.name(named)
    values = world.values()
    if table.name == "organizations":
        values["organization"] = uuid4()
        if named == "own":
            world.act(matrix.APP, values["organization"])
    if allowed or not isolated:
        world.session.execute(table.insert, values)
    else:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="violates row-level security policy"):
            world.session.execute(table.insert, values)


@both_ways
@each_setting
@each_table
def test_update(world: World, table: Table, named: str, allowed: bool, isolated: bool) -> None:
    world.isolate(isolated)
    world.name(named)
    statement = sql.SQL("UPDATE {} SET {} WHERE {}").format(
        sql.Identifier("pipe", table.name), sql.SQL(table.update), world.our_rows(table.name)
    )
    assert world.session.execute(statement).rowcount == (1 if allowed or not isolated else 0)


@both_ways
@each_setting
@each_table
def test_delete(world: World, table: Table, named: str, allowed: bool, isolated: bool) -> None:
    """An organization and a pipeline have rows that refer to them: where they are reached, that is what refuses."""
    world.isolate(isolated)
    world.name(named)
    statement = sql.SQL("DELETE FROM {} WHERE {}").format(
        sql.Identifier("pipe", table.name), world.our_rows(table.name)
    )
    reached = allowed or not isolated
    if reached and table.name in ("organizations", "pipelines"):
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            world.session.execute(statement)
    else:
        assert world.session.execute(statement).rowcount == (1 if reached else 0)


@each_table
def test_a_row_cannot_be_given_to_another_tenant(world: World, table: Table) -> None:
    world.isolate(True)
    world.name("own")
    column, value = {
        "organizations": ("id", uuid4()),
        "pipeline_runs": ("pipeline_id", world.theirs.pipeline),
    }.get(table.name, ("organization_id", world.theirs.organization))
    statement = sql.SQL("UPDATE {} SET {} = {} WHERE {}").format(
        sql.Identifier("pipe", table.name), sql.Identifier(column), sql.Literal(value), world.our_rows(table.name)
    )
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="violates row-level security policy"):
        world.session.execute(statement)


def test_whoever_acts_as_the_owner_is_not_held_up(world: World) -> None:
    """Migrations, jobs and archiving run as pipe_migrator, who inherits from the owner."""
    world.isolate(True)
    for role in (matrix.OWNER, matrix.MIGRATOR):
        world.name("none", role)
        assert [world.count("pipe", table.name) for table in TABLES] == [1] * len(TABLES)
        assert world.count("archive", "pipeline_runs") == 1


def test_the_second_login_of_the_application_is_isolated_too(world: World) -> None:
    world.isolate(True)
    world.name("none", matrix.APP_B)
    assert world.count("pipe", "pipelines") == 0
    world.name("own", matrix.APP_B)
    assert world.count("pipe", "pipelines") == 1


def test_changes_are_audited_with_their_organization(world: World) -> None:
    world.isolate(True)
    world.name("own")
    world.session.execute("UPDATE pipe.pipeline_runs SET status = 'failed'")
    world.act(matrix.AUDITOR, None)
    query = "SELECT count(*) FROM pipe.audit_logs WHERE table_name = 'pipeline_runs' AND operation = 'UPDATE'"
    assert one(world.session, f"{query} AND organization_id = %s", world.ours.organization) == 1
    assert one(world.session, f"{query} AND organization_id = %s", world.theirs.organization) == 0


def test_foreign_keys_hold_across_what_is_hidden(world: World) -> None:
    world.isolate(True)
    world.name("own")
    world.session.execute("DELETE FROM pipe.pipeline_runs")
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        world.session.execute("DELETE FROM pipe.users WHERE id = %s", (world.theirs.user,))


def test_an_organization_is_found_before_one_is_named(world: World) -> None:
    world.isolate(True)
    world.name("own")
    key = one(world.session, "SELECT id FROM pipe.api_keys")
    world.name("none")
    assert one(world.session, "SELECT pipe.organization_of_api_key(%s)", key) == world.ours.organization
    assert one(world.session, "SELECT pipe.organization_of_api_key(%s)", uuid4()) is None
    found = world.session.execute("SELECT * FROM pipe.organizations_of_user(%s)", (world.ours.user,)).fetchall()
    assert found == [(world.ours.organization, "Acme", "member")]


@both_ways
def test_every_table_that_the_application_reads_is_isolated_or_is_users(world: World, isolated: bool) -> None:
    world.isolate(isolated)
    open_tables = world.session.execute(
        "SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relrowsecurity"
        " AND relnamespace IN ('pipe'::regnamespace, 'archive'::regnamespace)"
        " AND (has_any_column_privilege('pipe_app', oid, 'SELECT')"
        " OR has_any_column_privilege('pipe_readonly', oid, 'SELECT'))"
    ).fetchall()
    tables = {"users", *(table.name for table in TABLES)} if not isolated else {"users"}
    expected = {f"pipe.{name}" for name in tables} | (set() if isolated else {"archive.pipeline_runs"})
    assert {name for (name,) in open_tables} == expected


def test_a_table_of_a_later_migration_is_isolated_and_one_that_is_already_stays_untouched(world: World) -> None:
    assert world.isolate(True) == len(TABLES) + 1
    assert world.isolate(True) == 0
    world.session.execute("CREATE TABLE pipe.later (organization_id uuid)")
    assert world.isolate(True) == 1
    assert world.isolate(False) == len(TABLES) + 2
    assert world.isolate(False) == 0
    assert one(world.session, "SELECT count(*) FROM pg_policy WHERE polname = 'tenant'") == 0


def test_a_month_on_its_way_to_the_archive_is_left_alone(world: World) -> None:
    """Else it would keep a policy that nobody takes off it there; reading it is the owner's alone."""
    world.act(matrix.OWNER, None)
    world.session.execute(f"ALTER TABLE archive.pipeline_runs DETACH PARTITION {MONTH}".encode())
    assert world.isolate(True) == len(TABLES) + 1
    assert one(world.session, f"SELECT relrowsecurity FROM pg_class WHERE oid = '{MONTH}'::regclass") is False


def test_a_condition_that_changed_is_applied(world: World) -> None:
    world.isolate(True)
    world.session.execute("COMMENT ON POLICY tenant ON pipe.pipelines IS 'an older condition'")
    assert world.isolate(True) == 1


@pytest.mark.parametrize("value", ["acme", "1", "00000000-0000-0000-0000-00000000000g", " "])
def test_a_setting_that_is_no_uuid_is_refused_clearly(world: World, value: str) -> None:
    world.isolate(True)
    world.act(matrix.APP, value)
    with pytest.raises(BAD, match=r"setting pipe\.organization_id is not a uuid") as refused:
        world.session.execute("SELECT FROM pipe.pipelines")
    assert "SET LOCAL pipe.organization_id" in str(refused.value.diag.message_hint)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(st.one_of(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), st.uuids().map(str)))
def test_no_setting_shows_rows_of_an_organization_that_it_does_not_name(app: Connection, value: str) -> None:
    with suppress(BAD), app.transaction(force_rollback=True):
        app.execute("SELECT set_config('pipe.organization_id', %s, true)", (value,))
        found = one(app, "SELECT pipe.current_organization()")
        assert found is None if value == "" else found == UUID(value)


def test_a_setting_ends_with_its_transaction(database: SchemaDatabase) -> None:
    with database.session(matrix.APP) as session:
        session.execute("SELECT set_config('pipe.organization_id', %s, true)", (str(uuid4()),))
        session.commit()
        assert one(session, "SELECT pipe.current_organization()") is None


def test_a_busy_table_is_waited_for_without_holding_up_the_others(database: SchemaDatabase) -> None:
    changed: list[object] = []

    def isolate(on: bool) -> None:
        with database.session(matrix.MIGRATOR, autocommit=True) as session:
            session.execute("SET ROLE pipe_owner")
            changed.append(one(session, "SELECT pipe.apply_tenant_isolation(%s)", on))

    with database.session(matrix.APP) as reader, database.session(matrix.APP) as writer:
        reader.execute("SELECT FROM pipe.storage_files")
        thread = threading.Thread(target=isolate, args=(True,))
        thread.start()
        try:
            eventually(lambda: sleeping(database), bool, timeouts.COMMAND, "all locks let go between two attempts")
            writer.execute("SET LOCAL statement_timeout = '5s'")
            writer.execute("INSERT INTO pipe.organizations (name) VALUES ('x')")
            writer.rollback()
            assert thread.is_alive()
            reader.rollback()
            thread.join(timeouts.COMMAND)
            assert changed == [len(TABLES) + 1]
        finally:
            reader.rollback()
            thread.join(timeouts.COMMAND)
            isolate(False)


def sleeping(database: SchemaDatabase) -> bool:
    """Whether somebody pauses between two attempts."""
    with database.session(matrix.PROVISIONER) as session:
        return one(session, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == 1
