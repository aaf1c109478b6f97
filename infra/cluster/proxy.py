"""The stack's front door: HAProxy, once or twice, which sends clients to the primary or to the replicas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from infra import containers
from infra.certificates import Certificates
from infra.cluster.cluster import Cluster
from infra.cluster.config import haproxy_cfg
from infra.credentials import Credentials
from infra.naming import Names
from infra.network import Network
from infra.paths import HEALTH_PORT, READ_ONLY_PORT, READ_WRITE_PORT
from infra.settings import Settings
from provider import sdk as pipe


@dataclass(frozen=True)
class ProxyArgs:
    """What the proxy is made from, and the cluster in front of which it stands."""

    names: Names
    settings: Settings
    image: pulumi.Input[str]
    network: Network
    certificates: Certificates
    credentials: Credentials
    cluster: Cluster
    provider: pipe.PipeProvider


class Proxy(pulumi.ComponentResource):
    """Creates the proxies, each with a read-write and a read-only endpoint. They pass TLS through and hold no key.

    A change replaces one at a time: the second waits until the first leads to the primary again.
    """

    ready: pulumi.Resource
    """Done when a session through the first read-write endpoint can write, and no member is being replaced."""

    def __init__(self, name: str, args: ProxyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pipe:cluster:Proxy", name, None, opts)
        ready: list[pulumi.Resource] = []
        for index in range(args.settings.proxy.instances):
            ready.append(self._instance(index, args, after=ready[-1:]))
        self.ready = ready[0]
        self.register_outputs({})

    def _instance(self, index: int, args: ProxyArgs, after: Sequence[pulumi.Resource]) -> pulumi.Resource:
        """Declare one proxy; return what is done when it works."""
        child = pulumi.ResourceOptions(parent=self)
        network, ports = args.settings.network, args.names.ports
        files = containers.carry_files(
            args.names,
            "proxy",
            index,
            args.image,
            {"haproxy.cfg": haproxy_cfg(args.settings, args.cluster.hosts), "ca.pem": args.certificates.ca_certificate},
            child,
        )
        container = containers.run(
            args.names,
            network.bind_address,
            containers.Daemon(
                component="proxy",
                index=index,
                image=args.image,
                network=args.network.network_name,
                files=files,
                memory_mb=args.settings.proxy.memory_mb,
                ports={ports.read_write(index): READ_WRITE_PORT, ports.read_only(index): READ_ONLY_PORT},
                health=["/bin/bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{HEALTH_PORT}"],
            ),
            pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )
        return pipe.Endpoint(
            f"{args.names.host('proxy', index)}-ready",
            port=ports.read_write(index),
            database="postgres",
            username="pipe_provisioner",
            password=args.credentials.passwords.provisioner,
            triggers=[container.id],
            opts=pulumi.ResourceOptions(parent=self, provider=args.provider, depends_on=[args.cluster.serves]),
        )
