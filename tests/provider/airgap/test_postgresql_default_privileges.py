"""DefaultPrivileges and GrantRole: what holds for objects of the future, and who belongs to whom."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fixtures.postgres import Postgres
from tests.provider.airgap.fix_postgresql import Make, Unique, settled, token
from tests.provider.airgap.harness import Failed, Live, Plugin, Refused

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("postgresql")]


@pytest.fixture
def owner(postgres: Postgres, unique: Unique) -> str:
    made = unique("owner")
    postgres.run("CREATE ROLE {}", made)
    return made


KINDS: list[tuple[dict[str, Any], str]] = [
    ({"objectType": "table", "schema": "s", "privileges": ["SELECT", "INSERT"]}, "REVOKE INSERT ON TABLES"),
    ({"objectType": "table", "privileges": ["ALL"]}, "REVOKE SELECT ON TABLES"),
    ({"objectType": "sequence", "schema": "s", "privileges": ["USAGE"]}, "GRANT SELECT ON SEQUENCES"),
    ({"objectType": "function", "privileges": ["EXECUTE"]}, "REVOKE EXECUTE ON FUNCTIONS"),
    ({"objectType": "routine", "schema": "s", "privileges": ["EXECUTE"]}, "REVOKE EXECUTE ON FUNCTIONS"),
    ({"objectType": "type", "privileges": ["USAGE"]}, "REVOKE USAGE ON TYPES"),
    ({"objectType": "schema", "privileges": ["USAGE"]}, "GRANT CREATE ON SCHEMAS"),
]


@pytest.mark.parametrize(("inputs", "by_hand"), KINDS, ids=lambda value: str(value)[:50])
def test_default_privileges_hold_and_what_differs_is_drift(
    postgres: Postgres, make: Make, database: str, role: str, owner: str, inputs: dict[str, Any], by_hand: str
) -> None:
    wanted = {"role": role, "database": database, "owner": owner, **inputs}
    live = make("DefaultPrivileges", **wanted)
    assert live.id == f"{role}_{database}_{inputs.get('schema', 'noschema')}_{owner}_{inputs['objectType']}"
    where = "IN SCHEMA s" if "schema" in inputs else ""
    direction = "TO" if by_hand.startswith("GRANT") else "FROM"
    postgres.run(
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {{}} {where} {by_hand} {direction} {{}}", owner, role, database=database
    )
    left_something = live.refresh()
    assert left_something == (
        "gone"
        if len(inputs["privileges"]) == 1 and direction == "FROM" and inputs["privileges"] != ["ALL"]
        else "changed"
    )
    assert live.up(wanted) == ("create" if left_something == "gone" else "update")
    settled(live, wanted)
    live.destroy()
    query = "SELECT 1 FROM pg_default_acl a, aclexplode(a.defaclacl) x WHERE x.grantee = '{}'::regrole"
    assert postgres.run(query.format(role), database=database) == []


def test_new_tables_are_reachable_and_privileges_change_in_place(
    postgres: Postgres, make: Make, database: str, role: str, owner: str
) -> None:
    postgres.run("GRANT CREATE ON SCHEMA s TO {}", owner, database=database)
    wanted = {"role": role, "database": database, "owner": owner, "schema": "s", "objectType": "table"}
    live = make("DefaultPrivileges", **wanted, privileges=["SELECT"])
    assert live.up({**wanted, "privileges": ["SELECT", "DELETE"]}) == "update"
    settled(live, {**wanted, "privileges": ["SELECT", "DELETE"]})
    postgres.run("SET ROLE {}; CREATE TABLE s.new (id int)", owner, database=database)
    assert postgres.run(f"SELECT has_table_privilege('{role}', 's.new', 'DELETE')", database=database) == [(True,)]
    diff = live.diff({**wanted, "privileges": ["SELECT"], "schema": "public"})
    assert diff.replaces == ["schema"]
    assert diff.delete_before_replace


def test_public_loses_execute_on_future_functions_and_getting_it_back_is_drift(
    postgres: Postgres, make: Make, database: str, owner: str
) -> None:
    wanted = {"role": "public", "database": database, "owner": owner, "objectType": "function", "privileges": []}
    live = make("DefaultPrivileges", **wanted)
    postgres.run("ALTER DEFAULT PRIVILEGES FOR ROLE {} GRANT EXECUTE ON FUNCTIONS TO PUBLIC", owner, database=database)
    assert postgres.run("SELECT 1 FROM pg_default_acl", database=database) == [], "the catalog holds nothing at all"
    assert live.refresh() == "changed"
    assert live.state["privileges"] == ["EXECUTE"]
    assert live.up(wanted) == "update"
    settled(live, wanted)


def test_a_revoke_that_can_have_no_effect_is_warned_about(
    sql_plugin: Plugin, make: Make, database: str, owner: str
) -> None:
    live = make(
        "DefaultPrivileges",
        role="public", database=database, owner=owner, schema="s", objectType="function", privileges=[],
    )  # fmt: skip
    assert (
        live.name,
        'nothing is revoked: default privileges in schema "s" only add to those that hold in every schema\n'
        "HINT: leave schema out to take away what PUBLIC has by default",
    ) in sql_plugin.engine.lines


@pytest.mark.parametrize("statement", ["DROP OWNED BY {o}; DROP ROLE {o}", "DROP SCHEMA s CASCADE"])
def test_default_privileges_without_owner_or_schema_are_gone(
    postgres: Postgres, make: Make, database: str, role: str, owner: str, statement: str
) -> None:
    live = make(
        "DefaultPrivileges",
        role=role, database=database, owner=owner, schema="s", objectType="table", privileges=["SELECT"],
    )  # fmt: skip
    kept = Live(live.plugin, live.token, live.name, live.id, live.inputs, live.state)
    postgres.run(statement.format(o=owner), database=database)
    assert live.refresh() == "gone"
    kept.destroy()


def test_the_sentences(sql_plugin: Plugin, make: Make, database: str, role: str) -> None:
    wanted = {"role": role, "database": database, "schema": "s", "objectType": "table", "privileges": ["SELECT"]}
    with pytest.raises(Failed) as failed:
        make("DefaultPrivileges", owner="nobody", **wanted)
    assert str(failed.value) == (
        f'could not set SELECT on future tables of role "nobody" in schema "s" to role "{role}": '
        'role "nobody" does not exist\n'
        "HINT: create it first, or let this resource depend on the one that does; names are case-sensitive"
    )
    with pytest.raises(Refused) as refused:
        make("DefaultPrivileges", owner=role, **{**wanted, "objectType": "schema", "privileges": []})
    assert refused.value.failures == {"schema": 'must be left out when objectType is "schema"'}
    with pytest.raises(Failed) as failed:
        Live(sql_plugin, token("DefaultPrivileges"), "imported").adopt("a_b_c_d_table")
    assert str(failed.value) == (
        'default privileges "a_b_c_d_table" cannot be imported: their id does not say where a name ends\n'
        "HINT: leave the import out: to create DefaultPrivileges that hold already changes nothing"
    )


def test_a_membership_lives(postgres: Postgres, make: Make, role: str, owner: str) -> None:
    wanted = {"role": role, "grantRole": owner}
    live = make("GrantRole", **wanted)
    assert live.id == f"{role}_{owner}_false"
    with_admin = {**wanted, "withAdminOption": True}
    diff = live.diff(with_admin)
    assert diff.replaces == ["withAdminOption"]
    assert diff.delete_before_replace
    assert live.up(with_admin) == "replace"
    settled(live, with_admin)
    assert live.id == f"{role}_{owner}_true"
    postgres.run("REVOKE ADMIN OPTION FOR {} FROM {}", owner, role)
    assert live.refresh() == "changed"
    assert live.up(with_admin) == "replace"
    postgres.run("REVOKE {} FROM {}", owner, role)
    assert live.refresh() == "gone"
    assert live.up(wanted) == "create"
    settled(live, wanted)
    live.destroy()
    assert postgres.run(f"SELECT 1 FROM pg_auth_members WHERE member = '{role}'::regrole") == []


def test_a_membership_ends_whoever_granted_it(
    postgres: Postgres, make: Make, role: str, owner: str, unique: Unique
) -> None:
    other = unique("admin")
    postgres.run("CREATE ROLE {}", other)
    postgres.run("GRANT {} TO {} WITH ADMIN OPTION", owner, other)
    live = make("GrantRole", role=role, grantRole=owner)
    postgres.run("GRANT {} TO {} GRANTED BY {}", owner, role, other)
    live.destroy()
    assert postgres.run(f"SELECT 1 FROM pg_auth_members WHERE member = '{role}'::regrole") == []


def test_a_membership_of_nobody_is_refused_with_a_sentence(make: Make, role: str) -> None:
    with pytest.raises(Failed) as failed:
        make("GrantRole", role=role, grantRole="nobody")
    assert str(failed.value) == (
        f'could not grant role "nobody" to role "{role}": role "nobody" does not exist [SQLSTATE 42704]\n'
        "HINT: create it first, or let this resource depend on the one that does; names are case-sensitive"
    )
