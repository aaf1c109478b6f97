"""Imports without looking for garbage: there is none yet, and the search takes a tenth of a process's start."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """Runs the block without garbage collection; what it made is taken to stay and is not looked at later either."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
