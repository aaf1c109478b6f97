"""The consensus store: etcd, where Patroni's members agree on who leads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from infra import containers
from infra.certificates import Certificates
from infra.cluster.config import ETCD_HEALTH, etcd_hosts, etcd_yml
from infra.naming import Names
from infra.network import Network
from infra.paths import ETCD_DIR
from infra.settings import Settings
from provider import sdk as pipe


@dataclass(frozen=True)
class ConsensusArgs:
    """What etcd's members are made from."""

    names: Names
    settings: Settings
    image: pulumi.Input[str]
    network: Network
    certificates: Certificates
    provider: pipe.PipeProvider


class Consensus(pulumi.ComponentResource):
    """Creates one or three etcd members, each with a volume of its own.

    Each changes only when the one before is healthy again.
    """

    hosts: Sequence[str]
    ready: Sequence[pulumi.Resource]

    def __init__(self, name: str, args: ConsensusArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pipe:cluster:Consensus", name, None, opts)
        self.hosts = etcd_hosts(args.settings.consensus.members)
        topology = pipe.Topology(
            f"{name}-topology",
            members=self.hosts,
            opts=pulumi.ResourceOptions(parent=self, provider=args.provider),
        )
        previous: list[pulumi.Resource] = [topology]
        for index, host in enumerate(self.hosts):
            previous.append(self._member(args, index, host, previous[-1:]))
        self.ready = previous[1:]
        self.register_outputs({})

    def _member(self, args: ConsensusArgs, index: int, host: str, after: Sequence[pulumi.Resource]) -> pulumi.Resource:
        child = pulumi.ResourceOptions(parent=self)
        pair = args.certificates.issue(host)
        files = containers.carry_files(
            args.names,
            "etcd",
            index,
            args.image,
            {
                "etcd.yml": etcd_yml(host, self.hosts, args.settings.stack),
                "ca.pem": pair.authority,
                "cert.pem": pair.certificate,
                "key.pem": pair.key,
            },
            child,
        )
        data = containers.volume(
            args.names, "etcd", index, pulumi.ResourceOptions(parent=self, protect=args.settings.protect)
        )
        container = containers.run(
            args.names,
            args.settings.network.bind_address,
            containers.Daemon(
                component="etcd",
                index=index,
                image=args.image,
                network=args.network.network_name,
                files=files,
                memory_mb=args.settings.consensus.memory_mb,
                writable={ETCD_DIR: data.name},
                health=ETCD_HEALTH,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )
        return pipe.EtcdMember(
            f"{host}-healthy",
            container=args.names.container("etcd", index),
            container_id=container.id,
            peers=[args.names.container("etcd", peer) for peer in range(len(self.hosts))],
            health=ETCD_HEALTH,
            opts=pulumi.ResourceOptions(parent=self, provider=args.provider),
        )
