"""A rehearsal that runs stays while others work on its stack; what a killed one left goes."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli import recover, state
from cli.engine import Thing
from cli.rehearse import copy
from cli.session import Session
from cli.state import State
from setup.paths import Paths
from tests.unit.test_cli_recover import resource

NOW = datetime.now(UTC)
MINUTE = timedelta(minutes=1)
NEVER = "0001-01-01T00:00:00Z"
IMAGES = Path(__file__).resolve().parents[2] / "images"
MEMBER = Thing("container", "c1", "pipe-dev-member-0")
# Ends when it is told to, and else after a minute.
ATTENDED = """
import signal, sys, time
from drill import rehearsal
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
rehearsal.threading.Thread(target=rehearsal._end_with_input, daemon=True).start()
print("serving", flush=True)
time.sleep(60)
sys.exit(1)
"""


def stamp(age: timedelta) -> str:
    # The engine counts nanoseconds.
    return (NOW - age).strftime("%Y-%m-%dT%H:%M:%S.%f123Z")


def container(name: str, age: timedelta, ended: timedelta | None = None, *, running: bool = True) -> dict[str, Any]:
    """A container as the engine describes it: made that long ago; not running and not ended: not started yet."""
    state = {"Running": running and ended is None, "FinishedAt": NEVER if ended is None else stamp(ended)}
    return {"Id": f"id of {name}", "Name": f"/pipe-dev-rehearsal-{name}", "Created": stamp(age), "State": state}


def volume(name: str, age: timedelta) -> dict[str, Any]:
    return {"Name": f"pipe-dev-rehearsal-{name}", "CreatedAt": (NOW - age).strftime("%Y-%m-%dT%H:%M:%SZ")}


class Engine:
    """Has these rehearsals and their volumes, and removes what it is told to."""

    def __init__(self, *containers: dict[str, Any], volumes: tuple[dict[str, Any], ...] = ()) -> None:
        self.found = {one["Id"]: one for one in containers}
        self.kept = {one["Name"]: one for one in volumes}

    def containers(self, **_: object) -> list[dict[str, Any]]:
        return list(self.found.values())

    def inspect_container(self, id_: str) -> dict[str, Any]:
        return self.found[id_]

    def volumes(self, **_: object) -> dict[str, Any]:
        return {"Volumes": list(self.kept.values())}

    def remove_container(self, id_: str, **_: object) -> None:
        del self.found[id_]

    def remove_volume(self, name: str) -> None:
        del self.kept[name]

    def remove_network(self, _: str) -> None:
        pytest.fail("no rehearsal has a network")

    def labelled(self) -> list[Thing]:
        mine = [Thing("container", id_, one["Name"].lstrip("/")) for id_, one in self.found.items()]
        return [MEMBER, *mine, *(Thing("volume", name, name) for name in self.kept)]


@pytest.mark.parametrize(
    ("found", "volumes", "lost"),
    [
        ([container("a", 300 * MINUTE)], [volume("a", 300 * MINUTE)], []),
        ([], [volume("a", MINUTE / 2)], []),
        ([container("a", MINUTE / 2, running=False)], [volume("a", MINUTE / 2)], []),
        ([container("a", 9 * MINUTE, MINUTE / 2)], [volume("a", 9 * MINUTE)], []),
        ([container("a", 9 * MINUTE, 2 * MINUTE)], [volume("a", 9 * MINUTE)], ["container a", "volume a"]),
        ([container("a", 2 * MINUTE, running=False)], [], ["container a"]),
        ([container("a", timedelta(hours=25))], [volume("a", timedelta(hours=25))], ["container a", "volume a"]),
        ([container("a", 9 * MINUTE)], [volume("a", 9 * MINUTE), volume("b", 2 * MINUTE)], ["volume b"]),
    ],
)
def test_what_nobody_needs_any_more_is_told_from_what_runs_or_begins(
    found: list[dict[str, Any]], volumes: list[dict[str, Any]], lost: list[str]
) -> None:
    things = copy.left_over(found, volumes, NOW)
    assert [f"{thing.kind} {thing.name.removeprefix('pipe-dev-rehearsal-')}" for thing in things] == lost


@pytest.mark.parametrize("backend", ["s3://bucket", "file://{}/state"])
def test_an_up_leaves_a_rehearsal_that_runs_alone_and_clears_away_what_a_killed_one_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, backend: str
) -> None:
    hour = 60 * MINUTE
    engine = Engine(
        container("alive", hour),
        container("killed", hour, hour / 2),
        volumes=(volume("alive", hour), volume("killed", hour)),
    )
    session = Session("dev", Paths(tmp_path), {})
    monkeypatch.setitem(session.__dict__, "variables", {"PULUMI_BACKEND_URL": backend.format(tmp_path)})
    known = State((resource(recover.CONTAINER, "member-0", MEMBER.id),))
    monkeypatch.setattr(state, "read", lambda _: known)
    monkeypatch.setattr("cli.engine.client", lambda: engine)
    monkeypatch.setattr("cli.engine.labelled", lambda _api, _stack: engine.labelled())
    assert recover.recover(session) == known
    assert list(engine.found) == ["id of alive"]
    assert list(engine.kept) == ["pipe-dev-rehearsal-alive"]
    assert capsys.readouterr().out == (
        "recovering: removed pipe-dev-rehearsal-killed, which an interrupted rehearsal left\n"
    )


def test_a_copy_ends_when_whoever_asked_for_it_is_gone() -> None:
    environ = {**os.environ, "PYTHONPATH": str(IMAGES)}
    served = subprocess.Popen(
        [sys.executable, "-c", ATTENDED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ
    )
    assert served.stdin is not None
    assert served.stdout is not None
    assert served.stdout.readline() == b"serving\n"
    assert served.poll() is None
    served.stdin.close()
    assert served.wait(10) == 0
