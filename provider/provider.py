"""Dispatch: one request of the engine becomes one method call of one resource, in a thread. No other logic is here."""

from __future__ import annotations

import importlib
from functools import partial

from pulumi.provider.experimental import provider as api

from provider import config as provider_config
from provider.errors import Cancelled, PipeError
from provider.resource import Context, Resource
from provider.runtime import Cancellation, Reporter, in_thread
from provider.sql.connection import Database
from provider.values import Properties, plain_map, secret_keys, wire_map

# Token -> module and class; a module is imported with the first request for it, so that starting stays quick.
RESOURCES = {
    "pipe:sql:Migrations": ("provider.sql.migrations", "Migrations"),
    "pipe:sql:Repeatables": ("provider.sql.repeatables", "Repeatables"),
    "pipe:sql:Privileged": ("provider.sql.privileged", "Privileged"),
    "pipe:sql:Endpoint": ("provider.sql.endpoint", "Endpoint"),
    "pipe:sql:Takeover": ("provider.restore.takeover", "Takeover"),
    "pipe:sql:Sessions": ("provider.sql.sessions", "Sessions"),
    "pipe:catalog:Baseline": ("provider.catalog.baseline", "Baseline"),
    "pipe:catalog:Picture": ("provider.catalog.picture", "Picture"),
    "pipe:catalog:Privileges": ("provider.catalog.privileges", "Privileges"),
    "pipe:etcd:Topology": ("provider.etcd.topology", "Topology"),
    "pipe:etcd:Member": ("provider.etcd.member", "Member"),
    "pipe:patroni:Membership": ("provider.patroni.membership", "Membership"),
    "pipe:patroni:Member": ("provider.patroni.member", "Member"),
    "pipe:patroni:DynamicConfig": ("provider.patroni.dynamic_config", "DynamicConfig"),
    "pipe:pgbackrest:Repositories": ("provider.pgbackrest.repositories", "Repositories"),
    "pipe:pgbackrest:Restore": ("provider.restore.restore", "Restore"),
    "pipe:tls:Renewal": ("provider.tls.renewal", "Renewal"),
    "pipe:pgbackrest:Stanza": ("provider.pgbackrest.stanza", "Stanza"),
    "pipe:pgbackrest:FirstBackup": ("provider.pgbackrest.first_backup", "FirstBackup"),
    "pipe:pgbackrest:Drill": ("provider.pgbackrest.drill", "Drill"),
}

FUNCTIONS = {"pipe:patroni:leader": ("provider.patroni.leader", "leader")}


def resource(qualified_type: str) -> Resource:
    """Return the resource of a type as the URN has it: behind the types of the components around it."""
    token = qualified_type.rpartition("$")[2]
    if token not in RESOURCES:
        raise PipeError(f'the provider "pipe" has no resource "{token}"', f"there are: {', '.join(RESOURCES)}")
    module, name = RESOURCES[token]
    made: Resource = getattr(importlib.import_module(module), name)()
    return made


class PipeProvider(api.Provider):
    """The provider as Pulumi sees it."""

    def __init__(self, engine_address: str | None) -> None:
        """Prepare; nothing is contacted."""
        self._reporter = Reporter(engine_address)
        self._cancellation = Cancellation()
        self._set_config({})

    async def get_schema(self, request: api.GetSchemaRequest) -> api.GetSchemaResponse:
        """Return the package's schema, derived from the resources' declared inputs."""
        from provider.schema import schema_text

        return api.GetSchemaResponse(schema_text())

    async def check_config(self, request: api.CheckRequest) -> api.CheckResponse:
        """Refuse unknown settings by name; keep secrets marked."""
        unknown = sorted(request.new_inputs.keys() - provider_config.FIELDS.keys() - {"version"})
        failures = [_failure(name, 'is not a setting of the provider "pipe"') for name in unknown]
        values = {
            key: value.with_secret(value.is_secret or key in provider_config.SECRETS)
            for key, value in request.new_inputs.items()
        }
        return api.CheckResponse(values, failures)

    async def configure(self, request: api.ConfigureRequest) -> api.ConfigureResponse:
        """Keep the configuration; connections are made by the first resource that needs one."""
        self._set_config(plain_map(request.args))
        return api.ConfigureResponse(accept_secrets=True, supports_preview=True, accept_outputs=False)

    async def check(self, request: api.CheckRequest) -> api.CheckResponse:
        """Validate inputs."""
        target = resource(request.type)
        old = plain_map(request.old_inputs) or None
        faults = await in_thread(lambda: list(target.check(old, plain_map(request.new_inputs))))
        return api.CheckResponse(request.new_inputs, [_failure(fault.name, fault.reason) for fault in faults])

    async def diff(self, request: api.DiffRequest) -> api.DiffResponse:
        """Compare the state with new inputs."""
        target, context = resource(request.type), self._context(request.urn)
        old, new = plain_map(request.old_state), plain_map(request.new_inputs)
        for name in request.ignore_changes:
            new[name] = old.get(name)
        changed = await in_thread(partial(target.compare, context, old, new))
        return api.DiffResponse(
            changes=bool(changed),
            replaces=[name for name, replaces in changed.items() if replaces],
            diffs=list(changed),
            detailed_diff={
                name: _property_diff(name, replaces, old if target.inputs[name].kept else new, new)
                if name in target.inputs
                else api.PropertyDiff(api.PropertyDiffKind.UPDATE, input_diff=False)
                for name, replaces in changed.items()
            },
        )

    async def create(self, request: api.CreateRequest) -> api.CreateResponse:
        """Make a resource, or say what is known of it beforehand."""
        target, context = resource(request.type), self._context(request.urn)
        new, secrets = plain_map(request.properties), secret_keys(request.properties)
        if request.preview:
            outputs = await in_thread(partial(target.preview, context, None, new))
            return api.CreateResponse("", wire_map(outputs, secrets))
        id_, outputs = await in_thread(partial(target.create, context, new))
        return api.CreateResponse(id_, wire_map(outputs, secrets))

    async def read(self, request: api.ReadRequest) -> api.ReadResponse:
        """Find out what is there; an empty answer takes the resource out of the state.

        What cannot be asked now stays as it is, with a warning: a refresh must get to the container that is gone, whose
        program cannot answer, so that the next up makes it again.
        """
        target, context = resource(request.type), self._context(request.urn)
        state, inputs = plain_map(request.properties), plain_map(request.inputs)
        secrets = secret_keys(request.properties) | secret_keys(request.inputs)
        try:
            found = await in_thread(partial(target.read, context, request.resource_id, state, inputs))
        except Cancelled:
            raise
        except PipeError as error:
            if not state:  # an import has nothing to keep
                raise
            await in_thread(partial(context.warning, f"left as it was in the state: {error}"))
            return api.ReadResponse(request.resource_id, request.properties, request.inputs)
        if found is None:
            return api.ReadResponse("")
        return api.ReadResponse(found.id, wire_map(found.outputs, secrets), wire_map(found.inputs, secrets))

    async def update(self, request: api.UpdateRequest) -> api.UpdateResponse:
        """Change a resource in place."""
        target, context = resource(request.type), self._context(request.urn)
        old, new, secrets = plain_map(request.olds), plain_map(request.news), secret_keys(request.news)
        if request.preview:
            outputs = await in_thread(partial(target.preview, context, old, new))
        else:
            outputs = await in_thread(partial(target.update, context, request.resource_id, old, new))
        return api.UpdateResponse(wire_map(outputs, secrets))

    async def delete(self, request: api.DeleteRequest) -> None:
        """Remove a resource."""
        target, context = resource(request.type), self._context(request.urn)
        await in_thread(partial(target.delete, context, request.resource_id, plain_map(request.properties)))

    async def invoke(self, request: api.InvokeRequest) -> api.InvokeResponse:
        """Answer a question of the program."""
        if request.tok not in FUNCTIONS:
            known = ", ".join(FUNCTIONS)
            raise PipeError(f'the provider "pipe" has no function "{request.tok}"', f"there are: {known}")
        module, name = FUNCTIONS[request.tok]
        function = getattr(importlib.import_module(module), name)
        answer = await in_thread(partial(function, self._config, plain_map(request.args)))
        return api.InvokeResponse(wire_map(answer))

    async def cancel(self) -> None:
        """End every wait and every running statement."""
        await in_thread(self._cancellation.cancel)

    def _set_config(self, values: Properties) -> None:
        self._config = provider_config.Config(values)
        self._database = Database(self._config, self._cancellation)

    def _context(self, urn: str) -> Context:
        return Context(urn, self._config, self._database, self._reporter, self._cancellation)


def _failure(name: str, reason: str) -> api.CheckFailure:
    """Name the property in the text: the engine would print the value of one named beside it, be it secret or long."""
    return api.CheckFailure("", f"property '{name}' {reason}")


def _property_diff(name: str, replaces: bool, old: Properties, new: Properties) -> api.PropertyDiff:
    kinds = api.PropertyDiffKind
    if old.get(name) is None:
        kind = kinds.ADD_REPLACE if replaces else kinds.ADD
    elif new.get(name) is None:
        kind = kinds.DELETE_REPLACE if replaces else kinds.DELETE
    else:
        kind = kinds.UPDATE_REPLACE if replaces else kinds.UPDATE
    return api.PropertyDiff(kind, input_diff=True)
