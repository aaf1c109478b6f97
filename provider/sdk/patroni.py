"""Resources of the Patroni cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pulumi

from provider.sdk.base import Resource
from provider.sdk.configuration import PipeProvider

RestartPolicy = Literal["rolling", "pending"]


@dataclass(frozen=True)
class Lead:
    """Who leads when the program runs."""

    name: str
    """The member that leads; empty when none does."""
    there: bool
    """Whether something listens at a member's address. Nothing does before the cluster is there."""


def leader(endpoints: Sequence[str], provider: PipeProvider) -> pulumi.Output[Lead]:
    """Return who leads now.

    For the order in which things happen only: a value of a resource that came from it would change with every failover.

    :param endpoints: REST addresses of all members.
    """
    answer = pulumi.runtime.invoke_output(
        "pipe:patroni:leader", {"endpoints": list(endpoints)}, pulumi.InvokeOutputOptions(provider=provider)
    )

    def lead(found: Any) -> Lead:
        # In the preview of a new stack the provider is not there yet, and nothing is known.
        return Lead(found["leader"], found["there"]) if isinstance(found, Mapping) else Lead("", False)

    return answer.apply(lead, run_with_unknowns=True)


class Membership(Resource):
    """A node's place in the cluster, registered before its container.

    Creating waits until the first member has begun a new cluster. Before its container is replaced, a node that leads
    hands over. Deleting comes after the container's deletion and waits until the cluster has forgotten the node: no
    entry, no replication slot. Give it ``deleted_with`` the stack's network, so that tearing down a stack skips it.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        member: pulumi.Input[str],
        scope: pulumi.Input[str],
        endpoints: pulumi.Input[Sequence[pulumi.Input[str]]],
        endpoint: pulumi.Input[str] | None = None,
        version: pulumi.Input[int] | None = None,
        generation: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Describe the membership.

        :param member: Patroni's name of the node.
        :param scope: Patroni's name of the cluster.
        :param endpoints: REST addresses of all members, this one's as well, ``https://127.0.0.1:25008``.
        :param endpoint: the node's own one of them.
        :param version: PostgreSQL's major version, which made the node's data; another one later is refused.
        :param generation: digest of all that replaces the node's container when it changes.
        """
        super().__init__(
            "pipe:patroni:Membership",
            resource_name,
            {
                "member": member,
                "scope": scope,
                "endpoints": endpoints,
                "endpoint": endpoint,
                "version": version,
                "generation": generation,
            },
            opts,
        )


class Member(Resource):
    """Waits until a node is the running leader or a streaming replica; again whenever its container changes.

    Deleting comes before the container's deletion: a node that leads hands over first, and stays when no other one
    streams. Give it ``deleted_with`` the stack's network, so that tearing a whole stack down skips it.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        member: pulumi.Input[str],
        endpoint: pulumi.Input[str],
        container_id: pulumi.Input[str],
        endpoints: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None,
        certificate: pulumi.Input[str] | None = None,
        timeout_seconds: pulumi.Input[int] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Describe the wait.

        :param member: Patroni's name of the node.
        :param endpoint: the node's REST address, ``https://127.0.0.1:25008``.
        :param endpoints: REST addresses of all members; with them a node that leads hands over before it is removed.
        :param container_id: its container; a new one waits again.
        :param certificate: what it shows at its REST address; another one waits again.
        :param timeout_seconds: how long to wait; 300 by default.
        """
        super().__init__(
            "pipe:patroni:Member",
            resource_name,
            {
                "member": member,
                "endpoint": endpoint,
                "endpoints": endpoints,
                "containerId": container_id,
                "certificate": certificate,
                "timeoutSeconds": timeout_seconds,
            },
            opts,
        )

    @property
    def member(self) -> pulumi.Output[str]:
        """The node's name, known once it runs."""
        return self._output("member")


class DynamicConfig(Resource):
    """Keys of Patroni's dynamic configuration. Only the keys given are owned; all others are left alone.

    A key taken out of ``config`` is removed from Patroni, which falls back to its default. Import id: any member's
    address.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        endpoints: pulumi.Input[Sequence[pulumi.Input[str]]],
        containers: pulumi.Input[Sequence[pulumi.Input[str]]],
        config: pulumi.Input[Mapping[str, Any]],
        restart: pulumi.Input[RestartPolicy] | None = None,
        timeout_seconds: pulumi.Input[int] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Describe the configuration.

        :param endpoints: REST addresses of all members; the first that answers is asked.
        :param containers: names of the members' containers, in the same order; their logs say why one does not restart.
        :param config: as in Patroni's ``PATCH /config``: ``{"ttl": 30, "postgresql": {"parameters": {...}}}``.
        :param restart: what to do where a parameter needs a restart: ``rolling`` restarts one node at a time, replicas
            first, the leader last and after it has handed over; ``pending`` (default) only warns.
        :param timeout_seconds: limit of each wait for a node; 120 by default.
        """
        super().__init__(
            "pipe:patroni:DynamicConfig",
            resource_name,
            {
                "endpoints": endpoints,
                "containers": containers,
                "config": config,
                "restart": restart,
                "timeoutSeconds": timeout_seconds,
                "pendingRestart": None,
            },
            opts,
        )

    @property
    def pending_restart(self) -> pulumi.Output[Sequence[str]]:
        """Names of the members that must restart before every parameter takes effect."""
        return self._output("pendingRestart")
