"""A real Patroni cluster of the tests: one etcd and two members with the project's own configuration, no Pulumi."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from infra.archive import member_conf, repository_conf
from infra.cluster.config import Logins, bootstrap_sql, bootstrap_yml, etcd_yml, patroni_yml
from infra.settings import load
from tests.fixtures.commands import executed
from tests.provider.pipe.authority import Authority
from tests.provider.pipe.containers import network, port, running, volume

STANZA = "pipetest"
# Both members from nothing; somewhat less than a call of the provider may take.
READY_SECONDS = 240
LOGINS = Logins("replicator-password", "rewind-password", "SCRAM-SHA-256$4096:c2FsdHNhbHQ=$a:b")
ETCD = "exec etcd --config-file /etc/pipe/etcd.yml"


@dataclass(frozen=True)
class Cluster:
    """Two members and a repository, running or about to."""

    members: Sequence[Any]
    agents: Sequence[Any]
    repository: Any
    endpoints: Sequence[str]
    config: dict[str, Any]
    """The provider's configuration for it."""

    def psql(self, query: str, member: int = 0) -> str:
        """What the superuser of a member sees, on its socket."""
        status, text = executed(self.members[member], "psql", "-XAtqc", query, user="postgres")
        assert status == 0, text
        return text.strip()


@contextlib.contextmanager
def cluster(authority: Authority) -> Iterator[Cluster]:
    """Start everything at once; who needs a member waits for it with the provider."""
    # The ports are the engine's choice here, so the base is never used.
    given = {"environment": "test", "network": {"port_base": 20000}, "database": {"replicas": 1, "memory_mb": 400}}
    settings = load(STANZA, given)
    with contextlib.ExitStack() as stack:
        net = stack.enter_context(network())

        def start(target: Any, host: str, script: str, files: dict[str, str], **options: Any) -> Any:
            pair = authority.issue(host, "localhost")
            tls = {"ca.pem": authority.certificate, "cert.pem": pair.certificate, "key.pem": pair.key}
            paths = {f"/etc/pipe/{name}": text for name, text in (files | tls).items()}
            # As in a stack: Patroni ends where its first steps fail, for it begins anew when it is started again.
            again = {"Name": "always"}
            return stack.enter_context(
                running(target, script, paths, network=net, hostname=host, restart_policy=again, **options)
            )

        start("consensus", "etcd-0", ETCD, {"etcd.yml": etcd_yml("etcd-0", ["etcd-0"], STANZA)})
        repository = start(
            "repository",
            "repository",
            "exec pgbackrest server",
            {"pgbackrest.conf": repository_conf(settings, "secret", "scheduler")},
        )
        members, agents = [], []
        for host in ("member-0", "member-1"):
            files = {
                "patroni.yml": patroni_yml(settings, host, ["etcd-0"], LOGINS),
                "bootstrap.yml": bootstrap_yml(settings),
                "bootstrap.sql": bootstrap_sql(LOGINS),
                "pgbackrest.conf": member_conf(settings),
            }
            data = {stack.enter_context(volume()): {"bind": "/var/lib/postgresql", "mode": "rw"}}
            ports = {"8008/tcp": ("127.0.0.1", None)}
            members.append(start("member", host, "exec /usr/local/bin/member", files, ports=ports, volumes=data))
            agent = host.replace("member", "agent")
            agents.append(start("member", agent, "exec pgbackrest server", files, volumes=data))
        operator = authority.issue("operator")
        yield Cluster(
            members,
            agents,
            repository,
            [f"https://127.0.0.1:{port(member, 8008)}" for member in members],
            {
                "patroniCa": authority.certificate,
                "patroniClientCertificate": operator.certificate,
                "patroniClientKey": operator.key,
                "dockerHost": os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"),
            },
        )
