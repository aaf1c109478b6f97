"""etcd, where the members' common state is: whichever member of it answers is asked."""

from __future__ import annotations

from cli.inplace.cluster import Cluster
from cli.obstacles.look import ETCDCTL
from infra.cluster.config import ETCD_HEALTH
from provider.errors import PipeError


def require(cluster: Cluster) -> None:
    """Raise PipeError unless a member of etcd can write: without it no member may lead."""
    if not any(_answers(cluster, name) for name in cluster.etcd.values()):
        stack = cluster.session.stack
        listed = ", ".join(cluster.etcd.values()) or "there is no container of it"
        raise PipeError(
            f'etcd of stack "{stack}" does not answer ({listed}), and without it no restored member may lead',
            "start it (docker start), or make it anew: docs/disaster-runbook.md, `make rebuild-consensus`;",
            "then run this again",
        )


def forget(cluster: Cluster) -> None:
    """Have etcd forget the cluster's state, but not its settings: a member may lead only what it knows to be newest."""
    said = "none of its members runs"
    for name in cluster.etcd.values():
        try:
            said = _forget(cluster, name)
        except PipeError as error:
            said = error.message
        if not said:
            return
    raise PipeError(f"etcd does not forget the cluster: {said}")


def _forget(cluster: Cluster, name: str) -> str:
    """Return why this member does not do it; empty when it did. What is gone already it does not list again."""
    scope = f"/service/{cluster.session.stack}/"
    listed = cluster.run(name, *ETCDCTL, "get", "--prefix", "--keys-only", scope)
    if listed.code:
        return listed.error
    for key in listed.stdout.split():
        if key != f"{scope}config" and (done := cluster.run(name, *ETCDCTL, "del", key)).code:
            return done.error
    return ""


def _answers(cluster: Cluster, name: str) -> bool:
    try:
        return cluster.run(name, *ETCD_HEALTH).code == 0
    except PipeError:
        return False
