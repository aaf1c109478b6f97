"""The language host's service: what the engine asks of `pulumi-language-python`, and nothing more.

Pulumi's automation API has a language server that runs a Python function; here the function is the program itself.
"""

from __future__ import annotations

import asyncio
import contextvars
import importlib.metadata
import logging
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import grpc
import pulumi
from google.protobuf import empty_pb2
from pulumi import log
from pulumi.automation._server import LanguageServer
from pulumi.runtime import reset_options, run_in_stack, set_all_config
from pulumi.runtime.proto import language_pb2, plugin_pb2
from pulumi.runtime.settings import SETTINGS

from airgap.language import traces
from airgap.language.gathered_log import GatheredLog
from airgap.language.program import Program, user_traceback

# The SDK's own words for an engine that stops: it has said why already.
_ENGINE_STOPPED = "Resource monitor has terminated"


class LanguageHost(LanguageServer):
    """Runs one program after the other, each in an event loop of its own."""

    def __init__(self, engine: str) -> None:
        super().__init__(lambda: None)
        self._engine = engine
        self._cancelled = False

    def Handshake(self, request: Any, context: Any) -> Any:
        """The engine says where it listens."""
        self._engine = request.engine_address or self._engine
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        """The version is that of the SDK."""
        return plugin_pb2.PluginInfo(version=importlib.metadata.version("pulumi"))

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:
        """`pulumi install`: the environment was made before the host could start."""
        text = f"Python packages are installed already, in {sys.prefix}\n"
        yield language_pb2.InstallDependenciesResponse(stdout=text.encode())

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:
        """`pulumi about`: the packages of the environment."""
        found = sorted((package.name, package.version) for package in importlib.metadata.distributions())
        dependencies = [language_pb2.DependencyInfo(name=name, version=version) for name, version in found]
        return language_pb2.GetProgramDependenciesResponse(dependencies=dependencies)

    def Cancel(self, request: Any, context: Any) -> Any:
        """Ctrl-C: what the program raises from now on is only an echo of that."""
        self._cancelled = True
        return empty_pb2.Empty()

    def Run(self, request: Any, context: Any) -> Any:
        """Runs the program to its end; errors are shown here, so the engine is told not to show them again."""
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        return contextvars.copy_context().run(self._run, request)

    def _run(self, request: Any) -> Any:
        _configure(request, self._engine)
        engine_log = GatheredLog(SETTINGS.engine)
        SETTINGS.engine = engine_log
        program = Program(request.info.program_directory or request.pwd, request.info.entry_point or request.program)
        traces.leave_out(SETTINGS.monitor)
        loop = asyncio.new_event_loop()
        loop.set_default_executor(ThreadPoolExecutor(max_workers=max(request.parallel, 1) * 4))
        loop.set_exception_handler(self._exception_handler)
        try:
            loop.run_until_complete(run_in_stack(lambda: _run_and_settle(program)))
        except BaseException as error:  # noqa: BLE001 a program may raise anything
            message = self._explain(error, program)
            if message:
                log.error(message)
            return language_pb2.RunResponse(error=message or "the program was stopped", bail=True)
        finally:
            _drain(loop)
            engine_log.flush()
        return language_pb2.RunResponse()

    def _explain(self, error: BaseException, program: Program) -> str | None:
        """The error for the user: one sentence where it was foreseen, the program's own traceback where not."""
        if self._cancelled:
            return None
        match error:
            case pulumi.RunError():
                return None if _ENGINE_STOPPED in str(error) else str(error)
            case grpc.RpcError():
                unavailable = error.code() == grpc.StatusCode.UNAVAILABLE
                return None if unavailable else f"the engine refused a call: {error.details()}"
            case SystemExit():
                return f"the program ended itself with exit code {error.code}"
            case KeyboardInterrupt() | asyncio.CancelledError():
                return None
            case _:
                return f"the program failed:\n{user_traceback(error, program.directory)}"


async def _run_and_settle(program: Program) -> None:
    """Runs the program and waits until its outputs are known, or until one has failed, which the SDK then reports.

    The SDK waits for them too, but one by one, and looks at all that are left each time: with hundreds of resources
    that takes longer than registering them. Here each is looked at once.
    """
    program.run()
    while pending := _pending():
        done, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_EXCEPTION)
        if any(task.cancelled() or task.exception() for task in done):
            return
        await asyncio.sleep(0)  # the callbacks that take what is done off the SDK's lists


def _pending() -> list[asyncio.Future[Any]]:
    with SETTINGS.lock:
        outputs = list(SETTINGS.outputs)
    return [task for task in (*outputs, *SETTINGS.rpc_manager.rpcs) if not task.done()]


def _configure(request: Any, engine: str) -> None:
    """Points the SDK at this engine and gives it the stack's configuration."""
    reset_options(
        project=request.project,
        monitor_address=request.monitor_address,
        engine_address=engine,
        stack=request.stack,
        parallel=request.parallel,
        preview=request.dryRun,
        organization=request.organization or "organization",
        root_directory=request.info.root_directory or None,
    )
    set_all_config(dict(request.config), list(request.configSecretKeys))
    if request.pwd:
        os.chdir(request.pwd)
    sys.argv = [request.program, *request.args]


def _drain(loop: asyncio.AbstractEventLoop) -> None:
    """Ends what the program left running, so that nothing complains when the loop closes."""
    for task in asyncio.all_tasks(loop):
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            loop.run_until_complete(task)
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    sys.stdout.flush()
    sys.stderr.flush()
