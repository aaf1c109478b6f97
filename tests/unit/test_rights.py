"""Who may do what, compared with the matrix: the sentences, and what the matrix becomes for it."""

from __future__ import annotations

from typing import Any

import pytest

from infra.access import matrix
from infra.access.expected import expected
from provider.catalog.rights import Right, Role, checked, predefined, violations

EXPECTED: dict[str, Any] = {
    "owners": ["owner"],
    "roles": {
        "owner": {"attributes": [], "memberOf": []},
        "app": {"attributes": ["LOGIN"], "memberOf": []},
        "app_b": {"attributes": ["LOGIN"], "memberOf": ["app", "pg_monitor"]},
    },
    "others": {"server": {"attributes": ["LOGIN"], "memberOf": []}},
    "objects": {"table s.t": {"app": ["SELECT"], "app_b": []}, "function s.*": {"app": ["EXECUTE"]}},
    "defaults": {"table s": {"app": ["INSERT"]}},
}
ROLES = [
    Role("owner", frozenset(), frozenset()),
    Role("app", frozenset({"LOGIN"}), frozenset()),
    Role("app_b", frozenset({"LOGIN"}), frozenset({"app", "pg_monitor"})),
    Role("root", frozenset({"SUPERUSER", "LOGIN"}), frozenset(), is_bootstrap=True),
]
T = Right("table", "s.t", "owner", ("SELECT",))


def found(roles: list[Role] = ROLES, **held: list[Right]) -> list[str]:
    return violations(EXPECTED, roles, {"public": [], "owner": [], "app": [T], "app_b": [T]} | held)


def test_everybody_is_asked_but_superusers() -> None:
    assert checked(ROLES) == ["public", "app", "app_b", "owner"]


def test_predefined_roles_count_through_those_between() -> None:
    assert predefined(EXPECTED, "app_b") == ["pg_monitor"]
    assert predefined(EXPECTED, "app") == []


def test_what_is_allowed_held_or_inherited_is_silent() -> None:
    own = Right("table", "s.t", "owner", ("SELECT", "TRUNCATE", "TRUNCATE WITH GRANT OPTION"))
    function = Right("function", "s.f()", "owner", ("EXECUTE",))
    assert found(owner=[own], app=[T, function], app_b=[T, function]) == []


@pytest.mark.parametrize(
    ("right", "sentence"),
    [
        (Right("table", "s.t", "owner", ("INSERT", "SELECT")), "may INSERT s.t"),
        (Right("column", "s.t.c", "owner", ("UPDATE",)), "may UPDATE s.t.c"),
        (Right("table", "s.new", "owner", ("INSERT", "SELECT")), "may SELECT s.new"),
        (Right("table", "s.t_y2026m01", "owner", ("INSERT",)), "may INSERT s.t_y2026m01"),
        (Right("schema", "s", "owner", ("CREATE",)), "may CREATE on schema s"),
        (Right("table", "s.x", "app", ("SELECT",)), "owns s.x"),
    ],
)
def test_what_the_matrix_does_not_name_is_a_violation(right: Right, sentence: str) -> None:
    assert f"role app {sentence}, which the matrix does not allow" in found(app=[T, right])


def test_what_public_may_do_is_said_once() -> None:
    everybody = Right("table", "s.x", "owner", ("UPDATE",))
    assert found(public=[everybody], app=[T, everybody], app_b=[T, everybody]) == [
        "PUBLIC may UPDATE s.x, which the matrix does not allow"
    ]


def test_a_wrong_membership_is_said_once_and_not_by_all_that_follows_from_it() -> None:
    own = Right("table", "s.x", "owner", ("SELECT", "INSERT"))
    member = Role("app", frozenset({"LOGIN"}), frozenset({"owner"}))
    roles = [member if role.name == "app" else role for role in ROLES]
    assert found(roles, app=[T, own], app_b=[T, own]) == [
        "role app is a member of owner, which the matrix does not allow"
    ]


def test_what_is_taken_away_is_named() -> None:
    assert found(app=[]) == ["role app may not SELECT s.t, which the matrix allows"]


def test_roles_that_are_unknown_missing_or_other_than_they_should_be() -> None:
    roles = [ROLES[0], Role("app", frozenset({"BYPASSRLS"}), frozenset()), Role("mallory", frozenset(), frozenset())]
    assert violations(EXPECTED, roles, {"public": []}) == [
        "role app_b does not exist, which the matrix names",
        "role app has the attribute BYPASSRLS, which the matrix does not allow",
        "role app does not have the attribute LOGIN, which the matrix gives it",
        "role mallory exists, which the matrix does not name",
    ]


def test_the_matrix_becomes_what_is_expected() -> None:
    made = expected({"pipe_app", "pipe_readonly"})
    objects = made["objects"]
    assert made["roles"][matrix.APP]["attributes"] == ["LOGIN"]
    assert made["roles"][matrix.AUDITOR]["attributes"] == [], "a login that is closed"
    assert made["roles"][matrix.OWNER] == {"attributes": [], "memberOf": ["pg_database_owner"]}
    assert objects["database pipe"][matrix.APP] == ["CONNECT"]
    assert objects["table pipe.organizations"][matrix.APP] == ["SELECT", "INSERT", "UPDATE", "DELETE"]
    assert "SELECT (email)" in objects["table pipe.users"][matrix.READONLY]
    assert "SELECT" not in objects["table pipe.users"][matrix.READONLY]
    assert objects["function cron.schedule(text,text,text)"] == {matrix.MIGRATOR: ["EXECUTE"]}
    assert objects["function cron.*"] == {matrix.PUBLIC: []}
    assert made["defaults"]["table pipe"][matrix.READONLY] == ["SELECT"]
