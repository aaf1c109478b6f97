"""Drives a stand-in as Pulumi's engine would, without the engine: one process, the real protocol.

`Plugin("random")` starts `python -m airgap.random`; `Live` is one resource in a stack of its own, whose `up`, `refresh`
and `destroy` make the same calls in the same order as Pulumi's, and say what was done.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2, struct_pb2
from google.protobuf.json_format import MessageToDict
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2, provider_pb2_grpc

CHECKOUT = Path(__file__).resolve().parents[3]
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"
_SIGNATURE_KEY = "4dabf18193072939515e22adb298388d"
# No call of a stand-in under test takes longer; a plugin that hangs fails its test instead of the run.
CALL_TIMEOUT_S = 300.0


class Refused(Exception):
    """The provider refused inputs in its check; `failures` maps the path of the property to the reason."""

    def __init__(self, failures: Any) -> None:
        found = [re.fullmatch(r"property '(.+?)' (.+)", failure.reason, re.DOTALL) for failure in failures]
        self.failures = {match[1]: match[2] for match in found if match}
        super().__init__(str(self.failures))
        # A property in the field of its own would make the engine print its value, even of a secret.
        assert all(match and not failure.property for match, failure in zip(found, failures, strict=True))


class Failed(Exception):
    """The provider answered a call with an error; `status` is the gRPC code, `half_made` what it made nevertheless."""

    def __init__(self, error: Any) -> None:
        super().__init__(error.details())
        self.status = error.code()
        self.half_made: provider_pb2.ErrorResourceInitFailed | None = None
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                from pulumi.runtime.proto import status_pb2

                for detail in status_pb2.Status.FromString(value).details:
                    found = provider_pb2.ErrorResourceInitFailed()
                    if detail.Unpack(found):
                        self.half_made = found


class FakeEngine(engine_pb2_grpc.EngineServicer):
    """Collects what a provider logs."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.server = grpc.server(futures.ThreadPoolExecutor(2))
        engine_pb2_grpc.add_EngineServicer_to_server(self, self.server)
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def Log(self, request: Any, context: Any) -> Any:
        """One line: the URN's logical name and the message."""
        self.lines.append((request.urn.rpartition("::")[2], request.message))
        return empty_pb2.Empty()


def to_struct(values: dict[str, Any]) -> struct_pb2.Struct:
    """A dict as the wire has it."""
    found = struct_pb2.Struct()
    found.update(values)
    return found


def to_dict(values: struct_pb2.Struct) -> dict[str, Any]:
    """The wire's map as a dict: whole numbers as ints, secrets as `Secret(value)`."""
    return {key: _plain(value) for key, value in MessageToDict(values).items()}


@dataclass(frozen=True)
class Secret:
    """A value that the provider itself marked secret."""

    value: Any


def _plain(value: Any) -> Any:
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_plain(item) for item in value]
        case dict() if value.get(_SIGNATURE_KEY) == SECRET_SIGNATURE:
            return Secret(_plain(value["value"]))
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case _:
            return value


def bare(value: Any) -> Any:
    """The value without secret marks, as the engine sends it to a provider that takes none."""
    match value:
        case Secret():
            return bare(value.value)
        case list():
            return [bare(item) for item in value]
        case dict():
            return {key: bare(item) for key, item in value.items()}
        case _:
            return value


class Plugin:
    """One running provider, configured, with an engine that listens to it."""

    def __init__(self, name: str, config: dict[str, Any] | None = None) -> None:
        self.name = name
        self.engine = FakeEngine()
        command = [sys.executable, "-m", f"airgap.{name}", self.engine.address]
        self.process = subprocess.Popen(
            command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        port = self.process.stdout.readline().strip()
        if not port:
            raise AssertionError(f"the plugin {name} did not start: {self.process.communicate()[1]}")
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self.stub: Any = provider_pb2_grpc.ResourceProviderStub(self.channel)
        self.call("Handshake", provider_pb2.ProviderHandshakeRequest(engine_address=self.engine.address))
        self.configure(config or {})

    def call(self, method: str, request: Any) -> Any:
        """One call; raises Failed."""
        try:
            return getattr(self.stub, method)(request, timeout=CALL_TIMEOUT_S)
        except grpc.RpcError as error:
            raise Failed(error) from None

    def configure(self, config: dict[str, Any]) -> None:
        """Checks and sets the provider's configuration, in place of any before."""
        checked = self.call(
            "CheckConfig", provider_pb2.CheckRequest(urn=self.urn("", "provider"), news=to_struct(config))
        )
        if checked.failures:
            raise Refused(checked.failures)
        self.call("Configure", provider_pb2.ConfigureRequest(args=to_struct(config)))

    def urn(self, token: str, name: str) -> str:
        """The URN of a resource of the test stack."""
        return f"urn:pulumi:test::conformance::{token}::{name}"

    def stop(self) -> None:
        """Ends the process and fails if it complained on standard error."""
        self.channel.close()
        self.process.terminate()
        _, errors = self.process.communicate(timeout=CALL_TIMEOUT_S)
        self.engine.server.stop(None)
        assert errors == "", errors


@dataclass
class Diffed:
    """A diff's answer: path -> kind (`UPDATE`, `ADD_REPLACE` ...)."""

    changes: dict[str, str]
    replaces: list[str]
    delete_before_replace: bool


@dataclass
class Live:
    """One resource of a stack: `id` is None while there is none."""

    plugin: Plugin
    token: str
    name: str
    id: str | None = None
    inputs: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def urn(self) -> str:
        return self.plugin.urn(self.token, self.name)

    def check(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The checked inputs; raises Refused."""
        request = provider_pb2.CheckRequest(
            urn=self.urn,
            olds=to_struct(bare(self.inputs)),
            news=to_struct(inputs),
            randomSeed=hashlib.sha256(self.urn.encode()).digest(),
        )
        checked = self.plugin.call("Check", request)
        if checked.failures:
            raise Refused(checked.failures)
        return to_dict(checked.inputs)

    def diff(self, inputs: dict[str, Any]) -> Diffed:
        """What `up` with these inputs would change."""
        checked = self.check(inputs)
        answer = self.plugin.call(
            "Diff",
            provider_pb2.DiffRequest(
                id=self.id or "",
                urn=self.urn,
                olds=to_struct(bare(self.state)),
                old_inputs=to_struct(bare(self.inputs)),
                news=to_struct(bare(checked)),
            ),
        )
        kinds = {path: provider_pb2.PropertyDiff.Kind.Name(change.kind) for path, change in answer.detailedDiff.items()}
        assert bool(kinds) == (answer.changes == provider_pb2.DiffResponse.DIFF_SOME)
        return Diffed(kinds, list(answer.replaces), answer.deleteBeforeReplace)

    def preview(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The outputs that a preview of a create, or of an update when it exists, would show."""
        checked = to_struct(bare(self.check(inputs)))
        if self.id is None:
            created = self.plugin.call(
                "Create", provider_pb2.CreateRequest(urn=self.urn, properties=checked, preview=True)
            )
            return to_dict(created.properties)
        request = self._update_request(checked)
        request.preview = True
        return to_dict(self.plugin.call("Update", request).properties)

    def up(self, inputs: dict[str, Any], timeout: float = 0) -> str:
        """Brings the resource to these inputs; returns `create`, `same`, `update` or `replace`."""
        checked = self.check(inputs)
        if self.id is not None:
            diff = self.diff(inputs)
            if not diff.changes:
                self.inputs = checked
                return "same"
            if not diff.replaces:
                request = self._update_request(to_struct(bare(checked)))
                request.timeout = timeout
                self.state = to_dict(self.plugin.call("Update", request).properties)
                self.inputs = checked
                return "update"
            self.destroy()
            self._create(checked, timeout)
            return "replace"
        self._create(checked, timeout)
        return "create"

    def refresh(self) -> str:
        """Reads the real object: `gone`, `changed` or `same`."""
        found = self._read(self.inputs, self.state)
        if not found.id:
            self.id, self.inputs, self.state = None, {}, {}
            return "gone"
        inputs, state = to_dict(found.inputs), to_dict(found.properties)
        changed = bare(inputs) != bare(self.inputs) or bare(state) != bare(self.state)
        self.inputs, self.state = inputs, state
        return "changed" if changed else "same"

    def adopt(self, id: str) -> bool:
        """Imports the object with this id; False when there is none."""
        self.id = id
        found = self._read({}, {})
        self.id = found.id or None
        self.inputs, self.state = to_dict(found.inputs), to_dict(found.properties)
        return self.id is not None

    def destroy(self) -> None:
        """Deletes the object."""
        request = provider_pb2.DeleteRequest(
            id=self.id or "",
            urn=self.urn,
            properties=to_struct(bare(self.state)),
            old_inputs=to_struct(bare(self.inputs)),
        )
        self.plugin.call("Delete", request)
        self.id, self.inputs, self.state = None, {}, {}

    def _create(self, checked: dict[str, Any], timeout: float) -> None:
        request = provider_pb2.CreateRequest(urn=self.urn, properties=to_struct(bare(checked)), timeout=timeout)
        created = self.plugin.call("Create", request)
        self.id, self.inputs, self.state = created.id, checked, to_dict(created.properties)

    def _read(self, inputs: dict[str, Any], state: dict[str, Any]) -> Any:
        request = provider_pb2.ReadRequest(
            id=self.id or "", urn=self.urn, properties=to_struct(bare(state)), inputs=to_struct(bare(inputs))
        )
        return self.plugin.call("Read", request)

    def _update_request(self, checked: struct_pb2.Struct) -> provider_pb2.UpdateRequest:
        return provider_pb2.UpdateRequest(
            id=self.id or "",
            urn=self.urn,
            olds=to_struct(bare(self.state)),
            news=checked,
            old_inputs=to_struct(bare(self.inputs)),
        )
