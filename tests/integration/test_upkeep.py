"""The running stack tells how it is, and its members' logs hold nothing that is secret."""

from __future__ import annotations

import secrets

import psycopg
import pytest

from tests import timeouts
from tests.asserts.eventually import eventually
from tests.asserts.replication import leader
from tests.fixtures.stacks import Stack

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("shared")]


def test_status_shows_jobs_months_and_the_last_migration(stack: Stack) -> None:
    done = eventually(
        lambda: stack.run("make", "status", f"STACK={stack.name}", "LIKE=test"),
        lambda done: done.returncode == 0,
        timeouts.COMMAND,
        "a status without complaint",
    )
    for said in ("jobs", "partitions for 6 months ahead", "last migration"):
        assert said in done.stdout
    assert not [line for line in done.stdout.splitlines() if line.startswith("BAD")]


def test_hashes_and_passwords_stay_out_of_every_members_log(stack: Stack) -> None:
    canary = secrets.token_hex(20)
    insert = "INSERT INTO pipe.users (email, name, password_hash) VALUES ('log@example.com', 'n', '{}')"
    with stack.connect("app") as app:
        with pytest.raises(psycopg.errors.CheckViolation):
            app.execute(insert.format(canary).encode())
        with app.transaction(force_rollback=True):
            app.execute(f"{insert.format('$2b$12$' + canary + 'a' * 13)} RETURNING pg_sleep(1.1)".encode())
    command = f"ALTER ROLE role_not_there PASSWORD '{canary}'"
    assert stack.execute(leader(stack), "psql", "-d", "pipe", "-c", command)[0] == 1
    with stack.connect("migrator") as migrator:
        migrator.execute("SELECT upkeep.log_slow_statements()")

    primary = leader(stack)
    logged = eventually(
        lambda: stack.logs(primary),
        lambda text: "slow statement: up to" in text and "role_not_there" in text,
        timeouts.COMMAND,
        "the slow statement and the refused one in the log",
    )
    assert "users_password_hash_is_bcrypt" in logged
    for container in stack.containers():
        assert canary not in stack.logs(str(container.name).removeprefix(f"pipe-{stack.name}-")), container.name
