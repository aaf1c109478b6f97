"""What all containers of a stack have in common: hardening, limits, labels, logs and the way files get into them.

A daemon runs as an unprivileged user on a read-only root without any capability. Its configuration and keys lie in a
volume of their own that it mounts read-only; a *carrier*, a container that is created but never started, puts the
files there, because the engine copies nothing into a container with a read-only root.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_docker as docker

from infra.naming import CONFIG_LABEL, Names
from infra.paths import CONFIG_DIR
from provider import sdk as pipe

# Files belong to root and its group may read them; daemons are in that group. So they can't change what they read.
FILE_MODE, FILE_GROUP = "0640", "0"
IN_MEMORY = "rw,noexec,nosuid,nodev"
# User and group postgres of the images.
UID = 999
# What a running program reads again by itself or when it is told to: a new one of these restarts nobody.
READ_AGAIN = frozenset({"cert.pem"})
HEALTH_INTERVAL, HEALTH_TIMEOUT, HEALTH_START_PERIOD = "30s", "10s", "1m0s"
HEALTH_RETRIES = 3
# What the engine changes on a container that runs, and what only tells Pulumi how to treat it.
CHANGED_IN_PLACE = frozenset({"memory", "memory_swap", "restart", "destroy_grace_seconds", "wait"})


def network_labels(names: Names) -> list[docker.NetworkLabelArgs]:
    """Labels of the stack's network."""
    return [docker.NetworkLabelArgs(label=k, value=v) for k, v in names.labels("network").items()]


def volume(
    names: Names, component: str, index: int | None, opts: pulumi.ResourceOptions, purpose: str = "data"
) -> docker.Volume:
    """Declare a volume; its name is fixed, so what it holds is found again."""
    return docker.Volume(
        f"{names.host(component, index)}-{purpose}",
        name=names.volume(component, index, purpose),
        labels=[docker.VolumeLabelArgs(label=k, value=v) for k, v in names.labels(component).items()],
        opts=opts,
    )


@dataclass(frozen=True)
class Files:
    """A configuration volume, ready to mount, and the digest of what is in it."""

    volume_name: pulumi.Output[str]
    digest: pulumi.Output[str]
    carrier: docker.Container


def carry_files(
    names: Names,
    component: str,
    index: int | None,
    image: pulumi.Input[str],
    files: Mapping[str, pulumi.Input[str]],
    opts: pulumi.ResourceOptions,
    unwatched: Collection[str] = (),
    after: pulumi.Input[Sequence[pulumi.Resource]] = (),
) -> Files:
    """Put `files` (name below the configuration directory -> content) into a volume of their own, `after` others.

    A change of an `unwatched` one, or of a certificate, is put there and restarts nobody.
    """
    target = volume(names, component, index, opts, "config")
    restarting = files.keys() - READ_AGAIN - set(unwatched)
    watched = pulumi.Output.all(**{name: content for name, content in files.items() if name in restarting})
    carrier = docker.Container(
        f"{names.host(component, index)}-config",
        name=names.carrier(component, index),
        image=image,
        start=False,
        must_run=False,
        network_mode="none",
        mounts=[docker.ContainerMountArgs(type="volume", source=target.name, target=CONFIG_DIR)],
        uploads=[
            docker.ContainerUploadArgs(
                file=f"{CONFIG_DIR}/{file}", content=pulumi.Output.secret(content), permissions=FILE_MODE
            )
            for file, content in sorted(files.items())
        ],
        labels=_labels(names.labels(component)),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(delete_before_replace=True, depends_on=after)),
    )
    # A digest of generated keys and passwords gives nothing away, and a label has to be readable.
    digest = pulumi.Output.unsecret(watched.apply(_digest))
    return Files(target.name, digest, carrier)


@dataclass(frozen=True)
class Daemon:
    """One long-running container. Sizes are in MiB."""

    component: str
    index: int | None
    image: pulumi.Input[str]
    network: pulumi.Input[str]
    files: Files
    memory_mb: int
    health: Sequence[str]
    writable: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, pulumi.Input[str]])
    """Path in the container -> name of the volume there."""
    readable: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, pulumi.Input[str]])
    """The same for volumes that it may only read."""
    in_memory: Mapping[str, int] = field(default_factory=dict[str, int])
    """Path of a folder that only postgres may enter and that lives in memory -> its size; part of `memory_mb`."""
    ports: Mapping[int, int] = field(default_factory=dict[int, int])
    """Port on the host -> port in the container."""
    entrypoint: Sequence[str] | None = None
    command: Sequence[str] | None = None
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    cpus: float | None = None
    shm_mb: int = 64
    grace_s: int = 10
    """How long a stop may take before it becomes a kill, seconds."""


def run(names: Names, bind_address: str, daemon: Daemon, opts: pulumi.ResourceOptions) -> docker.Container:
    """Declare the container of `daemon`, hardened. Names and ports are fixed: the old one goes first."""
    return docker.Container(
        names.host(daemon.component, daemon.index),
        _inputs(names, bind_address, daemon),
        pulumi.ResourceOptions.merge(
            opts, pulumi.ResourceOptions(delete_before_replace=True, depends_on=[daemon.files.carrier])
        ),
    )


def generation(names: Names, bind_address: str, daemon: Daemon) -> pulumi.Output[str]:
    """Return a digest of what replaces the container when it changes: all that it is made from but what can't.

    Where a provider changes another one of these in place, that costs a handover too many. The other way round a
    container would be made anew for it, and the leader would end without one.
    """
    return pulumi.Output.from_input(_inputs(names, bind_address, daemon)).apply(
        lambda inputs: _digest({name: value for name, value in vars(inputs).items() if name not in CHANGED_IN_PLACE})
    )


def renewal(
    names: Names,
    daemon: Daemon,
    container: docker.Container,
    certificate: pulumi.Input[str],
    provider: pipe.PipeProvider,
    opts: pulumi.ResourceOptions,
    address: str | None = None,
) -> pipe.Renewal:
    """Declare that the daemon reads a renewed certificate in place; `address` is where it shows it to the host."""
    return pipe.Renewal(
        f"{names.host(daemon.component, daemon.index)}-certificate",
        container=names.container(daemon.component, daemon.index),
        container_id=container.id,
        certificate=certificate,
        address=address,
        opts=pulumi.ResourceOptions.merge(
            opts, pulumi.ResourceOptions(provider=provider, depends_on=[daemon.files.carrier])
        ),
    )


def _inputs(names: Names, bind_address: str, daemon: Daemon) -> docker.ContainerArgs:
    alias = names.host(daemon.component, daemon.index)
    labels = daemon.files.digest.apply(lambda digest: {**names.labels(daemon.component), CONFIG_LABEL: digest})
    mounts = [
        *(
            docker.ContainerMountArgs(type="volume", source=source, target=target, read_only=True)
            for target, source in sorted({CONFIG_DIR: daemon.files.volume_name, **daemon.readable}.items())
        ),
        *(
            docker.ContainerMountArgs(type="volume", source=source, target=target)
            for target, source in sorted(daemon.writable.items())
        ),
    ]
    return docker.ContainerArgs(
        name=names.container(daemon.component, daemon.index),
        hostname=alias,
        image=daemon.image,
        entrypoints=list(daemon.entrypoint) if daemon.entrypoint else None,
        command=list(daemon.command) if daemon.command else None,
        envs=[f"{k}={v}" for k, v in sorted(daemon.environment.items())] or None,
        labels=labels.apply(_labels),
        mounts=mounts,
        tmpfs={
            "/tmp": f"{IN_MEMORY},size=64m,mode=1777",
            **{path: f"{IN_MEMORY},size={mb}m,mode=0700,uid={UID},gid={UID}" for path, mb in daemon.in_memory.items()},
        },
        networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=daemon.network, aliases=[alias])],
        ports=[
            docker.ContainerPortArgs(internal=inside, external=outside, ip=bind_address, protocol="tcp")
            for outside, inside in sorted(daemon.ports.items())
        ],
        read_only=True,
        init=True,
        capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"]),
        security_opts=["no-new-privileges:true"],
        group_adds=[FILE_GROUP],
        memory=daemon.memory_mb,
        memory_swap=daemon.memory_mb,
        cpus=f"{daemon.cpus:g}" if daemon.cpus else None,
        shm_size=daemon.shm_mb,
        # Not "unless-stopped": an engine that was killed stops what still runs when it is back, and takes that for the
        # user's wish.
        restart="always",
        stop_timeout=daemon.grace_s,
        destroy_grace_seconds=daemon.grace_s,
        log_driver="json-file",
        log_opts={"max-size": "10m", "max-file": "3"},
        healthcheck=docker.ContainerHealthcheckArgs(
            tests=["CMD", *daemon.health],
            interval=HEALTH_INTERVAL,
            timeout=HEALTH_TIMEOUT,
            retries=HEALTH_RETRIES,
            start_period=HEALTH_START_PERIOD,
        ),
        wait=False,
    )


def _labels(labels: Mapping[str, str]) -> list[docker.ContainerLabelArgs]:
    return [docker.ContainerLabelArgs(label=key, value=value) for key, value in sorted(labels.items())]


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=vars).encode()).hexdigest()
