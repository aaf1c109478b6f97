"""What is cleared away after a killed run, and what never is."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from cli import halfmade, losses, recover, state, up
from cli.destroy import refuse_protected
from cli.engine import Thing
from cli.errors import UserError
from cli.halfmade import HalfMade
from cli.recover import Lock, is_pulumi, is_stale, orphans, parse_lock
from cli.session import Session
from cli.state import State, folder, parse
from setup.paths import Paths

HERE = socket.gethostname()


def resource(type_: str, name: str, id_: str = "", **more: Any) -> dict[str, Any]:
    return {"urn": f"urn:pulumi:dev::pipe::{type_}::{name}", "type": type_, "id": id_, **more}


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    session = Session("it-1", Paths(tmp_path), {})
    monkeypatch.setitem(session.__dict__, "variables", {"PULUMI_BACKEND_URL": f"file://{tmp_path}/state"})
    return session


def lock_file(session: Session, text: str) -> Path:
    file = session.paths.root / "state/.pulumi/locks/organization/pipe/it-1/0-1.json"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return file


def lock_text(pid: int, hostname: str) -> str:
    return json.dumps({"pid": pid, "username": "u", "hostname": hostname, "timestamp": "2026-01-01T00:00:00Z"})


def test_a_lock_is_read_and_anything_else_is_not() -> None:
    assert parse_lock(lock_text(12, "host")) == Lock(12, "host")
    for text in ("", "{}", "[]", '{"pid": "x", "hostname": "h"}', "null"):
        assert parse_lock(text) is None


def test_only_a_dead_process_of_this_machine_holds_nothing() -> None:
    assert is_stale(Lock(1, "here"), "here", lambda _: False)
    assert not is_stale(Lock(1, "here"), "here", lambda _: True)
    assert not is_stale(Lock(1, "there"), "here", lambda _: False)


def test_a_number_that_another_program_has_by_now_is_not_pulumi() -> None:
    assert not is_pulumi(os.getpid())


def test_a_stale_lock_goes(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    file = lock_file(session, lock_text(os.getpid(), HERE))
    file.with_name(f"{file.name}.attrs").touch()
    recover.drop_stale_locks(session)
    assert list(file.parent.iterdir()) == []
    assert capsys.readouterr().out == f"recovering: dropping the lock of process {os.getpid()}, which is gone\n"


def test_the_lock_of_another_machine_stays(session: Session) -> None:
    file = lock_file(session, lock_text(7, "elsewhere"))
    with pytest.raises(UserError) as caught:
        recover.drop_stale_locks(session)
    assert caught.value.text() == (
        'error: stack "it-1" is in use by process 7 on "elsewhere"\n'
        "HINT: wait for it to end; if it is gone, `STACK=it-1 bin/pulumi cancel` drops its lock."
    )
    assert file.exists()


def test_whoever_works_on_the_stack_is_waited_for_and_named_once(
    session: Session, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(recover, "POLL_SECONDS", 0.01)
    file = lock_file(session, lock_text(7, "elsewhere"))
    looks, holder = threading.Semaphore(0), recover._holder

    def look(*arguments: Any) -> Lock | None:
        looks.release()
        return holder(*arguments)

    monkeypatch.setattr(recover, "_holder", look)
    waiting = threading.Thread(target=recover.drop_stale_locks, args=(session, 60))
    waiting.start()
    # By its second look it has said what it waits for. What it says is not read meanwhile: that would lose some of it.
    assert all(looks.acquire(timeout=5) for _ in range(2))
    file.unlink()
    waiting.join(5)
    assert not waiting.is_alive()
    assert capfd.readouterr().out == (
        'stack "it-1" is in use by process 7 on "elsewhere"; waiting for it to end\n'
        "HINT: if it is gone, `STACK=it-1 bin/pulumi cancel` drops its lock.\n"
    )


def test_a_lock_that_cannot_be_read_stays(session: Session) -> None:
    file = lock_file(session, "")
    with pytest.raises(UserError, match="cannot be read"):
        recover.drop_stale_locks(session)
    assert file.exists()


def test_half_written_files_of_the_backend_go_and_whole_ones_stay(session: Session) -> None:
    folder = session.paths.root / "state/.pulumi/stacks/pipe"
    folder.mkdir(parents=True)
    whole = {"it-1.json": "{}", "it-1.json.attrs": "{}", "it-10.json.attrs": ""}
    torn = {"it-1.json.bak.attrs": "", "it-1.json.18ead99f.tmp": "{"}
    for name, text in {**whole, **torn}.items():
        (folder / name).write_text(text)
    recover.mend_backend(session)
    assert {file.name for file in folder.iterdir()} == set(whole)


def test_orphans_are_containers_and_networks_that_the_state_lacks() -> None:
    known = State((resource(recover.CONTAINER, "member-0", "c1"), resource(recover.NETWORK, "net", "n1")))
    things = [
        Thing("container", "c1", "pipe-dev-member-0"),
        Thing("container", "c2", "pipe-dev-member-1"),
        Thing("network", "n1", "pipe-dev"),
        Thing("network", "n2", "pipe-dev"),
        Thing("volume", "v1", "pipe-dev-member-0-data"),
    ]
    assert [thing.id for thing in orphans(things, known)] == ["c2", "n2"]


def test_a_stack_that_the_backend_does_not_know_is_left_alone(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.engine.client", lambda: None)
    monkeypatch.setattr("cli.engine.labelled", lambda _api, _stack: [Thing("container", "c1", "pipe-it-1-member-0")])
    monkeypatch.setattr("cli.engine.remove", lambda *_, **__: pytest.fail("nothing may be removed"))
    with pytest.raises(UserError, match=r'1 objects of a stack "it-1" \(such as pipe-it-1-member-0\)'):
        recover.recover(session)


def elsewhere(session: Session, monkeypatch: pytest.MonkeyPatch, known: State, **environ: str) -> Session:
    """The stack with that state on another backend than a folder, and with one container on the engine."""
    session = Session(session.stack, session.paths, environ)
    monkeypatch.setitem(session.__dict__, "variables", {"PULUMI_BACKEND_URL": "s3://bucket"})
    monkeypatch.setattr(state, "read", lambda _: known)
    monkeypatch.setattr("cli.engine.client", lambda: None)
    monkeypatch.setattr("cli.engine.labelled", lambda _api, _stack: [Thing("container", "c1", "pipe-it-1-member-0")])
    monkeypatch.setattr("cli.engine.remove", remove)
    removed.clear()
    return session


def remove(_: object, things: list[Thing], *, gently: bool) -> list[str]:
    assert gently
    removed.extend(things)
    return []


removed: list[Thing] = []
MADE = resource(recover.CONTAINER, "member-0", "c1")


@pytest.mark.parametrize("known", [State(()), State((MADE,), ({"type": "creating", "resource": MADE},))])
def test_nothing_is_cleared_away_where_another_run_may_go_on(
    session: Session, monkeypatch: pytest.MonkeyPatch, known: State
) -> None:
    with pytest.raises(UserError) as caught:
        recover.recover(elsewhere(session, monkeypatch, known))
    assert caught.value.text() == (
        'error: stack "it-1" has unfinished operations, of an interrupted run or of one that still goes on\n'
        "HINT: when nobody else works on it, run again with PIPE_RECOVER=1."
    )
    assert removed == []


def test_a_shared_backend_recovers_when_told_so_and_needs_no_word_when_all_is_well(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    recover.recover(elsewhere(session, monkeypatch, State(()), PIPE_RECOVER="1"))
    assert [thing.id for thing in removed] == ["c1"]
    recover.recover(elsewhere(session, monkeypatch, State((MADE,))))
    assert removed == []


OLDER = resource(recover.CONTAINER, "member-0", "c0", outputs={"name": "pipe-it-1-member-0"})


def test_what_was_made_since_an_older_state_is_not_taken_for_an_interrupted_runs(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recover, "refuse_unlocked", lambda _: None)
    with pytest.raises(UserError) as caught:
        recover.recover(elsewhere(session, monkeypatch, State((OLDER,))))
    assert caught.value.text() == (
        'error: the state of stack "it-1" is older than what runs: pipe-it-1-member-0 were made anew since\n'
        "HINT: bring back the newer state; without one, PIPE_RECOVER=1 stops and removes them, and makes them anew."
    )
    assert removed == []
    recover.recover(elsewhere(session, monkeypatch, State((OLDER,)), PIPE_RECOVER="1"))
    assert [thing.id for thing in removed] == ["c1"]


@pytest.mark.parametrize(
    "known",
    [
        State(({**OLDER, "pendingReplacement": True},)),
        State((OLDER,), ({"type": "creating", "resource": {"urn": OLDER["urn"]}},)),
    ],
    ids=["deleted before it was replaced", "being made"],
)
def test_what_a_replacement_that_was_interrupted_left_goes(
    session: Session, monkeypatch: pytest.MonkeyPatch, known: State
) -> None:
    monkeypatch.setattr(recover, "refuse_unlocked", lambda _: None)
    monkeypatch.setattr(recover, "_forget_pending", lambda *_: None)
    recover.recover(elsewhere(session, monkeypatch, known))
    assert [thing.id for thing in removed] == ["c1"]


def test_a_second_up_says_that_it_waits(session: Session, capfd: pytest.CaptureFixture[str]) -> None:
    done: list[str] = []

    def second() -> None:
        with up.alone(session):
            done.append("second")

    thread = threading.Thread(target=second)
    with up.alone(session):
        thread.start()
        time.sleep(0.3)
        done.append("first")
    thread.join(10)
    assert done == ["first", "second"]
    assert capfd.readouterr().out == 'another `up` works on stack "it-1"; waiting for it to end\n'


def test_the_state_is_read_from_a_file_backend(session: Session) -> None:
    assert state.read(session) is None
    file = session.paths.root / "state/.pulumi/stacks/pipe/it-1.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"version": 3, "checkpoint": {"stack": "it-1"}}))
    assert state.read(session) == State(())
    latest = {"resources": [resource("t", "a", "1")], "pending_operations": [{"type": "creating"}]}
    file.write_text(json.dumps({"version": 3, "checkpoint": {"stack": "it-1", "latest": latest}}))
    assert state.read(session) == parse(latest)
    file.write_text("{")
    with pytest.raises(UserError, match="is no state of Pulumi"):
        state.read(session)


@pytest.mark.parametrize(
    ("backend", "path"),
    [
        ("file:///a/b", Path("/a/b/.pulumi")),
        ("s3://bucket", None),
        ("https://api.pulumi.com", None),
        ("file://~", None),
    ],
)
def test_only_a_local_folder_is_read_directly(backend: str, path: Path | None) -> None:
    assert folder(backend) == path


def test_what_is_protected_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(losses, "of", lambda session: f"what is in {session.stack}")
    refuse_protected(Session("dev", Paths(tmp_path), {}), State((resource("t", "a"),)))
    known = State((resource("t", "member-0-data", protect=True), resource("t", "b")))
    with pytest.raises(UserError) as caught:
        refuse_protected(Session("prod", Paths(tmp_path), {}), known)
    assert caught.value.text() == (
        'error: stack "prod" is protected and stays: it holds data (member-0-data)\n'
        "lost would be what is in prod\n"
        "HINT: if that data may really go: `STACK=prod bin/pulumi state unprotect --all --yes`, then destroy again."
    )


def test_only_creations_of_roles_and_databases_may_be_half_made() -> None:
    def pending(kind: str, type_: str, name: str) -> dict[str, Any]:
        return {"type": kind, "resource": resource(type_, name, inputs={"name": name})}

    known = State(
        (),
        (
            pending("creating", halfmade.ROLE, "pipe_app"),
            pending("creating", halfmade.DATABASE, "pipe"),
            pending("updating", halfmade.ROLE, "pipe_owner"),
            pending("creating", recover.CONTAINER, "member-0"),
            {"type": "creating"},
        ),
    )
    assert halfmade.find(known) == [HalfMade("database", "pipe"), HalfMade("role", "pipe_app")]
    assert halfmade.quoted('a"b') == '"a""b"'


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a dead process that nobody has waited for")
def test_a_running_pulumi_is_one_and_a_killed_one_is_not(tmp_path: Path) -> None:
    program = tmp_path / "pulumi (odd) name"
    program.symlink_to("/bin/sleep")
    child = subprocess.Popen([program, "60"])
    deadline = time.monotonic() + 10
    while not is_pulumi(child.pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_pulumi(child.pid)
    child.wait()
