"""Every constraint both ways: what it lets in, and what it refuses by its name."""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest

from tests.fixtures.schema_database import Connection
from tests.schema.rows import BCRYPT, SHA256, Tenant, one

SALT, KEY = "c29tZXNhbHRzb21lc2FsdA", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI"

INSERT = {
    "users": "INSERT INTO pipe.users (email, name, password_hash, status)"
    " VALUES (%(email)s, 'A', %(hash)s, %(status)s)",
    "organizations": "INSERT INTO pipe.organizations (name, status) VALUES ('A', %(status)s)",
    "pipelines": "INSERT INTO pipe.pipelines (organization_id, name, config, status)"
    " VALUES (%(organization)s, 'A', '{}', %(status)s)",
    "pipeline_runs": "INSERT INTO pipe.pipeline_runs (pipeline_id, status) VALUES (%(pipeline)s, %(status)s)",
    "organization_members": "INSERT INTO pipe.organization_members (organization_id, user_id, role)"
    " VALUES (%(organization)s, %(user)s, %(role)s)",
    "storage_files": "INSERT INTO pipe.storage_files (organization_id, path, size)"
    " VALUES (%(organization)s, '/a', %(size)s)",
    "api_keys": "INSERT INTO pipe.api_keys (organization_id, name, key_hash) VALUES (%(organization)s, 'A', %(hash)s)",
}


def insert(app: Connection, tenant: Tenant, table: str, **values: object) -> None:
    defaults = {"email": "new@example.com", "hash": BCRYPT, "status": "active", "role": "member", "size": 0}
    ids = {"organization": tenant.organization, "user": tenant.user, "pipeline": tenant.pipeline}
    app.execute(INSERT[table].encode(), defaults | ids | values)


def refused(app: Connection, tenant: Tenant, constraint: str, table: str, **values: object) -> None:
    with pytest.raises(psycopg.errors.IntegrityError) as caught, app.transaction():
        insert(app, tenant, table, **values)
    assert caught.value.diag.constraint_name == constraint


@pytest.mark.parametrize("status", ["active", "inactive", "suspended", "deleted"])
@pytest.mark.parametrize("table", ["users", "organizations", "pipelines"])
def test_known_statuses_are_taken(app: Connection, tenant: Tenant, table: str, status: str) -> None:
    insert(app, tenant, table, status=status)


@pytest.mark.parametrize("status", ["", "Active", "archived", "running"])
@pytest.mark.parametrize("table", ["users", "organizations", "pipelines"])
def test_unknown_statuses_are_refused(app: Connection, tenant: Tenant, table: str, status: str) -> None:
    refused(app, tenant, f"{table}_status_is_known", table, status=status)


@pytest.mark.parametrize("status", ["queued", "running", "completed", "failed", "cancelled"])
def test_known_states_of_a_run_are_taken(app: Connection, tenant: Tenant, status: str) -> None:
    insert(app, tenant, "pipeline_runs", status=status)


@pytest.mark.parametrize("status", ["", "active", "canceled", "RUNNING"])
def test_unknown_states_of_a_run_are_refused(app: Connection, tenant: Tenant, status: str) -> None:
    refused(app, tenant, "pipeline_runs_status_is_known", "pipeline_runs", status=status)


@pytest.mark.parametrize("role", ["owner", "admin", "member", "readonly"])
def test_known_roles_are_taken(app: Connection, tenant: Tenant, role: str) -> None:
    insert(app, tenant, "organization_members", role=role)


@pytest.mark.parametrize("role", ["", "Owner", "superuser"])
def test_unknown_roles_are_refused(app: Connection, tenant: Tenant, role: str) -> None:
    refused(app, tenant, "organization_members_role_is_known", "organization_members", role=role)


@pytest.mark.parametrize("prefix", ["$2a$", "$2b$", "$2y$"])
@pytest.mark.parametrize("cost", ["04", "10", "12", "29", "31"])
def test_bcrypt_is_taken(app: Connection, tenant: Tenant, prefix: str, cost: str) -> None:
    insert(app, tenant, "users", hash=f"{prefix}{cost}${BCRYPT[7:]}")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("correct horse", id="plain text"),
        pytest.param("", id="empty"),
        pytest.param("a" * 60, id="sixty characters of no form"),
        pytest.param(BCRYPT[:-1], id="one character short"),
        pytest.param(BCRYPT + "a", id="one character long"),
        pytest.param(BCRYPT + "\n", id="newline behind"),
        pytest.param("\n" + BCRYPT, id="newline before"),
        pytest.param(BCRYPT.replace("$2b$", "$2x$"), id="the broken variant 2x"),
        pytest.param(BCRYPT.replace("$12$", "$03$"), id="cost too small"),
        pytest.param(BCRYPT.replace("$12$", "$32$"), id="cost too big"),
        pytest.param(BCRYPT.replace("$12$", "$4$"), id="cost of one digit"),
        pytest.param(BCRYPT[:-1] + "=", id="a character outside its alphabet"),
        pytest.param(SHA256, id="a fast hash"),
        pytest.param("5f4dcc3b5aa765d61d8327deb882cf99", id="MD5"),
    ],
)
def test_what_is_not_bcrypt_is_refused_as_a_password(app: Connection, tenant: Tenant, value: str) -> None:
    refused(app, tenant, "users_password_hash_is_bcrypt", "users", hash=value)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(BCRYPT, id="bcrypt"),
        pytest.param(SHA256, id="sha256"),
        pytest.param("sha512:" + "0a" * 64, id="sha512"),
        pytest.param("hmac-sha256:" + "0a" * 32, id="hmac-sha256"),
        pytest.param("hmac-sha512:" + "0a" * 64, id="hmac-sha512"),
        pytest.param(f"$argon2id$v=19$m=65536,t=3,p=4${SALT}${KEY}", id="argon2id"),
        pytest.param(f"$scrypt$ln=17,r=8,p=1${SALT}${KEY}", id="scrypt"),
        pytest.param(f"$pbkdf2-sha256$i=600000${SALT}${KEY}", id="pbkdf2"),
        pytest.param(f"$pbkdf2-sha512$i=210000,l=32${SALT}${KEY}", id="pbkdf2 with a length"),
        pytest.param(f"$pbkdf2-sha256$29000${SALT}${KEY}", id="pbkdf2 of passlib"),
    ],
)
def test_secure_hashes_are_taken_for_a_key(app: Connection, tenant: Tenant, value: str) -> None:
    insert(app, tenant, "api_keys", hash=value)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param("pk_live_51H8xKfLkdIwHu7ix", id="a raw key"),
        pytest.param(str(uuid4()), id="a UUID"),
        pytest.param("0123456789abcdef" * 4, id="bare hex, which a raw key can be as well"),
        pytest.param("md5:5f4dcc3b5aa765d61d8327deb882cf99", id="MD5"),
        pytest.param("sha1:" + "0a" * 20, id="SHA-1"),
        pytest.param("sha256:" + "0A" * 32, id="upper-case hex"),
        pytest.param("sha256:" + "0a" * 31, id="sha256 cut short"),
        pytest.param("sha256:" + "0a" * 64, id="sha256 with the length of sha512"),
        pytest.param(SHA256 + "\n", id="newline behind"),
        pytest.param(f"raw {SHA256}", id="something before it"),
        pytest.param(f"$argon2i$v=19$m=65536,t=3,p=4${SALT}${KEY}", id="argon2i"),
        pytest.param(f"$argon2id$v=19$m=65536,t=3,p=4${SALT}$", id="argon2id without a hash"),
        pytest.param("$argon2id$raw-key", id="a raw key in a hash's clothes"),
    ],
)
def test_what_is_not_a_secure_hash_is_refused_for_a_key(app: Connection, tenant: Tenant, value: str) -> None:
    refused(app, tenant, "api_keys_key_hash_is_secure", "api_keys", hash=value)


def test_an_address_is_unique_whatever_its_case(app: Connection, tenant: Tenant) -> None:
    insert(app, tenant, "users", email="one@example.com")
    refused(app, tenant, "idx_users_email", "users", email="one@example.com")
    refused(app, tenant, "users_email_is_lower_case", "users", email="One@Example.com")


@pytest.mark.parametrize("email", ["", "nobody", "@example.com", "a@", "a b@example.com", "a@b@c"])
def test_what_is_no_address_is_refused(app: Connection, tenant: Tenant, email: str) -> None:
    refused(app, tenant, "users_email_has_one_at", "users", email=email)


def test_a_file_has_no_negative_size(app: Connection, tenant: Tenant) -> None:
    insert(app, tenant, "storage_files", size=0)
    refused(app, tenant, "storage_files_size_is_not_negative", "storage_files", size=-1)


def test_a_person_is_member_of_an_organization_once(app: Connection, tenant: Tenant) -> None:
    insert(app, tenant, "organization_members")
    refused(app, tenant, "organization_members_pkey", "organization_members", role="owner")


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("pipelines", "organization"),
        ("storage_files", "organization"),
        ("api_keys", "organization"),
        ("organization_members", "organization"),
        ("organization_members", "user"),
        ("pipeline_runs", "pipeline"),
    ],
)
def test_what_is_referred_to_must_exist(app: Connection, tenant: Tenant, table: str, column: str) -> None:
    values = {column: uuid4(), "status": "active" if table == "pipelines" else "queued", "hash": SHA256}
    refused(app, tenant, f"{table}_{column}_id_fkey", table, **values)


@pytest.mark.parametrize("table", ["users", "organizations", "pipelines"])
def test_what_is_referred_to_stays(app: Connection, tenant: Tenant, table: str) -> None:
    insert(app, tenant, "pipeline_runs", status="queued")
    row = {"users": tenant.user, "organizations": tenant.organization, "pipelines": tenant.pipeline}[table]
    with pytest.raises(psycopg.errors.ForeignKeyViolation), app.transaction():
        app.execute(f"DELETE FROM pipe.{table} WHERE id = %s".encode(), (row,))


@pytest.mark.parametrize("table", ["users", "organizations", "pipelines"])
def test_updated_at_moves_by_itself(app: Connection, tenant: Tenant, table: str) -> None:
    row = {"users": tenant.user, "organizations": tenant.organization, "pipelines": tenant.pipeline}[table]
    before = one(app, f"SELECT updated_at FROM pipe.{table} WHERE id = %s", row)
    after = one(
        app, f"UPDATE pipe.{table} SET name = 'B', updated_at = '2000-01-01' WHERE id = %s RETURNING updated_at", row
    )
    assert after > before  # type: ignore[operator]
