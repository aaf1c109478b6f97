"""Docker's engine: used where one answers, otherwise installed and started."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from setup import docker_api
from setup.context import Context
from setup.errors import Interrupted, StepError
from setup.process import POLL, tail
from setup.runner import Step
from setup.steps import packages

NAME = "docker"
# Seconds that a started engine may take until it answers.
START_TIMEOUT = 90.0
PIDFILE = Path("/var/run/docker.pid")
FIX = (
    "install Docker's engine 20.10 or newer, start it, and let this user reach it "
    "(https://docs.docker.com/engine/install/), or set DOCKER_HOST to one that runs."
)


def present(_: Context) -> bool:
    return docker_api.failure() is None


def provide(context: Context) -> None:
    reason = docker_api.failure() or ""
    if context.environ.get("DOCKER_HOST"):
        raise StepError(f"docker: the engine that DOCKER_HOST names does not answer ({reason})", fix=FIX)
    if os.geteuid() != 0:
        raise StepError(f"docker: no engine answers ({reason})", fix=FIX)
    if shutil.which("dockerd") is None:
        packages.install(context, NAME, ["docker.io", "iptables"], FIX)
        if shutil.which("docker") is None:
            # Newer releases of Debian ship the command in a package of its own.
            packages.install(context, NAME, ["docker-cli"], FIX)
    if not present(context):
        context.console.say(NAME, "starting the engine")
        _wait(context, _start(context))


def _start(context: Context) -> subprocess.Popen[bytes] | None:
    """Start the engine; returns its process where it is ours to watch."""
    if Path("/run/systemd/system").is_dir():
        context.processes.run(
            ["systemctl", "start", "docker"],
            log=context.log(NAME),
            what="docker: systemd could not start the engine",
            fix="`journalctl -u docker` says why.",
        )
        return None
    _drop_stale_pidfile()
    log = context.log("dockerd")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        # A session of its own and no link to ours: the engine lives on after set-up, whatever happens to set-up.
        return subprocess.Popen(
            ["dockerd"], stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True, cwd="/"
        )


def _drop_stale_pidfile() -> None:
    """After a hard stop the engine's pid file may name a process that is something else by now: it would not start."""
    try:
        pid = int(PIDFILE.read_text())
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except (OSError, ValueError):
        return
    if name != "dockerd":
        PIDFILE.unlink(missing_ok=True)


def _wait(context: Context, process: subprocess.Popen[bytes] | None) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while not present(context):
        if context.processes.stopping:
            raise Interrupted
        ended = process is not None and process.poll() is not None
        if ended or time.monotonic() > deadline:
            log = context.log("dockerd")
            what = "ended at once" if ended else f"did not answer within {START_TIMEOUT:.0f} s"
            raise StepError(
                f"docker: the engine was started and {what}",
                why=tail(log) or (docker_api.failure() or ""),
                log=log,
                fix=FIX,
            )
        time.sleep(POLL)


STEP = Step(NAME, present, provide)
