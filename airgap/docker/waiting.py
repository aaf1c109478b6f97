"""Waits and absences that the resources share."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

from airgap.base import Context

POLL_S = 0.1
# How long an object that others still use is waited for, as the official provider does.
IN_USE_TIMEOUT_S = 30.0


class missing:
    """Goes on after the block when the engine has no such object."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        import docker.errors

        return isinstance(error, docker.errors.NotFound)


def until_unused(context: Context, remove: Callable[[], object], in_use: str) -> None:
    """Calls `remove` until the engine no longer answers `in_use`; raises its last answer after 30 seconds."""
    import docker.errors

    deadline = time.monotonic() + IN_USE_TIMEOUT_S
    while True:
        try:
            remove()
            return
        except docker.errors.APIError as error:
            if in_use not in str(error.explanation) or time.monotonic() > deadline:
                raise
        context.pause(POLL_S, "removal")
