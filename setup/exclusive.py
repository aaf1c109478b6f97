"""One set-up at a time in a checkout. The lock dies with its process, however that ends."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from setup.console import Console
from setup.paths import Paths


@contextmanager
def exclusive(paths: Paths, console: Console) -> Iterator[None]:
    """Hold the checkout's set-up lock; waits for another set-up to end, and says so."""
    paths.tools.mkdir(parents=True, exist_ok=True)
    with paths.lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.say("set-up", "another one runs in this checkout; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        _sweep(paths)
        yield


def _sweep(paths: Paths) -> None:
    """Remove what a killed run was making. Finished things never begin with a dot."""
    for leftover in paths.tools.glob(".*"):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)
