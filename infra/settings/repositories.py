"""Places beyond the Docker engine that hold backups and WAL: a bucket, an SFTP server.

Each takes two identities. The scheduler makes and expires backups with the first. What serves the members uses the
second, which should not be able to change a backup: whoever takes over a member can go as far as it can.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from infra.settings.about import about

HIGHEST_PORT = 65_535


@dataclass(frozen=True, kw_only=True)
class S3Place:
    """A bucket, and one key to it."""

    endpoint: str | None = field(
        default=None,
        metadata=about("Host name of the service.", form="hostname", example="s3.eu-central-1.amazonaws.com"),
    )
    port: int = field(default=443, metadata=about("Its port; TLS always.", minimum=1, maximum=HIGHEST_PORT))
    region: str = field(default="us-east-1", metadata=about("Its region.", form="word"))
    bucket: str | None = field(default=None, metadata=about("The bucket.", form="word", example="pipe-backups"))
    path: str = field(default="/pgbackrest", metadata=about("Folder in the bucket.", form="path"))
    uri_style: Literal["host", "path"] = field(
        default="host",
        metadata=about(
            "Whether the bucket's name stands before the host's or in the path, as most other servers want."
        ),
    )
    ca_certificate: str | None = field(
        default=None,
        metadata=about(
            "Certificate of the authority that signed the service's, as PEM; null: the public authorities.",
            form="certificate",
            example="-----BEGIN CERTIFICATE-----…",
        ),
    )
    access_key: str | None = field(
        default=None,
        metadata=about("Name of the key; beside archive_access_key, the scheduler's.", form="word", example="AKIA…"),
    )
    secret_key: str | None = field(default=None, repr=False, metadata=about("Its secret.", form="word", secret=True))


@dataclass(frozen=True, kw_only=True)
class S3Settings(S3Place):
    """A bucket of S3, or of a server that speaks its protocol. Used when backup.repositories names s3."""

    archive_access_key: str | None = field(
        default=None,
        metadata=about(
            "Name of the key of what serves the members: it reads everything and writes below archive/. null: the "
            "scheduler's, and backups in the bucket are not safe from a member that was taken over.",
            form="word",
            example="AKIA…",
        ),
    )
    archive_secret_key: str | None = field(
        default=None, repr=False, metadata=about("Its secret.", form="word", secret=True)
    )


@dataclass(frozen=True, kw_only=True)
class SftpPlace:
    """A folder of an SFTP server, and one login to it."""

    host: str | None = field(
        default=None, metadata=about("Host name of the server.", form="hostname", example="backup.example.com")
    )
    port: int = field(default=22, metadata=about("Its port.", minimum=1, maximum=HIGHEST_PORT))
    host_fingerprint: str | None = field(
        default=None,
        metadata=about(
            "SHA-256 fingerprint of the server's host key, as `ssh-keygen -lf` prints it.",
            form="fingerprint",
            example="SHA256:…",
        ),
    )
    path: str = field(default="/pgbackrest", metadata=about("Folder on the server.", form="path"))
    user: str | None = field(
        default=None, metadata=about("The login; beside archive_user, the scheduler's.", form="word", example="pipe")
    )
    private_key: str | None = field(
        default=None,
        repr=False,
        metadata=about("Its private key, as PEM without passphrase.", form="private_key", secret=True),
    )


@dataclass(frozen=True, kw_only=True)
class SftpSettings(SftpPlace):
    """A folder of an SFTP server. Used when backup.repositories names sftp."""

    archive_user: str | None = field(
        default=None,
        metadata=about(
            "Login of what serves the members: it reads everything and writes below archive/. null: the scheduler's.",
            form="word",
            example="pipe-archive",
        ),
    )
    archive_private_key: str | None = field(
        default=None,
        repr=False,
        metadata=about(
            "Private key of that login. null: the scheduler's, and backups on the server are not safe from a member "
            "that was taken over.",
            form="private_key",
            secret=True,
        ),
    )
