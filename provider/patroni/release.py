"""Commits let go of the synchronous replica as soon as it is away, not only when the leader looks by itself.

In synchronous mode every commit waits for one replica. When that one restarts or is replaced, commits wait until it is
back or until the leader looks at its replicas again, which it does every ``loop_wait`` seconds; then another replica
takes its place, or, in mode ``on`` and with no other one, nobody. A leader that is woken looks at once.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from provider.errors import PipeError
from provider.patroni.member import leads, look, synchronous
from provider.patroni.rest import Rest
from provider.patroni.wake import wake

POLL_SECONDS = 0.25
# Longer than a container takes to stop and another one to start. After that the leader's own loop has to do.
LIMIT_SECONDS = 180


def when_away(rest: Rest, endpoints: list[str], member: str, endpoint: str) -> threading.Event:
    """Beside what else goes on: while the member is away, wake who leads. Ends when it is back or the event is set."""
    stop = threading.Event()
    if synchronous(rest, endpoints):
        arguments = (rest, endpoints, member, endpoint, stop)
        threading.Thread(target=_wake, args=arguments, name=f"release {member}", daemon=True).start()
    return stop


@contextlib.contextmanager
def while_away(rest: Rest, endpoints: list[str], member: str, endpoint: str) -> Iterator[None]:
    """Do so during the block, in which the member goes and comes back."""
    stop = when_away(rest, endpoints, member, endpoint)
    try:
        yield
    finally:
        stop.set()


def _wake(rest: Rest, endpoints: list[str], member: str, endpoint: str, stop: threading.Event) -> None:
    deadline, was_away = time.monotonic() + LIMIT_SECONDS, False
    while time.monotonic() < deadline and not stop.wait(POLL_SECONDS):
        with contextlib.suppress(PipeError):
            if look(rest, member, endpoint).ready:
                if was_away:
                    return
                continue
        was_away = True
        wake(rest, [other for other in endpoints if other != endpoint and leads(rest, other)])
