"""`make doctor`: what runs here, from where, and why."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator

from setup import docker_api, toolchain
from setup.context import Context
from setup.errors import StepError
from setup.runner import Step, missing
from setup.steps import plugins, python_env


def report(context: Context, steps: list[Step]) -> tuple[list[str], bool]:
    """The lines to print, and whether everything is there."""
    absent = {step.name for step in missing(steps, context)}
    lines = [f"{name:<16} {value}" for name, value in _facts(context)]
    lines += [
        f"{step.name:<16} {'missing: `make setup` provides it' if step.name in absent else 'ok'}" for step in steps
    ]
    return lines, not absent


def _facts(context: Context) -> Iterator[tuple[str, str]]:
    paths, versions = context.paths, context.versions
    machine = f"{platform.system()} {platform.machine()}"
    yield "machine", f"{machine}, Python {platform.python_version()}, {os.cpu_count()} CPUs"
    yield from _toolchain(context)
    for name, value in plugins.installed(context).items():
        yield f"  {name}", value
    uv = python_env.find_uv(context)
    yield "uv", f"{versions.uv} ({uv})" if uv else f"{versions.uv} (missing)"
    reason = docker_api.failure()
    yield "engine", f"{docker_api.host()} answers" if reason is None else f"does not answer: {reason}"
    yield "base image", versions.base_image
    yield "backend", context.environ.get("PULUMI_BACKEND_URL") or f"file://{paths.state}?metadata=skip (local default)"
    file = context.environ.get("PULUMI_CONFIG_PASSPHRASE_FILE")
    if "PULUMI_CONFIG_PASSPHRASE" in context.environ:
        yield "passphrase", "from PULUMI_CONFIG_PASSPHRASE"
    else:
        yield "passphrase", file or f"{paths.passphrase} (local default)"


def _toolchain(context: Context) -> Iterator[tuple[str, str]]:
    try:
        choice = toolchain.recorded(context.paths, toolchain.asked(context.environ))
    except StepError as error:
        yield "toolchain", error.text()
        return
    if choice is None:
        yield "toolchain", "not chosen yet: `make setup` chooses (PIPE_TOOLCHAIN=official|airgap|auto)"
        return
    yield "toolchain", f"{choice.kind}: {choice.why}"
    yield "pulumi", f"{choice.cli} (v{context.versions.pulumi})"
    host = "Pulumi's own" if choice.kind == "official" else "airgap.language, in .venv"
    yield "language host", host
    yield "providers", "Pulumi's own" if choice.kind == "official" else "stand-ins of airgap/, in .venv"
    if choice.kind == "airgap" and shutil.which("go"):
        version = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout.strip()
        yield "Go", version
