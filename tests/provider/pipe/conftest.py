"""Fixtures: a real PostgreSQL 17 over TLS, a fresh database a test, and the provider's process configured for it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.provider.pipe.authority import Authority
from tests.provider.pipe.cluster import Cluster, cluster
from tests.provider.pipe.containers import port, running
from tests.provider.pipe.driver import PipePlugin

START_SECONDS = 60
PASSWORD = "correct horse battery staple"
# As on a real member: TLS only, SCRAM only.
SCRIPT = """
export PGDATA=/tmp/data
initdb -A scram-sha-256 --pwfile=/tmp/password >/dev/null
echo 'hostssl all all all scram-sha-256' > $PGDATA/pg_hba.conf
exec postgres -c listen_addresses='*' -c unix_socket_directories=/tmp -c ssl=on -c fsync=off \
  -c ssl_cert_file=/tmp/cert.pem -c ssl_key_file=/tmp/key.pem
"""
# The roles of the real stack: a migrator that may act as an owner that cannot log in, and inherits nothing from it.
ROLES = f"""
CREATE ROLE pipe_owner NOLOGIN;
CREATE ROLE pipe_migrator LOGIN NOINHERIT PASSWORD '{PASSWORD}';
GRANT pipe_owner TO pipe_migrator WITH INHERIT FALSE, SET TRUE;
"""


@dataclass(frozen=True)
class Postgres:
    """A server and its superuser's way in."""

    port: int
    ca: str

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """A superuser's session in autocommit."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            dbname=database,
            user="postgres",
            password=PASSWORD,
            sslmode="require",
            autocommit=True,
        )


@dataclass(frozen=True)
class Database:
    """A fresh database with the schemas that infrastructure makes before the first migration."""

    server: Postgres
    name: str

    @property
    def config(self) -> dict[str, Any]:
        """The provider's configuration for it."""
        return {
            "host": "127.0.0.1",
            "port": str(self.server.port),
            "database": self.name,
            "username": "pipe_migrator",
            "password": PASSWORD,
            "caCertificate": self.server.ca,
        }

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a superuser sees."""
        with self.server.connect(self.name) as connection:
            cursor = connection.execute(query.encode())
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="session")
def authority() -> Authority:
    """Signs every certificate of the tests."""
    return Authority()


@pytest.fixture(scope="session")
def postgres(authority: Authority) -> Iterator[Postgres]:
    """One PostgreSQL for all tests of a worker."""
    pair = authority.issue("postgres")
    files = {"/tmp/password": PASSWORD, "/tmp/cert.pem": pair.certificate, "/tmp/key.pem": pair.key}
    with running("member", SCRIPT, files, ports={"5432/tcp": ("127.0.0.1", None)}) as container:
        server = Postgres(port(container, 5432), authority.certificate)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with server.connect() as connection:
                    connection.execute(ROLES.encode())
                break
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, container.logs().decode()
                time.sleep(0.1)
        yield server


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Database]:
    """A database of its own for each test."""
    name = f"test_{secrets.token_hex(4)}"
    with postgres.connect() as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    made = Database(postgres, name)
    made.rows("CREATE SCHEMA migrations AUTHORIZATION pipe_owner; CREATE SCHEMA pipe AUTHORIZATION pipe_owner")
    made.rows("GRANT EXECUTE ON FUNCTION pg_catalog.pg_create_restore_point(text) TO pipe_migrator")
    yield made
    with postgres.connect() as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def plugin(database: Database) -> Iterator[PipePlugin]:
    """The provider, configured for the test's database; its standard error must stay empty."""
    made = PipePlugin(database.config)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def patroni(authority: Authority) -> Iterator[Cluster]:
    """One cluster for all tests of a file, which may end with a member less; its members may still be starting."""
    with cluster(authority) as made:
        yield made


@pytest.fixture
def operator(patroni: Cluster) -> Iterator[PipePlugin]:
    """The provider, configured for the cluster."""
    made = PipePlugin(patroni.config)
    yield made
    made.stop()
