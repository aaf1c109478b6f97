"""What can go wrong, said in a way that a user can act on."""

from __future__ import annotations

from pathlib import Path


class StepError(Exception):
    """A step could not be done: what failed, why, and what to do next. Shown without a trace."""

    def __init__(self, what: str, *, why: str = "", fix: str = "", log: Path | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix
        self.log = log

    def text(self) -> str:
        """The whole message, several lines: fact, cause, where the log is, and the remedy."""
        lines = [self.what]
        lines += [f"  | {line}" for line in self.why.splitlines() if line.strip()]
        if self.log is not None:
            lines.append(f"  log: {self.log}")
        if self.fix:
            lines.append(f"  HINT: {self.fix}")
        return "\n".join(lines)


class Interrupted(Exception):
    """The user asked to stop (Ctrl-C or SIGTERM), or another step failed: nothing is reported for this step."""
