"""Settings of the cluster: where it listens, PostgreSQL and its members, etcd, Patroni, HAProxy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from infra.settings.about import about

Parameter = str | int | float | bool

LOWEST_PORT = 1024
# Linux hands out 32768 and above to outgoing connections: a fixed port there may be taken when a container restarts.
HIGHEST_PORT = 32767
PORTS_OF_A_STACK = 16
MOST_REPLICAS = 5
MOST_PROXIES = 2
# What the images hold and every data directory was made by.
MAJOR_VERSION = 17


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """Where clients reach the stack."""

    port_base: int = field(
        metadata=about(
            "First of the 16 ports of the stack: +0 read-write, +1 read-only, +2 and +3 the same through the second "
            "proxy, +8 and up Patroni's REST API of each member. Stacks on one machine need ranges of their own.",
            minimum=LOWEST_PORT,
            maximum=HIGHEST_PORT - PORTS_OF_A_STACK + 1,
            example=15400,
        )
    )
    bind_address: str = field(
        default="127.0.0.1",
        metadata=about("Address of the host that the ports are bound to; 0.0.0.0 is every one.", form="address"),
    )
    hostnames: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "DNS names or addresses by which clients reach the host, for the server certificate; localhost and "
            "127.0.0.1 are always in it.",
            form="hostname",
        ),
    )


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings:
    """PostgreSQL and its members."""

    version: int = field(
        default=MAJOR_VERSION,
        metadata=about(
            "PostgreSQL's major version. It never changes in place: docs/major-upgrade.md.", minimum=14, maximum=99
        ),
    )
    replicas: int = field(
        default=1, metadata=about("Read replicas beside the primary.", unit="members", minimum=0, maximum=MOST_REPLICAS)
    )
    delayed_replica_s: int | None = field(
        default=None,
        metadata=about(
            "Time by which the last replica stays behind on purpose, to look at what a mistake has destroyed since. It "
            "never leads and serves no reads. null: none stays behind.",
            unit="s",
            minimum=5,
            maximum=2_592_000,
            example=3600,
        ),
    )
    memory_mb: int = field(
        default=512,
        metadata=about(
            "Memory limit of each member's container. PostgreSQL's own memory parameters are computed from it.",
            unit="MB",
            minimum=256,
            maximum=1_048_576,
        ),
    )
    cpus: float = field(
        default=1.0,
        metadata=about("Processor limit of each member's container.", unit="cores", minimum=0.1, maximum=256),
    )
    shm_mb: int = field(
        default=128,
        metadata=about(
            "Size of /dev/shm of each member, for parallel queries; part of memory_mb.",
            unit="MB",
            minimum=64,
            maximum=524_288,
        ),
    )
    max_connections: int = field(
        default=100,
        metadata=about("Sessions that one member admits.", unit="sessions", minimum=20, maximum=5000),
    )
    slow_statement_ms: int = field(
        default=1000,
        metadata=about(
            "Duration from which a statement is logged, with $1 for every value.",
            unit="ms",
            minimum=10,
            maximum=600_000,
        ),
    )
    parameters: Mapping[str, Parameter] = field(
        default_factory=lambda: MappingProxyType({}),
        metadata=about("Other PostgreSQL parameters, as name: value. They win over computed ones.", form="parameters"),
    )
    restart: Literal["rolling", "pending"] = field(
        default="pending",
        metadata=about(
            "What happens when a changed parameter needs a restart: rolling restarts one member at a time, replicas "
            "first; pending leaves it to you and reports it."
        ),
    )


@dataclass(frozen=True, kw_only=True)
class ConsensusSettings:
    """etcd, which decides who is primary."""

    members: Literal[1, 3] = field(
        default=1,
        metadata=about(
            "etcd members. Three survive the loss of one.",
            unit="members",
            by_environment={"staging": 3, "prod": 3},
        ),
    )
    memory_mb: int = field(
        default=256,
        metadata=about("Memory limit of each etcd container.", unit="MB", minimum=96, maximum=16_384),
    )


@dataclass(frozen=True, kw_only=True)
class FailoverSettings:
    """How Patroni decides on a new primary."""

    ttl: int = field(
        default=30,
        metadata=about(
            "Time without a sign of life after which a lost primary is replaced.", unit="s", minimum=20, maximum=600
        ),
    )
    loop_wait: int = field(
        default=5, metadata=about("Time between two looks at the cluster.", unit="s", minimum=1, maximum=60)
    )
    # Patroni takes 3. But a leader that is cut off needs about three seconds beyond it to find that out, and what the
    # rule about ttl leaves for them is one retry_timeout.
    retry_timeout: int = field(
        default=10,
        metadata=about(
            "Time for which etcd or PostgreSQL may not answer before the primary steps down.",
            unit="s",
            minimum=5,
            maximum=120,
        ),
    )
    primary_start_timeout: int = field(
        default=300,
        metadata=about(
            "Time that a crashed primary gets to start again before another one takes over; 0 is at once.",
            unit="s",
            minimum=0,
            maximum=3600,
        ),
    )
    maximum_lag_on_failover_mb: int = field(
        default=1,
        metadata=about("WAL that a replica may lack and still become primary.", unit="MB", minimum=0, maximum=10_240),
    )
    synchronous: Literal["off", "on", "strict"] = field(
        default="off",
        metadata=about(
            "on: a commit waits for a replica while there is one; strict: it waits even when there is none."
        ),
    )


@dataclass(frozen=True, kw_only=True)
class ProxySettings:
    """HAProxy, which sends clients to the right member."""

    instances: Literal[1, 2] = field(
        default=1,
        metadata=about(
            "Proxies. With two, connection URIs name both, and clients go to the other when one does not answer.",
            unit="proxies",
            by_environment={"staging": 2, "prod": 2},
        ),
    )
    read_only_fallback: bool = field(
        default=True,
        metadata=about("Whether the read-only endpoint goes to the primary when no replica is fit."),
    )
    max_connections: int = field(
        default=200,
        metadata=about(
            "Client connections that the proxy holds at once.", unit="connections", minimum=10, maximum=50_000
        ),
    )
    memory_mb: int = field(
        default=128, metadata=about("Memory limit of the proxy's container.", unit="MB", minimum=32, maximum=16_384)
    )
    maximum_replica_lag_mb: int = field(
        default=16,
        metadata=about("WAL that a replica may lag and still serve reads.", unit="MB", minimum=1, maximum=102_400),
    )
