"""Debian packages, for the steps that need one."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Sequence

from setup.context import Context
from setup.errors import StepError

# Seconds that apt waits for another package manager to finish.
LOCK_TIMEOUT = 300

_one_at_a_time = threading.Lock()


def can_install() -> bool:
    """Whether this is Debian or a child of it, and we are root."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(context: Context, step: str, packages: Sequence[str], fix: str) -> None:
    """Install Debian packages, mending first what an interrupted installation left. Raises StepError with `fix`."""
    names = " ".join(packages)
    if not can_install():
        raise StepError(f"{step}: {names} is missing and cannot be installed from here", fix=fix)
    log = context.log(step)
    env = {**context.environ, "DEBIAN_FRONTEND": "noninteractive"}

    def apt(*arguments: str) -> None:
        context.processes.run(
            ["apt-get", "-q", "-o", f"DPkg::Lock::Timeout={LOCK_TIMEOUT}", *arguments],
            log=log,
            what=f"{step}: `apt-get {arguments[0]}` of {names} failed",
            fix=fix,
            env=env,
            outlive=True,
        )

    with _one_at_a_time:
        context.console.say(step, f"installing {names} with apt-get")
        if os.listdir("/var/lib/dpkg/updates"):
            context.processes.run(
                ["dpkg", "--configure", "-a"],
                log=log,
                what=f"{step}: an interrupted package installation cannot be completed",
                fix="run `dpkg --configure -a` and see what it says.",
                env=env,
                outlive=True,
            )
        try:
            apt("update")
        except StepError:
            # One unreachable list among several is no obstacle when the packages come from another.
            context.console.say(step, "apt-get update failed for a part of the package lists; going on")
        apt("install", "--yes", "--no-install-recommends", *packages)
