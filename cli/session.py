"""One stack and the means to run Pulumi for it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cli import environment, stackfile
from cli.environment import Target
from cli.errors import UserError
from setup import toolchain
from setup.errors import StepError
from setup.paths import Paths, checkout
from setup.toolchain import Toolchain

PROJECT = "pipe"


@dataclass(frozen=True)
class Ended:
    """How a run of Pulumi ended. `interrupted`: by someone, not by what it met."""

    status: int
    interrupted: bool = False


@dataclass(frozen=True)
class Session:
    """`stack` of this checkout, with the caller's environment."""

    stack: str
    paths: Paths
    environ: Mapping[str, str]

    @classmethod
    def current(cls, stack: str | None = None) -> Session:
        """The stack that STACK names, `dev` without one."""
        name = stack or os.environ.get("STACK") or "dev"
        stackfile.check_name(name)
        return cls(name, checkout(), dict(os.environ))

    @property
    def runtime(self) -> Path:
        """Where this stack's files for clients are."""
        return self.paths.root / ".pipe" / self.stack

    @cached_property
    def toolchain(self) -> Toolchain:
        try:
            choice = toolchain.recorded(self.paths, toolchain.asked(self.environ))
        except StepError as error:
            raise UserError(error.what, error.fix) from None
        if choice is None:
            raise UserError("this checkout is not set up", "run `make setup`.")
        return choice

    @property
    def target(self) -> Target:
        content = stackfile.read(self.paths.root, self.stack)
        provider = (content or {}).get("secretsprovider") or self.environ.get(environment.SECRETS_PROVIDER)
        return Target(self.stack, stackfile.kind(content, self.stack), provider or None)

    @cached_property
    def variables(self) -> dict[str, str]:
        return environment.variables(self.target, self.paths, self.toolchain, self.environ)

    @property
    def backend(self) -> str:
        return self.variables[environment.BACKEND]

    @property
    def env(self) -> dict[str, str]:
        return {**environment.without_empty(self.environ), **self.variables}

    def pulumi(self, arguments: Sequence[str]) -> int:
        """Run Pulumi with the terminal; returns its exit status."""
        return self.watch(arguments).status

    def watch(self, arguments: Sequence[str]) -> Ended:
        """Run Pulumi with the terminal. Ctrl-C reaches it directly, and it ends by itself."""
        child = subprocess.Popen([self.toolchain.cli, *arguments], cwd=self.paths.root, env=self.env)
        interrupted = False
        while True:
            try:
                status = child.wait()
                return Ended(status, interrupted or status < 0)
            except KeyboardInterrupt:
                interrupted = True

    def ask(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run Pulumi for its output."""
        return subprocess.run(
            [self.toolchain.cli, *arguments, "--non-interactive", "--color", "never"],
            cwd=self.paths.root,
            env=self.env,
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            check=False,
        )

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs with secrets in clear. Raises UserError when there is no such stack or none has run."""
        done = self.ask("stack", "output", "--json", "--show-secrets", "--stack", self.stack)
        if done.returncode != 0:
            reason = done.stderr.strip().removeprefix("error: ")
            raise UserError(f'stack "{self.stack}" has no outputs: {reason}', f"`make up STACK={self.stack}` makes it.")
        return dict(json.loads(done.stdout))
