"""The life of a plugin's process: it ends with its parent, and quietly."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable

# How often the parent is looked for where the system cannot wait for a process that is not a child.
_POLL_S = 0.5


def exit_with_parent(leave: Callable[[], None] | None = None) -> None:
    """Ends this process as soon as its parent is gone, even by `kill -9`; `leave` runs first, if given."""
    parent = os.getppid()

    def watch() -> None:
        _wait_for_end(parent)
        if leave:
            leave()
        os._exit(0)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _wait_for_end(parent: int) -> None:
    opener = getattr(os, "pidfd_open", None)
    if opener is not None:
        try:
            descriptor = opener(parent)
        except OSError:
            descriptor = -1
        # Between the two calls the parent may have ended and its number been given away: then it is not ours any more.
        if descriptor >= 0 and os.getppid() == parent:
            select.select([descriptor], [], [])
            return
    while os.getppid() == parent:
        threading.Event().wait(_POLL_S)


def exit_quietly_on_signals() -> None:
    """Ends without a word when the engine asks for it, which it does by SIGINT once it has no more work for a plugin.

    A Ctrl-C of the user does not get here: the engine starts its plugins in process groups of their own and then calls
    Cancel, so that what is being made is finished or given up in order.
    """

    def leave(number: int, frame: object) -> None:
        os._exit(0)

    signal.signal(signal.SIGINT, leave)
    signal.signal(signal.SIGTERM, leave)
