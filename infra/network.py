"""The stack's own network: the containers see each other by alias, nobody else sees them."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from infra.containers import network_labels
from infra.naming import Names


@dataclass(frozen=True)
class NetworkArgs:
    """Whose network it is."""

    names: Names


class Network(pulumi.ComponentResource):
    """Creates one bridge network. What is reachable from outside is published by the containers themselves."""

    network_name: pulumi.Output[str]
    network: pulumi.Resource

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pipe:index:Network", name, None, opts)
        network = docker.Network(
            name,
            name=args.names.network,
            driver="bridge",
            labels=network_labels(args.names),
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.network, self.network_name = network, network.name
        self.register_outputs({})
