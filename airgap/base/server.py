"""The process of a provider: `main(spec)` serves it over gRPC until the engine is gone.

Pulumi's own server for Python providers is the ground. What it lacks is added here: the handshake, the old inputs of a
diff, and errors that reach the user as one sentence instead of a traceback.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from typing import Any

import grpc
import grpc.aio
from google.protobuf import empty_pb2
from pulumi.provider.experimental import provider as api
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS as GRPC_OPTIONS
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from airgap.base.errors import InitFailed, ProviderError
from airgap.base.provider import OLD_INPUTS, ProviderSpec, SchemaProvider
from airgap.base.values import map_from_wire
from airgap.process import exit_quietly_on_signals, exit_with_parent

_GUARDED = (
    "CheckConfig",
    "Configure",
    "Check",
    "Diff",
    "Create",
    "Read",
    "Update",
    "Delete",
    "Invoke",
    "Call",
    "Construct",
)


class Servicer(ProviderServicer):
    """Pulumi's servicer, completed."""

    _provider: SchemaProvider

    async def Handshake(self, request: Any, context: Any) -> Any:
        """Takes no secrets, resources or outputs: the engine then marks secrets itself, as with official providers."""
        self._provider.log.connect(request.engine_address)
        return provider_pb2.ProviderHandshakeResponse()

    async def Attach(self, request: Any, context: Any) -> Any:
        """The engine found this process running (PULUMI_DEBUG_PROVIDERS)."""
        self._provider.log.connect(request.address)
        return empty_pb2.Empty()

    async def DiffConfig(self, request: Any, context: Any) -> Any:
        """Replaces Pulumi's method, which cannot carry a detailed difference."""
        olds, news = PropertyValue.unmarshal_map(request.olds), PropertyValue.unmarshal_map(request.news)
        diff = await self._provider.diff_config(api.DiffRequest(request.urn, request.id, olds, news, []))
        changed = provider_pb2.DiffResponse.DIFF_SOME if diff.changes else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=changed, diffs=diff.diffs)

    async def Diff(self, request: Any, context: Any) -> Any:
        """As Pulumi's, with the old inputs at hand."""
        OLD_INPUTS.set(PropertyValue.unmarshal_map(request.old_inputs))
        return await super().Diff(request, context)

    async def Update(self, request: Any, context: Any) -> Any:
        """As Pulumi's, with the old inputs at hand."""
        OLD_INPUTS.set(PropertyValue.unmarshal_map(request.old_inputs))
        return await super().Update(request, context)  # type: ignore[no-untyped-call]


def _guard(name: str) -> Any:
    """The method of the servicer, with expected errors as one sentence and bugs with their traceback."""
    inner = getattr(Servicer, name)

    async def method(self: Servicer, request: Any, context: Any) -> Any:
        try:
            return await inner(self, request, context)
        except InitFailed as error:
            await _abort_half_made(self, request, context, error)
        except ProviderError as error:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        except NotImplementedError as error:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, str(error))
        except Exception:  # noqa: BLE001 a bug is shown with its traceback, whatever it is
            await context.abort(grpc.StatusCode.UNKNOWN, f"bug in {self._provider.label}:\n{traceback.format_exc()}")

    return method


for _name in _GUARDED:
    setattr(Servicer, _name, _guard(_name))


async def _abort_half_made(servicer: Servicer, request: Any, context: Any, error: InitFailed) -> None:
    """Tells the engine that the object exists, so that it is kept in the state and can be mended or removed."""
    token = request.urn.split("::")[-2]
    sent = PropertyValue.unmarshal_map(request.news if hasattr(request, "news") else request.properties)
    state = {**map_from_wire(sent), **error.state}
    outputs = servicer._provider.outputs_of_type(token, state)
    details = provider_pb2.ErrorResourceInitFailed(
        id=error.resource_id,
        properties=PropertyValue.marshal_map(outputs),
        inputs=PropertyValue.marshal_map(sent),
        reasons=[str(error)],
    )
    code = grpc.StatusCode.UNKNOWN
    status = status_pb2.Status(code=code.value[0], message=str(error))
    status.details.add().Pack(details)
    trailing = (("grpc-status-details-bin", status.SerializeToString()),)
    await context.abort(code, str(error), trailing)


async def start(spec: ProviderSpec, engine: str = "") -> tuple[grpc.aio.Server, int]:
    """Starts a server on a free port of the loopback address; returns it and the port."""
    provider = SchemaProvider(spec)
    if engine:
        provider.log.connect(engine)
    server = grpc.aio.server(options=GRPC_OPTIONS)
    servicer = Servicer([], spec.version, provider, engine_address=engine)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, port


def main(spec: ProviderSpec, args: list[str] | None = None) -> None:
    """Runs the provider as a plugin: prints its port, serves until the engine ends."""
    given = [arg for arg in (sys.argv[1:] if args is None else args) if not arg.startswith("-")]
    exit_with_parent()
    exit_quietly_on_signals()

    async def serve() -> None:
        server, port = await start(spec, given[0] if given else "")
        print(port, flush=True)
        await server.wait_for_termination()

    asyncio.run(serve())
