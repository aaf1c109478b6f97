"""docker:index/network:Network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from airgap.base import Context, Created, Found, Properties, Resource
from airgap.docker.errors import explained
from airgap.docker.labels import from_labels, to_labels
from airgap.docker.waiting import missing, until_unused


class Network(Resource):
    """A network; every change replaces it."""

    defaults: ClassVar[Mapping[str, Any]] = {"ipamDriver": "default"}
    computed = frozenset({"driver", "internal", "ipamConfigs", "options"})
    unordered = frozenset({"labels", "ipamConfigs"})
    autoname = "name"
    state_version = 1

    def create(self, context: Context, inputs: Properties) -> Created:
        with explained(f"creating network '{inputs['name']}'"):
            made = context.client.create_network(
                inputs["name"],
                driver=inputs.get("driver"),
                options=inputs.get("options"),
                ipam=_ipam(inputs),
                # The engine allows two networks of one name, but then no container can tell which is meant.
                check_duplicate=True,
                internal=inputs.get("internal", False),
                labels=from_labels(inputs.get("labels")) or None,
                enable_ipv6=inputs.get("ipv6", False),
                attachable=inputs.get("attachable") or None,
                ingress=inputs.get("ingress") or None,
            )
            return Created(made["Id"], _state(context.client.inspect_network(made["Id"])))

    def read(self, context: Context, id: str, state: Properties, inputs: Properties) -> Found | None:
        with explained(f"reading network '{id}'"), missing():
            found = context.client.inspect_network(id)
            return Found(_state(found), id=found["Id"])
        return None

    def delete(self, context: Context, id: str, state: Properties) -> None:
        with explained(f"removing network '{state.get('name', id)}'"), missing():
            until_unused(context, lambda: context.client.remove_network(id), "has active endpoints")


def _ipam(inputs: Properties) -> dict[str, Any]:
    pools = [
        {
            "Subnet": pool.get("subnet"),
            "IPRange": pool.get("ipRange"),
            "Gateway": pool.get("gateway"),
            "AuxiliaryAddresses": pool.get("auxAddress"),
        }
        for pool in inputs.get("ipamConfigs", [])
    ]
    return {"Driver": inputs["ipamDriver"], "Config": pools, "Options": inputs.get("ipamOptions")}


def _state(found: dict[str, Any]) -> Properties:
    pools = [
        {
            "subnet": pool.get("Subnet"),
            "ipRange": pool.get("IPRange") or None,
            "gateway": pool.get("Gateway") or None,
            "auxAddress": pool.get("AuxiliaryAddresses") or None,
        }
        for pool in found["IPAM"].get("Config") or []
    ]
    return {
        "name": found["Name"],
        "labels": to_labels(found.get("Labels")),
        "driver": found["Driver"],
        "internal": found["Internal"],
        "attachable": found["Attachable"],
        "ingress": found["Ingress"],
        "ipv6": found["EnableIPv6"],
        "ipamDriver": found["IPAM"]["Driver"],
        "ipamOptions": found["IPAM"].get("Options") or {},
        "ipamConfigs": [{key: value for key, value in pool.items() if value is not None} for pool in pools],
        "options": found.get("Options") or {},
        "scope": found["Scope"],
    }
