"""No constraint is left out: each of the catalog lets a good row in, and refuses what it is there to refuse.

A constraint that a migration adds fails here until it has a case. What test_constraints.py says in words about single
ones is asked here of the catalog.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from infra.access import matrix
from tests.fixtures.schema_database import Connection, SchemaDatabase
from tests.schema.rows import SHA256, make_tenant

SCHEMAS = "('pipe', 'archive', 'upkeep')"
# A row of every table that is not filled by itself. Parameters: the ids of a tenant.
ROWS = (
    "INSERT INTO pipe.organization_members (organization_id, user_id, role)"
    " VALUES (%(organization)s, %(user)s, 'owner')",
    "INSERT INTO pipe.pipeline_runs (pipeline_id, status, created_by) VALUES (%(pipeline)s, 'queued', %(user)s)",
    "INSERT INTO pipe.storage_files (organization_id, path, size, created_by)"
    " VALUES (%(organization)s, '/a', 0, %(user)s)",
    "INSERT INTO pipe.api_keys (organization_id, name, key_hash, created_by)"
    f" VALUES (%(organization)s, 'k', '{SHA256}', %(user)s)",
    "DELETE FROM pipe.audit_seals",
    "INSERT INTO pipe.audit_seals SELECT 1, now(), '1', '2', now(), now(), 1, sha256(''), NULL, sha256('')",
    "INSERT INTO pipe.audit_verifications (verified_by, first_seal, last_seal) VALUES ('x', 1, 1)",
    "INSERT INTO pipe.audit_seen (subject, seen) VALUES ('X y', '{}')",
    "INSERT INTO upkeep.jobs (job_name, schedule, command) VALUES ('x', '* * * * *', 'SELECT 1')",
    "INSERT INTO upkeep.runs VALUES (-1, 'x', 'SELECT 1', now(), now(), 'failed')",
    "INSERT INTO upkeep.index_usage (schema_name, index_name) VALUES ('x', 'y')",
    "INSERT INTO upkeep.drills (restore_point, lsn) VALUES ('x', '0/1')",
)
# What each CHECK refuses: a column of its table and a value that a good row must not have there.
REFUSED = {
    "users_email_is_lower_case": "email = 'One@example.com'",
    "users_email_has_one_at": "email = 'nobody'",
    "users_password_hash_is_bcrypt": "password_hash = 'secret'",
    "users_status_is_known": "status = 'gone'",
    "organizations_status_is_known": "status = 'gone'",
    "organization_members_role_is_known": "role = 'guest'",
    "pipelines_status_is_known": "status = 'gone'",
    "pipeline_runs_status_is_known": "status = 'active'",
    "storage_files_size_is_not_negative": "size = -1",
    "api_keys_key_hash_is_secure": "key_hash = 'secret'",
    "audit_logs_operation_is_upper_case": "operation = 'insert'",
    "audit_seals_number_counts_from_one": "number = 0, previous_hash = sha256('')",
    "audit_seals_first_has_none_before": "previous_hash = sha256('')",
    "audit_seals_range_is_not_empty": "row_count = 0",
    "audit_seals_hashes_are_sha256": "hash = 'short'",
    "audit_verifications_problem_is_told": "broken_seal = 1",
    "runs_status_is_final": "status = 'running'",
}


@pytest.fixture
def rows(database: SchemaDatabase) -> Iterator[Connection]:
    """A session with a good row in every table, rolled back. No trigger speaks before a constraint does."""
    with database.session(matrix.PROVISIONER) as connection:
        tenant = make_tenant(connection)
        connection.execute("ALTER TABLE pipe.audit_seals DISABLE TRIGGER USER")
        for statement in ROWS:
            connection.execute(statement.encode(), vars(tenant))
        for _, table in tables(connection):
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())
        yield connection


def tables(connection: Connection) -> list[tuple[int, str]]:
    """Tables with a row in them, of which months are part."""
    found = connection.execute(
        "SELECT c.oid, c.oid::regclass::text FROM pg_class AS c"
        " WHERE relnamespace::regnamespace::text IN ('pipe', 'upkeep')"
        " AND relkind IN ('r', 'p') AND NOT relispartition AND relname !~ '_y[0-9]{4}m[0-9]{2}$' ORDER BY 2"
    ).fetchall()
    assert len(found) > 12
    return [(int(oid), str(name)) for oid, name in found]


def one_row(connection: Connection, table: str, wanted: str = "true") -> str:
    """A condition that only one row of the table fulfils, in whichever month it is; one that is as wanted."""
    row = connection.execute(
        f"SELECT tableoid, ctid FROM {table} WHERE {wanted} ORDER BY tableoid DESC, ctid DESC LIMIT 1".encode()
    )
    found = row.fetchone()
    assert found is not None, f"{table} has no row to try it with"
    return f"tableoid = {found[0]} AND ctid = '{found[1]}'"


def test_a_column_is_null_where_it_may_be_and_nowhere_else(rows: Connection) -> None:
    for oid, table in tables(rows):
        where = one_row(rows, table)
        columns = rows.execute(
            "SELECT attname, attnotnull FROM pg_attribute"
            " WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped AND attidentity = ''",
            (oid,),
        ).fetchall()
        for column, required in columns:
            said: object = "taken"
            try:
                with rows.transaction(force_rollback=True):
                    rows.execute(f"UPDATE {table} SET {column} = NULL WHERE {where}".encode())
            except psycopg.errors.IntegrityError as error:
                # A month's key cannot be null either: then no month takes the row.
                said = error.diag.column_name or error.diag.message_primary
            wanted = (column, f'no partition of relation "{table[5:]}" found for row') if required else ("taken",)
            assert said in wanted, f"{table}.{column}"


def test_every_check_refuses(rows: Connection) -> None:
    checks = rows.execute(
        "SELECT conname, conrelid::regclass::text FROM pg_constraint INNER JOIN pg_class ON pg_class.oid = conrelid"
        f" WHERE contype = 'c' AND relnamespace::regnamespace::text IN {SCHEMAS} AND NOT relispartition"
        " AND relname !~ '_y[0-9]{4}m[0-9]{2}$'".encode()
    ).fetchall()
    assert {name for name, _ in checks} == REFUSED.keys()
    for name, table in checks:
        if table.startswith("archive."):
            # Made by LIKE, and full of months that were checked before they came.
            continue
        with pytest.raises(psycopg.errors.CheckViolation) as caught, rows.transaction():
            rows.execute(f"UPDATE {table} SET {REFUSED[name]} WHERE {one_row(rows, table)}".encode())
        assert caught.value.diag.constraint_name == name


def test_every_key_refuses_a_second_row(rows: Connection) -> None:
    for oid, table in tables(rows):
        keys = rows.execute(
            "SELECT indexrelid::regclass::text, (SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute"
            "  WHERE attrelid = indrelid AND attnum > 0 AND NOT attisdropped AND attgenerated = '')"
            " FROM pg_index WHERE indrelid = %s AND indisunique",
            (oid,),
        ).fetchall()
        assert keys, f"{table} has no key"
        for _, columns in keys:
            with pytest.raises(psycopg.errors.UniqueViolation), rows.transaction():
                rows.execute(
                    f"INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {table}"
                    f" WHERE {one_row(rows, table)}".encode()
                )


def test_every_reference_must_lead_somewhere_and_holds_what_it_leads_to(rows: Connection) -> None:
    references = rows.execute(
        "SELECT conname, conrelid::regclass::text, attname, confrelid::regclass::text FROM pg_constraint"
        " INNER JOIN pg_attribute ON attrelid = conrelid AND conkey = ARRAY[attnum]"
        " INNER JOIN pg_class ON pg_class.oid = conrelid"
        " WHERE contype = 'f' AND conparentid = 0 AND NOT relispartition AND relname !~ '_y[0-9]{4}m[0-9]{2}$'"
        " AND relnamespace = 'pipe'::regnamespace"
    ).fetchall()
    assert len(references) > 9
    for name, table, column, target in references:
        where = one_row(rows, table, f"{column} IS NOT NULL")
        with pytest.raises(psycopg.errors.ForeignKeyViolation) as caught, rows.transaction():
            rows.execute(f"UPDATE {table} SET {column} = gen_random_uuid() WHERE {where}".encode())
        assert str(caught.value.diag.constraint_name) == name, table
        with pytest.raises(psycopg.errors.ForeignKeyViolation), rows.transaction():
            rows.execute(f"DELETE FROM {target} WHERE id = (SELECT {column} FROM {table} WHERE {where})".encode())
