"""Passwords and hashes stay out of the server's log, whatever becomes of the statement that holds them."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable

import psycopg
import pytest

from infra.access import matrix
from tests.fixtures.schema_database import Connection, SchemaDatabase
from tests.schema.rows import make_tenant

LOGGED_WITHIN_SECONDS = 10
POLL_SECONDS = 0.2
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./"

Cause = Callable[[SchemaDatabase, str, str], None]


def bcrypt(canary: str) -> str:
    """Return a valid hash that can be recognised by its first characters."""
    return "$2b$12$" + canary.ljust(53, "a")


def insert(user: str, secret: str) -> bytes:
    return (
        f"INSERT INTO pipe.users (email, name, password_hash) VALUES ('{user}@example.com', 'n', '{secret}')".encode()
    )


def refused(connection: Connection, statement: bytes, *values: object) -> None:
    with pytest.raises(psycopg.Error):
        connection.execute(statement, values or None)
    connection.rollback()


def slow(database: SchemaDatabase, canary: str, mark: str) -> None:
    with database.session(matrix.APP) as app:
        app.execute(insert(mark, bcrypt(canary)) + b" RETURNING pg_sleep(1.1)")


def refused_by_a_check(database: SchemaDatabase, canary: str, mark: str) -> None:
    with database.session(matrix.APP) as app:
        refused(app, insert(mark, canary))
        values = "INSERT INTO pipe.users (email, name, password_hash) VALUES (%s, 'n', %s)"
        refused(app, values.encode(), f"{mark}@example.com", canary)


def refused_as_a_duplicate(database: SchemaDatabase, canary: str, mark: str) -> None:
    with database.session(matrix.APP) as app:
        app.execute(insert(mark, bcrypt(canary)))
        refused(app, insert(mark, bcrypt(canary)))


def wrong_syntax(database: SchemaDatabase, canary: str, mark: str) -> None:
    with database.session(matrix.APP) as app:
        refused(app, insert(mark, canary).replace(b"VALUES", b"VALUE"))
        refused(app, insert(mark, canary)[:-1])


def change_of_a_password(database: SchemaDatabase, canary: str, mark: str) -> None:
    with database.session(matrix.PROVISIONER) as owner:
        owner.execute(f"CREATE ROLE role_{mark} LOGIN PASSWORD '{canary}'".encode())
        owner.execute(f"ALTER ROLE role_{mark} PASSWORD '{canary}'".encode())
        refused(owner, f"ALTER ROLE role_{mark}_not_there PASSWORD '{canary}'".encode())


def cancelled(database: SchemaDatabase, canary: str, mark: str) -> None:
    with database.session(matrix.APP) as app:
        app.execute("SET statement_timeout = '100ms'")
        refused(app, insert(mark, bcrypt(canary)) + b" RETURNING pg_sleep(5)")


def waiting_for_a_lock(database: SchemaDatabase, canary: str, mark: str) -> None:
    """Two sessions that wait for each other: first one waits, then both do, and one is the victim."""
    with database.session(matrix.APP) as one, database.session(matrix.APP) as other:
        tenants = [make_tenant(one), make_tenant(one)]
        one.commit()
        update = f"UPDATE pipe.users SET name = '{mark}', password_hash = '{bcrypt(canary)}' WHERE id = %s".encode()
        one.execute(update, (tenants[0].user,))
        other.execute(update, (tenants[1].user,))

        def cross(connection: Connection, tenant: int) -> None:
            try:
                connection.execute(update, (tenants[tenant].user,))
            except psycopg.errors.DeadlockDetected:
                connection.rollback()

        # The first waits until that is told; only then the second makes it a deadlock, which it finds itself.
        crossing = threading.Thread(target=cross, args=(one, 1))
        logged(database, crossing.start, "still waiting for")
        cross(other, 0)
        crossing.join()


def sorting_on_disk(database: SchemaDatabase, canary: str, mark: str) -> None:
    with database.session(matrix.APP) as app:
        app.execute("SET work_mem = '64kB'")
        rows = "generate_series(1, 300000) AS n ORDER BY 1 LIMIT 1 OFFSET 299999"
        app.execute(f"SELECT n || '{canary}{mark}' FROM {rows}".encode())


CAUSES: dict[Cause, str] = {
    slow: "slow statement: up to",
    refused_by_a_check: 'violates check constraint "users_password_hash_is_bcrypt"',
    refused_as_a_duplicate: 'duplicate key value violates unique constraint "idx_users_email"',
    wrong_syntax: 'syntax error at or near "VALUE"',
    change_of_a_password: '_not_there" does not exist',
    cancelled: "canceling statement due to statement timeout",
    waiting_for_a_lock: "deadlock detected",
    sorting_on_disk: "temporary file: path",
}


def logged(database: SchemaDatabase, cause: Callable[[], None], wanted: str) -> str:
    """Do something; return what the log says from then on, once what is wanted is in it."""
    before = len(database.container.logs())
    cause()
    deadline = time.monotonic() + LOGGED_WITHIN_SECONDS
    while wanted not in (text := str(database.container.logs()[before:].decode())):
        assert time.monotonic() < deadline, f"not in the log: {wanted}\n{text}"
        time.sleep(POLL_SECONDS)
    return text


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.__name__)
def test_it_is_logged_without_what_is_secret(database: SchemaDatabase, migrator: Connection, cause: Cause) -> None:
    canary, mark = "".join(secrets.choice(ALPHABET) for _ in range(40)), secrets.token_hex(6)

    def happen() -> None:
        cause(database, canary, mark)
        migrator.execute("SELECT upkeep.log_slow_statements()")

    assert canary not in logged(database, happen, CAUSES[cause])


def test_a_wait_for_a_lock_tells_who_waits(database: SchemaDatabase) -> None:
    canary, mark = secrets.token_hex(20), secrets.token_hex(4)
    text = logged(database, lambda: waiting_for_a_lock(database, canary, mark), "still waiting for")
    (first, *_) = (line for line in text.splitlines() if "still waiting for" in line)
    assert "pipe_app@pipe" in first
