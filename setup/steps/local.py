"""Local defaults, so that no question is asked: the file backend, a random passphrase, and the filter for salts.

And no log of every command: Pulumi would write down each property of each resource, secrets as well (encrypted), with
every call to a provider, which takes a third of its own time. Where its folder should be is a file that says so.
"""

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
NO_LOGS = (
    "Pulumi finds no folder here and keeps no log of its commands: see setup/steps/local.py.\n"
    "`bin/pulumi --logtostderr --logflow -v 9 ...` shows what would be in it.\n"
)


def present(context: Context) -> bool:
    paths = context.paths
    made = paths.state.is_dir() and paths.passphrase.is_file() and paths.automatic_logs.is_file()
    return made and _filter_is_set(context)


def provide(context: Context) -> None:
    paths = context.paths
    paths.state.mkdir(parents=True, exist_ok=True)
    if paths.automatic_logs.is_dir():
        shutil.rmtree(paths.automatic_logs)
    create_once(paths.automatic_logs, NO_LOGS, 0o644)
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
