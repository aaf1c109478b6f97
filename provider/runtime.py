"""The provider as a process: it serves the engine, reports to it, stops quietly and never outlives it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc
import grpc.aio
from pulumi.provider.experimental.provider import Provider
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2_grpc

from provider.errors import Cancelled, PipeError

# The engine's own limit: a message of a large schema or state fits.
_CHANNEL_OPTIONS = [("grpc.max_receive_message_length", 400 * 1024 * 1024)]
# Waits (a member, an endpoint, archiving) each hold a thread: as many as a large stack has at once.
_THREADS = 32
_PARENT_POLL_SECONDS = 0.5
_STOP_GRACE_SECONDS = 0.5
_LOG_TIMEOUT_SECONDS = 5


class Cancellation:
    """Tells every blocking call that the user cancelled: a flag for poll loops, callbacks for calls that block."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], object]] = []

    def cancel(self) -> None:
        """Raise the flag and run the callbacks; only the first call does anything."""
        with self._lock:
            if self._event.is_set():
                return
            self._event.set()
            callbacks = list(self._callbacks)
        for callback in callbacks:
            callback()

    def __bool__(self) -> bool:
        return self._event.is_set()

    def pause(self, seconds: float, doing: str) -> None:
        """Wait between two polls; raises Cancelled, which names what was being done, as soon as the user cancels."""
        if self._event.wait(seconds):
            raise Cancelled(doing)

    @contextlib.contextmanager
    def interrupting(self, callback: Callable[[], object]) -> Iterator[None]:
        """Have ``callback`` end the blocking call inside the block when the user cancels."""
        with self._lock:
            self._callbacks.append(callback)
        try:
            yield
        finally:
            with self._lock:
                self._callbacks.remove(callback)


class Reporter:
    """Sends diagnostics to the engine, on the resource that they are about. A report that fails is dropped."""

    def __init__(self, engine_address: str | None) -> None:
        """Remember the address; the channel opens with the first report. Without an address nothing is sent."""
        self._address = engine_address
        self._lock = threading.Lock()
        self._engine: Any = None

    def progress(self, urn: str, message: str) -> None:
        """Show what is being waited for, on the resource's line only, until the next report."""
        self._send(engine_pb2.INFO, urn, message, ephemeral=True)

    def info(self, urn: str, message: str) -> None:
        """Tell something that stays readable after the operation."""
        self._send(engine_pb2.INFO, urn, message)

    def warning(self, urn: str, message: str) -> None:
        """Warn."""
        self._send(engine_pb2.WARNING, urn, message)

    def debug(self, urn: str, message: str) -> None:
        """Tell something that only ``--debug`` shows."""
        self._send(engine_pb2.DEBUG, urn, message)

    def _send(self, severity: Any, urn: str, message: str, *, ephemeral: bool = False) -> None:
        if self._address is None:
            return
        with self._lock:
            if self._engine is None:
                self._engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(self._address))
        request = engine_pb2.LogRequest(severity=severity, urn=urn, message=message, ephemeral=ephemeral)
        # A diagnostic is never worth failing the operation for.
        with contextlib.suppress(grpc.RpcError):
            self._engine.Log(request, timeout=_LOG_TIMEOUT_SECONDS)


class _Servicer(ProviderServicer):
    """Pulumi's servicer, with expected failures as one clear message instead of an exception's trace."""


def _guard(name: str) -> Callable[..., Any]:
    inner = getattr(ProviderServicer, name)

    async def method(self: _Servicer, request: Any, context: Any) -> Any:
        try:
            return await inner(self, request, context)
        except PipeError as error:
            await context.abort(grpc.StatusCode.UNKNOWN, str(error))

    return method


_REQUESTS = "CheckConfig DiffConfig Configure Check Diff Create Read Update Delete Invoke"
for _name in _REQUESTS.split():
    setattr(_Servicer, _name, _guard(_name))


async def in_thread(call: Callable[[], Any]) -> Any:
    """Run a blocking call beside the event loop."""
    return await asyncio.get_running_loop().run_in_executor(None, call)


def serve(provider: Provider, version: str, engine_address: str) -> NoReturn:
    """Serve the provider until the engine stops it or is gone. Prints the port, as the engine expects."""
    asyncio.run(_serve(provider, version, engine_address))
    # Threads may still wait for a server's answer; nobody waits for them any more.
    os._exit(0)


async def _serve(provider: Provider, version: str, engine_address: str) -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(_THREADS, thread_name_prefix="resource"))
    stop = asyncio.Event()
    # The engine ends a plugin by SIGINT and waits for it. Ctrl-C does not get here: plugins have a process group of
    # their own, and the engine says with Cancel what the user's Ctrl-C means.
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    _watch_parent(loop)
    server = grpc.aio.server(options=_CHANNEL_OPTIONS)
    servicer = _Servicer([], version, provider, engine_address)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await stop.wait()
    await provider.cancel()
    await server.stop(_STOP_GRACE_SECONDS)
    os._exit(0)


def _watch_parent(loop: asyncio.AbstractEventLoop) -> None:
    """End this process when the engine's ends, even by kill -9: an orphan would hold locks and connections."""
    parent = os.getppid()
    try:
        descriptor = os.pidfd_open(parent)
    except (AttributeError, OSError):  # not Linux, an old kernel, or a parent that is already gone
        thread = threading.Thread(target=_poll_parent, args=(parent,), name="parent", daemon=True)
        thread.start()
    else:
        loop.add_reader(descriptor, os._exit, 1)


def _poll_parent(parent: int) -> None:
    pause = threading.Event()
    while os.getppid() == parent:
        pause.wait(_PARENT_POLL_SECONDS)
    os._exit(1)
