"""Choosing the block of ports that a new stack keeps for its whole life."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Collection

from cli.errors import UserError

BLOCK = 16
# Above what the shared stacks use, below what Linux hands out to outgoing connections.
FIRST, LAST = 20000, 32752


def choose(taken: Collection[int], is_free: Callable[[int], bool], start: int | None = None) -> int:
    """The first port of a block that no stack has and nothing listens on.

    The search begins at a random block, so that two checkouts on one machine seldom look at the same one.
    """
    count = (LAST - FIRST) // BLOCK
    offset = random.randrange(count) if start is None else start
    for step in range(count):
        base = FIRST + (offset + step) % count * BLOCK
        if all(abs(base - other) >= BLOCK for other in taken) and all(map(is_free, range(base, base + BLOCK))):
            return base
    raise UserError(
        f"no block of {BLOCK} free ports between {FIRST} and {LAST}", "`make sweep` removes leftover stacks."
    )


def is_free(port: int) -> bool:
    """Whether nothing on this machine listens on the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True
