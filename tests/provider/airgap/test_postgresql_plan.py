"""What is held and what is wanted, mapped to statements: without a server."""

from __future__ import annotations

import hashlib

import psycopg.errors
import pytest
from psycopg import sql

from airgap.postgresql import plan, plan_role, privileges, scram
from airgap.postgresql.errors import explain
from airgap.postgresql.plan import DefaultScope, Held, Membership, Statement, Wanted
from airgap.postgresql.settings import Settings, from_config
from airgap.postgresql.values import hashed, in_order_of

USERS, RUNS = sql.Identifier("pipe", "users"), sql.Identifier("pipe", "runs")


def text(statements: list[Statement]) -> list[str]:
    return [statement.query.as_string(None) for statement in statements]


def held(
    *names: str, identity: sql.Composable = USERS, grantable: tuple[str, ...] = (), **columns: tuple[str, ...]
) -> Held:
    return Held("users", identity, frozenset(names), frozenset(grantable), columns)


def wanted(*names: str, role: str = "app", grant_option: bool = False) -> Wanted:
    return Wanted("table", role, frozenset(names), grant_option)


def test_what_is_held_already_needs_no_statement() -> None:
    assert plan.grant([held("SELECT")], wanted("SELECT")) == []


def test_only_what_differs_is_granted_and_revoked() -> None:
    assert text(plan.grant([held("SELECT", "DELETE")], wanted("SELECT", "INSERT"))) == [
        'REVOKE DELETE ON TABLE "pipe"."users" FROM "app"',
        'GRANT INSERT ON TABLE "pipe"."users" TO "app"',
    ]


def test_objects_that_need_the_same_share_a_statement() -> None:
    statements = plan.grant([held(), held(identity=RUNS)], wanted("SELECT"))
    assert text(statements) == ['GRANT SELECT ON TABLE "pipe"."users", "pipe"."runs" TO "app"']
    assert statements[0].doing == 'grant SELECT on tables "users", "users" to role "app"'


def test_privileges_on_columns_survive_a_revoke_on_the_table() -> None:
    assert text(plan.grant([held("SELECT", SELECT=("id", "name"))], wanted())) == [
        'REVOKE SELECT ON TABLE "pipe"."users" FROM "app"',
        'GRANT SELECT ("id", "name") ON TABLE "pipe"."users" TO "app"',
    ]


def test_public_loses_privileges_on_columns_too() -> None:
    statements = plan.grant([held(SELECT=("hash",))], wanted(role="public"))
    assert text(statements) == ['REVOKE SELECT ON TABLE "pipe"."users" FROM "public"']
    assert statements[0].doing == 'revoke SELECT on table "users" from PUBLIC'


def test_grant_options_come_and_go() -> None:
    assert text(plan.grant([held("SELECT", grantable=("SELECT",))], wanted("SELECT"))) == [
        'REVOKE GRANT OPTION FOR SELECT ON TABLE "pipe"."users" FROM "app"'
    ]
    assert text(plan.grant([held("SELECT")], wanted("SELECT", grant_option=True))) == [
        'GRANT SELECT ON TABLE "pipe"."users" TO "app" WITH GRANT OPTION'
    ]


def test_columns_are_granted_and_revoked_one_by_one() -> None:
    only = Wanted("column", "app", frozenset({"SELECT"}))
    assert text(plan.grant_columns(held(SELECT=("id", "hash")), only, frozenset({"id", "name"}))) == [
        'REVOKE SELECT ("hash") ON TABLE "pipe"."users" FROM "app"',
        'GRANT SELECT ("name") ON TABLE "pipe"."users" TO "app"',
    ]
    assert plan.grant_columns(held(SELECT=("id",)), only, frozenset({"id"})) == []


def test_default_privileges_name_owner_and_schema() -> None:
    statements = plan.default_privileges(DefaultScope("owner", "pipe"), held("DELETE"), wanted("SELECT"))
    assert text(statements) == [
        'ALTER DEFAULT PRIVILEGES FOR ROLE "owner" IN SCHEMA "pipe" REVOKE DELETE ON TABLES FROM "app"',
        'ALTER DEFAULT PRIVILEGES FOR ROLE "owner" IN SCHEMA "pipe" GRANT SELECT ON TABLES TO "app"',
    ]
    functions = Wanted("function", "public", frozenset())
    assert text(plan.default_privileges(DefaultScope("owner", None), held("EXECUTE"), functions)) == [
        'ALTER DEFAULT PRIVILEGES FOR ROLE "owner" REVOKE EXECUTE ON FUNCTIONS FROM "public"'
    ]


def test_memberships_end_with_the_grantor_that_made_them() -> None:
    rows = [Membership("a", "postgres", False), Membership("b", "admin", False)]
    assert text(plan.memberships("app", rows, frozenset({"a", "c"}), grantors=True)) == [
        'REVOKE "b" FROM "app" GRANTED BY "admin"',
        'GRANT "c" TO "app"',
    ]
    assert text(plan.memberships("app", rows, frozenset({"a"}), grantors=False)) == ['REVOKE "b" FROM "app"']


def test_names_are_quoted() -> None:
    assert text(plan_role.rename('a"b', "x; DROP")) == ['ALTER ROLE "a""b" RENAME TO "x; DROP"']


def test_a_role_that_is_as_wanted_needs_no_statement() -> None:
    actual = {
        **dict.fromkeys(plan_role.FLAGS, False),
        **plan_role.settings_of(None),
        "inherit": True,
        "connectionLimit": -1,
        "validUntil": "infinity",
    }
    assert plan_role.role("r", actual, {"inherit": True}, None) == []
    assert text(plan_role.role("r", actual, {"inherit": True, "login": True}, "")) == [
        'ALTER ROLE "r" WITH LOGIN PASSWORD NULL'
    ]


@pytest.mark.parametrize(
    ("stored", "expected"), [("5000", 5000), ("5s", 5000), ("2min", 120_000), ("1.5h", 5_400_000), ("0", 0), ("?", 0)]
)
def test_durations_are_milliseconds(stored: str, expected: int) -> None:
    assert plan_role.milliseconds(stored) == expected


def test_all_is_what_the_server_knows() -> None:
    assert "MAINTAIN" in privileges.expand("table", ["ALL"], 170002)
    assert "MAINTAIN" not in privileges.expand("table", ["ALL"], 160004)


def test_a_known_order_is_kept() -> None:
    assert in_order_of(["b", "a"], {"a", "b"}) == ["b", "a"]
    assert in_order_of(["b", "a"], {"a", "c"}) == ["a", "c"]


def test_lists_in_ids_have_the_order_of_the_official_provider() -> None:
    # The CRC-32 of each name, compared as text: 2151316255 (runs), 2363233923 (x), 344172009 (users).
    assert hashed(["users", "x", "runs"]) == ["runs", "x", "users"]


def test_verifiers_are_told_from_passwords() -> None:
    verifier = "SCRAM-SHA-256$4096:c2FsdA==$" + "A" * 43 + "=:" + "B" * 43 + "="
    assert scram.is_verifier(verifier)
    assert not scram.is_verifier("password")
    assert scram.belongs(verifier, verifier, "r")
    assert not scram.belongs("password", verifier, "r")
    assert not scram.belongs("password", "", "r")
    assert scram.belongs("secret", "md5" + hashlib.md5(b"secretr").hexdigest(), "r")
    assert not scram.belongs("secret", "md5" + hashlib.md5(b"secretr").hexdigest(), "other")


def test_an_unknown_sqlstate_is_reported_as_it_is() -> None:
    error = psycopg.errors.RaiseException("no way")
    assert str(explain(error, "do it")) == "could not do it: no way [SQLSTATE P0001]"


def test_configuration_defaults_are_the_official_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGPASSWORD"):
        monkeypatch.delenv(variable, raising=False)
    assert from_config({}) == Settings()
    parameters = from_config({"host": "h", "password": "p", "clientcert": {"cert": "c", "key": "k"}}).parameters("d")
    assert parameters["sslmode"] == "require"
    assert parameters["sslcert"] == "c"
    assert parameters["dbname"] == "d"
    assert "hidden" not in repr(from_config({"password": "hidden"}))
