"""docker:index/container:Container."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from airgap.base import (
    Change,
    Context,
    Created,
    Diff,
    Failure,
    Found,
    InitFailed,
    Properties,
    ProviderError,
    Resource,
    has_unknown,
)
from airgap.docker import plan, state
from airgap.docker.durations import parse_duration
from airgap.docker.errors import explained
from airgap.docker.waiting import POLL_S, missing

_DEVICES = "devices are not passed through"
_RULES = {
    "restart": (r"no|on-failure|always|unless-stopped", "one of no, on-failure, always, unless-stopped"),
    "cpus": (r"\d+(\.\d+)?", 'a number in quotes, such as "1.5"'),
    "cpuSet": (r"\d+([,-]\d+)*", 'a list of processors, such as "0-2,4"'),
}

_LOWEST = {"memory": 0, "memoryReservation": 0, "memorySwap": -1, "shmSize": 0, "cpuShares": 0}


class Container(Resource):
    """A container. Limits and restart policy change in place, almost everything else replaces it."""

    defaults: ClassVar[Mapping[str, Any]] = {
        "attach": False,
        "containerReadRefreshTimeoutMilliseconds": 15000,
        "logs": False,
        "memoryReservation": 0,
        "mustRun": True,
        "networkMode": "bridge",
        "readOnly": False,
        "removeVolumes": True,
        "restart": "no",
        "rm": False,
        "start": True,
        "stdinOpen": False,
        "tty": False,
        "wait": False,
        "waitTimeout": 60,
    }
    # The engine or the image fills in memorySwap, user and workingDir, although the official schema does not say so.
    computed = frozenset(
        {
            *("command", "entrypoints", "envs", "healthcheck", "hostname", "init", "ipcMode", "labels", "logDriver"),
            *("memorySwap", "name", "platform", "runtime", "securityOpts", "shmSize", "stopSignal", "stopTimeout"),
            *("user", "workingDir"),
        }
    )
    unordered = frozenset(
        {
            *("dns", "dnsOpts", "dnsSearches", "envs", "groupAdds", "hosts", "labels", "mounts", "networksAdvanced"),
            *("ports", "securityOpts", "ulimits", "uploads", "volumes"),
        }
    )
    unsupported: ClassVar[Mapping[str, str]] = {
        "deviceReadBps": _DEVICES,
        "deviceReadIops": _DEVICES,
        "deviceRequests": _DEVICES,
        "deviceWriteBps": _DEVICES,
        "deviceWriteIops": _DEVICES,
        "devices": _DEVICES,
        "gpus": _DEVICES,
        "mounts.volumeOptions.subpath": "mount the whole volume",
        "networksAdvanced.gwPriority": "name the network of the gateway first",
        "platform": "images are those of the engine's own platform",
        "storageOpts": "limit the storage of the engine as a whole",
    }
    autoname = "name"
    state_version = 2

    def check(self, context: Context, inputs: Properties, old_inputs: Properties) -> list[Failure]:
        failures = [
            Failure(name, f"must be {wanted}")
            for name, (pattern, wanted) in _RULES.items()
            if isinstance(inputs.get(name), str) and inputs[name] and not re.fullmatch(pattern, inputs[name])
        ]
        for name in ("attach", "logs"):
            if inputs.get(name) is True:
                failures.append(Failure(name, "is not supported by the air-gapped docker provider: use `docker logs`"))
        for name, low in _LOWEST.items():
            if isinstance(inputs.get(name), int) and inputs[name] < low:
                failures.append(Failure(name, f"must be {low} or more"))
        return failures + _check_uploads(inputs) + _check_healthcheck(inputs)

    def normalise(self, values: Properties) -> Properties:
        return state.normalise(values)

    def changes(self, state: Properties, old_inputs: Properties, inputs: Properties) -> list[Change]:
        return super().changes(state, old_inputs, _with_chosen_ports(state, inputs))

    def diff(self, context: Context, id: str, state: Properties, old_inputs: Properties, inputs: Properties) -> Diff:
        changes = self.changes(state, old_inputs, inputs)
        return Diff(
            tuple(
                Change(change.path, change.kind, change.replace or change.root in plan.REPLACED_TO_TAKE_EFFECT)
                for change in changes
            )
        )

    def create(self, context: Context, inputs: Properties) -> Created:
        client, name = context.client, inputs["name"]
        with explained(f"creating container '{name}'"):
            id = client.create_container_from_config(plan.create_body(inputs), name)["Id"]
        try:
            self._finish(context, id, inputs)
        except InitFailed:
            raise
        except BaseException:
            # A container without its files or its networks is of no use to anybody and would be in the next one's way.
            with missing():
                client.remove_container(id, v=True, force=True)
            raise
        return Created(id, self._inspect(context, id, inputs))

    def read(self, context: Context, id: str, state: Properties, inputs: Properties) -> Found | None:
        from airgap.docker.state import imported

        client = context.client
        with explained(f"reading container '{state.get('name', id)}'"), missing():
            found = client.inspect_container(id)
            if not state:
                with missing():
                    state = {**self.defaults, **imported(found, client.inspect_image(found["Image"]))}
            return Found(_state_of(found, state), id=found["Id"])
        return None

    def update(
        self, context: Context, id: str, state: Properties, old_inputs: Properties, inputs: Properties
    ) -> Properties:
        client, name = context.client, inputs["name"]
        with explained(f"updating container '{name}'"):
            if any(change.root in plan.CHANGED_BY_THE_ENGINE for change in self.changes(state, old_inputs, inputs)):
                for warning in client.update_container(id, **plan.update_arguments(inputs)).get("Warnings") or []:
                    context.warning(warning)
            running = client.inspect_container(id)["State"]["Running"]
            if inputs["start"] and inputs["mustRun"] and not running:
                client.start(id)
        if inputs["wait"]:
            self._wait_until_healthy(context, id, inputs)
        return self._inspect(context, id, {**state, **inputs})

    def delete(self, context: Context, id: str, state: Properties) -> None:
        client, grace = context.client, state.get("destroyGraceSeconds", 0)
        with explained(f"removing container '{state.get('name', id)}'"), missing():
            if grace:
                client.stop(id, timeout=grace)
            _remove(context, id, bool(state.get("removeVolumes", True)))

    def _finish(self, context: Context, id: str, inputs: Properties) -> None:
        """What the engine's create call does not do: networks, files, start, and the wait for health."""
        client, name = context.client, inputs["name"]
        networks = inputs.get("networksAdvanced", [])
        if networks and inputs.get("networkMode") == "bridge":
            with explained(f"disconnecting container '{name}' from the default network"):
                client.disconnect_container_from_network(id, "bridge")
        for network in networks:
            with explained(f"connecting container '{name}' to network '{network['name']}'"):
                client.connect_container_to_network(id, network["name"], **plan.endpoint(network))
        archive = plan.upload_archive(inputs)
        if archive:
            with explained(f"copying files into container '{name}'"):
                client.put_archive(id, "/", archive)
        if inputs["start"]:
            with explained(f"starting container '{name}'"):
                client.start(id)
            if inputs["wait"]:
                self._wait_until_healthy(context, id, inputs)

    def _wait_until_healthy(self, context: Context, id: str, inputs: Properties) -> None:
        """Polls until the healthcheck passes; InitFailed after `waitTimeout` seconds or when it cannot any more."""
        name, deadline = inputs["name"], time.monotonic() + inputs["waitTimeout"]
        hint = f"see why with `docker logs {name}` and `docker inspect {name}`"
        while True:
            with explained(f"waiting for container '{name}'"):
                found = context.client.inspect_container(id)
            status = (found["State"].get("Health") or {}).get("Status")
            if status == "healthy":
                return
            if status is None:
                reason = "has no healthcheck to wait for"
            elif not found["State"]["Running"] and not found["State"]["Restarting"]:
                reason = f"ended with exit code {found['State']['ExitCode']} before it was healthy"
            elif time.monotonic() > deadline:
                reason = f"is still {status} after {inputs['waitTimeout']} seconds"
            else:
                context.pause(POLL_S, f"waiting for container '{name}'")
                continue
            raise InitFailed(f"container '{name}' {reason}", id, _state_of(found, inputs), hint)

    def _inspect(self, context: Context, id: str, known: Properties) -> Properties:
        with explained(f"reading container '{known['name']}'"):
            return _state_of(context.client.inspect_container(id), known)


def _state_of(found: dict[str, Any], known: Properties) -> Properties:
    return state.state_of(found, known)


def _remove(context: Context, id: str, with_volumes: bool) -> None:
    """Removes a container; where the engine is at it already, waits until it is done."""
    import docker.errors

    while True:
        try:
            context.client.remove_container(id, v=with_volumes, force=True)
            return
        except docker.errors.APIError as error:
            if "is already in progress" not in str(error.explanation):
                raise
        context.pause(POLL_S, "removal")


def _with_chosen_ports(state: Properties, inputs: Properties) -> Properties:
    """The inputs, with the host ports that the engine chose where none was asked for."""
    ports = inputs.get("ports")
    if not ports or has_unknown(ports):
        return inputs
    chosen = {(port["internal"], port.get("protocol", "tcp")): port.get("external") for port in state.get("ports", [])}
    filled = [
        {**port, "external": port.get("external") or chosen.get((port["internal"], port.get("protocol", "tcp")))}
        for port in ports
    ]
    kept = [{name: value for name, value in port.items() if value is not None} for port in filled]
    return {**inputs, "ports": kept}


def _check_uploads(inputs: Properties) -> list[Failure]:
    uploads = inputs.get("uploads")
    failures: list[Failure] = []
    for index, upload in enumerate(uploads if isinstance(uploads, list) else []):
        if not isinstance(upload, dict):
            continue
        given = [name for name in ("content", "contentBase64", "source") if upload.get(name) is not None]
        if len(given) != 1:
            failures.append(Failure(f"uploads[{index}]", "must have one of content, contentBase64 and source"))
        permissions = upload.get("permissions")
        if isinstance(permissions, str) and not re.fullmatch(r"0[0-7]{3}", permissions):
            failures.append(Failure(f"uploads[{index}].permissions", "must be four octal digits, such as 0640"))
    return failures


def _check_healthcheck(inputs: Properties) -> list[Failure]:
    check = inputs.get("healthcheck")
    failures: list[Failure] = []
    if not isinstance(check, dict):
        return failures
    for name in ("interval", "timeout", "startPeriod", "startInterval"):
        if isinstance(check.get(name), str):
            try:
                parse_duration(check[name])
            except ValueError as error:
                failures.append(Failure(f"healthcheck.{name}", str(error)))
    return failures


__all__ = ["Container", "ProviderError"]
