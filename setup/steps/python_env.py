"""The locked Python environment `.venv`, made by uv."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from setup.context import Context
from setup.errors import StepError
from setup.files import digest, replace_directory
from setup.runner import Step
from setup.steps import packages

NAME = "python"
# There while `.venv` is being written to: found at the start of a run, the environment may be half made.
UNFINISHED = ".unfinished"


def wanted(context: Context) -> str:
    """The stamp of an environment made from the present lock, with this Python, at this place."""
    root = context.paths.root
    return digest([root / "uv.lock", root / "pyproject.toml", sys.version, str(root), "bytecode"])


def present(context: Context) -> bool:
    return (
        context.stamped(NAME, wanted(context))
        and os.access(context.paths.python, os.X_OK)
        and not (context.paths.venv / UNFINISHED).exists()
    )


def provide(context: Context) -> None:
    paths = context.paths
    uv = find_uv(context) or _install_uv(context)
    marker = paths.venv / UNFINISHED
    if marker.exists():
        shutil.rmtree(paths.venv)
    context.unstamp(NAME)
    log = context.log(NAME)
    fix = "the lines above say what is missing; `make setup` goes on from there."
    env = {key: value for key, value in context.environ.items() if key not in ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT")}
    env["UV_PYTHON_DOWNLOADS"] = "never"
    # As pip and the system do: a company's own authority is in the system's store, not in uv's.
    env.setdefault("UV_SYSTEM_CERTS", "true")
    context.console.say(NAME, "installing the locked packages with uv")
    if paths.venv.exists():
        marker.touch()
    common: list[str | Path] = ["--project", paths.root, "--python", sys.executable, "--no-progress"]
    context.processes.run(
        # A preview starts seven Python processes, and not every user lets Python keep what it compiled.
        [uv, "sync", "--locked", "--compile-bytecode", *common],
        log=log,
        what="python: `uv sync --locked` failed",
        fix=fix,
        cwd=paths.root,
        env=env,
    )
    marker.unlink(missing_ok=True)
    context.stamp(NAME, wanted(context))


def find_uv(context: Context) -> Path | None:
    """A uv of exactly the pinned version: our own, or one on PATH."""
    found = shutil.which("uv", path=context.environ.get("PATH"))
    for candidate in (context.paths.uv, Path(found) if found else None):
        if candidate is not None and os.access(candidate, os.X_OK) and uv_version(candidate) == context.versions.uv:
            return candidate
    return None


def uv_version(uv: Path) -> str | None:
    """What `uv --version` says; None when it cannot be run."""
    try:
        output = subprocess.run([uv, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    words = output.split()
    return words[1] if len(words) > 1 else None


def _install_uv(context: Context) -> Path:
    """uv is one executable inside a package: pip fetches and checks it, a rename puts it in place."""
    tools = context.paths.tools
    tools.mkdir(parents=True, exist_ok=True)
    fix = "install pip (on Debian and Ubuntu: apt-get install python3-pip), or uv itself, and run `make setup` again."
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode != 0:
        packages.install(context, NAME, ["python3-pip"], fix)
    context.console.say(NAME, f"installing uv {context.versions.uv} with pip")
    with tempfile.TemporaryDirectory(prefix=".uv.", dir=tools) as scratch:
        target = Path(scratch) / "package"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        context.processes.run(
            [*command, "--target", target, f"uv=={context.versions.uv}"],
            log=context.log(NAME),
            what=f"python: uv {context.versions.uv} could not be installed with pip",
            fix=fix,
        )
        binary = target / "bin" / "uv"
        if uv_version(binary) != context.versions.uv:
            raise StepError(f"python: pip brought a uv that is not {context.versions.uv}", fix=fix)
        staged = Path(scratch) / "uv"
        staged.mkdir()
        binary.rename(staged / "uv")
        replace_directory(staged, context.paths.uv.parent)
    return context.paths.uv


STEP = Step(NAME, present, provide)
