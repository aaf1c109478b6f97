"""Settings of the data: how long it is kept, who sees it, whose passwords have changed."""

from __future__ import annotations

from dataclasses import dataclass, field

from infra.settings.about import about


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """What the database keeps, for how long, and who sees it."""

    months_ahead: int = field(
        default=6,
        metadata=about("Monthly partitions made ahead of the present month.", unit="months", minimum=2, maximum=24),
    )
    runs_keep_months: int = field(
        default=3,
        metadata=about(
            "Whole months of pipeline_runs kept live before the present one; older ones are archived.",
            unit="months",
            minimum=1,
            maximum=120,
        ),
    )
    audit_keep_months: int = field(
        default=3,
        metadata=about(
            "Whole months of audit_logs kept live before the present one; older ones are archived.",
            unit="months",
            minimum=1,
            maximum=120,
        ),
    )
    runs_export_after_months: int | None = field(
        default=None,
        metadata=about(
            "Whole months after which an archived month of pipeline_runs may leave the database: it is exported, the "
            "export is verified, and only then it is dropped. null keeps it.",
            unit="months",
            minimum=2,
            maximum=600,
            example=24,
        ),
    )
    audit_export_after_months: int | None = field(
        default=None,
        metadata=about(
            "The same for archived months of audit_logs. null keeps them.",
            unit="months",
            minimum=2,
            maximum=600,
            example=84,
        ),
    )
    audit_seal_minutes: int = field(
        default=5,
        metadata=about("Time between two seals over the audit log's new rows.", unit="minutes", minimum=1, maximum=59),
    )
    tenant_isolation: bool = field(
        default=False,
        metadata=about(
            "Whether row-level security shows the application only rows of the organization that its transaction "
            "names in the setting pipe.organization_id."
        ),
    )
    reindex_bloat_percent: int = field(
        default=50,
        metadata=about(
            "Estimated bloat of an index from which it is rebuilt, concurrently and at night.",
            unit="%",
            minimum=10,
            maximum=95,
        ),
    )


@dataclass(frozen=True, kw_only=True)
class CredentialSettings:
    """Passwords of the roles: each number counts the rotations of one; a change makes a new password."""

    app: int = field(
        default=0,
        metadata=about(
            "Rotations of the application's password. Its two logins take turns: pipe_app while the number is even, "
            "pipe_app_b while it is odd.",
            minimum=0,
            maximum=1_000_000,
        ),
    )
    app_overlap: bool = field(
        default=False,
        metadata=about(
            "Whether the application's login from before the last rotation still works. Without it, that login is "
            "closed and its sessions end."
        ),
    )
    readonly: int = field(
        default=0, metadata=about("Rotations of pipe_readonly's password.", minimum=0, maximum=1_000_000)
    )
    auditor: int = field(
        default=0, metadata=about("Rotations of pipe_auditor's password.", minimum=0, maximum=1_000_000)
    )
    monitor: int = field(
        default=0, metadata=about("Rotations of pipe_monitor's password.", minimum=0, maximum=1_000_000)
    )
    migrator: int = field(
        default=0, metadata=about("Rotations of pipe_migrator's password.", minimum=0, maximum=1_000_000)
    )
    drill: int = field(default=0, metadata=about("Rotations of pipe_drill's password.", minimum=0, maximum=1_000_000))
