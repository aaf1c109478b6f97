"""python3 -m drill.rehearsal STANZA [NAME=VALUE ...]: a copy of the newest backup that serves until it is stopped.

For `make rehearse`, in a container of its own. Clients come over TLS with the passwords that they have at the source.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from drill import instance
from drill.failed import Failed
from drill.instance import HBA, Instance
from drill.repository import newest

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


def main(stanza: str, more: Mapping[str, str]) -> int:
    """Restore, then serve; returns 1 when the backup did not come back."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = Instance({**SERVING, **more})
    try:
        repository, backup = newest(stanza)
        print(f"restoring {backup.label} {backup.bytes}", flush=True)
        instance.make_room(backup.bytes)
        with HBA.open("a") as rules:
            rules.write("hostssl all all all scram-sha-256\n")
        repository.restore(instance.DATA, backup)
        server.recover(repository.restore_command, None)
        with server.connect() as connection:
            connection.execute(WITHIN.read_bytes())
        print("serving", flush=True)
        signal.pause()
    except Failed as failed:
        print(failed, file=sys.stderr)
        return 1
    finally:
        server.stop()
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python3 -m drill.rehearsal STANZA [NAME=VALUE ...]")
    sys.exit(main(sys.argv[1], dict(word.split("=", 1) for word in sys.argv[2:])))
