"""Fixtures for the stand-in of the postgresql provider: a real server, a provider's process, names of one's own."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from psycopg import sql

from tests.fixtures.postgres import Postgres, throw_away_server
from tests.provider.airgap.harness import Live, Plugin

Make = Callable[..., Live]
Unique = Callable[[str], str]


def token(kind: str) -> str:
    """The type token of a resource: `DefaultPrivileges` is postgresql:index/defaultPrivileges:DefaultPrivileges."""
    return f"postgresql:index/{kind[0].lower()}{kind[1:]}:{kind}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for the whole run."""
    with throw_away_server() as server:
        yield server


@pytest.fixture(scope="session")
def sql_plugin(postgres: Postgres) -> Iterator[Plugin]:
    """One provider's process for the whole run."""
    started = Plugin("postgresql", postgres.config())
    yield started
    started.stop()


@pytest.fixture
def make(sql_plugin: Plugin) -> Make:
    """Makes a resource and proves that nothing is left to do: no difference, and nothing that a refresh would show."""

    def made(kind: str, **inputs: Any) -> Live:
        live = Live(sql_plugin, token(kind), f"{kind}-{secrets.token_hex(3)}")
        assert live.up(inputs) == "create"
        settled(live, inputs)
        return live

    return made


def settled(live: Live, inputs: dict[str, Any]) -> None:
    """Neither `up` nor `refresh` has anything to do."""
    assert live.diff(inputs).changes == {}
    assert live.refresh() == "same", (live.inputs, live.state)


@pytest.fixture
def unique(postgres: Postgres) -> Iterator[Unique]:
    """Gives names that nobody else has; removes the roles and databases that were made under them."""
    suffix = secrets.token_hex(3)
    given: list[str] = []

    def named(stem: str) -> str:
        given.append(f"{stem}_{suffix}")
        return given[-1]

    yield named
    with postgres.connect() as connection:
        for one in reversed(given):
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(one)))
        for one in reversed(given):
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [one]).fetchone():
                connection.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(sql.Identifier(one)))
        for one in reversed(given):
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(one)))


@pytest.fixture
def database(postgres: Postgres, unique: Unique) -> str:
    """A database with schema `s`, a few tables, a sequence and functions, owned by the superuser."""
    made = unique("db")
    postgres.run("CREATE DATABASE {}", made)
    postgres.run(
        """
        CREATE SCHEMA s;
        CREATE TABLE s.users (id int, name text, hash text);
        CREATE TABLE s.runs (id int, at date) PARTITION BY RANGE (at);
        CREATE VIEW s.shown AS SELECT id FROM s.users;
        CREATE SEQUENCE s.counter;
        CREATE FUNCTION s.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
        CREATE FUNCTION s.f(a text, b int[]) RETURNS int LANGUAGE sql AS 'SELECT 2';
        CREATE PROCEDURE s.p() LANGUAGE sql AS 'SELECT 3';
        """,
        database=made,
    )
    return made


@pytest.fixture
def role(postgres: Postgres, unique: Unique) -> str:
    """A role without any rights."""
    made = unique("app")
    postgres.run("CREATE ROLE {}", made)
    return made
