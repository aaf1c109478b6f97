"""Rules between settings of backups, their repositories, and restores (pure).

Each runs only when the values that it looks at are right by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from infra.settings.faults import NOT_SET, Fault, full_key, shown
from infra.settings.model import Settings
from infra.settings.rule import fault, rule

_BACKUP_BASE_MB = 96
_BACKUP_PROCESS_MB = 32


@rule("backup.differential_schedule", "backup.incremental_schedule", "backup.full_schedule")
def every_kind_of_backup_has_its_own_time(settings: Settings) -> Iterator[Fault]:
    """backup.full_schedule, differential_schedule and incremental_schedule are different."""
    backup, taken = settings.backup, [settings.backup.full_schedule.split()]
    for name in ("differential_schedule", "incremental_schedule"):
        schedule = getattr(backup, name)
        if schedule is not None and schedule.split() in taken:
            allowed = "must be at another time than the other schedules, or both start at once"
            yield fault(f"backup.{name}", schedule, allowed, 'for example "0 12 * * *"')
        taken.append((schedule or "").split())


@rule("backup.memory_mb", "backup.process_max")
def memory_for_the_backup(settings: Settings) -> Iterator[Fault]:
    """backup.memory_mb is at least 96 + 32 × process_max."""
    backup = settings.backup
    needed = _BACKUP_BASE_MB + _BACKUP_PROCESS_MB * backup.process_max
    if backup.memory_mb < needed:
        most = (backup.memory_mb - _BACKUP_BASE_MB) // _BACKUP_PROCESS_MB
        allowed = f"must be at least {needed} MB for process_max {backup.process_max}"
        yield fault(
            "backup.memory_mb", backup.memory_mb, allowed, f"set {needed} or more, or process_max to {most} or less"
        )


@rule("backup.repositories")
def every_repository_is_another_one(settings: Settings) -> Iterator[Fault]:
    """backup.repositories names at least one, each once."""
    named = settings.backup.repositories
    if not named or len(set(named)) < len(named):
        yield fault("backup.repositories", list(named), "must name at least one, each once", "for example [volume]")


def _needed(place: object, key: str, names: Sequence[str], kind: str, where: str, used: bool) -> Iterator[Fault]:
    """Settings of a repository that is used, and of one that is not."""
    for name in names:
        full, value = f"{key}.{name}", getattr(place, name)
        if used and value is None:
            fix = f"set it, or take {kind} out of {where}"
            yield fault(full, NOT_SET, f"must be set while {where} names {kind}", fix)
        if not used and value is not None:
            allowed = f"is of no use while {where} does not name {kind}"
            fix = f"add {kind} there, or remove it here"
            yield Fault(full_key(*full.split(".")), shown(value, key=full), allowed, fix)


def _kept_there(settings: Settings, kind: str, names: Sequence[str]) -> Iterator[Fault]:
    used = kind in settings.backup.repositories
    yield from _needed(getattr(settings, kind), kind, names, kind, "backup.repositories", used)


def _read_there(settings: Settings, kind: str, names: Sequence[str]) -> Iterator[Fault]:
    restore = settings.restore
    used = restore.repository == kind
    yield from _needed(getattr(restore, kind), f"restore.{kind}", names, kind, "restore.repository", used)


_OF_A_BUCKET = ("endpoint", "bucket", "access_key", "secret_key")
_OF_A_SERVER = ("host", "host_fingerprint", "user", "private_key")


@rule("backup.repositories", *(f"s3.{name}" for name in _OF_A_BUCKET))
def a_bucket_is_complete(settings: Settings) -> Iterator[Fault]:
    """s3.endpoint, bucket, access_key and secret_key are set if, and only if, backup.repositories names s3."""
    yield from _kept_there(settings, "s3", _OF_A_BUCKET)


@rule("backup.repositories", *(f"sftp.{name}" for name in _OF_A_SERVER))
def an_sftp_server_is_complete(settings: Settings) -> Iterator[Fault]:
    """sftp.host, host_fingerprint, user and private_key are set if, and only if, backup.repositories names sftp."""
    yield from _kept_there(settings, "sftp", _OF_A_SERVER)


@rule(
    "restore.repository",
    *(f"restore.s3.{name}" for name in _OF_A_BUCKET),
    *(f"restore.sftp.{name}" for name in _OF_A_SERVER),
)
def what_is_read_is_complete(settings: Settings) -> Iterator[Fault]:
    """The same keys of restore.s3, or of restore.sftp, are set if, and only if, restore.repository names it."""
    yield from _read_there(settings, "s3", _OF_A_BUCKET)
    yield from _read_there(settings, "sftp", _OF_A_SERVER)


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
            yield fault(f"{kind}.{missing[0]}", NOT_SET, allowed, fix)


@rule("stack", "restore.from")
def a_new_stack_begins_with_another(settings: Settings) -> Iterator[Fault]:
    """restore.from is another stack than this one."""
    if settings.restore.from_ == settings.stack:
        allowed = "must be another stack: a restore of this one is in place"
        yield fault("restore.from", settings.stack, allowed, "docs/backup-and-restore.md says how to do that")


@rule("restore.at", "restore.name", "restore.lsn")
def a_restore_has_one_target(settings: Settings) -> Iterator[Fault]:
    """Of restore.at, restore.name and restore.lsn at most one is set."""
    given = [key for key in ("at", "name", "lsn") if getattr(settings.restore, key) is not None]
    if len(given) > 1:
        allowed = f"must be the only target, beside {' and '.join(given[:-1])}"
        yield fault(f"restore.{given[-1]}", getattr(settings.restore, given[-1]), allowed, "leave one of them")


@rule("restore.from", "restore.at", "restore.name", "restore.lsn", "restore.timeline", "restore.pause")
def a_target_has_a_source(settings: Settings) -> Iterator[Fault]:
    """restore.at, name, lsn, timeline and pause need restore.from."""
    restore = settings.restore
    given = [key for key in ("at", "name", "lsn", "timeline", "pause") if getattr(restore, key)]
    if given and restore.from_ is None:
        allowed = f"must name the stack to restore from, as restore.{given[0]} is set"
        yield fault("restore.from", None, allowed, "for example from: prod")


@rule("restore.pause", "restore.at", "restore.name", "restore.lsn")
def a_pause_has_a_target(settings: Settings) -> Iterator[Fault]:
    """restore.pause needs restore.at, name or lsn."""
    restore = settings.restore
    if restore.pause and restore.at is restore.name is restore.lsn is None:
        yield fault("restore.pause", True, "needs restore.at, name or lsn to pause at", "set one of them, or no pause")
