"""Runs a command and observes it: seconds, peak memory of its process tree, and the engine's events as they appear."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SAMPLE_SECONDS = 0.05
PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 1024 / 1024
RUN_TIMEOUT_SECONDS = 600


@dataclass(frozen=True)
class Event:
    """One event of the engine, `at` seconds after the command began. Its own timestamps have whole seconds only."""

    at: float
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """What was observed. Memory is the sum of the resident sets, so shared pages count once for each process."""

    seconds: float
    status: int
    output: str
    peak_mib: float
    processes: int
    events: Sequence[Event] = field(default_factory=tuple)


def run(command: Sequence[str], cwd: Path, environ: Mapping[str, str], event_log: Path | None = None) -> Run:
    """Runs the command to its end, or to RUN_TIMEOUT_SECONDS, which raises TimeoutExpired after killing it."""
    output = cwd / "bench-output"
    events: list[Event] = []
    peak = [0.0, 0]
    done = threading.Event()
    with output.open("wb") as sink:
        started = time.monotonic()
        process = subprocess.Popen(
            command, cwd=cwd, env=dict(environ), stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT
        )
        observer = threading.Thread(target=_observe, args=(process.pid, started, done, event_log, events, peak))
        observer.start()
        try:
            status = process.wait(RUN_TIMEOUT_SECONDS)
            seconds = time.monotonic() - started
        except BaseException:
            process.kill()
            raise
        finally:
            done.set()
            observer.join()
    return Run(seconds, status, output.read_text(errors="replace"), peak[0], int(peak[1]), tuple(events))


def _observe(
    pid: int, started: float, done: threading.Event, event_log: Path | None, events: list[Event], peak: list[float]
) -> None:
    position = 0
    while True:
        last = done.wait(SAMPLE_SECONDS)
        resident = [_resident_mib(of) for of in tree(pid)]
        if sum(resident) > peak[0]:
            peak[:] = [sum(resident), len(resident)]
        if event_log is not None and event_log.exists():
            position = _read(event_log, position, time.monotonic() - started, events)
        if last:
            return


def _read(log: Path, position: int, at: float, events: list[Event]) -> int:
    """Takes the whole lines that were added since `position`; returns the new position."""
    with log.open("rb") as file:
        file.seek(position)
        added = file.read()
    whole = added[: added.rfind(b"\n") + 1]
    events += [Event(at, json.loads(line)) for line in whole.splitlines() if line.strip()]
    return position + len(whole)


def tree(pid: int) -> list[int]:
    """The process and all that descend from it, those that are gone by now left out."""
    found = [pid]
    for of in found:
        try:
            for task in Path(f"/proc/{of}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return found


def _resident_mib(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_MIB
    except (OSError, IndexError):
        return 0.0
