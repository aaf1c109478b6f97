"""A copy of the checkout to measure in: its own state, its own sql/, the checkout's environment and tools.

The checkout itself stays as it is: the benchmark adds a migration and makes stacks, which nobody wants to
find again.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cli import environment
from cli.environment import Target
from cli.session import Session
from setup.paths import checkout
from setup.toolchain import Toolchain

ROOT = Path(__file__).resolve().parent.parent
# Made by set-up and never written by a stack: shared with the checkout.
LINKED = (".venv", ".tools")
PORTS_OF_A_STACK = 16
COMMAND_TIMEOUT_SECONDS = 120

MIGRATION = """\
-- Added by the benchmark to a stack that it removes again.
CREATE TABLE pipe.benchmark_notes (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    note varchar(100) NOT NULL,
    CONSTRAINT benchmark_notes_pkey PRIMARY KEY (id)
);
"""


class BenchError(Exception):
    """The benchmark cannot go on; the text says why."""


@dataclass(frozen=True)
class Scratch:
    """One copy. `stack` is unique on the Docker engine; `port_base` was free a moment ago."""

    directory: Path
    stack: str
    port_base: int

    @cached_property
    def environment(self) -> Mapping[str, str]:
        """What Pulumi needs to run in the copy, and nothing that the caller's shell says about another stack."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "PIPE_"))}
        kept |= {
            environment.BACKEND: environment.file_backend(self.directory / "state"),
            environment.PASSPHRASE: "bench",
        }
        kept |= environment.variables(Target(self.stack, "test"), checkout(), self.toolchain, kept)
        # The event log is behind this switch.
        return kept | {"PULUMI_DEBUG_COMMANDS": "true", "NO_COLOR": "1"}

    @cached_property
    def toolchain(self) -> Toolchain:
        """The Pulumi that set-up chose."""
        return Session.current().toolchain

    @property
    def pulumi(self) -> str:
        """The command line that set-up chose."""
        return self.toolchain.cli

    def run(self, *arguments: str) -> str:
        """Runs a Pulumi command that is not measured. Raises BenchError with what it said."""
        done = subprocess.run(
            [self.pulumi, *arguments, "--non-interactive"],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode:
            raise BenchError(f"pulumi {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def add_migration(self) -> None:
        """Adds one more file to the copy's sql/migrations, numbered after the last."""
        folder = self.directory / "sql" / "migrations"
        last = max(int(file.name[:4]) for file in folder.glob("[0-9][0-9][0-9][0-9]_*.sql"))
        (folder / f"{last + 1:04d}_benchmark_notes.sql").write_text(MIGRATION)


def copy(directory: Path) -> None:
    """Copies what git would add of the checkout into `directory`, and links environment and tools."""
    directory.mkdir(parents=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_SECONDS,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, directory / name)
    for name in LINKED:
        (directory / name).symlink_to(ROOT / name)


def make(directory: Path) -> Scratch:
    """Copies the checkout into `directory` and makes a stack there, like the pattern for throw-away stacks."""
    copy(directory)
    (directory / "state").mkdir()
    scratch = Scratch(directory, f"bench-{secrets.token_hex(3)}", free_ports())
    pattern = (directory / "stacks" / "Pulumi.test.yaml").read_text()
    (directory / "stacks" / f"Pulumi.{scratch.stack}.yaml").write_text(pattern)
    scratch.run("stack", "init", scratch.stack)
    port = str(scratch.port_base)
    scratch.run("config", "set", "--stack", scratch.stack, "--path", "pipe:network.port_base", port)
    return scratch


def free_ports() -> int:
    """The first of a run of ports of which none is in use, below those that the kernel hands out itself."""
    for _ in range(100):
        base = 20000 + PORTS_OF_A_STACK * secrets.randbelow(700)
        if all(_free(port) for port in range(base, base + PORTS_OF_A_STACK)):
            return base
    raise BenchError(f"no {PORTS_OF_A_STACK} free ports in a row between 20000 and 31200")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
