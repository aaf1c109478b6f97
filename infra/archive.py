"""``pgbackrest.conf`` of members, their agents, the repository and its scheduler, the schedule, and drills (pure).

The repository host holds passphrase and keys of every repository and alone runs ``backup`` and ``expire``; members
push WAL to it and restore from it. Both sides know each other by certificate.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from infra import repositories
from infra.paths import CA_FILE, CERT_FILE, DATA_DIR, KEY_FILE, SOCKET_DIR, SPOOL_DIR
from infra.settings import BackupSettings, DatabaseSettings, Settings, forms

REPOSITORY_HOST = "repository"


def agent_hosts(database: DatabaseSettings) -> list[str]:
    """Return the aliases of the agents that backups may be taken through, one beside each member.

    A backup of a replica waits until that has replayed the beginning of it. The last one, where it lies behind on
    purpose, would let it wait for all of its delay; and it never leads.
    """
    prompt = database.replicas if database.delayed_replica_s is not None else database.replicas + 1
    return [f"agent-{i}" for i in range(prompt)]


def member_conf(settings: Settings) -> str:
    """Render the file that a member and its agent share."""
    return _ini(
        {
            "global": {
                **_logging(),
                **_server([REPOSITORY_HOST], settings.stack),
                **_repository_hosts(settings),
                "archive-async": "y",
                "spool-path": SPOOL_DIR,
                **_wal_bound(settings.backup),
                "process-max": str(settings.backup.process_max),
                "compress-type": settings.backup.compress,
            },
            # Two files, three tries of this each: one that is away must not keep WAL from the others for minutes.
            "global:archive-push": {"io-timeout": "8"},
            settings.stack: {"pg1-path": DATA_DIR, "pg1-socket-path": SOCKET_DIR},
        }
    )


def repository_conf(settings: Settings, passphrase: str, reader: repositories.Reader) -> str:
    """Render the file of one of the repository host's containers; `passphrase` encrypts backups and WAL."""
    backup = settings.backup
    clients = [f"member-{i}" for i in range(settings.database.replicas + 1)]
    stanza: dict[str, str] = {}
    for i, host in enumerate(agent_hosts(settings.database), start=1):
        stanza |= {
            f"pg{i}-host": host,
            **_tls_client(f"pg{i}-host"),
            f"pg{i}-path": DATA_DIR,
            f"pg{i}-socket-path": SOCKET_DIR,
        }
    return _ini(
        {
            "global": {
                **_logging(),
                **_server(clients, settings.stack),
                **repositories.options(settings, passphrase, reader),
                "compress-type": backup.compress,
                "process-max": str(backup.process_max),
                "start-fast": "y",
                "backup-standby": "prefer",
            },
            settings.stack: stanza,
        }
    )


def schedules(backup: BackupSettings) -> dict[str, str]:
    """Return the cron expression of each backup type that is scheduled, and of the drill."""
    every = {
        "full": backup.full_schedule,
        "diff": backup.differential_schedule,
        "incr": backup.incremental_schedule,
        "drill": backup.drill_schedule,
    }
    return {kind: cron for kind, cron in every.items() if cron}


def snooze_fields(cron: str) -> list[str]:
    """Translate five cron fields into plain lists for ``snooze``, whose ranges and steps mean other things."""
    fields = zip(cron.split(), forms.CRON_FIELDS, strict=True)
    return [
        "*" if text == "*" else ",".join(map(str, sorted(forms.cron_field(text, low, high) or ())))
        for text, (_, low, high) in fields
    ]


def scheduler_command(stanza: str, backup: BackupSettings) -> list[str]:
    """Return the arguments of ``images/schedule``: stanza, kinds of repositories, each type with its five fields."""
    kinds = " ".join(backup.repositories)
    return [stanza, kinds, *(word for kind, cron in schedules(backup).items() for word in (kind, *snooze_fields(cron)))]


def _repository_hosts(settings: Settings) -> dict[str, str]:
    """Every repository is reached through the repository host, which alone has the keys to it."""
    found: dict[str, str] = {}
    for number in repositories.numbered(settings):
        found |= {f"repo{number}-host": REPOSITORY_HOST, **_tls_client(f"repo{number}-host")}
    return found


def _wal_bound(backup: BackupSettings) -> dict[str, str]:
    # It reports success for what it drops: only where that was asked for.
    return {"archive-push-queue-max": f"{backup.wal_bound_mb}MB"} if backup.beyond_wal_bound == "drop" else {}


def drill_json(replicas: int, password: str, queries: Mapping[str, str]) -> str:
    """Render what a drill knows of the cluster; `queries` draw the catalog's picture. `password` is pipe_drill's."""
    hosts = [f"member-{i}" for i in range(replicas + 1)]
    return json.dumps({"hosts": hosts, "password": password, "queries": dict(queries)}, indent=2) + "\n"


def _tls_client(prefix: str) -> dict[str, str]:
    return {
        f"{prefix}-type": "tls",
        f"{prefix}-ca-file": CA_FILE,
        f"{prefix}-cert-file": CERT_FILE,
        f"{prefix}-key-file": KEY_FILE,
    }


def _server(clients: Sequence[str], stanza: str) -> dict[str, str | list[str]]:
    return {
        "tls-server-address": "*",
        "tls-server-ca-file": CA_FILE,
        "tls-server-cert-file": CERT_FILE,
        "tls-server-key-file": KEY_FILE,
        "tls-server-auth": [f"{client}={stanza}" for client in clients],
    }


def _logging() -> dict[str, str]:
    return {"log-level-console": "info", "log-level-file": "off", "log-level-stderr": "warn"}


def _ini(sections: Mapping[str, Mapping[str, str | list[str]]]) -> str:
    lines: list[str] = []
    for section, options in sections.items():
        lines.append(f"[{section}]")
        for key, value in options.items():
            lines += [f"{key}={item}" for item in ([value] if isinstance(value, str) else value)]
        lines.append("")
    return "\n".join(lines)
