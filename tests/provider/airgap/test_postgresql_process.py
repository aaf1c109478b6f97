"""The provider as a process: frugal, several side by side, and clear about a server that cannot be reached."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.fixtures.postgres import Postgres
from tests.provider.airgap.fix_postgresql import Make, Unique, settled, token
from tests.provider.airgap.harness import Failed, Live, Plugin

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("postgresql")]

SESSIONS = "SELECT sum(sessions)::int FROM pg_stat_database"
FEW = 10


def test_sixty_resources_one_after_the_other_share_a_few_sessions(
    postgres: Postgres, make: Make, database: str, unique: Unique
) -> None:
    roles = [unique(f"r{index}") for index in range(10)]
    [(before,)] = postgres.run(SESSIONS)
    for role in roles:
        make("Role", name=role)
    for role in roles:
        for kind in ({"objectType": "table"}, {"objectType": "table", "objects": ["users"]}):
            make("Grant", role=role, database=database, schema="s", privileges=["SELECT"], **kind)
        make("Grant", role=role, database=database, objectType="database", privileges=["CONNECT"])
        make("Grant", role=role, database=database, schema="s", objectType="schema", privileges=["USAGE"])
        make(
            "DefaultPrivileges",
            role=role, owner=roles[0], database=database, schema="s", objectType="table", privileges=["SELECT"],
        )  # fmt: skip
    [(after,)] = postgres.run(SESSIONS)
    assert after - before < FEW


def test_two_processes_grant_side_by_side(
    postgres: Postgres, sql_plugin: Plugin, database: str, unique: Unique
) -> None:
    roles = [unique(f"side{index}") for index in range(16)]
    for role in roles:
        postgres.run("CREATE ROLE {}", role)
    other = Plugin("postgresql", postgres.config())

    def grant(index: int) -> str:
        plugin = other if index % 2 else sql_plugin
        wanted = {"role": roles[index], "database": database}
        on_tables = Live(plugin, token("Grant"), f"tables-{index}")
        on_tables.up({**wanted, "schema": "s", "objectType": "table", "privileges": ["SELECT", "INSERT"]})
        on_database = Live(plugin, token("Grant"), f"database-{index}")
        on_database.up({**wanted, "objectType": "database", "privileges": ["CONNECT"]})
        on_tables.destroy()
        return on_database.refresh()

    try:
        with ThreadPoolExecutor(16) as pool:
            assert list(pool.map(grant, range(16))) == ["same"] * 16
    finally:
        other.stop()


def test_sessions_that_the_server_ended_are_replaced(postgres: Postgres, make: Make, database: str, role: str) -> None:
    wanted = {"role": role, "database": database, "objectType": "database", "privileges": ["CONNECT"]}
    live = make("Grant", **wanted)
    postgres.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'Pulumi provider'")
    settled(live, wanted)


def test_idle_sessions_end_by_themselves(postgres: Postgres, make: Make, database: str, role: str) -> None:
    make("Grant", role=role, database=database, objectType="database", privileges=["CONNECT"])
    deadline = time.monotonic() + 10
    while postgres.run(f"SELECT 1 FROM pg_stat_activity WHERE datname = '{database}'"):
        assert time.monotonic() < deadline
        time.sleep(0.2)


UNREACHABLE: list[tuple[dict[str, Any], str]] = [
    (
        {"port": "1"},
        'could not connect to database "postgres" at 127.0.0.1:1 as "provisioner": Connection refused\n'
        "HINT: check that the server runs, and host and port of the provider",
    ),
    (
        {"password": "wrong"},
        'could not connect to database "postgres" at 127.0.0.1:{port} as "provisioner": '
        'password authentication failed for user "provisioner"\n'
        "HINT: check username and password of the provider",
    ),
    (
        {"sslrootcert": "/nowhere/ca.pem"},
        'could not connect to database "postgres" at 127.0.0.1:{port} as "provisioner": '
        'root certificate file "/nowhere/ca.pem" does not exist\n'
        "HINT: sslrootcert must be the path of a PEM file that the provider can read",
    ),
    (
        {"database": "nope"},
        'could not connect to database "nope" at 127.0.0.1:{port} as "provisioner": database "nope" does not exist\n'
        "HINT: create it first, or check database and username of the provider",
    ),
    (
        {"awsRdsIamAuth": "true"},
        "the provider's awsRdsIamAuth is not supported by the air-gapped postgresql provider\n"
        "HINT: use username and password",
    ),
]


@pytest.mark.parametrize(("change", "sentence"), UNREACHABLE)
def test_a_server_that_cannot_be_reached_is_one_sentence_and_nothing_is_lost(
    postgres: Postgres, make: Make, unique: Unique, change: dict[str, Any], sentence: str
) -> None:
    name = unique("r")
    live = make("Role", name=name)
    plugin = Plugin("postgresql", postgres.config(**change))
    elsewhere = Live(plugin, live.token, live.name, live.id, live.inputs, live.state)
    try:
        assert elsewhere.diff({"name": name}).changes == {}, "no connection is needed to compare"
        with pytest.raises(Failed) as failed:
            elsewhere.refresh()
    finally:
        plugin.stop()
    assert str(failed.value) == sentence.format(port=postgres.port)
    assert elsewhere.id == name


def test_a_provider_that_is_no_superuser_says_so(postgres: Postgres, make: Make, unique: Unique) -> None:
    name, admin = unique("r"), unique("admin")
    live = make("Role", name=name, login=True, password="secret")
    postgres.run("CREATE ROLE {} LOGIN CREATEROLE PASSWORD 'admin'", admin)
    plugin = Plugin("postgresql", postgres.config(username=admin, password="admin"))
    elsewhere = Live(plugin, live.token, live.name, live.id, live.inputs, live.state)
    with pytest.raises(Failed) as failed:
        elsewhere.refresh()
    assert str(failed.value) == (
        f'could not read the password of role "{name}": "{admin}" is no superuser\n'
        "HINT: set `superuser` of the provider to false: passwords are then not compared with the server's"
    )
    with pytest.raises(Failed) as failed:
        elsewhere.up({"name": name, "login": True, "password": "secret", "superuser": True})
    assert str(failed.value) == (
        f'could not alter role "{name}": permission denied to alter role '
        "(Only roles with the SUPERUSER attribute may change the SUPERUSER attribute) [SQLSTATE 42501]\n"
        "HINT: connect as a superuser, or as the owner of the object"
    )
    plugin.stop()
    plugin = Plugin("postgresql", postgres.config(username=admin, password="admin", superuser="false"))
    assert Live(plugin, live.token, live.name, live.id, live.inputs, live.state).refresh() == "same"
    plugin.stop()


def test_unknown_types_are_refused_by_name(sql_plugin: Plugin) -> None:
    with pytest.raises(Failed) as failed:
        Live(sql_plugin, token("Function"), "f").check({"name": "f"})
    assert str(failed.value) == (
        "the air-gapped postgresql provider has no resource type 'postgresql:index/function:Function'\n"
        "HINT: it has Database, DefaultPrivileges, Extension, Grant, GrantRole, Role, Schema"
    )
