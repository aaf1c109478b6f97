"""The engine's log without a call for every debug line: the SDK writes four of them for each resource."""

from __future__ import annotations

import threading
from typing import Any

from pulumi.runtime.proto import engine_pb2

# A line is at most this late: a program that hangs has shown what it did last.
_DELAY_S = 0.1


class GatheredLog:
    """Stands before the engine's client: debug lines go together, anything else at once, all in their order."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._lines: list[str] = []

    def Log(self, request: Any) -> None:
        """As the engine's own; returns before a debug line is sent."""
        plain = not (request.urn or request.streamId or request.ephemeral)
        if request.severity != engine_pb2.DEBUG or not plain:
            with self._lock:
                self._send()
                self._engine.Log(request)
            return
        with self._lock:
            first = not self._lines
            self._lines.append(request.message)
        if first:
            timer = threading.Timer(_DELAY_S, self.flush)
            timer.daemon = True
            timer.start()

    def flush(self) -> None:
        """Sends the lines that wait."""
        with self._lock:
            self._send()

    def _send(self) -> None:
        lines, self._lines = self._lines, []
        if lines:
            self._engine.Log(engine_pb2.LogRequest(severity=engine_pb2.DEBUG, message="\n".join(lines)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)
