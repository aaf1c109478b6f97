"""PostgreSQL's and Patroni's cluster-wide settings, computed from the stack's settings (pure).

What is here is the same on every member and lives in Patroni's dynamic configuration: at the first boot it comes from
``bootstrap.dcs`` of ``bootstrap.yml``, ever after from the resource ``pipe:patroni:DynamicConfig``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from infra.paths import LOG_DIR
from infra.settings import BackupSettings, DatabaseSettings, Settings

MIB = 1024 * 1024
WAL_SEGMENT_MB = 16
# In synchronous mode a primary that was cut off has sessions that wait for a replica; that of pg_cron does so for ever,
# and the server would never stop. No client writes any more by then, and what was acknowledged is on a replica.
PRIMARY_STOP_TIMEOUT_S = 20


def memory_parameters(database: DatabaseSettings) -> dict[str, str]:
    """Derive the memory settings from the container's limit, in PostgreSQL's units.

    A quarter goes to shared buffers; the kernel's page cache inside the same limit serves the rest, so the planner is
    told of three quarters. ``work_mem`` supposes that a quarter of the sessions sort or hash twice at the same time.
    """
    shared_buffers = max(32, database.memory_mb // 4)
    work_mem_kb = max(1024, (database.memory_mb - shared_buffers) * 1024 // max(1, database.max_connections // 2))
    return {
        "shared_buffers": f"{shared_buffers}MB",
        "effective_cache_size": f"{database.memory_mb * 3 // 4}MB",
        "work_mem": f"{min(work_mem_kb, 256 * 1024)}kB",
        "maintenance_work_mem": f"{min(max(16, database.memory_mb // 16), 2048)}MB",
        "autovacuum_work_mem": f"{min(max(16, database.memory_mb // 32), 1024)}MB",
    }


def log_parameters() -> dict[str, Any]:
    """Say what the server's log tells: much about the server, nothing out of a statement.

    A statement's text can hold a password or a hash, and so can the DETAIL of an error ("Failing row contains ...") and
    of a crash ("Failed process was running: ..."). Neither is written, whatever happens; docs/tuning.md says what that
    costs. Slow statements are logged with $1 for every value, by the job ``pipe_slow_statements``.
    """
    return {
        **journal_parameters(),
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] %q%u@%d %a ",
        "log_statement": "none",
        "log_min_duration_statement": -1,
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        "log_parameter_max_length": 0,
        "log_parameter_max_length_on_error": 0,
        "log_checkpoints": "on",
        "log_lock_waits": "on",
        "log_recovery_conflict_waits": "on",
        "log_autovacuum_min_duration": "10s",
        "log_temp_files": "10MB",
        # The start of every job: what became of it is in upkeep.job_health().
        "cron.log_statement": "off",
        "pg_stat_statements.track": "all",
        # A utility statement can hold a password.
        "pg_stat_statements.track_utility": "off",
    }


def journal_parameters() -> dict[str, Any]:
    """Have the log written twice: as ever for ``docker logs``, and as JSON into memory, where failed logins are read.

    Each minute has a file, whose name comes again after an hour. Those of the readable form are links to the
    container's output (``images/member``); those of the JSON lie in a file system in memory, which bounds them.
    """
    return {
        "logging_collector": "on",
        "log_destination": "stderr,jsonlog",
        "log_directory": LOG_DIR,
        "log_filename": "minute-%M.log",
        "log_rotation_age": "1min",
        "log_rotation_size": 0,
        "log_truncate_on_rotation": "on",
    }


def archive_parameters(backup: BackupSettings, stanza: str) -> dict[str, str]:
    """Switch WAL archiving on; added once the stanza exists, so that no attempt before it fails.

    ``archive_mode`` is on from the first boot: until the command is there the server keeps every segment.
    """
    return {
        "archive_command": f"pgbackrest --stanza={stanza} archive-push %p",
        "archive_timeout": f"{backup.archive_timeout_s}s",
    }


def postgresql_parameters(settings: Settings) -> dict[str, Any]:
    """Return the parameters of every member; the stack's own ``database.parameters`` win where they are allowed."""
    database = settings.database
    return {
        "max_connections": database.max_connections,
        "max_wal_senders": 10,
        "max_replication_slots": 10,
        "max_worker_processes": 16,
        "max_locks_per_transaction": 128,
        "max_prepared_transactions": 0,
        "wal_level": "replica",
        "hot_standby": "on",
        "hot_standby_feedback": "on",
        # After a crash commits wait until a synchronous replica has found the primary again.
        "wal_retrieve_retry_interval": "500ms",
        # Commits wait for a synchronous replica that stands still until its session ends and Patroni names another.
        "wal_sender_timeout": "10s",
        "wal_compression": "lz4",
        # Slots of absent members are dropped at once; what they miss they read from here, or from the archive.
        "wal_keep_size": f"{16 * WAL_SEGMENT_MB}MB",
        "max_slot_wal_keep_size": "4GB",
        "max_wal_size": "1GB",
        "checkpoint_timeout": "15min",
        "checkpoint_completion_target": 0.9,
        "archive_mode": "on",
        "password_encryption": "scram-sha-256",
        "shared_preload_libraries": "pg_stat_statements,pg_cron",
        "cron.database_name": "pipe",
        # Jobs start as background workers: no connection, so no entry in pg_hba.conf and no password.
        "cron.use_background_workers": "on",
        "cron.timezone": "UTC",
        "cron.enable_superuser_jobs": "off",
        "timezone": "UTC",
        "random_page_cost": 1.1,
        "track_io_timing": "on",
        "idle_in_transaction_session_timeout": "10min",
        "tcp_keepalives_idle": 60,
        "tcp_keepalives_interval": 10,
        "tcp_keepalives_count": 3,
        **log_parameters(),
        **memory_parameters(database),
        **database.parameters,
    }


def first_dynamic_config(settings: Settings) -> dict[str, Any]:
    """Return the dynamic configuration of the first boot, in force until the members have joined.

    No archive command yet, and the shortest loop: the primary makes a new replica's slot in its next one.
    """
    return _dynamic_config(settings, postgresql_parameters(settings)) | {"loop_wait": 1}


def certificate_parameters(first: datetime, renewal: datetime, authority: datetime) -> dict[str, str]:
    """Tell the database when its stack's certificates end: figures and alerts of ``upkeep`` are made from it.

    Parameters of our own, since every member has them at once, and a renewal changes no object of the catalog.
    """
    moments = {"first_end": first, "renewal": renewal, "authority_end": authority}
    return {f"pipe.certificates_{name}": moment.isoformat() for name, moment in moments.items()}


def dynamic_config(settings: Settings, certificates: Mapping[str, str]) -> dict[str, Any]:
    """Return Patroni's dynamic configuration of the running cluster."""
    archive = archive_parameters(settings.backup, settings.stack)
    return _dynamic_config(settings, postgresql_parameters(settings) | archive | dict(certificates))


def _dynamic_config(settings: Settings, parameters: dict[str, Any]) -> dict[str, Any]:
    failover = settings.failover
    return {
        "ttl": failover.ttl,
        "loop_wait": failover.loop_wait,
        "retry_timeout": failover.retry_timeout,
        "primary_start_timeout": failover.primary_start_timeout,
        "primary_stop_timeout": PRIMARY_STOP_TIMEOUT_S,
        "maximum_lag_on_failover": failover.maximum_lag_on_failover_mb * MIB,
        "synchronous_mode": failover.synchronous != "off",
        "synchronous_mode_strict": failover.synchronous == "strict",
        "failsafe_mode": True,
        "member_slots_ttl": 0,
        "postgresql": {"use_pg_rewind": True, "use_slots": True, "parameters": parameters},
    }
