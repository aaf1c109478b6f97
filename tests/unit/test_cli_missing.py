"""What is gone from the engine is taken out of the state, unless that would make an empty store or another cluster."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli import missing, recover
from cli.engine import Thing
from cli.errors import UserError
from cli.session import Session
from cli.state import State
from setup.paths import Paths
from tests.unit.test_cli_recover import resource

MEMBER = resource(recover.CONTAINER, "member-0", "c1", outputs={"name": "pipe-dev-member-0"})
PROXY = resource(recover.CONTAINER, "proxy-0", "c2", outputs={"name": "pipe-dev-proxy-0"})
DATA = resource(missing.VOLUME, "member-0-data", "pipe-dev-member-0-data")
STORE = resource(missing.VOLUME, "etcd-0-data", "pipe-dev-etcd-0-data")
KNOWN = State((MEMBER, PROXY, DATA, STORE, resource("postgresql:index/role:Role", "app", "pipe_app")))
THERE = {
    "member": Thing("container", "c1", "pipe-dev-member-0"),
    "proxy": Thing("container", "c2", "pipe-dev-proxy-0"),
    "data": Thing("volume", "pipe-dev-member-0-data", "pipe-dev-member-0-data"),
    "store": Thing("volume", "pipe-dev-etcd-0-data", "pipe-dev-etcd-0-data"),
}


@pytest.fixture
def forget(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., list[str]]:
    """Forget what is missing on an engine that has some of the things; return what Pulumi was asked."""

    def forgotten(*there: str, status: int = 0, **environ: str) -> list[str]:
        asked: list[str] = []

        def ask(_: Session, *words: str) -> subprocess.CompletedProcess[str]:
            asked.extend(words)
            return subprocess.CompletedProcess(words, status, "", "error: no")

        monkeypatch.setattr("cli.engine.client", lambda: None)
        monkeypatch.setattr("cli.engine.labelled", lambda *_: [THERE[name] for name in there])
        monkeypatch.setattr(Session, "ask", ask)
        missing.forget(Session("dev", Paths(tmp_path), environ), KNOWN)
        return asked

    return forgotten


def targets(*resources: dict[str, Any]) -> list[str]:
    return [word for one in resources for word in ("--target", str(one["urn"]))]


def test_nothing_is_asked_where_all_is_there(forget: Callable[..., list[str]]) -> None:
    assert forget(*THERE) == []


def test_what_is_gone_is_refreshed_and_nothing_else(
    forget: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    asked = forget("data", "store", "member")
    assert asked == ["refresh", "--yes", "--skip-preview", "--stack", "dev", *targets(PROXY)]
    assert capsys.readouterr().out == "recovering: proxy-0 is gone from the engine\n"
    assert forget("store", "proxy")[5:] == targets(MEMBER, DATA)


def test_an_engine_without_anything_may_be_the_wrong_one(forget: Callable[..., list[str]]) -> None:
    with pytest.raises(UserError) as caught:
        forget()
    assert caught.value.text() == (
        'error: nothing of stack "dev" is on this Docker engine, and its state has 4 objects\n'
        "HINT: is DOCKER_HOST the right one? If all of them are lost: PIPE_RECOVER=1 makes them anew, and empty."
    )
    assert forget(PIPE_RECOVER="1")[5:] == targets(MEMBER, PROXY, DATA, STORE)


def test_no_empty_store_is_made_for_members_that_have_data(forget: Callable[..., list[str]]) -> None:
    with pytest.raises(UserError) as caught:
        forget("member", "data")
    assert caught.value.text() == (
        'error: etcd of stack "dev" has lost its data (etcd-0-data)\n'
        "HINT: docs/disaster-runbook.md, etcd, says what goes before; then run again with PIPE_RECOVER=1."
    )
    assert forget("member", "data", PIPE_RECOVER="1")[5:] == targets(PROXY, STORE)
    assert forget("proxy")[5:] == targets(MEMBER, DATA, STORE), "where no member has data either, nothing can be lost"


def test_what_is_protected_is_not_forgotten(forget: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DATA, "protect", True)
    with pytest.raises(UserError) as caught:
        forget("member", "proxy", "store")
    assert caught.value.text() == (
        'error: member-0-data of stack "dev" is gone from the engine, and its state protects it\n'
        "HINT: what was in it does not come back; if that is so, STACK=dev bin/pulumi state unprotect "
        f"'{DATA['urn']}'"
    )


def test_a_state_that_cannot_be_compared_is_said(forget: Callable[..., list[str]]) -> None:
    with pytest.raises(UserError, match="cannot be compared with the engine: error: no"):
        forget("data", "store", "member", status=1)
