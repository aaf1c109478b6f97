"""One database node: PostgreSQL under Patroni, and beside it the agent through which its backups are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from infra import containers
from infra.archive import member_conf
from infra.certificates import KeyPair
from infra.cluster.config import Logins, bootstrap_sql, bootstrap_yml, patroni_yml
from infra.cluster.restore import Restore, RestoreArgs
from infra.naming import Names
from infra.network import Network
from infra.paths import CA_FILE, LOG_DIR, POSTGRES_HOME, REST_PORT
from infra.settings import Settings
from provider import sdk as pipe

AGENT_MEMORY_MB = 128
# An hour of the server's log, where failed logins are read from (sql/provisioner/server_logins.sql).
JOURNAL_MB = 16
# A stop writes a checkpoint and waits for the replicas and for the archive, whose own time-out is a minute. This is
# only the limit, and a long one: a kill would mean crash recovery, and a failover only after the ttl.
STOP_GRACE_S = 120


@dataclass(frozen=True)
class MemberArgs:
    """What one node is made from. Nothing here comes from another node, so no change spreads from node to node."""

    names: Names
    settings: Settings
    index: int
    image: pulumi.Input[str]
    network: Network
    etcd: Sequence[str]
    endpoints: Sequence[str]
    """REST addresses of all members, on the host."""
    certificate: KeyPair
    logins: pulumi.Output[Logins]
    patroni: pipe.PipeProvider
    after: Sequence[pulumi.Resource]
    """What must be done before this node may start or change."""
    runs: pulumi.Output[bool]
    """Whether the cluster was there when `up` began."""
    turn: pulumi.Output[bool]
    """Comes true when the node before this one is done, in the order of the change, or in a new cluster when the first
    one has begun. That order is another one each time, so it is in no state: there a node depends on no other."""


class Member(pulumi.ComponentResource):
    """Creates a node and returns once it leads or streams.

    The data volume outlives the container: a node that is replaced finds its data and catches up. A node that is
    removed for good is forgotten by the cluster: no entry, no slot.
    """

    container: pulumi.Resource
    data: pulumi.Resource
    ready: pulumi.Resource
    name: str

    def __init__(self, name: str, args: MemberArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pipe:cluster:Member", name, None, opts)
        names, settings, index = args.names, args.settings, args.index
        bind = settings.network.bind_address
        child = pulumi.ResourceOptions(parent=self)
        self.name = names.container("member", index)
        host = names.host("member", index)
        # Files and agent follow in the member's own turn: one that starts again before that does so as what it was. In
        # a new cluster nobody runs yet, and nobody waits.
        files = containers.carry_files(
            names,
            "member",
            index,
            args.image,
            _files(args, host),
            child,
            unwatched=("bootstrap.yml", "bootstrap.sql"),
            after=args.runs.apply(lambda runs: [membership] if runs else []),
        )
        data = containers.volume(names, "member", index, pulumi.ResourceOptions(parent=self, protect=settings.protect))
        before = list(args.after)
        if index == 0:
            restore = RestoreArgs(names, settings, args.image, data.name, args.patroni)
            before.append(Restore("restore", restore, child).done)
        daemon = containers.Daemon(
            component="member",
            index=index,
            image=args.image,
            network=args.network.network_name,
            files=files,
            memory_mb=settings.database.memory_mb,
            cpus=settings.database.cpus,
            shm_mb=settings.database.shm_mb,
            writable={POSTGRES_HOME: data.name},
            in_memory={LOG_DIR: JOURNAL_MB},
            ports={names.ports.rest(index): REST_PORT},
            health=["curl", "-sfo", "/dev/null", "--cacert", CA_FILE, f"https://localhost:{REST_PORT}/liveness"],
            grace_s=STOP_GRACE_S,
        )
        membership = pipe.Membership(
            f"{name}-membership",
            member=host,
            scope=settings.stack,
            endpoints=args.endpoints,
            endpoint=args.endpoints[index],
            version=settings.database.version,
            generation=args.turn.apply(lambda _: containers.generation(names, bind, daemon)),
            opts=pulumi.ResourceOptions(
                parent=self, provider=args.patroni, depends_on=before, deleted_with=args.network.network
            ),
        )
        container = containers.run(names, bind, daemon, pulumi.ResourceOptions(parent=self, depends_on=[membership]))
        agent = containers.Daemon(
            component="agent",
            index=index,
            image=args.image,
            network=args.network.network_name,
            files=files,
            memory_mb=AGENT_MEMORY_MB,
            writable={POSTGRES_HOME: data.name},
            entrypoint=["/usr/bin/pgbackrest", "server"],
            health=["pgbackrest", "server-ping"],
        )
        beside = containers.run(names, bind, agent, child)
        certificate, patroni = args.certificate.certificate, args.patroni
        containers.renewal(names, agent, beside, certificate, patroni, child)
        rest = f"{bind}:{names.ports.rest(index)}"
        renewal = containers.renewal(names, daemon, container, certificate, patroni, child, rest)
        self.ready = pipe.Member(
            f"{name}-joined",
            member=host,
            endpoint=args.endpoints[index],
            endpoints=args.endpoints,
            container_id=container.id,
            certificate=renewal.certificate,
            opts=pulumi.ResourceOptions(parent=self, provider=args.patroni, deleted_with=args.network.network),
        )
        self.container, self.data = container, data
        self.register_outputs({})


def _files(args: MemberArgs, host: str) -> dict[str, pulumi.Input[str]]:
    settings, etcd = args.settings, args.etcd
    return {
        "patroni.yml": args.logins.apply(lambda logins: patroni_yml(settings, host, etcd, logins)),
        "bootstrap.yml": bootstrap_yml(settings),
        "bootstrap.sql": args.logins.apply(bootstrap_sql),
        "pgbackrest.conf": member_conf(settings),
        "ca.pem": args.certificate.authority,
        "cert.pem": args.certificate.certificate,
        "key.pem": args.certificate.key,
    }
