"""The places that hold backups and WAL, as pgBackRest's options and the files that these name (pure).

Two containers read them. The scheduler makes and expires backups; the server adds WAL and reads, on behalf of members,
with an identity of its own where the place knows two.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Literal

from infra.paths import CONFIG_DIR, REPOSITORY_DIR
from infra.settings import S3Settings, Settings, SftpSettings

Reader = Literal["scheduler", "server"]

S3_AUTHORITY, SFTP_KEY = "s3-ca.pem", "sftp-key.pem"


def numbered(settings: Settings) -> dict[int, str]:
    """Return the kind of each repository by pgBackRest's number of it."""
    return dict(enumerate(settings.backup.repositories, start=1))


def places(settings: Settings) -> list[str]:
    """Return where each repository is, in words that change when it is another place."""
    s3, sftp = settings.s3, settings.sftp
    words = {
        "volume": "volume",
        "s3": f"s3://{s3.endpoint}:{s3.port}/{s3.bucket}{s3.path}",
        "sftp": f"sftp://{sftp.host}:{sftp.port}{sftp.path}",
    }
    return [words[kind] for kind in numbered(settings).values()]


def options(settings: Settings, passphrase: str, reader: Reader) -> dict[str, str]:
    """Return where each repository is, how it is encrypted and what is kept in it."""
    found: dict[str, str] = {}
    for number, kind in numbered(settings).items():
        own = _PLACES[kind](settings, reader) | _kept(settings, passphrase)
        found |= {f"repo{number}-{name}": value for name, value in own.items()}
    return found


def files(settings: Settings, reader: Reader) -> dict[str, str]:
    """Return the files beside ``pgbackrest.conf`` that the options name."""
    found: dict[str, str] = {}
    kinds = settings.backup.repositories
    if "s3" in kinds and settings.s3.ca_certificate:
        found[S3_AUTHORITY] = settings.s3.ca_certificate
    if "sftp" in kinds:
        found[SFTP_KEY] = _sftp_login(settings.sftp, reader)[1]
    # What is read from a terminal or a pipe loses its last line's end, and a key without one is none to OpenSSL.
    return {name: text.rstrip("\n") + "\n" for name, text in found.items()}


def _kept(settings: Settings, passphrase: str) -> dict[str, str]:
    return {
        "cipher-type": "aes-256-cbc",
        "cipher-pass": passphrase,
        # A full backup goes once a newer one is older than the window; WAL goes with the last backup that needs it.
        "retention-full-type": "time",
        "retention-full": str(settings.backup.retention_days),
        "bundle": "y",
        "block": "y",
    }


def _volume(settings: Settings, reader: Reader) -> dict[str, str]:
    del settings, reader
    return {"path": REPOSITORY_DIR}


def _s3(settings: Settings, reader: Reader) -> dict[str, str]:
    s3 = settings.s3
    key, secret = _s3_key(s3, reader)
    authority = {"storage-ca-file": f"{CONFIG_DIR}/{S3_AUTHORITY}"} if s3.ca_certificate else {}
    return {
        "type": "s3",
        "path": s3.path,
        "s3-endpoint": s3.endpoint or "",
        "storage-port": str(s3.port),
        "s3-region": s3.region,
        "s3-bucket": s3.bucket or "",
        "s3-uri-style": s3.uri_style,
        "s3-key": key,
        "s3-key-secret": secret,
        **authority,
    }


def _s3_key(s3: S3Settings, reader: Reader) -> tuple[str, str]:
    if reader == "server" and s3.archive_access_key and s3.archive_secret_key:
        return s3.archive_access_key, s3.archive_secret_key
    return s3.access_key or "", s3.secret_key or ""


def _sftp(settings: Settings, reader: Reader) -> dict[str, str]:
    sftp = settings.sftp
    return {
        "type": "sftp",
        "path": sftp.path,
        "sftp-host": sftp.host or "",
        "sftp-host-port": str(sftp.port),
        "sftp-host-user": _sftp_login(sftp, reader)[0],
        "sftp-private-key-file": f"{CONFIG_DIR}/{SFTP_KEY}",
        "sftp-host-key-check-type": "fingerprint",
        "sftp-host-key-hash-type": "sha256",
        "sftp-host-fingerprint": fingerprint_digits(sftp.host_fingerprint or ""),
    }


def _sftp_login(sftp: SftpSettings, reader: Reader) -> tuple[str, str]:
    if reader == "server" and sftp.archive_user and sftp.archive_private_key:
        return sftp.archive_user, sftp.archive_private_key
    return sftp.user or "", sftp.private_key or ""


def fingerprint_digits(text: str) -> str:
    """Translate OpenSSH's form of a fingerprint (base64 without padding) into pgBackRest's (hexadecimal)."""
    return base64.b64decode(text.removeprefix("SHA256:") + "=").hex()


_PLACES: dict[str, Callable[[Settings, Reader], dict[str, str]]] = {"volume": _volume, "s3": _s3, "sftp": _sftp}
