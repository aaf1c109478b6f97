"""The native configuration of etcd, Patroni and HAProxy, rendered from the settings (pure).

Every function returns text or plain data; which file it becomes is the caller's business. Hosts are the aliases of the
stack's own network (``etcd-0``, ``member-0``, ``repository``), so no text holds a stack's name where it need not.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from infra.cluster.parameters import first_dynamic_config
from infra.paths import (
    CA_FILE,
    CERT_FILE,
    CONFIG_DIR,
    DATA_DIR,
    ETCD_CLIENT_PORT,
    ETCD_DIR,
    ETCD_PEER_PORT,
    HEALTH_PORT,
    KEY_FILE,
    POSTGRES_PORT,
    READ_ONLY_PORT,
    READ_WRITE_PORT,
    REST_PORT,
    SOCKET_DIR,
)
from infra.settings import DatabaseSettings, Settings
from infra.settings.cluster import MAJOR_VERSION


def etcd_hosts(members: int) -> list[str]:
    """Return the aliases of etcd's members."""
    return [f"etcd-{i}" for i in range(members)]


def member_hosts(replicas: int) -> list[str]:
    """Return the aliases of Patroni's members: the primary's and its replicas', whichever is which at the time."""
    return [f"member-{i}" for i in range(replicas + 1)]


ETCD_HEALTH = (
    f"etcdctl --endpoints=https://localhost:{ETCD_CLIENT_PORT} --cacert={CA_FILE} --cert={CERT_FILE} --key={KEY_FILE}"
    " endpoint health"
).split()
"""Ends with 0 in the container of a member of etcd when it can write, so when there is a quorum."""


def etcd_yml(name: str, members: Sequence[str], cluster_token: str) -> str:
    """Render ``etcd.yml`` of one member. Clients and peers prove themselves by certificate.

    Snapshots and the write-ahead log of a store that holds a few kilobytes are kept small.
    """
    security = {"cert-file": CERT_FILE, "key-file": KEY_FILE, "trusted-ca-file": CA_FILE, "client-cert-auth": True}
    return _yaml(
        {
            "name": name,
            "data-dir": f"{ETCD_DIR}/data",
            "listen-client-urls": f"https://0.0.0.0:{ETCD_CLIENT_PORT}",
            "advertise-client-urls": f"https://{name}:{ETCD_CLIENT_PORT}",
            "listen-peer-urls": f"https://0.0.0.0:{ETCD_PEER_PORT}",
            "initial-advertise-peer-urls": f"https://{name}:{ETCD_PEER_PORT}",
            "initial-cluster": ",".join(f"{m}=https://{m}:{ETCD_PEER_PORT}" for m in members),
            "initial-cluster-token": cluster_token,
            "initial-cluster-state": "new",
            "client-transport-security": security,
            "peer-transport-security": security,
            "auto-compaction-mode": "periodic",
            "auto-compaction-retention": "1h",
            "snapshot-count": 10000,
            "log-level": "warn",
        }
    )


@dataclass(frozen=True)
class Logins:
    """The passwords of the roles that Patroni makes, and the provisioner's verifier. All secret."""

    replicator: str
    rewind: str
    provisioner_verifier: str


HOST_BASED_AUTHENTICATION = (
    # The superuser and the backup agent: the same operating-system user, through the volume's socket only.
    "local all postgres peer",
    "local all all reject",
    "host all postgres all reject",
    "hostssl replication pipe_replicator all scram-sha-256",
    "host replication all all reject",
    "hostssl postgres pipe_rewind all scram-sha-256",
    "host all pipe_replicator,pipe_rewind all reject",
    "hostssl all all all scram-sha-256",
    "hostnossl all all all reject",
)


# What lies behind on purpose never leads, serves no reads, and no commit waits for it. Its feedback would keep the
# primary from removing dead rows for as long as the delay.
DELAYED = {"nofailover": True, "noloadbalance": True, "nosync": True}


def delay_of(database: DatabaseSettings, name: str) -> int | None:
    """Return by how many seconds a member stays behind: the last one, where that is asked for."""
    return database.delayed_replica_s if name == member_hosts(database.replicas)[-1] else None


def patroni_yml(settings: Settings, name: str, etcd: Sequence[str], logins: Logins) -> str:
    """Render ``patroni.yml`` of one member: what is local to it."""
    tls = {"sslmode": "verify-full", "sslrootcert": CA_FILE}
    delay = delay_of(settings.database, name)
    return _yaml(
        {
            "scope": settings.stack,
            "name": name,
            "log": {"level": "INFO", "format": "%(asctime)s %(levelname)s: %(message)s"},
            "restapi": {
                "listen": f"0.0.0.0:{REST_PORT}",
                "connect_address": f"{name}:{REST_PORT}",
                "certfile": CERT_FILE,
                "keyfile": KEY_FILE,
                "cafile": CA_FILE,
                # Reading takes TLS; changing anything takes a certificate of the stack's authority.
                "verify_client": "optional",
            },
            "ctl": {"certfile": CERT_FILE, "keyfile": KEY_FILE, "cacert": CA_FILE, "insecure": False},
            "etcd3": {
                "hosts": [f"{host}:{ETCD_CLIENT_PORT}" for host in etcd],
                "protocol": "https",
                "cacert": CA_FILE,
                "cert": CERT_FILE,
                "key": KEY_FILE,
            },
            "postgresql": {
                "listen": f"0.0.0.0:{POSTGRES_PORT}",
                "connect_address": f"{name}:{POSTGRES_PORT}",
                "data_dir": DATA_DIR,
                "bin_dir": f"/usr/lib/postgresql/{MAJOR_VERSION}/bin",
                "pgpass": "/tmp/patroni.pgpass",
                "use_unix_socket": True,
                "authentication": {
                    "superuser": {"username": "postgres"},
                    "replication": {"username": "pipe_replicator", "password": logins.replicator, **tls},
                    "rewind": {"username": "pipe_rewind", "password": logins.rewind, **tls},
                },
                "parameters": {
                    **({"hot_standby_feedback": "off"} if delay else {}),
                    "unix_socket_directories": SOCKET_DIR,
                    "unix_socket_permissions": "0700",
                    "ssl": "on",
                    "ssl_ca_file": CA_FILE,
                    "ssl_cert_file": CERT_FILE,
                    "ssl_key_file": KEY_FILE,
                    "ssl_min_protocol_version": "TLSv1.3",
                },
                "pg_hba": list(HOST_BASED_AUTHENTICATION),
                "create_replica_methods": ["pgbackrest", "basebackup"],
                "pgbackrest": {
                    "command": f"pgbackrest --stanza={settings.stack} --delta --type=standby restore",
                    "keep_data": True,
                    "no_params": True,
                },
                "basebackup": {"checkpoint": "fast"},
                "recovery_conf": {
                    "restore_command": f"restore_wal {settings.stack} %f %p",
                    **({"recovery_min_apply_delay": f"{delay}s"} if delay else {}),
                },
            },
            **({"tags": DELAYED} if delay else {}),
        }
    )


def bootstrap_yml(settings: Settings) -> str:
    """Render ``bootstrap.yml``, which Patroni reads beside ``patroni.yml``: how the cluster is made, once.

    Patroni never looks at it again, so a change of it must restart nobody.
    """
    return _yaml(
        {
            "bootstrap": {
                "dcs": first_dynamic_config(settings),
                "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "data-checksums"],
                "post_bootstrap": f"psql -X -q -v ON_ERROR_STOP=1 -f {CONFIG_DIR}/bootstrap.sql",
            }
        }
    )


def bootstrap_sql(logins: Logins) -> str:
    """Render what runs once, on the first primary: the provisioner's login, by verifier, never by password.

    Patroni gives the rewind role its password and functions right after; but pg_rewind, and Patroni before it, connect
    to the leader's database ``postgres``, which PUBLIC soon may not.
    """
    return (
        "-- Runs once, when the cluster is made, empty or from a backup. Everything else is declared as resources.\n"
        "SELECT 'CREATE ROLE ' || name FROM (VALUES ('pipe_provisioner'), ('pipe_rewind')) AS made (name)\n"
        "WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name)\n"
        "\\gexec\n"
        "ALTER ROLE pipe_provisioner WITH LOGIN SUPERUSER CONNECTION LIMIT 20\n"
        f"  PASSWORD '{logins.provisioner_verifier}';\n"
        "ALTER ROLE pipe_rewind WITH LOGIN;\n"
        "GRANT CONNECT ON DATABASE postgres TO pipe_rewind;\n"
    )


def haproxy_cfg(settings: Settings, members: Sequence[str]) -> str:
    """Render ``haproxy.cfg``: TLS passes through untouched, Patroni's REST interface says who is what."""
    proxy = settings.proxy
    servers = [
        f"    server {m} {m}:{POSTGRES_PORT} check port {REST_PORT} check-ssl verify required"
        f" ca-file {CA_FILE} verifyhost {m} resolvers docker init-addr last,libc,none"
        for m in members
    ]
    lag = f"{proxy.maximum_replica_lag_mb}MB"
    fallback = ["    use_backend primary if { nbsrv(replicas) eq 0 }"] if proxy.read_only_fallback else []
    return "\n".join(
        [
            "global",
            f"    maxconn {proxy.max_connections}",
            "    log stdout format raw local0 notice",
            "    lua-load /usr/local/share/haproxy/wait_for_primary.lua",
            "",
            "defaults",
            "    mode tcp",
            "    log global",
            "    timeout connect 5s",
            "    timeout check 3s",
            # An idle session belongs to its pool; dead peers are found by keepalive, not by this limit.
            "    timeout client 24h",
            "    timeout server 24h",
            "    option clitcpka",
            "    option srvtcpka",
            "    timeout queue 5s",
            "    retries 3",
            "    option redispatch 1",
            "",
            "resolvers docker",
            "    parse-resolv-conf",
            "    hold valid 1s",
            "    hold nx 1s",
            "    hold timeout 1s",
            "    timeout resolve 500ms",
            "",
            "frontend health",
            "    mode http",
            f"    bind :{HEALTH_PORT}",
            "    timeout client 5s",
            "    monitor-uri /",
            "",
            "frontend read_write",
            f"    bind :{READ_WRITE_PORT}",
            # Nobody is let through to two members that both look like the primary, as for a moment of a failover; see
            # images/wait_for_primary.lua, whose time is shorter than this one.
            "    tcp-request inspect-delay 10s",
            "    tcp-request content lua.wait_for_one_primary unless { nbsrv(primary) eq 1 }",
            "    tcp-request content reject unless { nbsrv(primary) eq 1 }",
            "    default_backend primary",
            "",
            "frontend read_only",
            f"    bind :{READ_ONLY_PORT}",
            *fallback,
            "    default_backend replicas",
            "",
            "backend primary",
            # The status says that the member holds the lease, which it does before it is promoted; the body says if
            # its PostgreSQL takes writes. Who came in between would be told that the server is read-only. The body is
            # first: after a wrong status HAProxy would hang up on a member that still writes it, and that member would
            # log it, twice a second.
            "    option httpchk GET /primary",
            '    http-check expect rstring \'"role": *"primary"\'',
            "    http-check expect status 200",
            # After a bad answer it looks again ten times a second: who handed over is out in half a second. One that is
            # only slow to answer, each time for as long as "inter" allows, has three seconds.
            "    default-server inter 500ms fastinter 100ms downinter 300ms fall 5 rise 1",
            # Without this a client would hang on the old primary after a failover.
            "    default-server on-marked-down shutdown-sessions",
            *servers,
            "",
            "backend replicas",
            "    balance leastconn",
            # OPTIONS answers as GET does, without a body that HAProxy would not read.
            f"    option httpchk OPTIONS /replica?lag={lag}",
            "    http-check expect status 200",
            "    default-server inter 1s fall 3 rise 1 on-marked-down shutdown-sessions",
            *servers,
            "",
        ]
    )


def _yaml(document: dict[str, Any]) -> str:
    """Render as JSON, which is YAML: quoting can't go wrong and the order is the one written here."""
    return json.dumps(document, indent=2) + "\n"
