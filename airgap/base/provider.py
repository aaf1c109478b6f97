"""From Pulumi's requests to a resource's methods: defaults, names, secrets, previews, and threads."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from pulumi.provider.experimental import provider as api
from pulumi.provider.experimental.property_value import PropertyValue

from airgap.base.check import Failure, check_against_schema
from airgap.base.config import ENGINE_KEYS, config_schema, parse_config
from airgap.base.diff import Change, Diff, Kind
from airgap.base.errors import ProviderError
from airgap.base.log import EngineLog
from airgap.base.resource import Context, Resource
from airgap.base.schema import Schema
from airgap.base.values import Properties, map_from_wire, map_to_wire

# Enough for every resource of a large stack to wait at once; a thread that waits costs next to nothing.
_THREADS = 64
_KINDS = {
    (Kind.ADD, False): api.PropertyDiffKind.ADD,
    (Kind.ADD, True): api.PropertyDiffKind.ADD_REPLACE,
    (Kind.DELETE, False): api.PropertyDiffKind.DELETE,
    (Kind.DELETE, True): api.PropertyDiffKind.DELETE_REPLACE,
    (Kind.UPDATE, False): api.PropertyDiffKind.UPDATE,
    (Kind.UPDATE, True): api.PropertyDiffKind.UPDATE_REPLACE,
}


_Request = TypeVar("_Request")
_Response = TypeVar("_Response")

# The old inputs of the diff or update at hand: the engine sends them, Pulumi's experimental package leaves them out.
OLD_INPUTS: ContextVar[Mapping[str, PropertyValue]] = ContextVar("OLD_INPUTS")


@dataclass(frozen=True)
class ProviderSpec:
    """A stand-in: its name and official version; its resources and client as "module:attribute", imported on use."""

    name: str
    version: str
    resources: Mapping[str, str]
    connect: str | None = None
    """A function of the configuration (plain values) that returns what resources get as `context.client`."""
    unsupported_config: Mapping[str, str] = field(default_factory=dict[str, str])
    """Configuration that is refused -> what to use instead."""
    schema: str | None = None
    """The schema's text; by default that of `airgap/schemas/<name>.json`."""
    label: str | None = None
    libraries: tuple[str, ...] = ()
    """What the resources import when they get to work. Two threads that begin a library in different places at the same
    time can find it half imported, so it is imported here first, once."""


class SchemaProvider(api.Provider):
    """Serves the resources of one `ProviderSpec`."""

    def __init__(self, spec: ProviderSpec) -> None:
        self.spec = spec
        self.log = EngineLog()
        self._config: Properties = {}
        self._cancelled = threading.Event()
        self._client: Any = None
        self._client_lock = threading.Lock()
        self._resources: dict[str, Resource] = {}
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix=spec.name)

    @cached_property
    def schema(self) -> Schema:
        """The provider's schema, parsed at the first use."""
        return Schema(self.spec.schema) if self.spec.schema else Schema.load(self.spec.name)

    @property
    def label(self) -> str:
        """How messages name this provider."""
        return self.spec.label or f"the air-gapped {self.spec.name} provider"

    async def get_schema(self, request: api.GetSchemaRequest) -> api.GetSchemaResponse:
        return api.GetSchemaResponse(self.schema.text)

    async def check_config(self, request: api.CheckRequest) -> api.CheckResponse:
        given = parse_config(map_from_wire(request.new_inputs), self.schema.config)
        as_resource = config_schema(self.schema.config)
        failures = list(check_against_schema(as_resource, given, self.spec.unsupported_config, self.label))
        return api.CheckResponse(request.new_inputs, _to_failures(failures))

    async def diff_config(self, request: api.DiffRequest) -> api.DiffResponse:
        old, new = map_from_wire(request.old_state), map_from_wire(request.new_inputs)
        changed = sorted(key for key in {*old, *new} - ENGINE_KEYS if old.get(key) != new.get(key))
        return api.DiffResponse(changes=bool(changed), diffs=changed)

    async def configure(self, request: api.ConfigureRequest) -> api.ConfigureResponse:
        self._config = parse_config(map_from_wire(request.args), self.schema.config)
        return api.ConfigureResponse(supports_preview=True)

    async def cancel(self) -> None:
        self._cancelled.set()

    # Check, diff, create, read, update, delete: each in a thread of its own, so that one that waits holds up no other.

    async def check(self, request: api.CheckRequest) -> api.CheckResponse:
        return await self._in_thread(self._check, request)

    def _check(self, request: api.CheckRequest) -> api.CheckResponse:
        resource = self._resource(request.type)
        inputs, old = map_from_wire(request.new_inputs), map_from_wire(request.old_inputs)
        defaulted = _fill_defaults(resource, inputs)
        if resource.autoname and inputs.get(resource.autoname) is None:
            previous = old.get(resource.autoname) if _was_default(request, resource.autoname) else None
            seed = request.random_seed or os.urandom(4)
            inputs[resource.autoname] = previous or f"{request.name}-{seed.hex()[:7]}"
            defaulted.append(resource.autoname)
        failures = list(check_against_schema(resource.schema, inputs, resource.unsupported, self.label))
        refused = {Change(failure.property).root for failure in failures}
        if not refused & set(resource.schema.required):
            # What the schema refuses already is kept from the resource's own rules; the rest is checked all the same.
            context = self._context(request.urn, random_seed=request.random_seed)
            accepted = {name: value for name, value in inputs.items() if name not in refused}
            failures += resource.check(context, accepted, old)
            inputs = {**inputs, **accepted}
        checked = map_to_wire(inputs, resource.schema.secret_inputs)
        checked["__defaults"] = PropertyValue([PropertyValue(name) for name in sorted(defaulted)])
        return api.CheckResponse(checked, _to_failures(failures))

    async def diff(self, request: api.DiffRequest) -> api.DiffResponse:
        return await self._in_thread(self._diff, request)

    def _diff(self, request: api.DiffRequest) -> api.DiffResponse:
        resource = self._resource(request.type)
        diff = resource.diff(
            self._context(request.urn),
            request.resource_id,
            map_from_wire(request.old_state),
            map_from_wire(OLD_INPUTS.get({})),
            map_from_wire(request.new_inputs),
        )
        return _to_diff_response(diff, request.old_state)

    async def create(self, request: api.CreateRequest) -> api.CreateResponse:
        return await self._in_thread(self._create, request)

    def _create(self, request: api.CreateRequest) -> api.CreateResponse:
        resource, inputs = self._resource(request.type), map_from_wire(request.properties)
        if request.preview:
            return api.CreateResponse(None, self.outputs(resource, resource.planned({}, inputs)))
        self._load_libraries()
        created = resource.create(self._context(request.urn, request.timeout), inputs)
        return api.CreateResponse(created.id, self.outputs(resource, {**inputs, **created.state}))

    async def read(self, request: api.ReadRequest) -> api.ReadResponse:
        return await self._in_thread(self._read, request)

    def _read(self, request: api.ReadRequest) -> api.ReadResponse:
        resource = self._resource(request.type)
        state, old = map_from_wire(request.properties), map_from_wire(request.inputs)
        self._load_libraries()
        found = resource.read(self._context(request.urn), request.resource_id, state, old)
        if found is None:
            return api.ReadResponse("", {}, {})
        inputs = resource.inputs_from(found.state, old) if found.inputs is None else found.inputs
        wire = map_to_wire(inputs, resource.schema.secret_inputs)
        wire["__defaults"] = request.inputs.get("__defaults", PropertyValue([]))
        return api.ReadResponse(found.id or request.resource_id, self.outputs(resource, found.state), wire)

    async def update(self, request: api.UpdateRequest) -> api.UpdateResponse:
        return await self._in_thread(self._update, request)

    def _update(self, request: api.UpdateRequest) -> api.UpdateResponse:
        resource = self._resource(request.type)
        state, old, new = (map_from_wire(part) for part in (request.olds, OLD_INPUTS.get({}), request.news))
        if request.preview:
            return api.UpdateResponse(self.outputs(resource, resource.planned(state, new)))
        self._load_libraries()
        context = self._context(request.urn, request.timeout)
        outputs = resource.update(context, request.resource_id, state, old, new)
        return api.UpdateResponse(self.outputs(resource, {**resource.planned(state, new), **outputs}))

    async def delete(self, request: api.DeleteRequest) -> None:
        await self._in_thread(self._delete, request)

    def _delete(self, request: api.DeleteRequest) -> None:
        self._load_libraries()
        context = self._context(request.urn, request.timeout)
        self._resource(request.type).delete(context, request.resource_id, map_from_wire(request.properties))

    def outputs(self, resource: Resource, state: Properties) -> dict[str, PropertyValue]:
        """A state for the engine: what the official schema knows, its secrets marked, and the version it is in."""
        known = {name: value for name, value in state.items() if name in resource.schema.outputs}
        wire = map_to_wire(known, resource.schema.secret_outputs)
        if resource.state_version:
            wire["__meta"] = PropertyValue(json.dumps({"schema_version": str(resource.state_version)}))
        return wire

    def outputs_of_type(self, token: str, state: Properties) -> dict[str, PropertyValue]:
        """As `outputs`, by type token."""
        return self.outputs(self._resource(token), state)

    async def _in_thread(self, function: Callable[[_Request], _Response], request: _Request) -> _Response:
        return await asyncio.get_running_loop().run_in_executor(self._pool, copy_context().run, function, request)

    def _resource(self, qualified: str) -> Resource:
        token = qualified.rpartition("$")[2]  # a child's type has its parents' types in front
        found = self._resources.get(token)
        if found is None:
            where = self.spec.resources.get(token)
            if where is None:
                known = ", ".join(sorted(name.rpartition(":")[2] for name in self.spec.resources))
                raise ProviderError(f"{self.label} has no resource type '{token}'", f"it has {known}")
            found = self._resources[token] = _import(where)(self.schema.resource(token))
        return found

    def _context(self, urn: str, timeout: float = 0, random_seed: bytes = b"") -> Context:
        def write_log(severity: str, message: str, ephemeral: bool) -> None:
            self.log.write(severity, message, urn, ephemeral)

        return Context(urn, self._config, timeout, random_seed, self._cancelled, self._connect, write_log)

    def _load_libraries(self) -> None:
        with self._client_lock:
            for library in self.spec.libraries:
                importlib.import_module(library)

    def _connect(self) -> Any:
        with self._client_lock:
            if self._client is None and self.spec.connect:
                self._client = _import(self.spec.connect)(self._config)
            return self._client


def _import(where: str) -> Any:
    module, _, attribute = where.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _fill_defaults(resource: Resource, inputs: Properties) -> list[str]:
    """Adds the schema's and the official provider's defaults to `inputs`; returns which were added."""
    added: list[str] = []
    for name, schema in resource.schema.inputs.items():
        default = resource.defaults.get(name, schema.default)
        if inputs.get(name) is None and default is not None:
            inputs[name] = default
            added.append(name)
    return added


def _was_default(request: api.CheckRequest, name: str) -> bool:
    """Whether the previous value was not the user's: it is kept then, so that an automatic name never changes."""
    marked = request.old_inputs.get("__defaults")
    names = {item.value for item in marked.value} if marked and isinstance(marked.value, tuple) else set()
    return name in names


def _to_failures(failures: list[Failure]) -> list[api.CheckFailure]:
    """The sentence names the property: from a field of its own, the engine would print its value, even a secret one."""
    return [api.CheckFailure("", f"property '{failure.property}' {failure.reason}") for failure in failures]


def _to_diff_response(diff: Diff, state: Mapping[str, PropertyValue]) -> api.DiffResponse:
    """Values are shown from the state, or from the old inputs where the state is silent."""

    def roots(changes: list[Change]) -> list[str]:
        return sorted({change.root for change in changes})

    return api.DiffResponse(
        changes=bool(diff),
        replaces=roots([change for change in diff.changes if change.replace]),
        diffs=roots(list(diff.changes)),
        delete_before_replace=diff.delete_before_replace,
        detailed_diff={
            change.path: api.PropertyDiff(_KINDS[change.kind, change.replace], input_diff=change.root not in state)
            for change in diff.changes
        },
    )
