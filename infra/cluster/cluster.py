"""The members of one Patroni cluster: a new one at once, a running one changed one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from infra.certificates import Certificates
from infra.cluster.config import Logins, member_hosts
from infra.cluster.consensus import Consensus
from infra.cluster.member import Member, MemberArgs
from infra.credentials import Credentials
from infra.naming import Names
from infra.network import Network
from infra.settings import Settings
from provider import sdk as pipe


def change_order(hosts: Sequence[str], leader: str) -> list[str]:
    """Return the members in the order in which a change reaches them: replicas by number, who leads last.

    The first to have it is one that nobody writes to. So a change that fails leaves the primary as it was.
    """
    return sorted(hosts, key=lambda host: host == leader)


@dataclass(frozen=True)
class ClusterArgs:
    """What the members are made from."""

    names: Names
    settings: Settings
    image: pulumi.Input[str]
    network: Network
    certificates: Certificates
    credentials: Credentials
    consensus: Consensus
    patroni: pipe.PipeProvider


class Cluster(pulumi.ComponentResource):
    """Creates the members: the first one makes the cluster, the others copy from it.

    A change that replaces containers takes replicas first and the leader last, and never two of them at once: each
    waits until the one before it leads or streams. Only in a new cluster, where nobody can be disturbed, they start
    side by side. Who leads is asked for this order alone: no property comes from the answer.
    """

    members: Sequence[Member]
    hosts: Sequence[str]
    endpoints: Sequence[str]
    """REST addresses of all members, on the host."""
    ready: Sequence[pulumi.Resource]
    """One a member: done when it leads or streams."""
    runs: pulumi.Output[bool]
    """Whether the cluster was there when `up` began. For the order in which things happen only."""
    serves: pulumi.Output[pulumi.Resource]
    """What a session waits for: in a running cluster all members, so that none is replaced under it; in a new one,
    where nothing is replaced, the first."""
    data: pulumi.Resource
    """The volume that never goes before the others: what lies in the database goes with it."""

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pipe:cluster:Cluster", name, None, opts)
        names, settings = args.names, args.settings
        self.hosts = member_hosts(settings.database.replicas)
        self.endpoints = [
            f"https://{settings.network.bind_address}:{names.ports.rest(i)}" for i in range(len(self.hosts))
        ]
        logins = pulumi.Output.all(
            args.credentials.passwords.replicator,
            args.credentials.passwords.rewind,
            args.credentials.provisioner_verifier,
        ).apply(lambda secrets: Logins(*secrets))
        members: dict[str, Member] = {}
        lead = pipe.leader(self.endpoints, args.patroni)
        self.runs = lead.apply(lambda lead: lead.there)
        # Restored data is in the first member's volume alone: nobody may begin a cluster before it leads.
        side_by_side = settings.restore.from_ is None

        def turn(host: str) -> pulumi.Output[bool]:
            """Come true when it is this member's turn; side by side that is once the first one's container runs."""

            async def reached(lead: pipe.Lead) -> bool:
                order = change_order(self.hosts, lead.name)
                place = order.index(host)
                if place and not lead.there and side_by_side:
                    await members[order[0]].container.urn.future()
                elif place:
                    await members[order[place - 1]].ready.urn.future()
                return True

            return lead.apply(reached)

        for index, host in enumerate(self.hosts):
            members[host] = Member(
                names.host("member", index),
                MemberArgs(
                    names=names,
                    settings=settings,
                    index=index,
                    image=args.image,
                    network=args.network,
                    etcd=args.consensus.hosts,
                    endpoints=self.endpoints,
                    certificate=args.certificates.issue(host, [f"agent-{index}"], for_clients=True),
                    logins=logins,
                    patroni=args.patroni,
                    after=args.consensus.ready,
                    runs=self.runs,
                    turn=turn(host),
                ),
                pulumi.ResourceOptions(parent=self),
            )
        self.members = list(members.values())
        self.ready = [member.ready for member in self.members]
        self.data = self.members[0].data

        async def served(lead: pipe.Lead) -> pulumi.Resource:
            for member in self.members if lead.there else ():
                await member.ready.urn.future()
            return self.ready[0]

        self.serves = lead.apply(served)
        self.register_outputs({})
