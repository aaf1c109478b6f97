"""Sends log lines to the engine, which shows them as diagnostics on the resource they belong to."""

from __future__ import annotations

import threading
from typing import Any

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

_SEVERITIES = {
    "debug": engine_pb2.DEBUG,
    "info": engine_pb2.INFO,
    "warning": engine_pb2.WARNING,
    "error": engine_pb2.ERROR,
}
# An engine that does not take a line within this time is gone or stuck; no work waits longer for it.
_TIMEOUT_S = 5.0


class EngineLog:
    """A connection to the engine's log; before `connect` it is silent."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stub: Any = None

    def connect(self, address: str) -> None:
        """Starts to send to the engine at `host:port`."""
        with self._lock:
            self._stub = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))

    def write(self, severity: str, message: str, urn: str = "", ephemeral: bool = False) -> None:
        """Sends one message; a log line that cannot be sent never fails the operation that wrote it."""
        with self._lock:
            stub = self._stub
        if stub is None:
            return
        line = engine_pb2.LogRequest(severity=_SEVERITIES[severity], message=message, urn=urn, ephemeral=ephemeral)
        try:
            stub.Log(line, timeout=_TIMEOUT_S)
        except grpc.RpcError:
            return
