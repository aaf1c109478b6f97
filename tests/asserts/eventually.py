"""Waiting for what must become true, and saying what was seen last when it doesn't."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from tests import timeouts

T = TypeVar("T")


def eventually(look: Callable[[], T], wanted: Callable[[T], bool], within: float, what: str) -> T:
    """Look until `wanted` holds of what is seen; fail after `within` seconds with the last sight."""
    end = time.monotonic() + within
    while True:
        seen = look()
        if wanted(seen):
            return seen
        assert time.monotonic() < end, f"not within {within} s: {what}; last seen: {seen!r}"
        time.sleep(timeouts.POLL)
