"""Gathering the facts: Patroni over REST, the database as pipe_monitor, pgBackRest in its repository, certificates.

A source that does not answer gives None, never an exception: the table says so and shows the rest.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import subprocess
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

TIMEOUT = 5
# The engine copies what the repository prints; reading the list of a month of backups takes a moment.
INFO_TIMEOUT = 30
# pgBackRest's code of a repository that does not answer; its own exit status is 0 then.
NO_ANSWER = 99
# PostgreSQL's request for TLS: length and code, before the handshake.
SSL_REQUEST = struct.pack("!II", 8, 80877103)

ARCHIVER = """
    SELECT last_archived_time, last_failed_time, last_archived_wal,
           (SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready')
    FROM pg_stat_archiver
"""


@dataclass(frozen=True)
class Archiver:
    archived: datetime | None
    failed: datetime | None
    wal: str | None
    waiting: int


def cluster(urls: Iterable[str], authority: Path) -> Mapping[str, Any] | None:
    """Patroni's view of the cluster from the first member that answers."""
    context = ssl.create_default_context(cafile=str(authority))
    for url in urls:
        try:
            with urllib.request.urlopen(f"{url}/cluster", timeout=TIMEOUT, context=context) as response:
                return dict(json.load(response))
        except (OSError, ValueError):
            continue
    return None


def connect(uri: str, authority: Path) -> Any:
    """A read session, or the reason why there is none as a text of one line."""
    import psycopg

    try:
        return psycopg.connect(uri, sslrootcert=str(authority), connect_timeout=TIMEOUT, autocommit=True)
    except psycopg.Error as error:
        return " ".join(str(error).split())


def archiver(connection: Any) -> Archiver:
    return Archiver(*connection.execute(ARCHIVER).fetchone())


def backups(repository: str) -> Sequence[Mapping[str, Any]] | None:
    """What pgBackRest says about its repository."""
    command = ["docker", "exec", repository, "pgbackrest", f"--io-timeout={TIMEOUT}", "info", "--output=json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INFO_TIMEOUT, check=True)
        return list(json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def silent(info: Iterable[Mapping[str, Any]]) -> Mapping[int, str]:
    """Why a repository does not answer, by pgBackRest's number of it; its list of backups is empty then."""
    every = (one for stanza in info for one in stanza.get("repo") or [])
    return {
        int(one["key"]): " ".join(str(one["status"]["message"]).split())
        for one in every
        if one["status"]["code"] == NO_ANSWER
    }


def authority_expiry(pem: str) -> datetime:
    from cryptography.x509 import load_pem_x509_certificate

    return load_pem_x509_certificate(pem.encode()).not_valid_after_utc


def server_expiry(host: str, port: int, authority: Path) -> datetime | None:
    """When the certificate that PostgreSQL shows to its clients ends."""
    context = ssl.create_default_context(cafile=str(authority))
    try:
        with socket.create_connection((host, port), TIMEOUT) as plain:
            plain.sendall(SSL_REQUEST)
            if plain.recv(1) != b"S":
                return None
            with context.wrap_socket(plain, server_hostname=host) as secure:
                until = (secure.getpeercert() or {}).get("notAfter")
    except OSError:
        return None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(until)), UTC) if until else None
