"""Role: its whole life, drift of every attribute, and a password that nobody sees."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from airgap.postgresql import scram
from tests.fixtures.postgres import Postgres
from tests.provider.airgap.fix_postgresql import Make, Unique, settled, token
from tests.provider.airgap.harness import Failed, Live, Plugin, Refused, Secret

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("postgresql")]


def may_log_in(postgres: Postgres, role: str, password: str) -> bool:
    try:
        postgres.connect(user=role, password=password).close()
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            return False
        raise
    return True


def test_a_role_is_made_and_dropped(postgres: Postgres, make: Make, unique: Unique) -> None:
    name = unique("app")
    live = make("Role", name=name, login=True, password="s3cret", connectionLimit=5)
    assert live.id == name
    assert live.state["password"] == Secret("s3cret")
    assert may_log_in(postgres, name, "s3cret")
    live.destroy()
    assert postgres.run(f"SELECT 1 FROM pg_roles WHERE rolname = '{name}'") == []


CHANGES: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    ({}, {"login": True}, "NOLOGIN", "login"),
    ({"login": True}, {}, "LOGIN", "login"),
    ({}, {"createDatabase": True}, "NOCREATEDB", "createDatabase"),
    ({}, {"createRole": True}, "NOCREATEROLE", "createRole"),
    ({}, {"replication": True}, "NOREPLICATION", "replication"),
    ({}, {"superuser": True}, "NOSUPERUSER", "superuser"),
    ({}, {"bypassRowLevelSecurity": True}, "NOBYPASSRLS", "bypassRowLevelSecurity"),
    ({}, {"inherit": False}, "INHERIT", "inherit"),
    ({}, {"connectionLimit": 3}, "CONNECTION LIMIT 4", "connectionLimit"),
    ({}, {"validUntil": "2031-01-01T00:00:00Z"}, "VALID UNTIL '2032-01-01'", "validUntil"),
]


@pytest.mark.parametrize(("before", "after", "by_hand", "path"), CHANGES, ids=lambda value: str(value)[:30])
def test_each_attribute_changes_in_place_and_its_drift_is_mended(
    postgres: Postgres, make: Make, unique: Unique, before: Any, after: Any, by_hand: str, path: str
) -> None:
    name = unique("r")
    live = make("Role", name=name, **before)
    wanted = {"name": name, **after}
    assert set(live.diff(wanted).changes.values()) <= {"UPDATE", "ADD", "DELETE"}
    assert live.up(wanted) == "update"
    settled(live, wanted)
    opposite = by_hand if after else "LOGIN"
    postgres.run(f"ALTER ROLE {{}} {opposite}", name)
    assert live.refresh() == "changed"
    assert set(live.diff(wanted).changes) == {path}
    assert live.up(wanted) == "update"
    settled(live, wanted)


def test_session_settings_are_set_changed_and_reset(postgres: Postgres, make: Make, unique: Unique) -> None:
    name, other = unique("r"), unique("other")
    make("Role", name=other)
    live = make("Role", name=name)
    wanted = {
        "name": name,
        "searchPaths": ["$user", "pipe", 'odd "name"'],
        "statementTimeout": 5000,
        "idleInTransactionSessionTimeout": 60000,
        "assumeRole": other,
        "roles": [other],
    }
    assert live.up(wanted) == "update"
    settled(live, wanted)
    (config,) = postgres.run(f"SELECT rolconfig FROM pg_roles WHERE rolname = '{name}'")[0]
    assert set(config) == {
        'search_path="$user", pipe, "odd ""name"""',
        "statement_timeout=5000",
        "idle_in_transaction_session_timeout=60000",
        f"role={other}",
    }
    postgres.run("ALTER ROLE {} SET statement_timeout = '5s'", name)
    assert live.refresh() == "same", "another spelling of the same duration is no drift"
    postgres.run("ALTER ROLE {} SET search_path = public", name)
    assert live.refresh() == "changed"
    assert live.up(wanted) == "update"
    settled(live, wanted)
    assert live.up({"name": name}) == "update"
    settled(live, {"name": name})
    assert postgres.run(f"SELECT rolconfig FROM pg_roles WHERE rolname = '{name}'") == [(None,)]


def test_memberships_are_exactly_those_wanted_whoever_granted_them(
    postgres: Postgres, make: Make, unique: Unique
) -> None:
    name, first, second, third = unique("r"), unique("a"), unique("b"), unique("c")
    for group in (first, second, third):
        make("Role", name=group)
    live = make("Role", name=name, roles=[second, first])
    postgres.run("GRANT {} TO {}", third, name)
    postgres.run("REVOKE {} FROM {}", first, name)
    assert live.refresh() == "changed"
    wanted = {"name": name, "roles": [first, second]}
    assert live.up(wanted) == "update"
    settled(live, wanted)
    granted = postgres.run(f"SELECT roleid::regrole::text FROM pg_auth_members WHERE member = '{name}'::regrole")
    assert {group for (group,) in granted} == {first, second}


def test_a_changed_password_behind_our_back_is_drift_and_is_mended(
    postgres: Postgres, make: Make, unique: Unique
) -> None:
    name = unique("app")
    wanted = {"name": name, "login": True, "password": "first"}
    live = make("Role", **wanted)
    postgres.run("ALTER ROLE {} PASSWORD 'other'", name)
    assert live.refresh() == "changed"
    assert isinstance(live.state["password"], Secret)
    assert scram.is_verifier(live.state["password"].value)
    assert live.diff(wanted).changes == {"password": "UPDATE"}
    assert live.up(wanted) == "update"
    assert may_log_in(postgres, name, "first")
    settled(live, wanted)
    postgres.run("ALTER ROLE {} PASSWORD NULL", name)
    assert live.refresh() == "changed"
    assert live.diff(wanted).changes == {"password": "ADD"}
    assert live.up(wanted) == "update"
    assert may_log_in(postgres, name, "first")
    assert live.up({**wanted, "password": "second"}) == "update"
    assert may_log_in(postgres, name, "second")
    assert not may_log_in(postgres, name, "first")


def test_an_unchanged_password_is_not_set_again(postgres: Postgres, make: Make, unique: Unique) -> None:
    name = unique("app")
    live = make("Role", name=name, login=True, password="same")
    stored = f"SELECT rolpassword FROM pg_authid WHERE rolname = '{name}'"
    before = postgres.run(stored)
    assert live.up({"name": name, "login": True, "password": "same", "connectionLimit": 2}) == "update"
    assert postgres.run(stored) == before


def test_no_password_ever_reaches_the_servers_log(postgres: Postgres, make: Make, unique: Unique) -> None:
    name = unique("app")
    live = make("Role", name=name, login=True, password="visible-nowhere-1")
    live.up({"name": name, "login": True, "password": "visible-nowhere-2"})
    log = postgres.log()
    assert name in log, "the log does hold the statements"
    assert "visible-nowhere" not in log


@pytest.mark.parametrize(
    "password", ["plain", "pässwörd", "non\u00a0breaking", "Ⅳ", "ا1", "ｆｕｌｌ", "soft\u00adhyphen"]
)
def test_any_password_is_recognised(make: Make, unique: Unique, password: str) -> None:
    make("Role", name=unique("r"), login=True, password=password)


def test_a_verifier_is_taken_as_it_is(postgres: Postgres, make: Make, unique: Unique) -> None:
    name = unique("r")
    postgres.run("CREATE ROLE {} PASSWORD 'known'", name)
    ((verifier,),) = postgres.run(f"SELECT rolpassword FROM pg_authid WHERE rolname = '{name}'")
    other = unique("r2")
    make("Role", name=other, login=True, password=verifier)
    assert may_log_in(postgres, other, "known")


def test_a_role_that_was_dropped_is_gone_and_comes_back(postgres: Postgres, make: Make, unique: Unique) -> None:
    name = unique("r")
    live = make("Role", name=name)
    postgres.run("DROP ROLE {}", name)
    assert live.refresh() == "gone"
    assert live.up({"name": name}) == "create"
    postgres.run("DROP ROLE {}", name)
    live.destroy()


def test_a_role_is_renamed_in_place(postgres: Postgres, make: Make, unique: Unique) -> None:
    old, new = unique("old"), unique("new")
    live = make("Role", name=old, login=True, password="kept")
    wanted = {"name": new, "login": True, "password": "kept"}
    assert live.up(wanted) == "update"
    assert may_log_in(postgres, new, "kept")
    settled(live, wanted)


def test_a_role_is_imported(postgres: Postgres, sql_plugin: Plugin, unique: Unique) -> None:
    name = unique("r")
    postgres.run("CREATE ROLE {} LOGIN CONNECTION LIMIT 7", name)
    live = Live(sql_plugin, token("Role"), "imported")
    assert live.adopt(name)
    assert live.inputs["connectionLimit"] == 7
    settled(live, {"name": name, "login": True, "connectionLimit": 7})
    assert not Live(sql_plugin, token("Role"), "nobody").adopt("nobody_at_all")


def test_what_a_dropped_role_owned_is_handed_over(postgres: Postgres, make: Make, unique: Unique) -> None:
    name = unique("r")
    live = make("Role", name=name)
    postgres.run("CREATE SCHEMA {} AUTHORIZATION {}", f"s_{name}", name)
    live.destroy()
    ((owner,),) = postgres.run(f"SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 's_{name}'")
    assert owner == postgres.user
    postgres.run("DROP SCHEMA {}", f"s_{name}")


def test_a_role_that_is_needed_elsewhere_is_not_dropped(
    postgres: Postgres, make: Make, database: str, unique: Unique
) -> None:
    name = unique("r")
    live = make("Role", name=name)
    postgres.run("ALTER TABLE s.users OWNER TO {}", name, database=database)
    with pytest.raises(Failed) as failed:
        live.destroy()
    assert str(failed.value) == (
        f'could not drop role "{name}": role "{name}" cannot be dropped because some objects depend on it '
        f"(1 object in database {database}) [SQLSTATE 2BP01]\n"
        "HINT: remove what depends on it first, or let those resources be deleted before this one (depends_on)"
    )
    postgres.run("ALTER TABLE s.users OWNER TO CURRENT_USER", database=database)


def test_an_existing_role_is_not_taken_over(postgres: Postgres, make: Make, unique: Unique) -> None:
    name = unique("r")
    postgres.run("CREATE ROLE {}", name)
    with pytest.raises(Failed) as failed:
        make("Role", name=name)
    assert str(failed.value) == (
        f'could not create role "{name}": it exists already\n'
        "HINT: take it over with `pulumi import`, or choose another name"
    )


def test_a_role_that_a_killed_run_left_behind_is_found_again(sql_plugin: Plugin, make: Make, unique: Unique) -> None:
    name = unique("r")
    lost = make("Role", name=name)
    again = Live(sql_plugin, token("Role"), lost.name)
    wanted = {"name": name, "login": True, "password": "new"}
    assert again.up(wanted) == "create"
    settled(again, wanted)


@pytest.mark.parametrize(
    ("inputs", "path", "reason"),
    [
        ({"name": ""}, "name", "must not be empty"),
        ({"name": "x" * 64}, "name", "is 64 bytes long, but PostgreSQL keeps 63 of a name"),
        ({"name": "r", "connectionLimit": -2}, "connectionLimit", "must be -1 or more, but is -2"),
        ({"name": "r", "statementTimeout": -1}, "statementTimeout", "must be 0 or more, but is -1"),
        (
            {"name": "r", "encryptedPassword": False},
            "encryptedPassword",
            "must be true: PostgreSQL stores no password in the clear",
        ),
        (
            {"name": "r", "passwordWo": "x"},
            "passwordWo",
            "is not supported by the air-gapped postgresql provider: use password",
        ),
        ({"name": "r", "logon": True}, "logon", "is not a property of this resource; did you mean 'login'?"),
    ],
)
def test_wrong_inputs_are_refused(sql_plugin: Plugin, inputs: dict[str, Any], path: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        Live(sql_plugin, token("Role"), "wrong").up(inputs)
    assert refused.value.failures == {path: reason}
