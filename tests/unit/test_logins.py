"""Rotation: which login is open with which generation of its password, for every way through the settings."""

from __future__ import annotations

import json
import runpy
from typing import Any

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime import mocks

from infra.logins import APPLICATION, application, logins
from infra.settings import CredentialSettings
from tests.unit.test_program import Program

rotations = st.integers(min_value=0, max_value=1_000_000)
ROLE = "postgresql:index/role:Role"


def keepers(login: str, **settings: Any) -> Any:
    return logins(CredentialSettings(**settings))[login].keepers


def is_open(**settings: Any) -> dict[str, bool]:
    found = logins(CredentialSettings(**settings))
    return {name: found[name].is_open for name in APPLICATION}


def test_a_fresh_stack_has_one_open_login_for_the_application() -> None:
    assert application(CredentialSettings()) == "app"
    assert is_open() == {"app": True, "app_b": False}
    assert is_open(app_overlap=True) == {"app": True, "app_b": False}, "there is no login from before"
    assert keepers("app") is None


@given(rotations, st.booleans())
def test_the_login_whose_turn_it_is_is_open(rotation: int, overlap: bool) -> None:
    settings = CredentialSettings(app=rotation, app_overlap=overlap)
    assert logins(settings)[application(settings)].is_open


@given(rotations)
def test_with_overlap_the_login_from_before_keeps_its_password(rotation: int) -> None:
    before = CredentialSettings(app=rotation)
    after = CredentialSettings(app=rotation + 1, app_overlap=True)
    old = application(before)
    assert application(after) != old
    assert logins(after)[old] == logins(before)[old]


@given(rotations, st.booleans())
def test_a_rotation_gives_the_next_login_a_password_that_it_never_had(rotation: int, overlap: bool) -> None:
    before = logins(CredentialSettings(app=rotation, app_overlap=overlap))
    after = CredentialSettings(app=rotation + 1, app_overlap=True)
    following = application(after)
    assert logins(after)[following].keepers != before[following].keepers


@given(rotations)
def test_a_closed_login_loses_its_password(rotation: int) -> None:
    overlapping = logins(CredentialSettings(app=rotation + 1, app_overlap=True))
    closed = logins(CredentialSettings(app=rotation + 1))
    old = application(CredentialSettings(app=rotation))
    assert not closed[old].is_open
    assert closed[old].keepers != overlapping[old].keepers


@pytest.mark.parametrize("login", ["readonly", "auditor", "monitor", "migrator"])
def test_a_single_login_is_always_open_and_its_counter_changes_its_password_alone(login: str) -> None:
    counter: dict[str, Any] = {login: 3}
    before, after = logins(CredentialSettings()), logins(CredentialSettings(**counter))
    assert after[login].is_open
    assert {name for name in after if after[name] != before[name]} == {login}


def declared(monkeypatch: pytest.MonkeyPatch, credentials: dict[str, Any]) -> tuple[Program, dict[str, Any]]:
    """Run the program; return what it registered, and what it exports as connections."""
    recorder = Program()
    exported: dict[str, Any] = {}
    monkeypatch.setattr("pathlib.Path.write_text", lambda *_args, **_kwargs: 0)
    monkeypatch.setattr("pulumi.export", exported.__setitem__)
    mocks.set_mocks(recorder, project="pipe", stack="dev", preview=False)
    values = {"environment": "dev", "network": {"port_base": 15400}, "credentials": credentials}
    pulumi.runtime.set_all_config(
        {f"pipe:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    )
    known: dict[str, Any] = {}

    def run() -> Any:
        runpy.run_path("__main__.py")
        return exported["connections"].apply(known.update)

    runtime: Any = pulumi.runtime
    runtime.test(run)()
    return recorder, known


def test_the_program_opens_the_login_that_it_exports(monkeypatch: pytest.MonkeyPatch) -> None:
    program, connections = declared(monkeypatch, {"app": 1})
    roles = program.of(ROLE)
    assert [roles[name]["login"] for name in ("pipe_app", "pipe_app_b")] == [False, True]
    assert roles["pipe_app_b"]["roles"] == ["pipe_app"]
    assert roles["pipe_app_b"]["password"] == "SECRET-credentials-app-b"
    assert connections["app"]["read_only"].startswith("postgresql://pipe_app_b:SECRET-credentials-app-b@")


def test_every_login_has_its_sessions_ended_with_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    program, _ = declared(monkeypatch, {})
    sessions = program.of("pipe:sql:Sessions")
    logins_of_program = {name for name, inputs in program.of(ROLE).items() if inputs.get("password")}
    assert {inputs["role"] for inputs in sessions.values()} == logins_of_program
    for name, inputs in sessions.items():
        assert inputs["containers"] == ["pipe-dev-member-0", "pipe-dev-member-1"], name
        assert "SECRET" not in json.dumps(inputs), name
    assert len({json.dumps(inputs["triggers"]) for inputs in sessions.values()}) == len(sessions)
