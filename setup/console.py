"""What the user sees while set-up works: one line an event, with the seconds since the start."""

from __future__ import annotations

import sys
import threading
import time
from typing import TextIO


class Console:
    """Prints progress lines; safe to use from several threads. Silent until a step has something to do."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._start = time.monotonic()
        self._lock = threading.Lock()
        self.lines = 0

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def say(self, step: str, text: str) -> None:
        with self._lock:
            self.lines += 1
            print(f"{self.elapsed:7.1f}s  {step:<14} {text}", file=self._stream, flush=True)
