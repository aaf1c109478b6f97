"""Valid rows to start from."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from uuid import UUID

from tests import timeouts
from tests.asserts.eventually import eventually
from tests.fixtures.schema_database import Connection

BCRYPT = "$2b$12$" + "aZ./9" * 10 + "abc"
SHA256 = "sha256:" + "0123456789abcdef" * 4


@dataclass(frozen=True)
class Tenant:
    """What most tests need: an organization, a user in it, a pipeline of it."""

    organization: UUID
    user: UUID
    pipeline: UUID


def one(connection: Connection, query: str, *values: object) -> object:
    """Return the first column of the only row."""
    row = connection.execute(query.encode(), values).fetchone()
    assert row is not None, f"no row from {query}"
    return row[0]


def seal(migrator: Connection) -> None:
    """Have every row that was committed under seal: a job may be sealing just now, or write and so hold a seal up."""

    def unsealed_since() -> object:
        migrator.execute("SELECT pipe.audit_seal()")
        return one(migrator, "SELECT unsealed_since FROM pipe.audit_seal_status()")

    eventually(unsealed_since, lambda moment: moment is None, timeouts.COMMAND, "everything under seal")


def make_tenant(connection: Connection) -> Tenant:
    """Insert an organization, a user and a pipeline."""
    email = f"{secrets.token_hex(6)}@example.com"
    user = one(
        connection,
        "INSERT INTO pipe.users (email, name, password_hash) VALUES (%s, 'Ada', %s) RETURNING id",
        email,
        BCRYPT,
    )
    organization = one(connection, "INSERT INTO pipe.organizations (name) VALUES ('Acme') RETURNING id")
    pipeline = one(
        connection,
        "INSERT INTO pipe.pipelines (organization_id, name, config, created_by) VALUES (%s, 'nightly', '{}', %s)"
        " RETURNING id",
        organization,
        user,
    )
    assert isinstance(organization, UUID)
    assert isinstance(user, UUID)
    assert isinstance(pipeline, UUID)
    return Tenant(organization, user, pipeline)
