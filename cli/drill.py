"""`make restore-drill`: the drill that the scheduler makes by the clock, now."""

from __future__ import annotations

import subprocess

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
    info = collect.backups(scheduler)
    return "its repository does not answer" if info is None else drilled.told(drilled.drills(info, stack, {}))
