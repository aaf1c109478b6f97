"""What every step is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from setup.console import Console
from setup.files import write_atomic
from setup.paths import Paths
from setup.process import Processes
from setup.versions import Versions


@dataclass(frozen=True)
class Context:
    paths: Paths
    versions: Versions
    environ: Mapping[str, str]
    console: Console
    processes: Processes

    def log(self, step: str) -> Path:
        """The log file of a step; lives across runs, so that the cause of an older failure is still there."""
        return self.paths.logs / f"{step}.log"

    def stamped(self, name: str, value: str) -> bool:
        """Whether the stamp `name` says `value`: the result was made from just these inputs."""
        try:
            return (self.paths.stamps / name).read_text() == value
        except OSError:
            return False

    def stamp(self, name: str, value: str) -> None:
        write_atomic(self.paths.stamps / name, value)

    def unstamp(self, name: str) -> None:
        (self.paths.stamps / name).unlink(missing_ok=True)
