"""`make restore-drill`: the drill that the scheduler makes by the clock, now."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from cli import containers, engine
from cli.errors import UserError
from cli.session import Session
from cli.status import collect
from provider.pgbackrest import drilled


def run(session: Session) -> int:
    """Run it in the stack's scheduler and show what it says; returns 1 when it did not pass."""
    scheduler = containers.name_of(containers.running(engine.client(), session.stack, "scheduler")[0])
    command = ["docker", "exec", scheduler, "python3", "-m", "drill", session.stack]
    return subprocess.run(command, check=False).returncode


def last_drilled(stack: str) -> str:
    """Say which backup of the stack passed a drill last, as far as its repository tells."""
    try:
        scheduler = containers.name_of(containers.running(engine.client(), stack, "scheduler")[0])
    except UserError:
        return "its scheduler does not run, so the last restore drill is not known"
    return told(collect.backups(scheduler), stack)


def told(info: Sequence[Mapping[str, Any]] | None, stack: str) -> str:
    """Say it by what `pgbackrest info` tells: of a repository that does not answer nothing is known."""
    if info is None:
        return "its repository does not answer, so the last restore drill is not known"
    known, silent = drilled.drills(info, stack, {}), sorted(collect.silent(info))
    if not silent:
        return drilled.told(known)
    away = f"repositories {', '.join(map(str, silent))} do" if len(silent) > 1 else f"repository {silent[0]} does"
    if any(drills.last_passed for drills in known):
        return f"{drilled.told(known)}, as far as is known: {away} not answer"
    return f"{away} not answer, so the last restore drill is not known"
