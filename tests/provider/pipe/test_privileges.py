"""``pipe:catalog:Privileges`` against a real PostgreSQL, as the engine calls it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.provider.airgap.harness import UNKNOWN, Failed, Live
from tests.provider.pipe.conftest import PASSWORD, Database
from tests.provider.pipe.driver import PipePlugin

pytestmark = pytest.mark.integration
GIVEN = "role reader may SELECT pipe.users.secret, which the matrix does not allow"
TAKEN = "role reader may not SELECT pipe.users.id, which the matrix allows"
ERROR = (
    "privileges are not what infra/access/matrix.py says:\n  {}\n"
    "HINT: what was taken away by hand comes back with: make up ARGS=--refresh\n"
    "HINT: what was given by hand: REVOKE it as pipe_provisioner, or write it into infra/access/matrix.py"
)


@pytest.fixture
def roles(database: Database) -> Iterator[None]:
    """A table with a column that its reader must not see. Roles are the server's: what is made is removed."""
    database.rows(
        f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'; GRANT USAGE ON SCHEMA pipe TO reader;"
        " CREATE TABLE pipe.users (id int, secret text); ALTER TABLE pipe.users OWNER TO pipe_owner;"
        " GRANT SELECT (id) ON pipe.users TO reader"
    )
    yield
    database.rows("DROP OWNED BY reader; DROP ROLE reader")


@pytest.fixture
def inputs(database: Database, roles: None) -> dict[str, Any]:
    """What holds in a new server, where PUBLIC still has what PostgreSQL gives it."""
    everybody = {"public": ["CONNECT", "TEMPORARY"]}
    return {
        "expected": {
            "owners": ["pipe_owner"],
            "roles": {
                "pipe_owner": {"attributes": [], "memberOf": []},
                "pipe_migrator": {"attributes": ["LOGIN", "NOINHERIT"], "memberOf": ["pipe_owner WITHOUT INHERIT"]},
                "reader": {"attributes": ["LOGIN"], "memberOf": []},
            },
            "others": {},
            "objects": {
                f"database {database.name}": everybody,
                "database postgres": everybody,
                "database template1": {"public": ["CONNECT"]},
                "schema public": {"public": ["USAGE"]},
                "schema pipe": {"reader": ["USAGE"]},
                "table pipe.users": {"reader": ["SELECT (id)"]},
            },
            # What migrations need of PostgreSQL's own functions.
            "defaults": {"function pg_catalog": {"pipe_migrator": ["EXECUTE"]}},
        },
        "passwords": {"reader": PASSWORD},
    }


@pytest.fixture
def proof(plugin: PipePlugin, inputs: dict[str, Any]) -> Live:
    made = plugin.live("catalog:Privileges")
    assert made.up(inputs) == "create"
    return made


def test_where_all_is_right_nothing_changes_and_nothing_is_said(
    plugin: PipePlugin, proof: Live, inputs: dict[str, Any]
) -> None:
    assert proof.up(inputs) == "same"
    assert proof.refresh() == "same"
    assert plugin.messages == []


def test_what_was_granted_or_revoked_by_hand_fails_the_up_by_name(
    plugin: PipePlugin, database: Database, proof: Live, inputs: dict[str, Any]
) -> None:
    database.rows("REVOKE SELECT (id) ON pipe.users FROM reader; GRANT SELECT (secret) ON pipe.users TO reader")

    assert proof.diff(inputs).changes == {"violations": "UPDATE"}
    assert plugin.messages == [ERROR.format(f"{GIVEN}\n  {TAKEN}")], "the preview names it"
    with pytest.raises(Failed) as failed:
        proof.up(inputs)
    assert str(failed.value) == ERROR.format(f"{GIVEN}\n  {TAKEN}")
    assert proof.refresh() == "changed"
    assert proof.state["violations"] == [GIVEN, TAKEN]

    database.rows("GRANT SELECT (id) ON pipe.users TO reader; REVOKE SELECT (secret) ON pipe.users FROM reader")
    assert proof.up(inputs) == "update", "what the refresh recorded goes"
    assert proof.state["violations"] == []
    assert proof.up(inputs) == "same"


def test_a_first_up_that_finds_something_wrong_fails(
    plugin: PipePlugin, database: Database, inputs: dict[str, Any]
) -> None:
    database.rows("GRANT SELECT ON pipe.users TO PUBLIC")
    with pytest.raises(Failed, match=r"PUBLIC may SELECT pipe\.users, which the matrix does not allow"):
        plugin.live("catalog:Privileges").up(inputs)


def test_a_preview_whose_up_changes_the_matrix_or_a_password_waits_for_it(
    plugin: PipePlugin, database: Database, proof: Live, inputs: dict[str, Any]
) -> None:
    database.rows("GRANT INSERT ON pipe.users TO reader")
    for change in ({"expected": inputs["expected"] | {"defaults": {"table pipe": {}}}}, {"passwords": UNKNOWN}):
        assert proof.diff(inputs | change).changes == dict.fromkeys(change, "UPDATE")
        proof.preview(inputs | change)
    assert plugin.messages == []


def test_a_login_that_is_refused_is_a_violation_without_its_password(
    plugin: PipePlugin, proof: Live, inputs: dict[str, Any]
) -> None:
    with pytest.raises(Failed) as failed:
        proof.up(inputs | {"passwords": {"reader": "hunter2"}})
    assert 'role reader cannot log in: password authentication failed for user "reader"' in str(failed.value)
    assert "hunter2" not in str(failed.value)


def test_a_role_without_login_is_asked_about(plugin: PipePlugin, database: Database, proof: Live) -> None:
    database.rows("GRANT CREATE ON SCHEMA public TO pipe_owner")
    proof.refresh()
    assert proof.state["violations"] == ["role pipe_owner may CREATE on schema public, which the matrix does not allow"]


def test_a_role_that_is_too_busy_to_let_one_in_is_asked_about_instead(
    database: Database, proof: Live, inputs: dict[str, Any]
) -> None:
    database.rows("ALTER ROLE reader CONNECTION LIMIT 0")
    assert proof.up(inputs) == "same"


def test_a_database_that_does_not_answer_is_no_reason_to_stop(
    plugin: PipePlugin, database: Database, proof: Live, inputs: dict[str, Any]
) -> None:
    plugin.configure(database.config | {"port": "1"})
    assert proof.up(inputs) == "same"
    assert plugin.messages[-1].startswith("privileges are not compared with the matrix: asking who may do what failed")
    assert proof.refresh() == "same"
