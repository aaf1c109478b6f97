"""The throw-away instance: a server on what was restored, reached through a socket by nobody else."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from drill.failed import Failed, run

HOME = Path("/var/lib/postgresql")
DATA, SOCKET, LOG = HOME / "data", HOME / "run", HOME / "server.log"
CONFIG, HBA = HOME / "postgresql.conf", HOME / "pg_hba.conf"
# Room beside the restored files: WAL that is replayed, and what is written while it is looked at.
SPARE_BYTES = 1024**3
_PAUSE_SECONDS = 0.1
_STOP_SECONDS = 300
# The configuration file that Patroni wrote is not used: its memory, preloaded libraries and archiving are a member's.
SETTINGS = {
    "config_file": str(CONFIG),
    "hba_file": str(HBA),
    "listen_addresses": "",
    "unix_socket_directories": str(SOCKET),
    "shared_buffers": "32MB",
    "maintenance_work_mem": "32MB",
    "max_connections": "20",
    "max_worker_processes": "4",
    # Nobody is let in before recovery ends, so it need not have the primary's sizes.
    "hot_standby": "off",
    "shared_preload_libraries": "",
    "archive_mode": "off",
    "autovacuum": "off",
    # Should the machine go down, the instance is thrown away all the same.
    "fsync": "off",
    "full_page_writes": "off",
    "logging_collector": "off",
    "log_min_messages": "warning",
    "recovery_target_timeline": "latest",
    "recovery_target_action": "promote",
}


@dataclass
class Instance:
    """A server on restored files; its own parameters win over those of every instance."""

    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    server: subprocess.Popen[bytes] | None = None

    def recover(self, restore_command: str, restore_point: str | None) -> None:
        """Start the server and return once it has replayed all WAL, or the WAL up to the restore point."""
        target = {"recovery_target_name": restore_point} if restore_point else {}
        settings = {**SETTINGS, **self.parameters, "restore_command": restore_command, **target}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with LOG.open("wb") as log:
            self.server = subprocess.Popen(
                ["postgres", "-D", str(DATA), *options],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        # However much WAL there is, as long as the server lives it is on its way.
        while self.server.poll() is None:
            with suppress(psycopg.OperationalError), self.connect("postgres") as connection:
                if connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,):
                    return
            time.sleep(_PAUSE_SECONDS)
        raise Failed(f"recovery failed: {_fatal(LOG.read_text(errors='replace'))}")

    def connect(self, database: str = "pipe") -> psycopg.Connection[tuple[Any, ...]]:
        """Open a session of the superuser."""
        return psycopg.connect(host=str(SOCKET), dbname=database, user="postgres", autocommit=True)

    def amcheck(self) -> None:
        """Check every table and index, and that each index has every row; raises Failed with what is broken."""
        server = [f"--host={SOCKET}", "--username=postgres"]
        run("pg_amcheck", ["pg_amcheck", *server, "--all", "--install-missing", "--heapallindexed"])

    def stop(self) -> None:
        """Stop the server in order, so that its files can be checked."""
        if self.server is None:
            return
        server, self.server = self.server, None
        server.send_signal(signal.SIGINT)
        try:
            server.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()

    def checksums(self) -> None:
        """Check the checksum of every page of the stopped instance."""
        run("pg_checksums", ["pg_checksums", "--check", "--pgdata", str(DATA)])


def make_room(needed: int) -> None:
    """Prepare an empty place for an instance; raises Failed where the files will not fit."""
    clear()
    SOCKET.mkdir(mode=0o700)
    DATA.mkdir(mode=0o700)
    CONFIG.write_text("")
    HBA.write_text("local all postgres peer\n")
    free = shutil.disk_usage(HOME).free
    if free < needed + SPARE_BYTES:
        raise Failed(
            f"there is no room: the backup needs {needed >> 20} MiB and {SPARE_BYTES >> 20} MiB to spare,"
            f" {free >> 20} MiB are free"
        )


def clear() -> None:
    """Leave nothing of an instance, also not of one that was killed."""
    for found in HOME.iterdir():
        if found.is_dir():
            shutil.rmtree(found)
        else:
            found.unlink()


def _fatal(log: str) -> str:
    """Return what ended the server, of the log of one that did."""
    lines = [line.partition("] ")[2] or line for line in log.splitlines() if "FATAL:" in line or "PANIC:" in line]
    return lines[-1] if lines else (log.strip().splitlines() or ["it wrote nothing"])[-1]
