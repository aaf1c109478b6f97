"""Resources of etcd."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from provider.sdk.base import Resource


class Topology(Resource):
    """The number of etcd members with which the store was made. Another one later is refused at preview."""

    def __init__(
        self,
        resource_name: str,
        *,
        members: pulumi.Input[Sequence[pulumi.Input[str]]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Describe the store.

        :param members: names of the members.
        """
        super().__init__("pipe:etcd:Topology", resource_name, {"members": members}, opts)


class EtcdMember(Resource):
    """Waits until a member is healthy; again whenever its container changes. Chain members by it, not by containers."""

    def __init__(
        self,
        resource_name: str,
        *,
        container: pulumi.Input[str],
        container_id: pulumi.Input[str],
        peers: pulumi.Input[Sequence[pulumi.Input[str]]],
        health: pulumi.Input[Sequence[pulumi.Input[str]]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Describe the wait.

        :param container: name of the member's container.
        :param container_id: the container; a new one waits again.
        :param peers: names of all members' containers, this one's as well.
        :param health: command that ends with 0 inside the container when the member is healthy.
        """
        super().__init__(
            "pipe:etcd:Member",
            resource_name,
            {"container": container, "containerId": container_id, "peers": peers, "health": health},
            opts,
        )
