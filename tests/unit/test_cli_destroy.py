"""What `make destroy` removes when Pulumi could not: only what a half-made local stack left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli import destroy, engine, recover
from cli.errors import UserError
from cli.session import Ended, Session
from setup.paths import Paths
from setup.toolchain import Toolchain


@pytest.fixture
def removed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stacks whose labelled objects were removed."""
    found: list[str] = []
    monkeypatch.setattr(destroy, "_remove_labelled", found.append)
    monkeypatch.setattr(destroy, "_remove_guests", lambda stack: None)
    monkeypatch.setattr(engine, "client", lambda: pytest.fail("the engine is not asked"))
    return found


def make(
    root: Path, monkeypatch: pytest.MonkeyPatch, ended: Ended, stack: str = "t-1", backend: str = "", export: int = 0
) -> Session:
    """A stack that the backend has, with a Pulumi whose destroy ends like `ended` and whose export like `export`."""
    file = root / f"state/.pulumi/stacks/pipe/{stack}.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"version": 3, "checkpoint": {"stack": stack}}))
    session = Session(stack, Paths(root), {})
    monkeypatch.setitem(
        session.__dict__, "variables", {"PULUMI_BACKEND_URL": backend or f"file://{root}/state", "PATH": ""}
    )

    def ask(_: Session, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        code = export if "--show-secrets" in arguments else 0
        return subprocess.CompletedProcess([], code, '{"deployment": {}}', "")

    monkeypatch.setattr(Session, "ask", ask)
    monkeypatch.setattr(Session, "watch", lambda _self, _arguments: ended)
    return session


def test_a_half_made_local_stack_goes_by_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, removed: list[str]
) -> None:
    assert destroy.run(make(tmp_path, monkeypatch, Ended(255)), []) == 0
    assert removed == ["t-1"]


@pytest.mark.parametrize(
    ("ended", "stack", "backend", "export"),
    [
        (Ended(255, interrupted=True), "t-1", "", 0),
        (Ended(255), "prod", "", 0),
        (Ended(255), "staging", "", 0),
        (Ended(255), "t-1", "s3://bucket", 0),
        (Ended(255), "t-1", "", 255),
    ],
    ids=["ctrl-c", "prod", "staging", "elsewhere", "passphrase"],
)
def test_any_other_failure_removes_nothing_more(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    removed: list[str],
    ended: Ended,
    stack: str,
    backend: str,
    export: int,
) -> None:
    with pytest.raises(UserError) as caught:
        destroy.run(make(tmp_path, monkeypatch, ended, stack, backend, export), [])
    assert caught.value.text() == (
        f'error: stack "{stack}" was not destroyed, and nothing more is removed\n'
        "HINT: see the lines above, then destroy again."
    )
    assert removed == []


def test_a_stack_that_someone_began_to_use_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, removed: list[str]
) -> None:
    session = make(tmp_path, monkeypatch, Ended(255))

    def taken(_: Session) -> None:
        if calls.pop():
            raise UserError("in use")

    calls = [True, False]
    monkeypatch.setattr(recover, "drop_stale_locks", taken)
    with pytest.raises(UserError, match="in use"):
        destroy.run(session, [])
    assert removed == []


def test_options_of_pulumi_are_refused_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, removed: list[str]
) -> None:
    with pytest.raises(UserError) as caught:
        destroy.run(make(tmp_path, monkeypatch, Ended(0)), ["--target", "x"])
    assert caught.value.text() == (
        "error: destroy takes no options of Pulumi: it removes the whole stack\n"
        "HINT: `STACK=t-1 bin/pulumi destroy ...` is for a part of it."
    )
    assert removed == []


INTERRUPTS = "import os, signal, time; os.kill(os.getppid(), signal.SIGINT); time.sleep(0.3); raise SystemExit(3)"


def watched(root: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> Ended:
    """Watch a program; it is there when it interrupts who watches it."""
    session = Session("t-1", Paths(root), dict(os.environ))
    monkeypatch.setitem(session.__dict__, "variables", {})
    monkeypatch.setitem(session.__dict__, "toolchain", Toolchain("airgap", "", sys.executable))
    return session.watch(["-c", program])


def test_ctrl_c_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert watched(tmp_path, monkeypatch, "raise SystemExit(3)") == Ended(3)
    assert watched(tmp_path, monkeypatch, INTERRUPTS) == Ended(3, interrupted=True)
