"""Local defaults, so that no question is asked: the file backend, a random passphrase, and the filter for salts."""

from __future__ import annotations

import secrets
import shutil
import subprocess

from setup.context import Context
from setup.files import create_once
from setup.runner import Step

NAME = "local defaults"
FILTER = "filter.pipe-local-salt.clean"
# Takes the salt of this checkout's own passphrase out of what git stores; the file in the work tree keeps it.
FILTER_COMMAND = "sed '/^encryptionsalt:/d'"


def present(context: Context) -> bool:
    paths = context.paths
    return paths.state.is_dir() and paths.passphrase.is_file() and _filter_is_set(context)


def provide(context: Context) -> None:
    paths = context.paths
    paths.state.mkdir(parents=True, exist_ok=True)
    if create_once(paths.passphrase, secrets.token_urlsafe(32), 0o600):
        context.console.say(NAME, f"made a random passphrase ({paths.passphrase.relative_to(paths.root)})")
    if not _filter_is_set(context):
        subprocess.run(["git", "-C", paths.root, "config", FILTER, FILTER_COMMAND], check=False, capture_output=True)


def _filter_is_set(context: Context) -> bool:
    """Whether git knows the filter; also True where there is no git to tell."""
    if shutil.which("git") is None or not (context.paths.root / ".git").exists():
        return True
    command = ["git", "-C", str(context.paths.root), "config", "--get", FILTER]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip() == FILTER_COMMAND


STEP = Step(NAME, present, provide)
