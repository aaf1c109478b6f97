"""The proof of the access matrix on the whole schema: silent as it is made, and naming whatever is granted by hand."""

from __future__ import annotations

import pytest

from infra.access import matrix
from infra.access.expected import expected
from provider.catalog.ask import held_by, roles_of
from provider.catalog.look import prepare
from provider.catalog.rights import checked, predefined, violations
from tests.fixtures.schema_database import Connection
from tests.schema.rows import one

UNLIKE = "which the matrix does not allow"
EXPECTED = expected({role.name for role in matrix.ROLES if role.login})


def found(connection: Connection) -> list[str]:
    """What the provider would say, all of it asked in one session that sees its own uncommitted changes."""
    prepare(connection)
    roles = roles_of(connection)
    return violations(
        EXPECTED, roles, {role: held_by(connection, role, predefined(EXPECTED, role)) for role in checked(roles)}
    )


@pytest.fixture
def owner(owner: Connection) -> Connection:
    """A session that may do everything; what infrastructure takes from PUBLIC in the other databases is taken here."""
    owner.execute("REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC")
    return owner


def test_the_schema_as_it_is_made_is_what_the_matrix_says(owner: Connection) -> None:
    assert found(owner) == []


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        (
            "GRANT SELECT (password_hash) ON pipe.users TO pipe_readonly",
            f"role pipe_readonly may SELECT pipe.users.password_hash, {UNLIKE}",
        ),
        ("GRANT SELECT ON pipe.users TO pipe_auditor", f"role pipe_auditor may SELECT pipe.users, {UNLIKE}"),
        (
            "GRANT TRUNCATE, MAINTAIN ON pipe.users TO pipe_app",
            f"role pipe_app may MAINTAIN, TRUNCATE pipe.users, {UNLIKE}",
        ),
        (
            "GRANT SELECT ON pipe.organizations TO pipe_readonly WITH GRANT OPTION",
            f"role pipe_readonly may SELECT WITH GRANT OPTION pipe.organizations, {UNLIKE}",
        ),
        (
            "GRANT EXECUTE ON FUNCTION pipe.archive_finish(name, name) TO pipe_app",
            f"role pipe_app may EXECUTE pipe.archive_finish(name,name), {UNLIKE}",
        ),
        ("GRANT CREATE ON SCHEMA pipe TO pipe_app", f"role pipe_app may CREATE on schema pipe, {UNLIKE}"),
        (
            "GRANT USAGE ON SCHEMA migrations TO pipe_monitor",
            f"role pipe_monitor may USAGE on schema migrations, {UNLIKE}",
        ),
        ("GRANT TEMPORARY ON DATABASE pipe TO pipe_app", f"role pipe_app may TEMPORARY on database pipe, {UNLIKE}"),
        ("GRANT CONNECT ON DATABASE postgres TO pipe_app", f"role pipe_app may CONNECT on database postgres, {UNLIKE}"),
        (
            "GRANT SELECT ON cron.job TO PUBLIC",
            f"PUBLIC may SELECT cron.job, {UNLIKE}",
        ),
        (
            "GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO pipe_monitor",
            f"role pipe_monitor may EXECUTE pg_catalog.pg_read_file(text), {UNLIKE}",
        ),
        ("GRANT SELECT ON pg_catalog.pg_authid TO PUBLIC", f"PUBLIC may SELECT pg_authid, {UNLIKE}"),
        (
            "GRANT SET ON PARAMETER log_statement TO pipe_app",
            f"role pipe_app may SET on parameter log_statement, {UNLIKE}",
        ),
        (
            "GRANT pg_read_server_files TO pipe_readonly",
            f"role pipe_readonly is a member of pg_read_server_files, {UNLIKE}",
        ),
        (
            "GRANT pipe_owner TO pipe_app WITH INHERIT FALSE",
            f"role pipe_app is a member of pipe_owner WITHOUT INHERIT, {UNLIKE}",
        ),
        (
            "GRANT pg_monitor TO pipe_monitor WITH ADMIN OPTION",
            f"role pipe_monitor is a member of pg_monitor WITH ADMIN OPTION, {UNLIKE}",
        ),
        ("ALTER ROLE pipe_readonly BYPASSRLS", f"role pipe_readonly has the attribute BYPASSRLS, {UNLIKE}"),
        ("ALTER ROLE pipe_app SUPERUSER", f"role pipe_app has the attribute SUPERUSER, {UNLIKE}"),
        ("ALTER ROLE pipe_owner LOGIN", f"role pipe_owner has the attribute LOGIN, {UNLIKE}"),
        ("CREATE ROLE mallory LOGIN", "role mallory exists, which the matrix does not name"),
        (
            "ALTER TABLE pipe.organizations OWNER TO pipe_auditor",
            f"role pipe_auditor owns pipe.organizations, {UNLIKE}",
        ),
        (
            "REVOKE SELECT ON pipe.audit_logs FROM pipe_auditor",
            "role pipe_auditor may not SELECT pipe.audit_logs, which the matrix allows",
        ),
        (
            "REVOKE SELECT (email) ON pipe.users FROM pipe_readonly",
            "role pipe_readonly may not SELECT pipe.users.email, which the matrix allows",
        ),
        (
            "REVOKE CONNECT ON DATABASE pipe FROM pipe_monitor",
            "role pipe_monitor may not CONNECT on database pipe, which the matrix allows",
        ),
        (
            "REVOKE EXECUTE ON FUNCTION cron.schedule(text, text, text) FROM pipe_migrator",
            "role pipe_migrator may not EXECUTE cron.schedule(text,text,text), which the matrix allows",
        ),
        (
            "REVOKE pipe_owner FROM pipe_migrator",
            "role pipe_migrator is not a member of pipe_owner, which the matrix makes it",
        ),
        (
            "ALTER ROLE pipe_auditor NOLOGIN",
            "role pipe_auditor does not have the attribute LOGIN, which the matrix gives it",
        ),
    ],
)
def test_a_grant_by_hand_is_named(owner: Connection, statement: str, sentence: str) -> None:
    owner.execute("RESET search_path")
    owner.execute(statement.encode())
    assert sentence in found(owner)


def test_what_everybody_may_do_is_said_once(owner: Connection) -> None:
    owner.execute("GRANT EXECUTE ON FUNCTION pipe.archive_step() TO PUBLIC")
    assert found(owner) == [f"PUBLIC may EXECUTE pipe.archive_step(), {UNLIKE}"]


def test_a_table_of_a_later_migration_may_be_used_as_the_defaults_say_and_no_further(owner: Connection) -> None:
    owner.execute("SET LOCAL ROLE pipe_owner; CREATE TABLE pipe.later (id int); RESET ROLE")
    assert found(owner) == []
    owner.execute("GRANT TRUNCATE ON pipe.later TO pipe_app; GRANT SELECT ON pipe.later TO pipe_auditor")
    assert found(owner) == [
        f"role pipe_app may TRUNCATE pipe.later, {UNLIKE}",
        f"role pipe_app_b may TRUNCATE pipe.later, {UNLIKE}",
        f"role pipe_auditor may SELECT pipe.later, {UNLIKE}",
    ]


def test_months_are_nobody_s_but_the_owner_s(owner: Connection) -> None:
    one(owner, "SELECT pipe.ensure_partition('pipeline_runs', '2031-02-01')")
    assert found(owner) == []
    owner.execute("GRANT SELECT ON pipe.pipeline_runs_y2031m02 TO pipe_readonly")
    assert found(owner) == [f"role pipe_readonly may SELECT pipe.pipeline_runs_y2031m02, {UNLIKE}"]
