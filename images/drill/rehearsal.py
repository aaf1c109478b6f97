"""python3 -m drill.rehearsal STANZA [--empty] [NAME=VALUE ...]: a copy of the newest backup that serves until stopped.

For `make rehearse`, in a container of its own. Clients come over TLS with the passwords that they have at the source.
With --empty the server has nothing yet: who asked for it fills it, over the socket. With PIPE_ATTENDED in its
environment it ends with its standard input, which whoever asked for it holds.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from drill import instance
from drill.failed import Failed, run
from drill.instance import HBA, Instance
from drill.repository import newest

EMPTY = "--empty"
ATTENDED = "PIPE_ATTENDED"
WITHIN = Path(__file__).with_name("within.sql")
# As a member serves: its libraries are there, but the jobs of pg_cron stand still.
SERVING = {
    "listen_addresses": "*",
    "max_connections": "50",
    "shared_preload_libraries": "pg_stat_statements,pg_cron",
    "cron.database_name": "pipe",
    "cron.launch_active_jobs": "off",
    "pg_stat_statements.track_utility": "off",
    "autovacuum": "on",
    "fsync": "on",
    "full_page_writes": "on",
    "ssl": "on",
    "ssl_cert_file": "/etc/pipe/cert.pem",
    "ssl_key_file": "/etc/pipe/key.pem",
    "password_encryption": "scram-sha-256",
}


def main(stanza: str, more: Mapping[str, str], *, empty: bool) -> int:
    """Restore, or begin empty, then serve; returns 1 when the backup did not come back."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if ATTENDED in os.environ:
        threading.Thread(target=_end_with_input, daemon=True).start()
    server = Instance({**SERVING, **more})
    try:
        if empty:
            _begin(server)
        else:
            _restore(stanza, server)
        print("serving", flush=True)
        signal.pause()
    except Failed as failed:
        print(failed, file=sys.stderr)
        return 1
    finally:
        server.stop()
    return 0


def _end_with_input() -> None:
    """Stop in order when whoever asked for the copy is gone: nobody else knows that it is not needed any more."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _restore(stanza: str, server: Instance) -> None:
    """Serve the newest backup, and see what happens in it."""
    repository, backup = newest(stanza)
    print(f"restoring {backup.label} {backup.bytes}", flush=True)
    _make_room(backup.bytes)
    repository.restore(instance.DATA, backup)
    server.recover(repository.restore_command, None)
    with server.connect() as connection:
        connection.execute(WITHIN.read_bytes())


def _begin(server: Instance) -> None:
    """Serve a cluster in which there is nothing yet."""
    _make_room(0)
    run("initdb", ["initdb", f"--pgdata={instance.DATA}", "--username=postgres", "--data-checksums"])
    # There is no WAL to fetch, and nothing to recover.
    server.recover("", None)


def _make_room(needed: int) -> None:
    instance.make_room(needed)
    with HBA.open("a") as rules:
        rules.write("hostssl all all all scram-sha-256\n")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(f"usage: python3 -m drill.rehearsal STANZA [{EMPTY}] [NAME=VALUE ...]")
    given = [word for word in sys.argv[2:] if word != EMPTY]
    sys.exit(main(sys.argv[1], dict(word.split("=", 1) for word in given), empty=EMPTY in sys.argv))
