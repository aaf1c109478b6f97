"""A step of a drill that did not succeed, and programs that are run for one."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence

# 2025-01-01 00:00:00.000 P00  ERROR: [082]: WAL segment ... was not archived
_ERROR = re.compile(r"ERROR: (\[\d+\]: .*)")


class Failed(Exception):
    """What did not succeed, in one sentence: a problem of the drill, not of its program."""


def run(doing: str, command: Sequence[str]) -> str:
    """Run a program to its end; return what it printed. Raises Failed with its own words."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{doing} failed: {reason(done.stderr + done.stdout) or f'it ended with {done.returncode}'}")
    return done.stdout


def reason(text: str) -> str:
    """Return pgBackRest's first error, or else the first line that says something; with the next, if it only names."""
    if match := _ERROR.search(text):
        return match[1]
    first, *others = [" ".join(line.split()) for line in text.splitlines() if line.strip()] or [""]
    return f"{first} {others[0]}" if others and first.endswith(":") else first
