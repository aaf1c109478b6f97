"""A PostgreSQL with a repository beside it, in one container whose clock can be moved on by days."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import docker
from docker.models.containers import Container

from infra import repositories
from infra.settings import Settings
from tests.fixtures.commands import executed
from tests.fixtures.helper_images import of_project, with_packages

CONF = "/tmp/pgbackrest.conf"
PREPARE = f"""
umask 077
cat > {CONF} <<'END'
[global]
%s
log-level-console=warn
log-level-file=off
start-fast=y
[s]
pg1-path=/data/source
pg1-socket-path=/tmp
END
echo '%s' > /tmp/clock
initdb -D /data/source -U postgres -E UTF8 --locale=C.UTF-8 -A trust -k >/dev/null
cat >> /data/source/postgresql.conf <<'END'
unix_socket_directories = '/tmp'
listen_addresses = ''
archive_mode = on
# What it writes would be in one of the backups or in another, as the machine is.
autovacuum = off
archive_command = 'pgbackrest --config={CONF} --stanza=s archive-push %%p'
END
pg_ctl -D /data/source -w start >/dev/null
pgbackrest --config={CONF} --stanza=s stanza-create
"""


@dataclass(frozen=True)
class Aging:
    """The container; every command sees its clock, which runs at the usual pace from where it was put."""

    container: Container

    def run(self, *command: str) -> tuple[int, str]:
        """Run a command; return its status and what it printed."""
        clock = (
            "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
            "FAKETIME_TIMESTAMP_FILE=/tmp/clock",
            "FAKETIME_NO_CACHE=1",
            # Waits are measured, not dated.
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
        )
        return executed(self.container, "env", *clock, *command)

    def must(self, *command: str) -> str:
        """Run a command that has to succeed; return what it printed."""
        status, text = self.run(*command)
        assert status == 0, f"{' '.join(command)}\n{text}"
        return text

    def days_ago(self, days: int) -> None:
        """Put the clock to so many days before now, in one step: a server that reads half a file of it dies."""
        self.must("sh", "-c", f"echo '-{days}d' > /tmp/clock.new && mv /tmp/clock.new /tmp/clock")

    def sql(self, statement: str, port: int = 5432) -> list[str]:
        """Run a statement; return the lines of its result."""
        command = ("psql", "-h", "/tmp", "-p", str(port), "-U", "postgres", "-XAtqc", statement)
        return self.must(*command).splitlines()

    def pgbackrest(self, *arguments: str) -> str:
        """Run pgBackRest, which has to succeed."""
        return self.must("pgbackrest", f"--config={CONF}", "--stanza=s", *arguments)

    def info(self) -> dict[str, Any]:
        """Return what pgBackRest knows of the stanza."""
        return dict(json.loads(self.pgbackrest("--output=json", "info"))[0])


@contextmanager
def aging_database(settings: Settings, days: int, more: Mapping[str, str] | None = None) -> Iterator[Aging]:
    """Start it so many days ago, with the repository that the settings describe (a volume's, in memory here).

    `more` are further options of pgBackRest.
    """
    engine = docker.from_env()
    memory = "rw,nosuid,nodev,uid=999,gid=999,mode=0700,size=1g"
    container = engine.containers.run(
        with_packages(engine, of_project("member"), "faketime"),
        ["-f", "/dev/null"],
        entrypoint="/usr/bin/tail",
        name=f"aging-{secrets.token_hex(4)}",
        user="postgres",
        tmpfs={"/data": memory, "/var/lib/pgbackrest": memory},
        init=True,
        network_mode="none",
        detach=True,
    )
    try:
        options = repositories.options(settings, secrets.token_hex(16), "scheduler") | dict(more or {})
        rendered = "\n".join(f"{name}={value}" for name, value in options.items())
        aging = Aging(container)
        aging.must("bash", "-euc", PREPARE % (rendered, f"-{days}d"))
        yield aging
    finally:
        container.remove(force=True, v=True)
        engine.close()
