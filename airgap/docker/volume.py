"""docker:index/volume:Volume."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from airgap.base import Context, Created, Found, Properties, Resource
from airgap.docker.errors import explained
from airgap.docker.labels import from_labels, to_labels
from airgap.docker.waiting import missing, until_unused


class Volume(Resource):
    """A named volume. Every change replaces it; creating one that exists adopts it, as the engine does."""

    computed = frozenset({"name", "driver"})
    unordered = frozenset({"labels"})
    unsupported: ClassVar[Mapping[str, str]] = {"cluster": "cluster volumes need Docker Swarm"}
    autoname = "name"
    state_version = 1

    def create(self, context: Context, inputs: Properties) -> Created:
        with explained(f"creating volume '{inputs['name']}'"):
            context.client.create_volume(
                inputs["name"],
                driver=inputs.get("driver"),
                driver_opts=inputs.get("driverOpts"),
                labels=from_labels(inputs.get("labels")) or None,
            )
            return Created(inputs["name"], _state(context, inputs["name"]))

    def read(self, context: Context, id: str, state: Properties, inputs: Properties) -> Found | None:
        with explained(f"reading volume '{id}'"), missing():
            return Found(_state(context, id))
        return None

    def delete(self, context: Context, id: str, state: Properties) -> None:
        with explained(f"removing volume '{id}'"), missing():
            until_unused(context, lambda: context.client.remove_volume(id), "volume is in use")


def _state(context: Context, name: str) -> Properties:
    found = context.client.inspect_volume(name)
    return {
        "name": found["Name"],
        "driver": found["Driver"],
        "driverOpts": found.get("Options") or {},
        "labels": to_labels(found.get("Labels")),
        "mountpoint": found["Mountpoint"],
    }
