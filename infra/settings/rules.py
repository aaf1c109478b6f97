"""Rules between settings of the stack, its cluster, its data and its certificates (pure).

Each runs only when the values that it looks at are right by themselves.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from infra.settings.cluster import MAJOR_VERSION
from infra.settings.faults import Fault
from infra.settings.model import Settings
from infra.settings.rule import fault, rule

# What a member needs beside its sessions (Patroni, pgBackRest's archiving, background processes), on the safe side.
_MEMBER_BASE_MB = 160
_SESSION_MB = 2
_PROXY_BASE_MB = 24
_PROXY_CONNECTIONS_PER_MB = 10
_NAMED_ENVIRONMENTS = ("dev", "test", "staging", "prod")


@rule("stack", "environment")
def environment_of_a_named_stack(settings: Settings) -> Iterator[Fault]:
    """A stack called dev, test, staging or prod has the environment of its name."""
    if settings.stack in _NAMED_ENVIRONMENTS and settings.environment != settings.stack:
        allowed = f'must be {settings.stack} in the stack "{settings.stack}"'
        yield fault(
            "environment", settings.environment, allowed, f"set environment: {settings.stack}, or rename the stack"
        )


@rule("environment", "protect")
def what_holds_data_is_protected(settings: Settings) -> Iterator[Fault]:
    """Staging and prod have protect: true."""
    if settings.environment in ("staging", "prod") and not settings.protect:
        fix = "set protect: true; to remove the stack on purpose, run `pulumi state unprotect --all` first"
        yield fault("protect", False, f"must be true in {settings.environment}, which holds data", fix)


@rule("environment", "proxy.instances")
def what_holds_data_has_two_proxies(settings: Settings) -> Iterator[Fault]:
    """Staging and prod have two proxies."""
    if settings.environment in ("staging", "prod") and settings.proxy.instances == 1:
        allowed = f"must be 2 in {settings.environment}, or losing one proxy takes every client off the database"
        yield fault("proxy.instances", 1, allowed, "remove it for the default, 2")


@rule("network.bind_address", "network.hostnames")
def a_reachable_address_has_a_name(settings: Settings) -> Iterator[Fault]:
    """A bind_address beyond the loopback needs hostnames, or no client can verify the server's certificate."""
    if not ipaddress.ip_address(settings.network.bind_address).is_loopback and not settings.network.hostnames:
        allowed = "needs network.hostnames when it is not a loopback address, or no client can verify the certificate"
        yield fault(
            "network.bind_address", settings.network.bind_address, allowed, "for example hostnames: [db.example.com]"
        )


@rule("database.version")
def a_major_version_does_not_change_in_place(settings: Settings) -> Iterator[Fault]:
    """database.version is that of the bundle's images: another one cannot read the data that is there."""
    version = settings.database.version
    if version != MAJOR_VERSION:
        allowed = f"must be {MAJOR_VERSION}, that of the images; another one cannot read the data that is there"
        yield fault("database.version", version, allowed, "a new stack takes the data over, see docs/major-upgrade.md")


@rule("database.memory_mb", "database.max_connections")
def memory_for_the_sessions(settings: Settings) -> Iterator[Fault]:
    """database.memory_mb is at least 160 + 2 × max_connections."""
    database = settings.database
    needed = _MEMBER_BASE_MB + _SESSION_MB * database.max_connections
    if database.memory_mb < needed:
        most = (database.memory_mb - _MEMBER_BASE_MB) // _SESSION_MB
        allowed = f"must be at least {needed} MB for max_connections {database.max_connections}"
        yield fault(
            "database.memory_mb",
            database.memory_mb,
            allowed,
            f"set {needed} or more, or max_connections to {most} or less",
        )


@rule("database.memory_mb", "database.shm_mb")
def shared_memory_fits(settings: Settings) -> Iterator[Fault]:
    """database.shm_mb is at most half of memory_mb, which it is part of."""
    most = settings.database.memory_mb // 2
    if settings.database.shm_mb > most:
        allowed = f"must be at most {most}, half of memory_mb, which it is part of"
        yield fault("database.shm_mb", settings.database.shm_mb, allowed, f"set {most} or less, or raise memory_mb")


@rule("failover.ttl", "failover.loop_wait", "failover.retry_timeout")
def the_leader_lock_outlives_a_retry(settings: Settings) -> Iterator[Fault]:
    """failover.loop_wait + 2 × retry_timeout is at most ttl."""
    failover = settings.failover
    needed = failover.loop_wait + 2 * failover.retry_timeout
    if needed > failover.ttl:
        allowed = f"must be at least loop_wait + 2 × retry_timeout = {needed}, or a healthy primary may be replaced"
        yield fault("failover.ttl", failover.ttl, allowed, f"set {needed}, or lower loop_wait or retry_timeout")


@rule("failover.primary_start_timeout", "failover.synchronous")
def an_instant_failover_is_synchronous(settings: Settings) -> Iterator[Fault]:
    """failover.primary_start_timeout: 0 needs synchronous on or strict."""
    if settings.failover.primary_start_timeout == 0 and settings.failover.synchronous == "off":
        allowed = "0 needs synchronous on or strict, or a crash loses commits that no replica has yet"
        yield fault("failover.primary_start_timeout", 0, allowed, "set synchronous: on, or 1 or more here")


@rule("failover.synchronous", "database.replicas")
def synchronous_commits_have_a_replica(settings: Settings) -> Iterator[Fault]:
    """failover.synchronous on needs at least 1 replica; strict needs 2, so that one can be lost or restarted."""
    mode, replicas = settings.failover.synchronous, settings.database.replicas
    needed = {"off": 0, "on": 1, "strict": 2}[mode]
    if replicas < needed:
        why = "or losing one stops every write" if mode == "strict" else "or nothing is synchronous"
        allowed = f"needs database.replicas {needed} or more (it is {replicas}), {why}"
        yield fault("failover.synchronous", mode, allowed, f"set replicas: {needed}, or synchronous: off")


@rule("failover.synchronous", "database.parameters", "database.parameters.synchronous_commit")
def commits_wait_in_synchronous_mode(settings: Settings) -> Iterator[Fault]:
    """database.parameters.synchronous_commit is not off or local while failover.synchronous is on or strict."""
    value = settings.database.parameters.get("synchronous_commit")
    if settings.failover.synchronous != "off" and (value is False or value in ("off", "local", "false", "no", "0", 0)):
        allowed = f"must be on, remote_write or remote_apply with failover.synchronous {settings.failover.synchronous}"
        yield fault("database.parameters.synchronous_commit", value, allowed, "remove it, or set synchronous: off")


@rule(
    "data.runs_export_after_months", "data.runs_keep_months", "data.audit_export_after_months", "data.audit_keep_months"
)
def a_month_is_archived_before_it_leaves(settings: Settings) -> Iterator[Fault]:
    """data.…_export_after_months is more than …_keep_months."""
    for table in ("runs", "audit"):
        keep = getattr(settings.data, f"{table}_keep_months")
        export = getattr(settings.data, f"{table}_export_after_months")
        if export is not None and export <= keep:
            allowed = f"must be more than {table}_keep_months {keep}: a month is archived before it leaves"
            yield fault(f"data.{table}_export_after_months", export, allowed, f"set {keep + 1} or more, or null")


@rule("proxy.memory_mb", "proxy.max_connections")
def memory_for_the_proxy(settings: Settings) -> Iterator[Fault]:
    """proxy.memory_mb is at least 24 + max_connections / 10."""
    proxy = settings.proxy
    needed = _PROXY_BASE_MB + -(-proxy.max_connections // _PROXY_CONNECTIONS_PER_MB)
    if proxy.memory_mb < needed:
        allowed = f"must be at least {needed} MB for max_connections {proxy.max_connections}"
        most = (proxy.memory_mb - _PROXY_BASE_MB) * _PROXY_CONNECTIONS_PER_MB
        yield fault(
            "proxy.memory_mb", proxy.memory_mb, allowed, f"set {needed} or more, or max_connections to {most} or less"
        )


@rule("database.delayed_replica_s", "database.replicas", "failover.synchronous")
def a_delayed_replica_is_one_more(settings: Settings) -> Iterator[Fault]:
    """database.delayed_replica_s needs one replica more than failover.synchronous does: it can't take over."""
    needed = {"off": 1, "on": 2, "strict": 3}[settings.failover.synchronous]
    if settings.database.delayed_replica_s is not None and settings.database.replicas < needed:
        allowed = f"needs database.replicas {needed} or more (it is {settings.database.replicas})"
        fix = f"set replicas: {needed}, or delayed_replica_s: null"
        yield fault("database.delayed_replica_s", settings.database.delayed_replica_s, allowed, fix)


@rule("certificates.validity_days", "certificates.renew_before_days")
def certificates_are_not_renewed_at_once(settings: Settings) -> Iterator[Fault]:
    """certificates.renew_before_days is less than validity_days."""
    certificates = settings.certificates
    if certificates.renew_before_days >= certificates.validity_days:
        allowed = f"must be less than validity_days {certificates.validity_days}, or every `up` makes new certificates"
        half = certificates.validity_days // 2
        yield fault("certificates.renew_before_days", certificates.renew_before_days, allowed, f"set {half} or less")


@rule("certificates.validity_days", "certificates.ca_validity_days")
def the_authority_outlives_its_certificates(settings: Settings) -> Iterator[Fault]:
    """certificates.ca_validity_days is more than validity_days."""
    certificates = settings.certificates
    if certificates.ca_validity_days <= certificates.validity_days:
        allowed = f"must be more than validity_days {certificates.validity_days}"
        yield fault(
            "certificates.ca_validity_days", certificates.ca_validity_days, allowed, "raise it, or lower validity_days"
        )
