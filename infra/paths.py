"""Where things lie inside the containers, and the ports that they listen on there (pure).

The images are built to these paths; the native configuration names them.
"""

from __future__ import annotations

CONFIG_DIR = "/etc/pipe"
CA_FILE = f"{CONFIG_DIR}/ca.pem"
CERT_FILE = f"{CONFIG_DIR}/cert.pem"
KEY_FILE = f"{CONFIG_DIR}/key.pem"

ETCD_DIR = "/var/lib/etcd"
REPOSITORY_DIR = "/var/lib/pgbackrest"
REPOSITORY_ARCHIVE_DIR = f"{REPOSITORY_DIR}/archive"
REPOSITORY_BACKUP_DIR = f"{REPOSITORY_DIR}/backup"
SCHEDULE_DIR = f"{REPOSITORY_DIR}/schedule"
POSTGRES_HOME = "/var/lib/postgresql"
DATA_DIR = f"{POSTGRES_HOME}/data"
SOCKET_DIR = f"{POSTGRES_HOME}/run"
SPOOL_DIR = f"{POSTGRES_HOME}/spool"
LOG_DIR = "/var/log/postgresql"

ETCD_CLIENT_PORT, ETCD_PEER_PORT = 2379, 2380
POSTGRES_PORT, REST_PORT = 5432, 8008
READ_WRITE_PORT, READ_ONLY_PORT, HEALTH_PORT = 5432, 5433, 8404
