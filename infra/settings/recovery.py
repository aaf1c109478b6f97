"""Settings of backups, and of the backup that a new stack begins with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from infra.settings.about import about
from infra.settings.repositories import S3Place, SftpPlace


@dataclass(frozen=True, kw_only=True)
class BackupSettings:
    """pgBackRest: what is kept, where, and from when."""

    repositories: tuple[str, ...] = field(
        default=("volume",),
        metadata=about(
            "Where backups and WAL are kept: volume, s3, sftp, or several of them, each complete in itself. Restores "
            "and new replicas read from the first.",
            form="repository",
        ),
    )
    full_schedule: str = field(
        default="0 0 * * *",
        metadata=about("When a full backup is taken, as five cron fields.", form="cron"),
    )
    differential_schedule: str | None = field(
        default=None,
        metadata=about(
            "When a differential backup is taken, as five cron fields; null takes none.",
            form="cron",
            example="0 12 * * *",
        ),
    )
    incremental_schedule: str | None = field(
        default=None,
        metadata=about(
            "When an incremental backup is taken, as five cron fields; null takes none.",
            form="cron",
            example="0 1-23 * * *",
        ),
    )
    drill_schedule: str | None = field(
        default="0 3 * * 0",
        metadata=about(
            "When the newest backup of each repository is restored on trial and checked, as five cron fields; null: "
            "only when `make restore-drill` is called.",
            form="cron",
        ),
    )
    drill_max_age_days: int | None = field(
        default=10,
        metadata=about(
            "Days after which an alert tells that no drill has passed; null: never.",
            unit="days",
            minimum=1,
            maximum=3650,
        ),
    )
    time_zone: str = field(
        default="UTC", metadata=about("Time zone of the schedules, such as Europe/Berlin.", form="time_zone")
    )
    retention_days: int = field(
        default=30,
        metadata=about("Days back to which every second can be restored.", unit="days", minimum=1, maximum=3650),
    )
    archive_timeout_s: int = field(
        default=60,
        metadata=about(
            "Time after which a started WAL segment is archived even if not full.", unit="s", minimum=10, maximum=3600
        ),
    )
    wal_bound_mb: int = field(
        default=4096,
        metadata=about(
            "WAL that may wait on the primary while a repository does not take it: the room that its disk has for it. "
            "An alert comes at half of it, an error at four fifths.",
            unit="MB",
            minimum=64,
            maximum=16_777_216,
        ),
    )
    beyond_wal_bound: Literal["wait", "drop"] = field(
        default="wait",
        metadata=about(
            "What happens beyond wal_bound_mb. wait: nothing is dropped, and the primary stops when its disk is full; "
            "drop: what waits is dropped and the primary goes on, but no time between then and the next full backup "
            "can be restored."
        ),
    )
    compress: Literal["zst", "lz4", "gz"] = field(default="zst", metadata=about("How backups and WAL are compressed."))
    process_max: int = field(
        default=2,
        metadata=about(
            "Processes that a backup, restore or archiving uses at once.", unit="processes", minimum=1, maximum=64
        ),
    )
    memory_mb: int = field(
        default=256,
        metadata=about("Memory limit of each pgBackRest container.", unit="MB", minimum=128, maximum=65_536),
    )


@dataclass(frozen=True, kw_only=True)
class RestoreSettings:
    """What a new stack begins with: another stack's repository, at one moment. Read once, when the stack is made."""

    from_: str | None = field(
        default=None,
        metadata=about(
            "The stack whose repository the new stack begins with. null begins empty.",
            form="stack",
            example="prod",
        ),
    )
    repository: Literal["volume", "s3", "sftp"] = field(
        default="volume",
        metadata=about(
            "Which of its repositories is read. volume: on the same Docker engine; `make restore` takes the first of "
            "its list."
        ),
    )
    at: str | None = field(
        default=None,
        metadata=about(
            "The moment up to which commits are kept, with its offset from UTC. Without at, name and lsn everything "
            "that is archived is.",
            form="moment",
            example="2026-05-01 12:00:00+09",
        ),
    )
    name: str | None = field(
        default=None,
        metadata=about(
            "A restore point (pg_create_restore_point; each migration sets one) instead of a moment.",
            form="restore_point",
            example="before_release",
        ),
    )
    lsn: str | None = field(
        default=None,
        metadata=about("A position in the WAL instead of a moment.", form="lsn", example="0/5000028"),
    )
    timeline: int | None = field(
        default=None,
        metadata=about(
            "The timeline to follow: one that a later restore in place has left. null is the newest.",
            minimum=1,
            maximum=2_147_483_647,
            example=1,
        ),
    )
    pause: bool = field(
        default=False,
        metadata=about("Whether the restore stops at its target, to be looked at before the stack is made of it."),
    )
    passphrase: str | None = field(
        default=None,
        repr=False,
        metadata=about(
            "The passphrase of the source's repository, as a secret; `make restore` sets it.",
            form="passphrase",
            example="…",
            secret=True,
        ),
    )
    s3: S3Place = field(
        default_factory=S3Place, metadata=about("The source's bucket, as in s3; the key may be one that only reads.")
    )
    sftp: SftpPlace = field(
        default_factory=SftpPlace,
        metadata=about("The source's SFTP server, as in sftp; the login may be one that only reads."),
    )
    network: str = field(
        default="bridge",
        metadata=about(
            "Docker network from which s3 or sftp is reached; bridge is Docker's own and leads out of the machine.",
            form="word",
        ),
    )
