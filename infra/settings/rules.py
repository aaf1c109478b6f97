"""Rules that hold between settings (pure). Each runs only when the values that it looks at are right by themselves."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from infra.settings.cluster import MAJOR_VERSION
from infra.settings.faults import NOT_SET, Fault, full_key, shown
from infra.settings.model import Settings

Check = Callable[[Settings], Iterator[Fault]]

# What a member needs beside its sessions (Patroni, pgBackRest's archiving, background processes), on the safe side.
_MEMBER_BASE_MB = 160
_SESSION_MB = 2
_PROXY_BASE_MB = 24
_PROXY_CONNECTIONS_PER_MB = 10
_BACKUP_BASE_MB = 96
_BACKUP_PROCESS_MB = 32
_NAMED_ENVIRONMENTS = ("dev", "test", "staging", "prod")


@dataclass(frozen=True)
class Rule:
    """A check with the keys that it looks at; its docstring is its line in docs/configuration.md."""

    keys: tuple[str, ...]
    check: Check

    @property
    def text(self) -> str:
        """The rule in words."""
        return (self.check.__doc__ or "").strip()


RULES: list[Rule] = []


def rule(*keys: str) -> Callable[[Check], Check]:
    """Registers a check over the settings with these keys."""

    def register(check: Check) -> Check:
        RULES.append(Rule(keys, check))
        return check

    return register


def broken(settings: Settings, unreliable: set[str]) -> list[Fault]:
    """The faults between settings, leaving out rules over values that are already wrong."""
    faults: list[Fault] = []
    for item in RULES:
        if not any(key in unreliable or key.split(".")[0] in unreliable for key in item.keys):
            faults.extend(item.check(settings))
    return faults


def _fault(key: str, value: object, allowed: str, fix: str) -> Fault:
    return Fault(full_key(*key.split(".")), shown(value), allowed, fix)


@rule("stack", "environment")
def environment_of_a_named_stack(settings: Settings) -> Iterator[Fault]:
    """A stack called dev, test, staging or prod has the environment of its name."""
    if settings.stack in _NAMED_ENVIRONMENTS and settings.environment != settings.stack:
        allowed = f'must be {settings.stack} in the stack "{settings.stack}"'
        yield _fault(
            "environment", settings.environment, allowed, f"set environment: {settings.stack}, or rename the stack"
        )


@rule("environment", "protect")
def what_holds_data_is_protected(settings: Settings) -> Iterator[Fault]:
    """Staging and prod have protect: true."""
    if settings.environment in ("staging", "prod") and not settings.protect:
        fix = "set protect: true; to remove the stack on purpose, run `pulumi state unprotect --all` first"
        yield _fault("protect", False, f"must be true in {settings.environment}, which holds data", fix)


@rule("network.bind_address", "network.hostnames")
def a_reachable_address_has_a_name(settings: Settings) -> Iterator[Fault]:
    """A bind_address beyond the loopback needs hostnames, or no client can verify the server's certificate."""
    if not ipaddress.ip_address(settings.network.bind_address).is_loopback and not settings.network.hostnames:
        allowed = "needs network.hostnames when it is not a loopback address, or no client can verify the certificate"
        yield _fault(
            "network.bind_address", settings.network.bind_address, allowed, "for example hostnames: [db.example.com]"
        )


@rule("database.version")
def a_major_version_does_not_change_in_place(settings: Settings) -> Iterator[Fault]:
    """database.version is that of the bundle's images: another one cannot read the data that is there."""
    version = settings.database.version
    if version != MAJOR_VERSION:
        allowed = f"must be {MAJOR_VERSION}, that of the images; another one cannot read the data that is there"
        yield _fault("database.version", version, allowed, "a new stack takes the data over, see docs/major-upgrade.md")


@rule("database.memory_mb", "database.max_connections")
def memory_for_the_sessions(settings: Settings) -> Iterator[Fault]:
    """database.memory_mb is at least 160 + 2 × max_connections."""
    database = settings.database
    needed = _MEMBER_BASE_MB + _SESSION_MB * database.max_connections
    if database.memory_mb < needed:
        most = (database.memory_mb - _MEMBER_BASE_MB) // _SESSION_MB
        allowed = f"must be at least {needed} MB for max_connections {database.max_connections}"
        yield _fault(
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
        yield _fault("database.shm_mb", settings.database.shm_mb, allowed, f"set {most} or less, or raise memory_mb")


@rule("failover.ttl", "failover.loop_wait", "failover.retry_timeout")
def the_leader_lock_outlives_a_retry(settings: Settings) -> Iterator[Fault]:
    """failover.loop_wait + 2 × retry_timeout is at most ttl."""
    failover = settings.failover
    needed = failover.loop_wait + 2 * failover.retry_timeout
    if needed > failover.ttl:
        allowed = f"must be at least loop_wait + 2 × retry_timeout = {needed}, or a healthy primary may be replaced"
        yield _fault("failover.ttl", failover.ttl, allowed, f"set {needed}, or lower loop_wait or retry_timeout")


@rule("failover.primary_start_timeout", "failover.synchronous")
def an_instant_failover_is_synchronous(settings: Settings) -> Iterator[Fault]:
    """failover.primary_start_timeout: 0 needs synchronous on or strict."""
    if settings.failover.primary_start_timeout == 0 and settings.failover.synchronous == "off":
        allowed = "0 needs synchronous on or strict, or a crash loses commits that no replica has yet"
        yield _fault("failover.primary_start_timeout", 0, allowed, "set synchronous: on, or 1 or more here")


@rule("failover.synchronous", "database.replicas")
def synchronous_commits_have_a_replica(settings: Settings) -> Iterator[Fault]:
    """failover.synchronous on needs at least 1 replica; strict needs 2, so that one can be lost or restarted."""
    mode, replicas = settings.failover.synchronous, settings.database.replicas
    needed = {"off": 0, "on": 1, "strict": 2}[mode]
    if replicas < needed:
        why = "or losing one stops every write" if mode == "strict" else "or nothing is synchronous"
        allowed = f"needs database.replicas {needed} or more (it is {replicas}), {why}"
        yield _fault("failover.synchronous", mode, allowed, f"set replicas: {needed}, or synchronous: off")


@rule("failover.synchronous", "database.parameters", "database.parameters.synchronous_commit")
def commits_wait_in_synchronous_mode(settings: Settings) -> Iterator[Fault]:
    """database.parameters.synchronous_commit is not off or local while failover.synchronous is on or strict."""
    value = settings.database.parameters.get("synchronous_commit")
    if settings.failover.synchronous != "off" and (value is False or value in ("off", "local", "false", "no", "0", 0)):
        allowed = f"must be on, remote_write or remote_apply with failover.synchronous {settings.failover.synchronous}"
        yield _fault("database.parameters.synchronous_commit", value, allowed, "remove it, or set synchronous: off")


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
            yield _fault(f"data.{table}_export_after_months", export, allowed, f"set {keep + 1} or more, or null")


@rule("proxy.memory_mb", "proxy.max_connections")
def memory_for_the_proxy(settings: Settings) -> Iterator[Fault]:
    """proxy.memory_mb is at least 24 + max_connections / 10."""
    proxy = settings.proxy
    needed = _PROXY_BASE_MB + -(-proxy.max_connections // _PROXY_CONNECTIONS_PER_MB)
    if proxy.memory_mb < needed:
        allowed = f"must be at least {needed} MB for max_connections {proxy.max_connections}"
        most = (proxy.memory_mb - _PROXY_BASE_MB) * _PROXY_CONNECTIONS_PER_MB
        yield _fault(
            "proxy.memory_mb", proxy.memory_mb, allowed, f"set {needed} or more, or max_connections to {most} or less"
        )


@rule("backup.differential_schedule", "backup.incremental_schedule", "backup.full_schedule")
def every_kind_of_backup_has_its_own_time(settings: Settings) -> Iterator[Fault]:
    """backup.full_schedule, differential_schedule and incremental_schedule are different."""
    backup, taken = settings.backup, [settings.backup.full_schedule.split()]
    for name in ("differential_schedule", "incremental_schedule"):
        schedule = getattr(backup, name)
        if schedule is not None and schedule.split() in taken:
            allowed = "must be at another time than the other schedules, or both start at once"
            yield _fault(f"backup.{name}", schedule, allowed, 'for example "0 12 * * *"')
        taken.append((schedule or "").split())


@rule("backup.memory_mb", "backup.process_max")
def memory_for_the_backup(settings: Settings) -> Iterator[Fault]:
    """backup.memory_mb is at least 96 + 32 × process_max."""
    backup = settings.backup
    needed = _BACKUP_BASE_MB + _BACKUP_PROCESS_MB * backup.process_max
    if backup.memory_mb < needed:
        most = (backup.memory_mb - _BACKUP_BASE_MB) // _BACKUP_PROCESS_MB
        allowed = f"must be at least {needed} MB for process_max {backup.process_max}"
        yield _fault(
            "backup.memory_mb", backup.memory_mb, allowed, f"set {needed} or more, or process_max to {most} or less"
        )


@rule("backup.repositories")
def every_repository_is_another_one(settings: Settings) -> Iterator[Fault]:
    """backup.repositories names at least one, each once."""
    named = settings.backup.repositories
    if not named or len(set(named)) < len(named):
        yield _fault("backup.repositories", list(named), "must name at least one, each once", "for example [volume]")


def _needed(settings: Settings, kind: str, names: Sequence[str]) -> Iterator[Fault]:
    """Settings of a repository that is used, and of one that is not."""
    section = getattr(settings, kind)
    used = kind in settings.backup.repositories
    for name in names:
        key, value = f"{kind}.{name}", getattr(section, name)
        if used and value is None:
            allowed = f"must be set while backup.repositories names {kind}"
            yield _fault(key, NOT_SET, allowed, f"set it, or take {kind} out of backup.repositories")
        if not used and value is not None:
            allowed = f"is of no use while backup.repositories does not name {kind}"
            yield Fault(full_key(kind, name), shown(value, key=key), allowed, f"add {kind} there, or remove it here")


@rule("backup.repositories", "s3.endpoint", "s3.bucket", "s3.access_key", "s3.secret_key")
def a_bucket_is_complete(settings: Settings) -> Iterator[Fault]:
    """s3.endpoint, bucket, access_key and secret_key are set if, and only if, backup.repositories names s3."""
    yield from _needed(settings, "s3", ("endpoint", "bucket", "access_key", "secret_key"))


@rule("backup.repositories", "sftp.host", "sftp.host_fingerprint", "sftp.user", "sftp.private_key")
def an_sftp_server_is_complete(settings: Settings) -> Iterator[Fault]:
    """sftp.host, host_fingerprint, user and private_key are set if, and only if, backup.repositories names sftp."""
    yield from _needed(settings, "sftp", ("host", "host_fingerprint", "user", "private_key"))


@rule(
    "environment",
    "backup.repositories",
    "s3.archive_access_key",
    "s3.archive_secret_key",
    "sftp.archive_user",
    "sftp.archive_private_key",
)
def members_have_a_key_of_their_own(settings: Settings) -> Iterator[Fault]:
    """Both archive_… keys of s3, or of sftp, are set, or neither; in staging and prod they are where it is used."""
    for kind, names in {
        "s3": ("archive_access_key", "archive_secret_key"),
        "sftp": ("archive_user", "archive_private_key"),
    }.items():
        missing = [name for name in names if getattr(getattr(settings, kind), name) is None]
        real = settings.environment in ("staging", "prod") and kind in settings.backup.repositories
        if missing and (real or len(missing) == 1):
            other = next(name for name in names if name != missing[0])
            allowed = f"must be set with {other}" if len(missing) == 1 else f"must be set in {settings.environment}"
            fix = "set both: whoever takes over a member must not be able to change backups"
            yield _fault(f"{kind}.{missing[0]}", NOT_SET, allowed, fix)


@rule("database.delayed_replica_s", "database.replicas", "failover.synchronous")
def a_delayed_replica_is_one_more(settings: Settings) -> Iterator[Fault]:
    """database.delayed_replica_s needs one replica more than failover.synchronous does: it can't take over."""
    needed = {"off": 1, "on": 2, "strict": 3}[settings.failover.synchronous]
    if settings.database.delayed_replica_s is not None and settings.database.replicas < needed:
        allowed = f"needs database.replicas {needed} or more (it is {settings.database.replicas})"
        fix = f"set replicas: {needed}, or delayed_replica_s: null"
        yield _fault("database.delayed_replica_s", settings.database.delayed_replica_s, allowed, fix)


@rule("stack", "restore.from")
def a_new_stack_begins_with_another(settings: Settings) -> Iterator[Fault]:
    """restore.from is another stack than this one."""
    if settings.restore.from_ == settings.stack:
        allowed = "must be another stack: a restore of this one is in place"
        yield _fault("restore.from", settings.stack, allowed, "docs/backup-and-restore.md says how to do that")


@rule("restore.at", "restore.name", "restore.lsn")
def a_restore_has_one_target(settings: Settings) -> Iterator[Fault]:
    """Of restore.at, restore.name and restore.lsn at most one is set."""
    given = [key for key in ("at", "name", "lsn") if getattr(settings.restore, key) is not None]
    if len(given) > 1:
        allowed = f"must be the only target, beside {' and '.join(given[:-1])}"
        yield _fault(f"restore.{given[-1]}", getattr(settings.restore, given[-1]), allowed, "leave one of them")


@rule("restore.from", "restore.at", "restore.name", "restore.lsn", "restore.timeline", "restore.pause")
def a_target_has_a_source(settings: Settings) -> Iterator[Fault]:
    """restore.at, name, lsn, timeline and pause need restore.from."""
    restore = settings.restore
    given = [key for key in ("at", "name", "lsn", "timeline", "pause") if getattr(restore, key)]
    if given and restore.from_ is None:
        allowed = f"must name the stack to restore from, as restore.{given[0]} is set"
        yield _fault("restore.from", None, allowed, "for example from: prod")


@rule("restore.pause", "restore.at", "restore.name", "restore.lsn")
def a_pause_has_a_target(settings: Settings) -> Iterator[Fault]:
    """restore.pause needs restore.at, name or lsn."""
    restore = settings.restore
    if restore.pause and restore.at is restore.name is restore.lsn is None:
        yield _fault("restore.pause", True, "needs restore.at, name or lsn to pause at", "set one of them, or no pause")


@rule("certificates.validity_days", "certificates.renew_before_days")
def certificates_are_not_renewed_at_once(settings: Settings) -> Iterator[Fault]:
    """certificates.renew_before_days is less than validity_days."""
    certificates = settings.certificates
    if certificates.renew_before_days >= certificates.validity_days:
        allowed = f"must be less than validity_days {certificates.validity_days}, or every `up` makes new certificates"
        half = certificates.validity_days // 2
        yield _fault("certificates.renew_before_days", certificates.renew_before_days, allowed, f"set {half} or less")


@rule("certificates.validity_days", "certificates.ca_validity_days")
def the_authority_outlives_its_certificates(settings: Settings) -> Iterator[Fault]:
    """certificates.ca_validity_days is more than validity_days."""
    certificates = settings.certificates
    if certificates.ca_validity_days <= certificates.validity_days:
        allowed = f"must be more than validity_days {certificates.validity_days}"
        yield _fault(
            "certificates.ca_validity_days", certificates.ca_validity_days, allowed, "raise it, or lower validity_days"
        )
