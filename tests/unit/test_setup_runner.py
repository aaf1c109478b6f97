"""The order of set-up's steps, and what a failing or interrupted one means for the others."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from setup.console import Console
from setup.context import Context
from setup.errors import Interrupted, StepError
from setup.paths import Paths
from setup.process import Processes, tail
from setup.runner import Step, missing, ready, run
from setup.versions import Versions

PATIENCE = 10.0


@pytest.fixture
def context(tmp_path: Path) -> Context:
    versions = Versions("1", "3.1.0", {}, "debian:x", "x")
    return Context(Paths(tmp_path), versions, dict(os.environ), Console(io.StringIO()), Processes())


def step(name: str, provide: Callable[[Context], None], *needs: str, present: bool = False) -> Step:
    return Step(name, lambda _: present, provide, needs)


def test_a_step_waits_for_its_needs_and_not_for_others(context: Context) -> None:
    order: list[str] = []
    slow_may_end = threading.Event()

    def slow(_: Context) -> None:
        assert slow_may_end.wait(PATIENCE)
        order.append("slow")

    def second(_: Context) -> None:
        order.append("second")
        slow_may_end.set()

    steps = [step("slow", slow), step("first", lambda _: order.append("first")), step("second", second, "first")]
    assert run(steps, context) == {}
    assert order == ["first", "second", "slow"]


def test_a_need_that_was_there_already_holds_nothing_up() -> None:
    waiting = {"images": step("images", lambda _: None, "docker")}
    assert [s.name for s in ready(waiting, frozenset(waiting), set())] == ["images"]
    assert ready(waiting, frozenset({"images", "docker"}), set()) == []


def test_what_is_there_is_not_made_again(context: Context) -> None:
    def fail(_: Context) -> None:
        raise AssertionError

    steps = [step("there", fail, present=True)]
    assert missing(steps, context) == []
    assert run(steps, context) == {}


def test_a_failure_stops_the_others_and_is_the_only_one_told(context: Context) -> None:
    def fail(_: Context) -> None:
        raise StepError("docker: no engine", fix="install one.")

    def long(context: Context) -> None:
        context.processes.run(["sleep", "60"], log=context.log("long"), what="long failed")

    begin = time.monotonic()
    failures = run([step("docker", fail), step("build", long), step("after", long, "docker")], context)
    assert list(failures) == ["docker"]
    assert time.monotonic() - begin < PATIENCE


def test_a_failing_program_shows_the_end_of_its_log(context: Context) -> None:
    with pytest.raises(StepError) as caught:
        context.processes.run(
            ["sh", "-c", "echo before; echo 'no space left' >&2; exit 3"],
            log=context.log("x"),
            what="x failed",
            fix="y.",
        )
    log = context.log("x")
    assert caught.value.text() == f"x failed\n  | before\n  | no space left\n  log: {log}\n  HINT: y."


def test_an_older_failure_in_the_log_is_not_shown_again(context: Context) -> None:
    log = context.log("x")
    log.parent.mkdir(parents=True)
    log.write_text("old failure\n")
    with pytest.raises(StepError) as caught:
        context.processes.run(["sh", "-c", "echo new; exit 1"], log=log, what="x failed")
    assert caught.value.why == "new"
    assert tail(log) == "old failure\nnew"


def test_a_program_that_is_not_there_is_a_failure_of_the_step(context: Context) -> None:
    with pytest.raises(StepError, match="x failed"):
        context.processes.run(["/nowhere/program"], log=context.log("x"), what="x failed", outlive=True)


def test_nothing_starts_once_set_up_is_stopping(context: Context) -> None:
    context.processes.stop()
    with pytest.raises(Interrupted):
        context.processes.run(["true"], log=context.log("x"), what="x failed")


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends children of a killed parent on Linux only")
def test_a_killed_set_up_takes_its_programs_along(tmp_path: Path) -> None:
    pidfile = tmp_path / "pid"
    code = (
        "import sys, pathlib; from setup.process import Processes\n"
        f"Processes().run(['sh', '-c', 'echo $$ > {pidfile}; exec sleep 60'], log=pathlib.Path(sys.argv[1]), what='x')"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "log")], cwd=Path(__file__).parents[2])
    until(lambda: pidfile.exists() and pidfile.read_text().strip() != "")
    parent.kill()
    parent.wait()
    pid = int(pidfile.read_text())
    until(lambda: not alive(pid))


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
